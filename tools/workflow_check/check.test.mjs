/** The checker refuses what is wrong, and the monitor's own expressions say what the lanes are told apart by. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { faults } from "./check.mjs";
import { evaluated } from "./evaluate.mjs";

const MONITOR = new URL("../../.github/workflows/notify-aws-ibkr-pt-health.yml", import.meta.url);
const TEXT = readFileSync(MONITOR, "utf8");
const PLACE = "/repository/.github/workflows/monitor.yml";
const WORKFLOW = parse(TEXT);

describe("GitHub's parser refuses", () => {
  it("nothing of the monitor as it is", async () => assert.deepEqual(await faults(PLACE, TEXT), []));

  /** @type {[string, string, string, RegExp][]} */
  const mistakes = [
    ["a minute that no hour has", "7,17,27,37,47,57 13-21", "7,17,27,37,47,67 13-21", /cron/i],
    ["a day of the week that is none", "* * MON-FRI\" # primary", "* * MON-FRJ\" # primary", /cron/i],
    ["a permission that is none", "contents: read", "content: read", /content/],
    ["a waiting run that is thrown away and kept", "cancel-in-progress: false", "cancel-in-progress: true", /queue/],
    ["a key of the queue that is none", "  queue: max", "  queues: max", /queues/],
    ["a context that is none", "github.event.schedule ||", "githb.event.schedule ||", /githb/],
    ["a key of a step that is none", "continue-on-error: true", "continue-on-errors: true", /continue-on-errors/],
    ["an expression that does not end", "${{ github.token }}", "${{ github.token", /expression/i],
    ["a function that is none", "failure() ||", "failed() ||", /failed/],
    ["an input that is not declared", "inputs.artifact_name }}", "inputs.artefact_name }}", /artefact_name/],
    ["a step without anything to do", "        uses: actions/setup-python", "        use: actions/setup-python", /use/],
  ];
  for (const [number, [what, right, wrong, said]] of mistakes.entries()) {
    it(what, async () => {
      assert.ok(TEXT.includes(right), `${right} stands in the workflow`);
      assert.match((await faults(`/repository/.github/workflows/${number}.yml`, TEXT.replace(right, wrong))).join("\n"), said);
    });
  }
});

describe("the title of a run", () => {
  /** @type {[string, Record<string, unknown>, string][]} */
  const lanes = [
    [
      "primary",
      { event_name: "schedule", event: { schedule: "7,17,27,37,47,57 13-21 * * MON-FRI" } },
      "PT health | schedule 7,17,27,37,47,57 13-21 * * MON-FRI",
    ],
    [
      "fallback",
      { event_name: "schedule", event: { schedule: "12,22,32,42,52 13-21 * * MON-FRI" } },
      "PT health | schedule 12,22,32,42,52 13-21 * * MON-FRI",
    ],
    [
      "the outside scheduler",
      { event_name: "repository_dispatch", event: { client_payload: { source: "cloudflare-cron:2026-06-01T18:00Z" } } },
      "PT health | dispatch cloudflare-cron:2026-06-01T18:00Z",
    ],
    ["by hand", { event_name: "workflow_dispatch", event: {} }, "PT health | workflow_dispatch"],
  ];
  for (const [lane, github, title] of lanes) {
    it(lane, () => assert.equal(evaluated(WORKFLOW["run-name"], { github }), title));
  }
});

describe("what an expression of the monitor becomes", () => {
  const step = (/** @type {string} */ id) => WORKFLOW.jobs.check.steps.find((/** @type {any} */ one) => one.id === id);
  const own = { inputs: {}, github: {}, secrets: {} };

  it("the settings are this repository's", () =>
    assert.equal(evaluated(step("job").env.AEGIS_PT_ENV_FILE, own), ".github/aws-ibkr-pt-health.env"));
  it("the settings are the caller's where it is called", () =>
    assert.equal(evaluated(step("job").env.AEGIS_PT_ENV_FILE, { inputs: { env_file: "ops/x.env" } }), "ops/x.env"));
  it("the paths in them begin where they lie", () => {
    assert.equal(evaluated(step("job").env.SETTINGS_OF, { inputs: { env_file: "ops/x.env" } }), "caller");
    assert.equal(evaluated(step("job").env.SETTINGS_OF, { inputs: {} }), ".");
  });
  it("one group for all lanes", () =>
    assert.equal(evaluated(WORKFLOW.concurrency.group, own), "aws-ibkr-pt-health"));
  it("what a dispatch says stays text", () => {
    const source = "a\";curl x;# $(id) `id` ${{ secrets.X }}\n::error::";
    const github = { event_name: "repository_dispatch", event: { client_payload: { source } } };
    assert.equal(evaluated(step("job").env.AEGIS_PT_RUN_SOURCE, { github }), source);
  });
});
