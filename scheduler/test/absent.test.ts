/** Mode absent: a run is dispatched when none answers the window of the tick, and only then. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { CLOSING, DAYTIME } from "./crons.ts";
import { type Answer, dispatched, type FakeRun, LoopbackGitHub, scheduled } from "./github.ts";
import { type Scheduler, startScheduler } from "./scheduler.ts";

const TICK = "2026-06-01T13:30:00Z"; // a Monday; its window is 13:20 to 13:30
const OWN = `cloudflare-cron:${DAYTIME}`;

const github = new LoopbackGitHub();
let scheduler: Scheduler;

before(async () => {
  await github.start();
  scheduler = await startScheduler(github);
});
after(async () => {
  await scheduler.dispose();
  github.stop();
});
beforeEach(async () => {
  github.reset();
  await scheduler.forget();
  scheduler.log.length = 0;
});
afterEach(() => assert.deepEqual(github.faults, [], "a request broke GitHub's description"));

/** A time on the Monday of the tick. */
function at(clock: string): string {
  return `2026-06-01T${clock}Z`;
}

function unfinished(clock: string, status: string): FakeRun {
  return scheduled(at(clock), { status, conclusion: null });
}

describe("the window is answered", () => {
  const rows: [string, FakeRun[]][] = [
    ["by a success in its first second", [scheduled(at("13:20:01"))]],
    ["by a success in the middle", [scheduled(at("13:27:00"))]],
    ["by a success after the tick, which came late", [scheduled(at("13:31:00"))]],
    [
      "by a success before a failure",
      [scheduled(at("13:22:00")), scheduled(at("13:27:00"), { conclusion: "failure" })],
    ],
    ["by somebody else's dispatch", [dispatched(at("13:25:00"), "systemd-timer")]],
    ["by a scheduled run whose title is not known", [scheduled(at("13:27:00"), { display_title: "Notify" })]],
    [
      "by a success beside a run whose status GitHub does not tell",
      [scheduled(at("13:27:00")), scheduled(at("13:22:00"), { status: null })],
    ],
    ["by a queued run of 5 min", [unfinished("13:25:00", "queued")]],
    ["by a run in progress", [unfinished("13:27:00", "in_progress")]],
    [
      "by what this very tick sent, for it was delivered twice",
      [dispatched(at("13:30:02"), OWN, { status: "queued", conclusion: null })],
    ],
  ];
  for (const [how, runs] of rows) {
    it(how, async () => {
      github.runs = runs;
      assert.equal(await scheduler.tick(TICK), "ok");
      assert.equal(github.asked.dispatch.length, 0);
      assert.match(scheduler.log.join("\n"), /nothing to dispatch: a run of 2026-06-01T13:\d\d:\d\dZ/);
    });
  }
});

describe("the window is empty", () => {
  const rows: [string, FakeRun[]][] = [
    ["without any run", []],
    ["with a success that is as old as the window", [scheduled(at("13:20:00"))]],
    ["with a failed run", [scheduled(at("13:27:00"), { conclusion: "failure" })]],
    ["with a cancelled run", [scheduled(at("13:27:00"), { conclusion: "cancelled" })]],
    ["with a skipped run", [scheduled(at("13:27:00"), { conclusion: "skipped" })]],
    ["with a run that timed out", [scheduled(at("13:27:00"), { conclusion: "timed_out" })]],
    ["with a run that is queued for more than 5 min", [unfinished("13:24:59", "queued")]],
    ["with a run that waits for somebody's approval", [unfinished("13:27:00", "waiting")]],
    ["with a run whose status GitHub does not tell", [scheduled(at("13:27:00"), { status: null, conclusion: null })]],
    ["with a run by hand, which may be one of a branch", [scheduled(at("13:27:00"), { event: "workflow_dispatch" })]],
    ["with the run that the tick before sent", [dispatched(at("13:20:03"), OWN)]],
  ];
  for (const [how, runs] of rows) {
    it(how, async () => {
      github.runs = runs;
      assert.equal(await scheduler.tick(TICK), "ok");
      assert.equal(github.asked.dispatch.length, 1);
    });
  }
});

describe("the look", () => {
  it("asks for the newest runs of the workflow, without their pull requests", async () => {
    await scheduler.tick(TICK);
    const path = "/repos/octo-org/trading/actions/workflows/notify-aws-ibkr-pt-health.yml/runs";
    assert.equal(github.asked.look[0]?.path, `${path}?exclude_pull_requests=true&per_page=20`);
  });

  it("asks for the newest successes as well where none of these succeeded", async () => {
    github.runs = [scheduled(at("13:27:00"))];
    await scheduler.tick(TICK);
    assert.equal(github.asked.look.length, 1);
    github.runs = [scheduled(at("13:27:00"), { conclusion: "failure" })];
    await scheduler.tick(TICK);
    assert.match(github.asked.look[2]?.path ?? "", /\?exclude_pull_requests=true&per_page=5&status=success$/);
  });

  const failures: [string, Answer][] = [
    ["is refused", { status: 403, body: { message: "Resource not accessible" } }],
    ["fails three times", { status: 502 }],
    ["breaks off three times", "break"],
    ["answers something else", { status: 200, headers: { "Content-Type": "text/html" }, body: "<html>" }],
    ["answers a run without a time", { status: 200, body: { total_count: 1, workflow_runs: [{ event: "schedule" }] } }],
  ];
  for (const [how, failure] of failures) {
    it(`${how}: the run is dispatched all the same, and the tick fails`, async () => {
      github.runs = [scheduled(at("13:27:00"))];
      github.always("look", failure);
      assert.equal(await scheduler.tick(TICK), "exception");
      assert.equal(github.asked.dispatch.length, 1);
      assert.match(scheduler.log.join("\n"), /dispatched without having seen the runs/);
      if (typeof failure === "object" && failure.status === 200) github.faults.length = 0; // GitHub never says that
    });
  }

  it("fails once and then works: nothing is dispatched", async () => {
    github.runs = [scheduled(at("13:27:00"))];
    github.next("look", { status: 500 });
    assert.equal(await scheduler.tick(TICK), "ok");
    assert.equal(github.asked.dispatch.length, 0);
  });
});

describe("the end of a Friday", () => {
  const friday = (clock: string) => `2026-06-05T${clock}Z`;

  it("the last window counts at 22:00, and at 22:10 one more run is made for what is still owed", async () => {
    github.runs = [scheduled(friday("21:57:00"))];
    await scheduler.tick(friday("22:00:00"), CLOSING);
    assert.equal(github.asked.dispatch.length, 0);
    await scheduler.tick(friday("22:10:00"), CLOSING);
    assert.equal(github.asked.dispatch.length, 1);
    assert.match(github.asked.dispatch[0]?.body ?? "", /cloudflare-cron:0,10 22 \* \* MON-FRI/);
  });

  it("a late run of GitHub's own after 22:00 is that one more run", async () => {
    github.runs = [scheduled(friday("22:04:00"))];
    await scheduler.tick(friday("22:10:00"), CLOSING);
    assert.equal(github.asked.dispatch.length, 0);
  });

  it("at 22:10 a run that is only on its way does not count: no tick follows, should it fail", async () => {
    github.runs = [scheduled(friday("22:09:00"), { status: "in_progress", conclusion: null })];
    await scheduler.tick(friday("22:10:00"), CLOSING);
    assert.equal(github.asked.dispatch.length, 1);
  });

  it("22:10 is delivered twice: what it sent itself is on its way", async () => {
    github.onDispatch = ({ source }) => {
      github.runs.push(dispatched(friday("22:10:04"), source, { status: "queued", conclusion: null }));
    };
    await scheduler.tick(friday("22:10:00"), CLOSING);
    await scheduler.tick(friday("22:10:00"), CLOSING);
    assert.equal(github.asked.dispatch.length, 1);
  });
});
