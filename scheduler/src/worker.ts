/** The two doors of the Worker, with the clock handed in. */

import { EdgeError, nameOf } from "./errors.ts";
import { type Health, healthOf, unconfigured } from "./healthz.ts";
import { type LookOnce, lookingOnce } from "./kept.ts";
import { recall, sharedLook } from "./memory.ts";
import type { KeptLook } from "./remembered.ts";
import { readSettings } from "./settings.ts";
import { type Due, runTick } from "./tick.ts";
import type { Look } from "./watch.ts";

type Env = Readonly<Record<string, unknown>>;

export interface Doors {
  fetch(request: Request, env: Env, context: Pick<ExecutionContext, "waitUntil">): Promise<Response>;
  scheduled(due: Due, env: Env): Promise<void>;
}

/** @param now milliseconds since 1970 */
export function createWorker(now: () => number): Doors {
  const own = lookingOnce();
  return {
    async scheduled(due, env) {
      try {
        console.log(await runTick(env, due, now));
      } catch (error) {
        console.error(error instanceof Error ? error.message : nameOf(error));
        throw error; // Cloudflare counts the invocation as failed, and its own log keeps it.
      }
    },

    async fetch(request, env, context) {
      if (new URL(request.url).pathname !== "/healthz") return json(404, { error: "not found" });
      if (!["GET", "HEAD"].includes(request.method)) {
        return json(405, { error: "method not allowed" }, { Allow: "GET, HEAD" });
      }
      // Who hangs up must not break off the look for which others wait.
      const asked = health(env, now(), own);
      context.waitUntil(asked);
      const { problems, body } = await asked;
      const answer = json(problems.length === 0 ? 200 : 503, body);
      return request.method === "HEAD" ? new Response(null, answer) : answer;
    },
  };
}

async function health(env: Env, now: number, own: LookOnce): Promise<Health> {
  const { faults, lane, watch, webhook } = readSettings(env);
  if (faults.length > 0 || !lane || !watch) return unconfigured(faults);
  const memory = await recall(env);
  const shared = memory.ok ? await sharedLook(env, now, lane) : memory;
  const look = unpacked(shared.ok ? shared.value : await own(now, lane));
  return healthOf(now, look, memory, watch, webhook !== undefined);
}

function unpacked({ runs, failed }: KeptLook): Look {
  if (failed) return { ok: false, error: new EdgeError(failed.message, failed.permanent) };
  return { ok: true, value: runs };
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(body, null, 2)}\n`, {
    status,
    headers: { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", ...headers },
  });
}
