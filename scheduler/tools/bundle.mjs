/**
 * Bundles the Worker as a deploy would, into a temporary folder, and deploys nothing: `wrangler deploy --dry-run`.
 * Needs no account and no network. It proves that the entry, its imports and `wrangler.jsonc` fit together; the cron
 * expressions it does not look at, which `test/crons.test.ts` does.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const scheduler = join(import.meta.dirname, "..");
const wrangler = join(scheduler, "node_modules", "wrangler", "bin", "wrangler.js");
const scratch = mkdtempSync(join(tmpdir(), "scheduler-"));
const outdir = join(scratch, "bundle");
const env = {
  ...process.env,
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_LOG_PATH: scratch,
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_SEND_METRICS: "false",
  XDG_CONFIG_HOME: scratch,
};

try {
  const words = [wrangler, "deploy", "--dry-run", "--outdir", outdir];
  const done = spawnSync(process.execPath, words, { cwd: scheduler, env, encoding: "utf8", timeout: 60_000 });
  if (done.status !== 0) {
    process.stderr.write(`${done.stdout}${done.stderr}`);
    process.exitCode = 1;
  } else {
    const bundle = readdirSync(outdir).filter((name) => name.endsWith(".js"));
    const bytes = bundle.reduce((sum, name) => sum + statSync(join(outdir, name)).size, 0);
    console.log(`bundle: ${bundle.join(", ")}, ${(bytes / 1024).toFixed(1)} KiB; nothing was deployed`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
