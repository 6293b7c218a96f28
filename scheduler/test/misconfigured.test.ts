/** Wrong variables in a tick: what the watcher alone needs stops no dispatch, and each fault is told and fails. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { CLOSING, DAYTIME } from "./crons.ts";
import { LoopbackGitHub, scheduled } from "./github.ts";
import { type Scheduler, startScheduler } from "./scheduler.ts";

const FRIDAY_22_10 = "2026-06-05T22:10:00Z";

const github = new LoopbackGitHub();

let scheduler: Scheduler;

before(async () => {
  await github.start();
  scheduler = await startScheduler(github);
});
after(async () => {
  await scheduler.dispose();
  await github.stop();
});
beforeEach(() => github.reset());
afterEach(() => assert.deepEqual(github.faults, [], "a request broke GitHub's description"));

async function failsWith(scheduler: Scheduler, at: string, cron: string, fault: string): Promise<void> {
  assert.equal(await scheduler.tick(at, cron), "exception");
  assert.ok(scheduler.log.at(-1)?.includes(fault), scheduler.log.at(-1));
  const page = await scheduler.get("/healthz", { at });
  assert.deepEqual([page.status, page.body.problems], [503, [fault]]);
}

describe("a fault of the watcher's own variables", () => {
  const mute: [string, string, string][] = [
    ["without encryption", "http://hooks.example.com/x", "WATCH_WEBHOOK_URL is not an https address"],
    ["empty", "", "WATCH_WEBHOOK_URL is missing"],
  ];
  for (const [name, value, fault] of mute) {
    it(`a webhook's address ${name}: dispatched, and the tick fails with it`, async () => {
      await scheduler.forget({ WATCH_WEBHOOK_URL: value });
      await failsWith(scheduler, FRIDAY_22_10, CLOSING, fault);
      assert.deepEqual([github.asked.dispatch.length, github.told], [1, []]);
    });
  }

  it("a wrong webhook's address: the watcher still judges, and nothing counts as told", async () => {
    await scheduler.forget({ WATCH_WEBHOOK_URL: "http://hooks.example.com/x" });
    for (const at of ["13:40", "13:50"]) await scheduler.tick(`2026-06-01T${at}:00Z`);
    assert.equal(scheduler.log.filter((line) => line.includes("no check succeeded")).length, 2);
  });

  const told: [Record<string, string>, string][] = [
    [{ QUIET_LIMIT_MINUTES: "0" }, "QUIET_LIMIT_MINUTES is not a whole number above 0"],
    [{ WATCH_FROM_UTC: "9:30" }, "WATCH_FROM_UTC is not a time of day such as 13:00"],
    [{ WATCH_FROM_UTC: "22:00" }, "WATCH_FROM_UTC is not before WATCH_TO_UTC"],
  ];
  for (const [vars, fault] of told) {
    it(`${fault}: dispatched, told, and the tick fails with it`, async () => {
      await scheduler.forget(vars);
      await failsWith(scheduler, FRIDAY_22_10, CLOSING, fault);
      assert.equal(github.asked.dispatch.length, 1);
      assert.equal(github.told.length, 1);
      assert.ok(github.told[0]?.includes(`${fault}. It dispatches, but nobody watches whether checks succeed`));
    });
  }

  it("does not dispatch where a run answers the window, for the look still decides", async () => {
    await scheduler.forget({ QUIET_LIMIT_MINUTES: "0" });
    github.runs = [scheduled("2026-06-01T13:27:00Z")];
    assert.equal(await scheduler.tick("2026-06-01T13:30:00Z"), "exception");
    assert.deepEqual([github.asked.dispatch.length, github.told.length], [0, 1]);
  });
});

describe("a fault of what a dispatch needs", () => {
  const rows: [Record<string, string>, string][] = [
    [{ GITHUB_DISPATCH_TOKEN: "" }, "GITHUB_DISPATCH_TOKEN is missing"],
    [{ MODE: "sometimes" }, "MODE is not absent or always"],
    [{ PERIOD_MINUTES: "ten" }, "PERIOD_MINUTES is not a whole number above 0"],
    [{ ATTEMPT_TIMEOUT_MS: "" }, "ATTEMPT_TIMEOUT_MS is missing"],
  ];
  for (const [vars, fault] of rows) {
    it(`${fault}: nothing is asked of GitHub, and the webhook is told`, async () => {
      await scheduler.forget(vars);
      await failsWith(scheduler, FRIDAY_22_10, CLOSING, fault);
      assert.deepEqual([github.asked.look.length, github.asked.dispatch.length], [0, 0]);
      assert.equal(github.told.length, 1);
      assert.ok(github.told[0]?.includes(`${fault}. It dispatches nothing`), github.told[0]);
    });
  }
});

describe("is told", () => {
  const ticks = ["01T13:40", "01T13:50", "01T14:00", "01T14:10", "02T13:10", "02T13:20"];
  const rows: [string, string[], string[]][] = [
    ["once a day", [], ["01T13:40", "02T13:10"]],
    ["at each full hour without memory", ["MEMORY"], ["01T14:00"]],
  ];
  for (const [name, hidden, spoke] of rows) {
    it(name, async () => {
      await scheduler.forget({ PERIOD_MINUTES: "ten" }, hidden);
      const heard: string[] = [];
      for (const at of ticks) {
        const before = github.told.length;
        await scheduler.tick(`2026-06-${at}:00Z`, DAYTIME);
        if (github.told.length > before) heard.push(at);
      }
      assert.deepEqual(heard, spoke);
    });
  }
});
