/**
 * One look at GitHub for everybody who asks /healthz within half a minute, and for all who ask while it is under way.
 *
 * The address is public, and each look costs the token a request of its hourly allowance, the one that the ticks need.
 * So the look is kept where all isolates of all data centres find it, and in this isolate where there is no memory.
 */

import { attempt } from "./errors.ts";
import { newestRuns } from "./github.ts";
import type { KeptLook } from "./remembered.ts";
import type { LaneSettings } from "./settings.ts";

const KEPT_MS = 30_000;

export type LookOnce = (at: number, settings: LaneSettings) => Promise<KeptLook>;

/** Begins a look at most once in half a minute. What is kept is the promise, so that those who come meanwhile wait. */
export function lookingOnce(): LookOnce {
  let kept: { at: number; look: Promise<KeptLook> } | undefined;
  return (at, settings) => {
    if (!kept || Math.abs(at - kept.at) >= KEPT_MS) kept = { at, look: look(settings) };
    return kept.look;
  };
}

/** An error loses its kind on the way out of the memory, so it travels in parts. */
async function look(settings: LaneSettings): Promise<KeptLook> {
  const seen = await attempt(() => newestRuns(settings));
  if (seen.ok) return { runs: seen.value, failed: null };
  return { runs: [], failed: { message: seen.error.message, permanent: seen.error.permanent } };
}
