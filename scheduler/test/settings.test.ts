/** The variables: a wrong one is named without its value, and stops no more than what needs it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readSettings } from "../src/settings.ts";
import { configuration } from "./configuration.ts";

const { vars } = configuration();
const SECRET = "canary-secret-51ab";
const GOOD = { ...vars, GITHUB_DISPATCH_TOKEN: SECRET, WATCH_WEBHOOK_URL: "https://hooks.example.com/services/T/B/x" };

function faultsOf(change: Record<string, unknown>): readonly string[] {
  return readSettings({ ...GOOD, ...change }).faults;
}

describe("the variables of wrangler.jsonc", () => {
  it("are right as they stand", () => {
    const { faults, lane, watch, webhook } = readSettings(GOOD);
    assert.deepEqual([faults, webhook], [[], GOOD.WATCH_WEBHOOK_URL]);
    assert.deepEqual([lane?.mode, lane?.periodMs, watch?.quietLimitMs], ["absent", 600_000, 1_800_000]);
    assert.equal(lane?.repository, vars["GITHUB_REPOSITORY"]);
  });

  it("do without a webhook", () => {
    const { faults, watch, webhook } = readSettings({ ...GOOD, WATCH_WEBHOOK_URL: undefined });
    assert.deepEqual([faults, watch?.quietLimitMs, webhook], [[], 1_800_000, undefined]);
  });

  for (const name of Object.keys(vars)) {
    it(`${name} is required`, () => {
      assert.deepEqual(faultsOf({ [name]: undefined }), [`${name} is missing`]);
      assert.deepEqual(faultsOf({ [name]: "" }), [`${name} is missing`]);
    });

    it(`${name} stands in README.md with its value`, () => {
      const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
      assert.ok(readme.includes(`| \`${name}\` | \`${vars[name]}\` |`), name);
    });
  }
});

describe("a wrong value", () => {
  const rows: [string, unknown, string][] = [
    ["GITHUB_DISPATCH_TOKEN", undefined, "is missing"],
    ["GITHUB_DISPATCH_TOKEN", "", "is missing"],
    ["GITHUB_DISPATCH_TOKEN", `${SECRET}\n`, "is not a token: it holds a space or a line end"],
    ["WATCH_WEBHOOK_URL", "", "is missing"],
    ["WATCH_WEBHOOK_URL", `http://hooks.example.com/${SECRET}`, "is not an https address"],
    ["WATCH_WEBHOOK_URL", SECRET, "is not an https address"],
    ["GITHUB_API", "http://api.github.com", "is not an https address"],
    ["GITHUB_REPOSITORY", "owner", "is not an owner/name"],
    ["GITHUB_REPOSITORY", "owner/name/more", "is not an owner/name"],
    ["GITHUB_REPOSITORY", "owner/..", "is not an owner/name"],
    ["GITHUB_REPOSITORY", "https://github.com/owner/name", "is not an owner/name"],
    ["WORKFLOW_FILE", "../other.yml", "is not the file name of a workflow"],
    ["WORKFLOW_FILE", "Notify — AWS", "is not the file name of a workflow"],
    ["EVENT_TYPE", "x".repeat(101), "is not an event type of 1 to 100 characters"],
    ["MODE", "sometimes", "is not absent or always"],
    ["MODE", "ALWAYS", "is not absent or always"],
    ["PERIOD_MINUTES", "0", "is not a whole number above 0"],
    ["PERIOD_MINUTES", "2.5", "is not a whole number above 0"],
    ["QUIET_LIMIT_MINUTES", "-1", "is not a whole number above 0"],
    ["QUIET_LIMIT_MINUTES", 30, "is not a whole number above 0"],
    ["WATCH_FROM_UTC", "24:00", "is not a time of day such as 13:00"],
    ["WATCH_TO_UTC", "9:30", "is not a time of day such as 13:00"],
  ];
  for (const [name, value, fault] of rows) {
    it(`${name} ${JSON.stringify(value)?.slice(0, 40)} ${fault}`, () => {
      const faults = faultsOf({ [name]: value });
      assert.deepEqual(faults, [`${name} ${fault}`]);
      assert.ok(!faults.join().includes(SECRET));
    });
  }

  it("is told together with all others", () => {
    assert.equal(faultsOf({ MODE: "x", EVENT_TYPE: "", GITHUB_DISPATCH_TOKEN: undefined }).length, 3);
  });

  it("a watch that ends before it begins", () => {
    assert.deepEqual(faultsOf({ WATCH_FROM_UTC: "22:00" }), ["WATCH_FROM_UTC is not before WATCH_TO_UTC"]);
  });

  it("loopback may do without encryption", () => {
    assert.deepEqual(faultsOf({ GITHUB_API: "http://127.0.0.1:8080" }), []);
  });
});

describe("what a wrong variable stops", () => {
  const WATCHER = ["QUIET_LIMIT_MINUTES", "WATCH_FROM_UTC"];
  for (const name of [...Object.keys(vars), "GITHUB_DISPATCH_TOKEN", "WATCH_WEBHOOK_URL"]) {
    const what = name === "WATCH_WEBHOOK_URL" ? "the voice" : WATCHER.includes(name) ? "the watch" : "both";
    it(`${name}: ${what}`, () => {
      const { lane, watch, webhook } = readSettings({ ...GOOD, [name]: "\n" });
      const stopped = [lane, watch, webhook].map((part) => part === undefined);
      const wanted = {
        both: [true, true, false],
        "the watch": [false, true, false],
        "the voice": [false, false, true],
      }[what];
      assert.deepEqual(stopped, wanted);
    });
  }
});
