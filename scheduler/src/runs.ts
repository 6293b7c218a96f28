/** What GitHub's list of runs says about a window. Pure: every time is handed in. */

import { EdgeError } from "./errors.ts";
import type { LaneSettings } from "./settings.ts";
import { midnight, minutes } from "./times.ts";

/** A run of the workflow, cut down to what is judged. */
export interface Run {
  event: string;
  /** Null where GitHub does not tell it, as its description allows: such a run is no success and not on its way. */
  status: string | null;
  conclusion: string | null;
  createdAt: number;
  /** For a run that completed: when it did, or later. */
  updatedAt: number;
  /** `schedule <cron>`, `dispatch <source>`, `workflow_dispatch`; null where the title is not this workflow's. */
  lane: string | null;
}

/** How this Worker signs what it dispatches. */
export const OWN_SOURCE = "cloudflare-cron:";

/** The workflow's run-name; GitHub's list tells the lane in no other field. */
const TITLE = /^PT health \| (schedule .+|dispatch .+|workflow_dispatch)$/;
/** A run that a person started may be one of a branch under test, so it answers no window. */
const UNATTENDED = new Set(["schedule", "repository_dispatch"]);
/** `waiting` is absent: such a run waits for a person's approval, which at night is not on its way. */
const ON_ITS_WAY = new Set(["queued", "in_progress", "requested", "pending"]);
/** GitHub's clock and Cloudflare's may differ by this much. */
const SKEW_MS = minutes(1);

/**
 * @param body of `GET .../actions/workflows/{file}/runs`
 * @throws EdgeError where it is something else: a list that cannot be read is not an empty list
 */
export function readRuns(body: string): Run[] {
  try {
    return (JSON.parse(body) as { workflow_runs: unknown[] }).workflow_runs.map(readRun);
  } catch {
    throw new EdgeError("the list of runs: GitHub's answer cannot be read as one", false);
  }
}

function readRun(raw: unknown): Run {
  const run = raw as Record<string, unknown>;
  const { event, status, conclusion = null, display_title: title } = run;
  const [createdAt, updatedAt] = [instant(run["created_at"]), instant(run["updated_at"])];
  if (typeof event !== "string") throw new TypeError("event");
  if (status !== null && typeof status !== "string") throw new TypeError("status");
  if (conclusion !== null && typeof conclusion !== "string") throw new TypeError("conclusion");
  return { event, status, conclusion, createdAt, updatedAt, lane: typeof title === "string" ? laneOf(title) : null };
}

function instant(text: unknown): number {
  const at = typeof text === "string" ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw new TypeError("time");
  return at;
}

/** The lane out of a run's `display_title`. */
export function laneOf(title: string): string | null {
  return TITLE.exec(title)?.[1] ?? null;
}

/** Was this run dispatched by this Worker? */
export function isOwn(run: Run): boolean {
  return run.lane !== null && run.lane.startsWith(`dispatch ${OWN_SOURCE}`);
}

/**
 * The run that answers the window of a tick, or undefined when the window is empty and a run has to be dispatched.
 *
 * The window of a tick T is the period before it. A run answers it when it was created after T - period and either
 * succeeded, or is on its way and not older than `onItsWayMs`: older, it may be stuck, and one run too many harms less
 * than none. Should it fail after all, the next tick makes it good; after the watch has ended no tick follows, so there
 * only a success counts. Failed, cancelled and skipped runs answer nothing.
 *
 * This Worker's own runs are the exception: they answer the window *before* the tick that sent them, so at T only a
 * run that T itself sent counts (the tick was delivered twice). Otherwise the run sent at T - period would fill the
 * window that follows, and while GitHub is silent the Worker would dispatch at every second tick only.
 */
export function answering(runs: readonly Run[], tick: number, settings: LaneSettings): Run | undefined {
  const tickFollows = tick <= midnight(tick) + settings.watchToMs;
  return runs.find((run) => {
    const own = isOwn(run);
    const from = own ? tick - SKEW_MS : tick - settings.periodMs;
    const awaited = (own || tickFollows) && isOnItsWay(run, tick, settings);
    return UNATTENDED.has(run.event) && run.createdAt > from && (succeeded(run) || awaited);
  });
}

/** The newest unattended run that succeeded, or undefined when none of these did. */
export function newestSuccess(runs: readonly Run[]): Run | undefined {
  return newest(runs.filter((run) => UNATTENDED.has(run.event) && succeeded(run)));
}

/** The run that was created last; GitHub promises no order. */
export function newest(runs: readonly Run[]): Run | undefined {
  return runs.reduce<Run | undefined>((last, run) => (last && last.createdAt >= run.createdAt ? last : run), undefined);
}

function succeeded(run: Run): boolean {
  return run.status === "completed" && run.conclusion === "success";
}

function isOnItsWay(run: Run, tick: number, settings: LaneSettings): boolean {
  return run.status !== null && ON_ITS_WAY.has(run.status) && tick - run.createdAt <= settings.onItsWayMs;
}
