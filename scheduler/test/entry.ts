/** The Worker as it is deployed, but for what a test decides: the clock, its bindings, an empty memory. */

import { lookingOnce } from "../src/kept.ts";
import { Memory as Deployed, remember } from "../src/memory.ts";
import { createWorker } from "../src/worker.ts";

/** The memory as it is deployed, and it can forget the look that it keeps. */
export class Memory extends Deployed {
  async forgetLook(): Promise<void> {
    this.lookOnce = lookingOnce();
  }
}

type Env = Record<string, unknown>;

let shown = 0;
const now = (): number => shown || Date.now();
let worker = createWorker(now);
let changed: Env = {};

function bindings(deployed: Env): Env {
  const env = { ...deployed, ...changed };
  const hidden = String(env["HIDDEN"] ?? "").split(",");
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hidden.includes(name)));
}

export default {
  async fetch(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname === "/forget") {
      changed = (await request.json()) as Env;
      worker = createWorker(now);
      await remember(env, { told: {} });
      const memory = env["MEMORY"] as DurableObjectNamespace<Memory>;
      await memory.get(memory.idFromName("the one")).forgetLook();
      return new Response();
    }
    shown = Number(request.headers.get("x-now") ?? 0);
    return worker.fetch(request, bindings(env), context);
  },
  scheduled(due: { scheduledTime: number; cron: string }, env: Env): Promise<void> {
    shown = 0;
    return worker.scheduled(due, bindings(env));
  },
};
