/** `wrangler.jsonc`, read without wrangler: JSON with whole lines of comment. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Configuration {
  name: string;
  main: string;
  send_metrics: boolean;
  triggers: { crons: string[] };
  vars: Record<string, string>;
}

export function configuration(): Configuration {
  const text = readFileSync(join(import.meta.dirname, "..", "wrangler.jsonc"), "utf8");
  return JSON.parse(text.replace(/^\s*\/\/.*$/gm, ""));
}
