/** The watcher's voice: a webhook that takes `{"text": ...}` as Slack's incoming webhooks do. */

import { type Manners, request } from "./request.ts";

/** Says it, or throws: nothing counts as told before the webhook took it. @throws EdgeError */
export async function tell(webhook: string, lines: readonly string[], manners: Manners): Promise<void> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", "User-Agent": "pt-health-scheduler" },
    body: JSON.stringify({ text: lines.join("\n") }),
  };
  await request("the watcher's webhook", webhook, init, manners);
}
