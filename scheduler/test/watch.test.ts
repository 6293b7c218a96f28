/** The watcher outside GitHub: when it speaks, and that it speaks once per episode. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { CLOSING, DAYTIME, ticksOfDay } from "./crons.ts";
import { dispatched, type FakeRun, LoopbackGitHub, scheduled } from "./github.ts";
import { type Scheduler, startScheduler } from "./scheduler.ts";

const MONDAY = "2026-06-01";
const TUESDAY = "2026-06-02";

const github = new LoopbackGitHub();
/** As deployed; without its Durable Object; without a webhook. */
let scheduler: Scheduler;
let forgetful: Scheduler;
let mute: Scheduler;

before(async () => {
  await github.start();
  scheduler = await startScheduler(github);
  forgetful = await startScheduler(github, {}, ["MEMORY"]);
  mute = await startScheduler(github, {}, ["WATCH_WEBHOOK_URL"]);
});
after(async () => {
  await Promise.all([scheduler.dispose(), forgetful.dispose(), mute.dispose()]);
  github.stop();
});
beforeEach(async () => {
  github.reset();
  await scheduler.forget();
});
afterEach(() => assert.deepEqual(github.faults, [], "a request broke GitHub's description"));

interface Day {
  /** The times of day at which the webhook was told something. */
  spoke: string[];
  texts: string[];
  failed: string[];
}

const isMorning = (clock: string): boolean => clock <= "14:10";
const untilThree = (clock: string): boolean => clock <= "15:00";
const isEvening = (clock: string): boolean => clock >= "21:00";

/** Plays the ticks of a part of a day; a run appears in GitHub's list when its time has come. */
async function play(watcher: Scheduler, day: string, runs: string[], delivered = isMorning): Promise<Day> {
  const told: Day = { spoke: [], texts: [], failed: [] };
  const hidden = github.runs;
  for (const { at, cron } of ticksOfDay(day, [DAYTIME, CLOSING])) {
    const clock = at.slice(11, 16);
    if (!delivered(clock)) continue;
    github.runs = [...hidden, ...runs.filter((run) => run <= at).map((run) => scheduled(run))];
    const before = github.asked.webhook.length;
    if ((await watcher.tick(at, cron)) === "exception") told.failed.push(clock);
    if (github.asked.webhook.length > before) told.spoke.push(clock);
  }
  told.texts = github.told;
  return told;
}

/** GitHub's own primary lane, all of it. */
function primaryLane(day: string, until = "22:00"): string[] {
  const hours = ["13", "14", "15", "16", "17", "18", "19", "20", "21"];
  const clocks = hours.flatMap((hour) => ["07", "17", "27", "37", "47", "57"].map((minute) => `${hour}:${minute}`));
  return clocks.filter((clock) => clock < until).map((clock) => `${day}T${clock}:00Z`);
}

/** Plays a queue: each run is listed at once and succeeds only after a while. Returns when the webhook was told. */
async function playQueue(
  watcher: Scheduler,
  day: string,
  created: string[],
  delay: number,
  delivered = isMorning,
): Promise<string[]> {
  const spoke: string[] = [];
  for (const { at, cron } of ticksOfDay(day, [DAYTIME, CLOSING])) {
    if (!delivered(at.slice(11, 16))) continue;
    github.runs = created.filter((run) => run <= at).map((run) => queuedRun(run, delay, at));
    const before = github.told.length;
    await watcher.tick(at, cron);
    if (github.told.length > before) spoke.push(at.slice(11, 16));
  }
  return spoke;
}

function queuedRun(created: string, delay: number, at: string): FakeRun {
  const finished = Date.parse(created) + delay * 60_000;
  if (finished > Date.parse(at)) return scheduled(created, { status: "queued", conclusion: null });
  return scheduled(created, { updated_at: new Date(finished).toISOString().replace(".000Z", "Z") });
}

/** A day whose last success is this one. */
function untilLast(clock: string): string[] {
  return [...primaryLane(MONDAY, clock.slice(0, 5)), `${MONDAY}T${clock}Z`];
}

describe("no success for longer than the limit of 30 min", () => {
  const rows: [string, string[], typeof isMorning, string[], string[]][] = [
    ["a healthy morning", primaryLane(MONDAY), isMorning, [], []],
    ["a healthy evening", primaryLane(MONDAY), isEvening, [], []],
    ["the tick at which the limit was crossed speaks", [`${MONDAY}T13:05:00Z`], isMorning, ["13:40"], ["14:00"]],
    ["not at the limit itself, but a tick later", [`${MONDAY}T13:10:00Z`], isMorning, ["13:50"], ["14:00"]],
    ["a second beyond the limit", [`${MONDAY}T13:09:59Z`], isMorning, ["13:40"], ["14:00"]],
    ["no run ever: counted from the beginning of the watch", [], isMorning, ["13:40"], ["14:00"]],
    ["the weekend does not count", ["2026-05-29T21:57:00Z"], isMorning, ["13:40"], ["14:00"]],
    ["silent from the evening on", primaryLane(MONDAY, "21:06"), isEvening, ["21:30"], ["22:00"]],
    ["crossed at the very end of the watch", primaryLane(MONDAY, "21:28"), isEvening, ["22:00"], []],
    ["crossed only after the last window", primaryLane(MONDAY, "21:38"), isEvening, ["22:10"], []],
    ["a second beyond the limit at the last tick", untilLast("21:39:59"), isEvening, ["22:10"], []],
    ["at the limit at the last tick", untilLast("21:40:00"), isEvening, [], []],
  ];
  for (const [name, runs, part, spoke, repeated] of rows) {
    it(name, async () => {
      const day = await play(scheduler, MONDAY, runs, part);
      assert.deepEqual([day.spoke, day.failed], [spoke, []]);
    });

    if (spoke.length === 0) continue;
    it(`${name}; without memory each full hour repeats it`, async () => {
      const day = await play(forgetful, MONDAY, runs, part);
      assert.deepEqual([day.spoke, day.failed], [[...spoke, ...repeated], []]);
    });
  }

  it("says how long, the limit, the newest success, what was done, and where to look", async () => {
    const { texts } = await play(scheduler, MONDAY, [`${MONDAY}T13:05:00Z`]);
    assert.equal(
      texts[0],
      "PT health: no check succeeded for 35 min (over 30). Newest success: 2026-06-01 13:05 UTC / 09:05 ET / 22:05 JST. " +
        "A run was dispatched just now. Until one succeeds nothing watches the runtime: look at it by hand (RUNBOOK.md), and at " +
        "https://github.com/octo-org/trading/actions/workflows/notify-aws-ibkr-pt-health.yml",
    );
  });

  it("runs that fail are no successes, and where none ever succeeded the message says so", async () => {
    github.runs = primaryLane(MONDAY, "13:30").map((run) => scheduled(run, { conclusion: "failure" }));
    const { spoke, texts } = await play(scheduler, MONDAY, []);
    assert.deepEqual(spoke, ["13:40"]);
    assert.match(texts[0] ?? "", /none, of the runs that GitHub lists no one succeeded\./);
  });

  it("a success is found however many runs failed since, and runs by hand are no successes", async () => {
    const failures = Array.from({ length: 30 }, (_, second) => `${MONDAY}T14:00:${String(second + 10)}Z`);
    github.runs = [
      scheduled(`${MONDAY}T13:57:00Z`),
      ...failures.map((run) => scheduled(run, { conclusion: "failure" })),
      scheduled(`${MONDAY}T14:05:00Z`, { event: "workflow_dispatch" }),
    ];
    const { spoke, texts } = await play(scheduler, MONDAY, [], (clock) => clock >= "14:10" && untilThree(clock));
    assert.deepEqual(spoke, ["14:30"]);
    assert.match(texts[0] ?? "", /for 33 min .* Newest success: 2026-06-01 13:57 UTC/);
  });

  it("does not say that a dispatch was made when it was not", async () => {
    github.always("dispatch", { status: 500 });
    const { texts } = await play(scheduler, MONDAY, []);
    assert.match(texts[0] ?? "", /there is no run at all\. A run could not be dispatched either\./);
  });
});

describe("once per episode", () => {
  it("the tick at which the limit was crossed is delivered twice", async () => {
    assert.equal(await scheduler.tick(`${MONDAY}T13:40:00Z`), "ok");
    assert.equal(await scheduler.tick(`${MONDAY}T13:40:00Z`), "ok");
    assert.equal(github.told.length, 1);
  });

  it("Cloudflare skips that tick: the next one speaks", async () => {
    const { spoke } = await play(scheduler, MONDAY, [], (clock) => isMorning(clock) && clock !== "13:40");
    assert.deepEqual(spoke, ["13:50"]);
  });

  it("Cloudflare skips that tick and there is no memory: the next full hour speaks", async () => {
    const { spoke } = await play(forgetful, MONDAY, [], (clock) => isMorning(clock) && clock !== "13:40");
    assert.deepEqual(spoke, ["14:00"]);
  });

  it("the webhook fails: the tick fails, and the next one says it", async () => {
    github.next("webhook", { status: 500 }, "break", { status: 503 });
    const { spoke, failed } = await play(scheduler, MONDAY, []);
    assert.deepEqual(failed, ["13:40"]);
    assert.deepEqual(spoke, ["13:40", "13:50"]);
    assert.equal(github.asked.webhook.length, 4);
  });

  it("the webhook fails once within a tick: said once, and the tick is well", async () => {
    github.next("webhook", { status: 429 });
    const { spoke, failed } = await play(scheduler, MONDAY, []);
    assert.deepEqual([spoke, failed], [["13:40"], []]);
  });

  it("the webhook refuses: it is not asked again in that tick", async () => {
    github.next("webhook", { status: 404, body: "no_service" });
    await scheduler.tick(`${MONDAY}T13:40:00Z`);
    assert.equal(github.asked.webhook.length, 1);
  });

  it("a page for people answers in the webhook's place: the tick fails, and the next one says it", async () => {
    github.next("webhook", { status: 200, body: "<!doctype html><title>Sign in</title>" });
    const { spoke, failed } = await play(scheduler, MONDAY, []);
    assert.deepEqual([spoke, failed], [["13:40", "13:50"], ["13:40"]]);
  });

  it("two episodes of one day, and the end of the first", async () => {
    const { spoke, texts } = await play(scheduler, MONDAY, [`${MONDAY}T13:05:00Z`, `${MONDAY}T14:13:00Z`], untilThree);
    assert.deepEqual(spoke, ["13:40", "14:20", "14:50"]);
    assert.match(texts[1] ?? "", /a check succeeded again, at 2026-06-01 14:13 UTC/);
  });

  it("a success of the Worker's own run ends it", async () => {
    await scheduler.tick(`${MONDAY}T13:40:00Z`);
    github.runs.push(dispatched(`${MONDAY}T13:40:03Z`, `cloudflare-cron:${DAYTIME}`));
    await scheduler.tick(`${MONDAY}T13:50:00Z`);
    assert.match(github.told[1] ?? "", /a check succeeded again, at 2026-06-01 13:40 UTC/);
  });

  it("a silence that lasts for days is told once a day, and the morning does not end it", async () => {
    github.runs = [scheduled("2026-05-29T21:57:00Z")];
    const monday = await play(scheduler, MONDAY, []);
    const tuesday = await play(scheduler, TUESDAY, []);
    assert.deepEqual([monday.spoke, tuesday.spoke], [["13:40"], ["13:40"]]);
  });

  const queues: [string, () => Scheduler, number, string[]][] = [
    ["38 min", () => scheduler, 38, ["13:40"]],
    ["38 min, without memory", () => forgetful, 38, ["13:40", "14:00", "15:00"]],
    ["28 min", () => scheduler, 28, ["13:40"]],
    ["28 min, without memory", () => forgetful, 28, ["13:40", "14:00", "15:00"]],
  ];
  for (const [name, watcher, delay, spoke] of queues) {
    it(`each run succeeds only after ${name}: one episode, however far the newest success moves`, async () => {
      assert.deepEqual(await playQueue(watcher(), MONDAY, primaryLane(MONDAY), delay, untilThree), spoke);
    });
  }

  it("a queue that empties ends the episode, once", async () => {
    const queued = primaryLane(MONDAY, "14:08");
    await playQueue(scheduler, MONDAY, queued, 38, (clock) => clock <= "14:10");
    github.runs = primaryLane(MONDAY, "14:18").map((run) => scheduled(run));
    await play(scheduler, MONDAY, [], (clock) => clock === "14:20" || clock === "14:30");
    assert.equal(github.told.length, 2);
    assert.match(github.told[1] ?? "", /a check succeeded again, at 2026-06-01 14:17 UTC/);
  });

  it("what succeeded late during the silence is no end of it on the next morning", async () => {
    const queued = primaryLane(MONDAY, "20:08");
    const monday = await playQueue(scheduler, MONDAY, queued, 38, (clock) => clock >= "20:00");
    const tuesday = await playQueue(scheduler, TUESDAY, queued, 38);
    assert.deepEqual([monday, tuesday], [["20:00"], ["13:40"]]);
  });

  it("without a webhook nothing is sent, the log says it, and the tick is well", async () => {
    assert.equal(await mute.tick(`${MONDAY}T13:40:00Z`), "ok");
    assert.equal(github.asked.webhook.length, 0);
    assert.match(
      mute.log.join("\n"),
      /no check succeeded in the 40 min since the watch began \(over 30\)\. Newest success: none, there is no run/,
    );
  });
});

describe("the list of runs cannot be read", () => {
  it("one tick long, by a fault that passes: nothing is said", async () => {
    github.next("look", { status: 502 }, { status: 502 }, { status: 502 });
    const { spoke, failed } = await play(scheduler, MONDAY, primaryLane(MONDAY));
    assert.deepEqual([spoke, failed], [[], ["13:00"]]);
  });

  it("for longer than the limit: said once, never called healthy, and the end is said as well", async () => {
    await scheduler.tick(`${MONDAY}T13:00:00Z`);
    github.always("look", { status: 502 });
    const { spoke, failed } = await play(scheduler, MONDAY, [], (clock) => clock > "13:00" && isMorning(clock));
    assert.deepEqual(spoke, ["13:40"]);
    assert.equal(failed.length, 7);
    assert.match(
      github.told[0] ?? "",
      /it is not known whether checks succeed: the list of runs: HTTP 502 \(3 attempts\)/,
    );
    github.reset();
    github.runs = [scheduled(`${TUESDAY}T13:07:00Z`)];
    await scheduler.tick(`${TUESDAY}T13:10:00Z`);
    assert.deepEqual(github.told, ["PT health: GitHub's list of runs can be read again."]);
  });

  it("in the middle of a silence: that neither ends it nor reports it again", async () => {
    await scheduler.tick(`${MONDAY}T13:40:00Z`);
    github.next("look", { status: 502 }, { status: 502 }, { status: 502 });
    assert.equal(await scheduler.tick(`${MONDAY}T13:50:00Z`), "exception");
    assert.equal(await scheduler.tick(`${MONDAY}T14:00:00Z`), "ok");
    assert.equal(github.told.length, 1);
  });

  it("by a fault that somebody has to fix: said at once, and once", async () => {
    github.always("look", { status: 401, body: { message: "Bad credentials" } });
    const { spoke } = await play(scheduler, MONDAY, []);
    assert.deepEqual(spoke, ["13:00"]);
    assert.match(github.told[0] ?? "", /set GITHUB_DISPATCH_TOKEN again.*A run was dispatched just now/);
  });

  it("without memory: said at each full hour", async () => {
    github.always("look", { status: 502 });
    const { spoke } = await play(forgetful, MONDAY, []);
    assert.deepEqual(spoke, ["13:00", "14:00"]);
  });
});

describe("the second scheduler cannot dispatch", () => {
  it("is said at once while the checks are well, and its end too", async () => {
    github.always("dispatch", { status: 403, body: { message: "Resource not accessible" } });
    const monday = await play(scheduler, MONDAY, primaryLane(MONDAY));
    assert.deepEqual(monday.spoke, ["13:00"]);
    assert.match(github.told[0] ?? "", /cannot dispatch: the dispatch: HTTP 403; .*the only lane left/);
    github.reset();
    await play(scheduler, TUESDAY, primaryLane(TUESDAY));
    assert.deepEqual(github.told, ["PT health: the second scheduler can dispatch again."]);
  });

  it("by a fault that passes: not said, the tick fails", async () => {
    github.always("dispatch", { status: 500 });
    const { spoke, failed } = await play(scheduler, MONDAY, primaryLane(MONDAY), isEvening);
    assert.deepEqual([spoke, failed], [[], ["22:10"]]);
  });
});

describe("a Friday evening on which only the Worker's own runs come", () => {
  const FRIDAY = "2026-06-05";
  const MONDAY_AFTER = "2026-06-08";

  /** GitHub's schedule is silent, each tick dispatches, and from a time on all of these runs fail. */
  async function evening(failsFrom: string): Promise<string[]> {
    let tick = "";
    let total = 0;
    github.runs = [scheduled(`${FRIDAY}T20:27:00Z`, { conclusion: "failure" }), scheduled(`${FRIDAY}T20:17:00Z`)];
    github.onDispatch = ({ source }) => {
      total += 1;
      const conclusion = tick < failsFrom ? "success" : "failure";
      github.runs.push(dispatched(tick.replace(":00Z", ":03Z"), source, { conclusion }));
    };
    const spoke: string[] = [];
    const ticks = [FRIDAY, MONDAY_AFTER].flatMap((day) => ticksOfDay(day, [DAYTIME, CLOSING]));
    const played = ticks.filter(({ at }) => at >= `${FRIDAY}T20:30` && at <= `${MONDAY_AFTER}T13:50`);
    for (const { at, cron } of played) {
      tick = at;
      const before = github.told.length;
      assert.equal(await scheduler.tick(at, cron), "ok");
      if (github.told.length > before) spoke.push(at.slice(5, 16));
    }
    assert.equal(total, played.length);
    return spoke;
  }

  const rows: [string, string, string[]][] = [
    ["all of them succeed: nobody is told", "never", []],
    ["they fail from 21:00 on: told at 21:30", "T21:00", ["06-05T21:30", "06-08T13:40"]],
    ["they fail from 21:40 on: told at 22:10, the last tick before Monday", "T21:40", ["06-05T22:10", "06-08T13:40"]],
    // The newest success, of 21:40:03, is younger than the limit at the last tick. README.md says so.
    ["they fail from 21:50 on: within the limit at the last tick, so told on Monday", "T21:50", ["06-08T13:40"]],
  ];
  for (const [name, failsFrom, spoke] of rows) {
    it(name, async () => assert.deepEqual(await evening(failsFrom.replace("T", `${FRIDAY}T`)), spoke));
  }
});
