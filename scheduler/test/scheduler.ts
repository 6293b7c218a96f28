/** The Worker in Cloudflare's real runtime, workerd, with loopback for a world. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAYTIME } from "./crons.ts";
import type { LoopbackGitHub } from "./github.ts";

// Wrangler would look for news, report statistics, and leave logs in the home folder.
const scratch = mkdtempSync(join(tmpdir(), "scheduler-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
Object.assign(process.env, {
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_CACHE_DIR: scratch,
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_LOG_PATH: scratch,
  WRANGLER_REGISTRY_PATH: scratch,
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_SEND_METRICS: "false",
  XDG_CONFIG_HOME: scratch,
});
const { unstable_startWorker } = await import("wrangler");

/** Secrets that must not turn up anywhere. */
export const TOKEN = "canary-token-3f9c";
export const WEBHOOK_SECRET = "canary-webhook-77d1";

export interface Page {
  status: number;
  headers: Headers;
  text: string;
  body: any;
}

export interface Scheduler {
  /** One tick at a scheduled time. */
  tick(at: string, cron?: string): Promise<"ok" | "exception">;
  get(path: string, init?: { method?: string; at?: string; signal?: AbortSignal | null }): Promise<Page>;
  /** Empties its memory and its log, as if just deployed with those variables and without the hidden bindings. */
  forget(vars?: Record<string, string>, hidden?: string[]): Promise<void>;
  /** All that the Worker logged, errors included. */
  readonly log: string[];
  dispose(): Promise<void>;
}

/**
 * @param vars on top of `wrangler.jsonc`; the pauses are short so that no test waits for a real one
 * @param hidden bindings that are not there at all
 */
export async function startScheduler(
  github: LoopbackGitHub,
  vars: Record<string, string> = {},
  hidden: string[] = [],
): Promise<Scheduler> {
  const values: Record<string, string> = {
    GITHUB_API: github.address,
    GITHUB_REPOSITORY: "octo-org/trading",
    GITHUB_DISPATCH_TOKEN: TOKEN,
    WATCH_WEBHOOK_URL: `${github.address}/webhook?key=${WEBHOOK_SECRET}`,
    RETRY_PAUSE_MS: "5",
    HIDDEN: hidden.join(","),
    ...vars,
  };
  const log: string[] = [];
  const worker = await unstable_startWorker({
    config: join(import.meta.dirname, "..", "wrangler.jsonc"),
    entrypoint: join(import.meta.dirname, "entry.ts"),
    envFiles: [],
    bindings: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { type: "plain_text", value }])),
    dev: {
      server: { hostname: "127.0.0.1", port: 0 },
      inspector: false,
      watch: false,
      persist: false,
      logLevel: "none",
      structuredLogsHandler: ({ message }: { message: string }) => log.push(message),
    },
  });
  const base = await worker.url;
  return {
    log,
    async tick(at, cron = DAYTIME) {
      const query = new URLSearchParams({ cron, time: String(Date.parse(at)), format: "json" });
      const response = await fetch(new URL(`/cdn-cgi/handler/scheduled?${query}`, base));
      return ((await response.json()) as { outcome: "ok" | "exception" }).outcome;
    },
    async forget(vars = {}, hidden = []) {
      const changed = hidden.length ? { ...vars, HIDDEN: hidden.join(",") } : vars;
      await fetch(new URL("/forget", base), { method: "POST", body: JSON.stringify(changed) });
      log.length = 0;
    },
    async get(path, { method = "GET", at, signal = null } = {}) {
      const headers: Record<string, string> = at ? { "x-now": String(Date.parse(at)) } : {};
      const response = await fetch(new URL(path, base), { method, headers, signal });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, body: text && JSON.parse(text) };
    },
    dispose: () => worker.dispose(),
  };
}
