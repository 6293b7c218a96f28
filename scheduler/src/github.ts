/** The two things that this Worker asks of GitHub: which runs there are, and one more of them. */

import { type Manners, request } from "./request.ts";
import { newestSuccess, OWN_SOURCE, type Run, readRuns } from "./runs.ts";
import type { LaneSettings } from "./settings.ts";
import { rfc3339 } from "./times.ts";

/**
 * How many runs are looked at. All lanes together make at most 17 an hour, so 20 reach back over an hour. A run is
 * 12 KB in GitHub's own example, and the free plan gives a tick 10 ms of CPU: a page of 100 would not do.
 */
const NEWEST = 20;
/** How many successes are asked for where those have none: more than one, for some may have been started by hand. */
const SUCCESSES = 5;

const RENAMED = "the repository was renamed or moved: set GITHUB_REPOSITORY to its new name";

const REMEDIES = {
  301: RENAMED,
  307: RENAMED,
  308: RENAMED,
  401: "the token is expired, revoked or mistyped: set GITHUB_DISPATCH_TOKEN again",
  403: "the token may not do this: it needs Contents (read and write) and Actions (read) of the repository",
  404: "nothing there that the token may see: check GITHUB_REPOSITORY, WORKFLOW_FILE and the token's repositories",
  422: "GitHub refuses the event: check EVENT_TYPE",
};

/**
 * The newest runs of the workflow; and where none of these succeeded, the newest successes as well, so that the age of
 * the newest success is known however many runs failed since.
 *
 * @throws EdgeError
 */
export async function newestRuns(settings: LaneSettings): Promise<Run[]> {
  const newest = await runs(settings, `per_page=${NEWEST}`);
  if (newestSuccess(newest)) return newest;
  return [...newest, ...(await runs(settings, `per_page=${SUCCESSES}&status=success`))];
}

async function runs(settings: LaneSettings, query: string): Promise<Run[]> {
  const path = `/actions/workflows/${settings.workflow}/runs?exclude_pull_requests=true&${query}`;
  const init = { headers: headers(settings) };
  return readRuns(await request("the list of runs", addressOf(settings, path), init, manners(settings)));
}

/**
 * Asks GitHub for one run. The correlation id is made of the scheduled time and the cron and nothing else, so that a
 * tick that is delivered twice, or a request that is repeated because its answer was lost, carries the same one.
 *
 * @throws EdgeError
 */
export async function dispatch(settings: LaneSettings, tick: number, cron: string): Promise<void> {
  const body = JSON.stringify({
    event_type: settings.eventType,
    client_payload: {
      source: `${OWN_SOURCE}${cron}`,
      correlation_id: await correlationId(tick, cron),
      scheduled_at: rfc3339(tick),
    },
  });
  const init = { method: "POST", headers: { ...headers(settings), "Content-Type": "application/json" }, body };
  await request("the dispatch", addressOf(settings, "/dispatches"), init, manners(settings));
}

async function correlationId(tick: number, cron: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`${tick} ${cron}`));
  const hex = Array.from(new Uint8Array(digest.slice(0, 6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${rfc3339(tick).replace(/[-:]/g, "")}-${hex}`;
}

function addressOf(settings: LaneSettings, path: string): string {
  return `${settings.api}/repos/${settings.repository}${path}`;
}

/** GitHub refuses a request without a User-Agent, and this runtime sends none by itself. */
function headers(settings: LaneSettings): Record<string, string> {
  return {
    Accept: "application/vnd.github+json",
    Authorization: `Bearer ${settings.token}`,
    "User-Agent": "pt-health-scheduler",
    "X-GitHub-Api-Version": "2022-11-28",
  };
}

function manners({ timeoutMs, pauseMs, secrets }: LaneSettings): Manners {
  return { timeoutMs, pauseMs, secrets, remedies: REMEDIES };
}
