/** The two doors of the Worker, with the clock handed in. */

import { nameOf } from "./errors.ts";
import { type Health, healthOf, unconfigured } from "./healthz.ts";
import { keptLook, type LookAgain } from "./kept.ts";
import { recall } from "./memory.ts";
import { readSettings, SettingsError } from "./settings.ts";
import { type Due, runTick } from "./tick.ts";

type Env = Readonly<Record<string, unknown>>;

export interface Doors {
  fetch(request: Request, env: Env): Promise<Response>;
  scheduled(due: Due, env: Env): Promise<void>;
}

/** @param now milliseconds since 1970 */
export function createWorker(now: () => number): Doors {
  const look = keptLook(now);
  return {
    async scheduled(due, env) {
      try {
        console.log(await runTick(env, due, now));
      } catch (error) {
        console.error(error instanceof Error ? error.message : nameOf(error));
        throw error; // Cloudflare counts the invocation as failed, and its own log keeps it.
      }
    },

    async fetch(request, env) {
      if (new URL(request.url).pathname !== "/healthz") return json(404, { error: "not found" });
      if (request.method !== "GET") return json(405, { error: "method not allowed" }, { Allow: "GET" });
      const { problems, body } = await health(env, now(), look);
      return json(problems.length === 0 ? 200 : 503, body);
    },
  };
}

async function health(env: Env, now: number, look: LookAgain): Promise<Health> {
  try {
    const settings = readSettings(env);
    const [seen, memory] = await Promise.all([look(env, settings), recall(env)]);
    return healthOf(now, seen, memory, settings);
  } catch (error) {
    if (error instanceof SettingsError) return unconfigured(error.faults);
    throw error;
  }
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(body, null, 2)}\n`, {
    status,
    headers: { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", ...headers },
  });
}
