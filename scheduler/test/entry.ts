/** The Worker as it is deployed, but for what a test decides: the clock, absent bindings, an empty memory. */

import { keepLook, remember } from "../src/memory.ts";
import { createWorker } from "../src/worker.ts";

export { Memory } from "../src/memory.ts";

type Env = Record<string, unknown>;

let shown = 0;
const now = (): number => shown || Date.now();
let worker = createWorker(now);

function without(env: Env): Env {
  const hidden = String(env["HIDDEN"] ?? "").split(",");
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hidden.includes(name)));
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (new URL(request.url).pathname === "/forget") {
      worker = createWorker(now);
      await remember(env, { told: {} });
      await keepLook(env, undefined);
      return new Response();
    }
    shown = Number(request.headers.get("x-now") ?? 0);
    return worker.fetch(request, without(env));
  },
  scheduled(due: { scheduledTime: number; cron: string }, env: Env): Promise<void> {
    shown = 0;
    return worker.scheduled(due, without(env));
  },
};
