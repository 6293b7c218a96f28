/** The watcher's voice: a webhook that takes `{"text": ...}` as Slack's incoming webhooks do. */

import { request } from "./request.ts";
import { type Settings, secretsOf } from "./settings.ts";

/** Says it, or throws: nothing counts as told before the webhook took it. @throws EdgeError */
export async function tell(settings: Settings, webhook: string, lines: readonly string[]): Promise<void> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", "User-Agent": "pt-health-scheduler" },
    body: JSON.stringify({ text: lines.join("\n") }),
  };
  const { timeoutMs, pauseMs } = settings;
  await request("the watcher's webhook", webhook, init, { timeoutMs, pauseMs, secrets: secretsOf(settings) });
}
