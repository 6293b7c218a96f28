/** One tick of the clock outside GitHub: look, dispatch, say, remember, and only then fail. */

import { attempt, type EdgeError, type Outcome } from "./errors.ts";
import { dispatch, newestRuns } from "./github.ts";
import { recall, remember } from "./memory.ts";
import type { Remembered, TickRecord } from "./remembered.ts";
import { answering } from "./runs.ts";
import { readSettings, type Settings } from "./settings.ts";
import { minutes, rfc3339 } from "./times.ts";
import { type Dispatched, judge, type Look, messageOf } from "./watch.ts";
import { tell } from "./webhook.ts";

/** What Cloudflare hands to a tick; the cron is its configured expression, char for char. */
export interface Due {
  scheduledTime: number;
  cron: string;
}

/**
 * Everything is judged at the scheduled time, never at the clock: a tick that is delivered late or twice decides the
 * same. The clock only says when it really fired.
 *
 * @returns one line on what was done
 * @throws SettingsError before anything is done
 * @throws Error after all was done that could be, when any part of it failed: Cloudflare then shows a failed
 * invocation, and may repeat it, which does no harm
 */
export async function runTick(env: Readonly<Record<string, unknown>>, due: Due, now: () => number): Promise<string> {
  const settings = readSettings(env);
  const tick = Math.floor(due.scheduledTime / minutes(1)) * minutes(1);
  const firedAt = now();

  const look: Look = await attempt(() => newestRuns(settings));
  const dispatched = await dispatchIfDue(settings, tick, due.cron, look);
  // Only now: a memory that hangs must not delay the dispatch.
  const memory = await recall(env);
  const message = messageOf(judge(tick, look, dispatched, memory, settings), tick, memory, settings);
  const said = await sayIfAny(settings, message.lines);

  const failures = failuresOf(look, dispatched, said);
  const result = [resultOf(look, dispatched), ...failures.map((error) => error.message)].join("; ");
  const record: TickRecord = { scheduledFor: tick, firedAt, cron: due.cron, ok: failures.length === 0, result };
  const stored = await store(env, { tick, look, memory, record, told: said.ok ? message.told : undefined });
  const summary = `tick ${rfc3339(tick)}: ${result}`;
  if (failures.length > 0) throw new Error(summary);
  return stored.ok ? summary : `${summary}; ${stored.error.message}`;
}

/** In absent mode only where no run answers the window; and where that cannot be seen, always. */
async function dispatchIfDue(settings: Settings, tick: number, cron: string, look: Look): Promise<Dispatched> {
  const answer = settings.mode === "absent" && look.ok ? answering(look.value, tick, settings) : undefined;
  if (answer) {
    const how = answer.status === "completed" ? "succeeded" : "is on its way";
    return { skipped: `a run of ${rfc3339(answer.createdAt)} (${answer.lane ?? answer.event}) ${how}` };
  }
  return attempt(() => dispatch(settings, tick, cron));
}

function sayIfAny(settings: Settings, lines: readonly string[]): Promise<Outcome<void>> {
  const { webhook } = settings;
  for (const line of lines) console.warn(line);
  return attempt(async () => {
    if (webhook !== undefined && lines.length > 0) await tell(settings, webhook, lines);
  });
}

function failuresOf(look: Look, dispatched: Dispatched, said: Outcome<void>): EdgeError[] {
  const outcomes: Outcome<unknown>[] = "skipped" in dispatched ? [look, said] : [look, dispatched, said];
  return outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.error]));
}

function resultOf(look: Look, dispatched: Dispatched): string {
  if ("skipped" in dispatched) return `nothing to dispatch: ${dispatched.skipped}`;
  if (!dispatched.ok) return "nothing dispatched";
  return look.ok ? "dispatched" : "dispatched without having seen the runs";
}

interface Stored {
  tick: number;
  look: Look;
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
  const lastLook = look.ok ? tick : before.lastLook;
  return remember(env, { lastTick: record, ...(lastLook !== undefined && { lastLook }), told: told ?? before.told });
}
