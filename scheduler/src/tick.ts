/** One tick of the clock outside GitHub: look, dispatch, say, remember, and only then fail. */

import { attempt, EdgeError, type Outcome } from "./errors.ts";
import { dispatch, newestRuns } from "./github.ts";
import { recall, remember } from "./memory.ts";
import type { Remembered, TickRecord } from "./remembered.ts";
import { answering } from "./runs.ts";
import { type LaneSettings, type Reading, readSettings, secretsOf } from "./settings.ts";
import { minutes, rfc3339 } from "./times.ts";
import { type Dispatched, judge, judgeVariables, type Look, messageOf, type Verdict } from "./watch.ts";
import { tell } from "./webhook.ts";

/** What Cloudflare hands to a tick; the cron is its configured expression, char for char. */
export interface Due {
  scheduledTime: number;
  cron: string;
}

/** What reports wrong variables: those that would say it may be the wrong ones. */
const DISTRESS = { periodMs: minutes(10), timeoutMs: 10_000, pauseMs: 1_000 };

/** What became of the parts of a tick; undefined where the variables did not allow it. */
interface Done {
  look?: Look;
  dispatched?: Dispatched;
}

/**
 * Everything is judged at the scheduled time, never at the clock: a tick that is delivered late or twice decides the
 * same. The clock only says when it really fired.
 *
 * @returns one line on what was done
 * @throws Error after all was done that could be, when any part of it failed or a variable is wrong: Cloudflare then
 * shows a failed invocation, and may repeat it
 */
export async function runTick(env: Readonly<Record<string, unknown>>, due: Due, now: () => number): Promise<string> {
  const reading = readSettings(env);
  const tick = Math.floor(due.scheduledTime / minutes(1)) * minutes(1);
  const firedAt = now();

  const done: Done = reading.lane ? await lookAndDispatch(reading.lane, tick, due.cron) : {};
  // Only now: a memory that hangs must not delay the dispatch.
  const memory = await recall(env);
  const verdicts = [judgeVariables(tick, reading), ...judgeChecks(tick, done, memory, reading)];
  const message = messageOf(verdicts, tick, memory, (reading.lane ?? DISTRESS).periodMs);
  const said = await sayIfAny(reading, message.lines);

  const failures = failuresOf(reading, done, said);
  const result = [resultOf(done), ...failures].join("; ");
  const record: TickRecord = { scheduledFor: tick, firedAt, cron: due.cron, ok: failures.length === 0, result };
  const { look } = done;
  const stored = await store(env, { tick, look, memory, record, told: said.ok ? message.told : undefined });
  const summary = `tick ${rfc3339(tick)}: ${result}`;
  if (failures.length > 0) throw new Error(summary);
  return stored.ok ? summary : `${summary}; ${stored.error.message}`;
}

async function lookAndDispatch(settings: LaneSettings, tick: number, cron: string): Promise<Required<Done>> {
  const look: Look = await attempt(() => newestRuns(settings));
  return { look, dispatched: await dispatchIfDue(settings, tick, cron, look) };
}

/** In absent mode only where no run answers the window; and where that cannot be seen, always. */
async function dispatchIfDue(settings: LaneSettings, tick: number, cron: string, look: Look): Promise<Dispatched> {
  const answer = settings.mode === "absent" && look.ok ? answering(look.value, tick, settings) : undefined;
  if (answer) {
    const how = answer.status === "completed" ? "succeeded" : "is on its way";
    return { skipped: `a run of ${rfc3339(answer.createdAt)} (${answer.lane ?? answer.event}) ${how}` };
  }
  return attempt(() => dispatch(settings, tick, cron));
}

function judgeChecks(
  tick: number,
  { look, dispatched }: Done,
  memory: Outcome<Remembered>,
  { watch }: Reading,
): Verdict[] {
  return watch && look && dispatched ? judge(tick, look, dispatched, memory, watch) : [];
}

function sayIfAny({ lane, webhook, isMute }: Reading, lines: readonly string[]): Promise<Outcome<void>> {
  for (const line of lines) console.warn(line);
  return attempt(async () => {
    if (lines.length === 0) return;
    if (isMute) throw new EdgeError("the watcher's webhook: nothing was sent, because its address is wrong", true);
    if (webhook === undefined) return;
    const { timeoutMs, pauseMs } = lane ?? DISTRESS;
    await tell(webhook, lines, { timeoutMs, pauseMs, secrets: lane?.secrets ?? secretsOf(webhook) });
  });
}

function failuresOf({ faults }: Reading, { look, dispatched }: Done, said: Outcome<void>): string[] {
  const tried = dispatched && "skipped" in dispatched ? undefined : dispatched;
  const failed = [look, tried, said].flatMap((part) => (part && !part.ok ? [part.error.message] : []));
  return faults.length > 0 ? [`the scheduler is configured wrongly: ${faults.join("; ")}`, ...failed] : failed;
}

function resultOf({ look, dispatched }: Done): string {
  if (!dispatched) return "nothing dispatched";
  if ("skipped" in dispatched) return `nothing to dispatch: ${dispatched.skipped}`;
  if (!dispatched.ok) return "nothing dispatched";
  return look?.ok ? "dispatched" : "dispatched without having seen the runs";
}

interface Stored {
  tick: number;
  look: Look | undefined;
  memory: Outcome<Remembered>;
  record: TickRecord;
  told: Remembered["told"] | undefined;
}

/** Deliver, then record: a receipt is kept only for what the webhook took. */
function store(
  env: Readonly<Record<string, unknown>>,
  { tick, look, memory, record, told }: Stored,
): Promise<Outcome<void>> {
  if (!memory.ok) return Promise.resolve(memory);
  const before = memory.value;
  const lastLook = look?.ok ? tick : before.lastLook;
  return remember(env, { lastTick: record, ...(lastLook !== undefined && { lastLook }), told: told ?? before.told });
}
