/** `GET /healthz`: what is known of the last tick and of the checks, and what is not known. No secret, no address. */

import type { Outcome } from "./errors.ts";
import type { Remembered } from "./remembered.ts";
import { isOwn, newest, newestSuccess, type Run } from "./runs.ts";
import type { WatchSettings } from "./settings.ts";
import { inMinutes, rfc3339 } from "./times.ts";
import { isWatched, type Look, opening, quietness } from "./watch.ts";

export interface Health {
  /** Why the answer is 503; empty where it is 200. */
  problems: string[];
  body: Record<string, unknown>;
}

/** What is said while the variables are wrong: nothing else can be known then. */
export function unconfigured(faults: readonly string[]): Health {
  return answer([...faults], {});
}

/**
 * A problem is: the list of runs cannot be read (at any time, for a wrong token is wrong at night too); and, while the
 * watch is on, no success within the limit, or no tick within it.
 *
 * @param now milliseconds
 */
export function healthOf(
  now: number,
  look: Look,
  memory: Outcome<Remembered>,
  settings: WatchSettings,
  hasVoice: boolean,
): Health {
  const watched = isWatched(now, settings);
  const problems: string[] = [];
  if (!look.ok) problems.push(look.error.message);
  else if (watched) problems.push(...quietProblem(now, look.value, settings));
  if (memory.ok && watched) problems.push(...tickProblem(now, memory.value, settings));
  return answer(problems, {
    watching: watched,
    mode: settings.mode,
    limit_minutes: inMinutes(settings.quietLimitMs),
    watcher_voice: hasVoice ? "webhook" : "none: WATCH_WEBHOOK_URL is not set",
    last_tick: lastTick(memory),
    newest_success: look.ok ? described(newestSuccess(look.value)) : "not known",
    // GitHub's own trace of this Worker. A tick that found nothing to dispatch leaves none.
    newest_own_run: look.ok ? described(newest(look.value.filter(isOwn))) : "not known",
  });
}

function answer(problems: string[], known: Record<string, unknown>): Health {
  return { problems, body: { status: problems.length === 0 ? "ok" : "failing", problems, ...known } };
}

function quietProblem(now: number, runs: readonly Run[], settings: WatchSettings): string[] {
  const { ageMs, late } = quietness(runs, now, settings);
  return late ? [`no check succeeded for ${inMinutes(ageMs)} min (over ${inMinutes(settings.quietLimitMs)})`] : [];
}

/** Cloudflare's crons have stopped without a word before. A Worker that never ticked yet is new, not silent. */
function tickProblem(now: number, { lastTick: last }: Remembered, settings: WatchSettings): string[] {
  if (!last) return [];
  const ageMs = now - Math.max(last.scheduledFor, opening(now, settings));
  return ageMs > settings.quietLimitMs ? [`no tick for ${inMinutes(ageMs)} min: Cloudflare's crons are silent`] : [];
}

function lastTick(memory: Outcome<Remembered>): unknown {
  if (!memory.ok) return `not known: ${memory.error.message}`;
  const last = memory.value.lastTick;
  if (!last) return "none since this was deployed";
  return {
    scheduled_for: rfc3339(last.scheduledFor),
    fired_at: rfc3339(last.firedAt),
    cron: last.cron,
    ok: last.ok,
    result: last.result,
  };
}

function described(run: Run | undefined): unknown {
  if (!run) return "none among the newest runs";
  return { created_at: rfc3339(run.createdAt), status: run.status, conclusion: run.conclusion, lane: run.lane };
}
