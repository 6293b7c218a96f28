/** The watcher's voice: a webhook that takes `{"text": ...}` as Slack's incoming webhooks do. */

import { EdgeError } from "./errors.ts";
import { type Manners, request } from "./request.ts";

const WHAT = "the watcher's webhook";

/**
 * Says it, or throws: nothing counts as told before the webhook took it. A page for people, such as a login's, took
 * nothing, whatever its status.
 *
 * @throws EdgeError
 */
export async function tell(webhook: string, lines: readonly string[], manners: Manners): Promise<void> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", "User-Agent": "pt-health-scheduler" },
    body: JSON.stringify({ text: lines.join("\n") }),
  };
  const answer = await request(WHAT, webhook, init, manners);
  if (/^\s*</.test(answer)) throw new EdgeError(`${WHAT}: what answered is a page for people`, true);
}
