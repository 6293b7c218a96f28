/**
 * The watcher outside GitHub: what there is to say at a tick, and whether this tick is the one to say it. Pure.
 *
 * An episode is reported once. **Without memory** that is decided from scheduled times alone: the tick at which the limit
 * was crossed speaks, i.e. the one at which the age is over the limit while a period earlier, by the successes that
 * were there to be seen then, it was not. A tick that comes late or twice has the same scheduled time and so the same
 * answer. If Cloudflare skips that very tick, each full hour speaks again: a word too many is better than none. **With
 * memory** a receipt decides: whichever tick first finds the episode untold speaks, so a skipped tick or a webhook that
 * failed is made good by the next one, and the end of an episode is reported as well. The receipt holds until a *good*
 * verdict or a new day: in a long queue the newest success moves on at every tick, and the silence lasts all the same.
 *
 * The clock of silence starts when the watch begins (WATCH_FROM_UTC) each weekday, and ends with the day's last tick,
 * which comes after WATCH_TO_UTC and judges to its own time, for on a Friday the next one comes on Monday. So nights and
 * weekends do not count, the first tick of a day finds an age of 0, "no run ever" is as old as the day's watch, and a
 * silence that lasts for days is reported once a day.
 */

import type { Outcome } from "./errors.ts";
import type { Kind, Remembered } from "./remembered.ts";
import { newestSuccess, type Run } from "./runs.ts";
import type { Reading, WatchSettings } from "./settings.ts";
import { forPeople, inMinutes, isWeekday, midnight, minutes } from "./times.ts";

export type Look = Outcome<Run[]>;
/** A dispatch that was tried, or the words why none was needed. */
export type Dispatched = Outcome<void> | { skipped: string };

/** As for the detector's rules: only *good* ends an episode, and *unseen* changes nothing. */
export type Verdict =
  | { kind: Kind; state: "bad"; since: number; crossing: boolean; text: string }
  | { kind: Kind; state: "good"; evidence: number; text: string }
  | { kind: Kind; state: "unseen" };

/** What a tick says, and the receipts that hold once the webhook took it. */
export interface Message {
  lines: string[];
  told: Remembered["told"];
}

/** How long it has been quiet, in watched time. */
export interface Quietness {
  newest: number | undefined;
  since: number;
  ageMs: number;
  late: boolean;
}

/** @param at a time of a weekday at which somebody watches or a tick is due, in milliseconds */
export function quietness(runs: readonly Run[], at: number, settings: WatchSettings): Quietness {
  const newest = newestSuccess(runs)?.createdAt;
  const since = Math.max(newest ?? Number.NEGATIVE_INFINITY, opening(at, settings));
  const ageMs = at - since;
  return { newest, since, ageMs, late: ageMs > settings.quietLimitMs };
}

/** When the watch begins on the day of a time. */
export function opening(at: number, settings: WatchSettings): number {
  return midnight(at) + settings.watchFromMs;
}

/** Is anybody watching at this time? */
export function isWatched(at: number, settings: WatchSettings): boolean {
  return isWeekday(at) && at >= opening(at, settings) && at < midnight(at) + settings.watchToMs;
}

/** The three verdicts of a tick on the checks. */
export function judge(
  tick: number,
  look: Look,
  dispatched: Dispatched,
  memory: Outcome<Remembered>,
  settings: WatchSettings,
): Verdict[] {
  return [
    judgeQuiet(tick, look, dispatched, settings),
    judgeUnreadable(tick, look, dispatched, memory, settings),
    judgeUndispatchable(tick, dispatched, settings),
  ];
}

function judgeQuiet(tick: number, look: Look, dispatched: Dispatched, settings: WatchSettings): Verdict {
  if (!look.ok) return { kind: "quiet", state: "unseen" };
  const { newest, since, ageMs, late } = quietness(look.value, tick, settings);
  if (late) {
    const earlier = tick - settings.periodMs;
    const seenThen = look.value.filter((run) => run.updatedAt <= earlier);
    const before = quietness(seenThen, earlier, settings);
    const length = `${inMinutes(ageMs)} min`;
    const span = since === newest ? `for ${length}` : `in the ${length} since the watch began`;
    const text = [
      `PT health: no check succeeded ${span} (over ${inMinutes(settings.quietLimitMs)}).`,
      `Newest success: ${newestInWords(newest, look.value)}.`,
      dispatchInWords(dispatched),
      "Until one succeeds nothing watches the runtime: look at it by hand (RUNBOOK.md), and at",
      `https://github.com/${settings.repository}/actions/workflows/${settings.workflow}`,
    ].join(" ");
    return { kind: "quiet", state: "bad", since, crossing: !before.late, text };
  }
  // The morning's age of 0 is no proof that anything works: only a success is.
  if (newest === undefined) return { kind: "quiet", state: "unseen" };
  const text = `PT health: a check succeeded again, at ${forPeople(newest)}.`;
  return { kind: "quiet", state: "good", evidence: newest, text };
}

/** A list that cannot be read is never "healthy". A fault that passes by itself may last as long as a silence may. */
function judgeUnreadable(
  tick: number,
  look: Look,
  dispatched: Dispatched,
  memory: Outcome<Remembered>,
  settings: WatchSettings,
): Verdict {
  const kind = "unreadable";
  if (look.ok) {
    return { kind, state: "good", evidence: tick, text: "PT health: GitHub's list of runs can be read again." };
  }
  const lastLook = memory.ok ? memory.value.lastLook : undefined;
  const since = Math.max(lastLook ?? Number.NEGATIVE_INFINITY, opening(tick, settings));
  if (memory.ok && !look.error.permanent && tick - since <= settings.quietLimitMs) return { kind, state: "unseen" };
  const text = `PT health: it is not known whether checks succeed: ${look.error.message}. ${dispatchInWords(dispatched)}`;
  return { kind, state: "bad", since, crossing: false, text };
}

function judgeUndispatchable(tick: number, dispatched: Dispatched, settings: WatchSettings): Verdict {
  const kind = "undispatchable";
  if ("skipped" in dispatched) return { kind, state: "unseen" };
  if (dispatched.ok) {
    return { kind, state: "good", evidence: tick, text: "PT health: the second scheduler can dispatch again." };
  }
  if (!dispatched.error.permanent) return { kind, state: "unseen" };
  const what = `PT health: the second scheduler cannot dispatch: ${dispatched.error.message}.`;
  const text = `${what} GitHub's own schedule is the only lane left.`;
  return { kind, state: "bad", since: opening(tick, settings), crossing: false, text };
}

/** Wrong variables are reported like any other episode; the voice itself may be among what is wrong. */
export function judgeVariables(tick: number, { faults, lane, watch }: Reading): Verdict {
  const kind = "misconfigured";
  if (faults.length === 0) {
    return {
      kind,
      state: "good",
      evidence: tick,
      text: "PT health: the second scheduler's variables are right again.",
    };
  }
  const rest = lane
    ? `It dispatches${watch ? " and watches" : ", but nobody watches whether checks succeed"}.`
    : "It dispatches nothing: GitHub's own schedule is the only lane left.";
  const text = `PT health: the second scheduler is configured wrongly: ${faults.join("; ")}. ${rest}`;
  return { kind, state: "bad", since: midnight(tick), crossing: false, text };
}

/** What this tick has to say. No lines: nothing. */
export function messageOf(
  verdicts: readonly Verdict[],
  tick: number,
  memory: Outcome<Remembered>,
  periodMs: number,
): Message {
  const told = { ...(memory.ok ? memory.value.told : {}) };
  const lines: string[] = [];
  for (const verdict of verdicts) {
    const receipt = told[verdict.kind];
    if (verdict.state === "bad") {
      const isDue = memory.ok
        ? receipt === undefined || receipt < midnight(tick)
        : verdict.crossing || isFirstOfHour(tick, periodMs);
      if (isDue) lines.push(verdict.text);
      // The receipt moves on with the newest success, so that only a newer one is the end of the episode.
      told[verdict.kind] = verdict.since;
    } else if (verdict.state === "good" && receipt !== undefined && verdict.evidence > receipt) {
      lines.push(verdict.text);
      delete told[verdict.kind];
    }
  }
  return { lines, told };
}

function isFirstOfHour(tick: number, periodMs: number): boolean {
  return tick % minutes(60) < periodMs;
}

function newestInWords(newest: number | undefined, runs: readonly Run[]): string {
  if (newest !== undefined) return forPeople(newest);
  return runs.length === 0 ? "none, there is no run at all" : "none, of the runs that GitHub lists no one succeeded";
}

function dispatchInWords(dispatched: Dispatched): string {
  if ("skipped" in dispatched) return `No run was dispatched: ${dispatched.skipped}.`;
  return dispatched.ok ? "A run was dispatched just now." : "A run could not be dispatched either.";
}
