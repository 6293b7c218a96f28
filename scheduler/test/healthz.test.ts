/** GET /healthz: what is known, what is not, and when it is 503. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { DAYTIME } from "./crons.ts";
import { dispatched, LoopbackGitHub, scheduled } from "./github.ts";
import { type Scheduler, startScheduler, TOKEN, WEBHOOK_SECRET } from "./scheduler.ts";

const github = new LoopbackGitHub();
let scheduler: Scheduler;
let forgetful: Scheduler;
let misconfigured: Scheduler;

before(async () => {
  await github.start();
  scheduler = await startScheduler(github);
  forgetful = await startScheduler(github, {}, ["MEMORY"]);
  misconfigured = await startScheduler(github, { MODE: "sometimes", GITHUB_REPOSITORY: TOKEN }, [
    "GITHUB_DISPATCH_TOKEN",
  ]);
});
after(async () => {
  await Promise.all([scheduler.dispose(), forgetful.dispose(), misconfigured.dispose()]);
  github.stop();
});
beforeEach(async () => {
  github.reset();
  await Promise.all([scheduler.forget(), forgetful.forget()]);
});
afterEach(() => assert.deepEqual(github.faults, [], "a request broke GitHub's description"));

describe("the doors", () => {
  it("other paths are 404", async () => {
    for (const path of ["/", "/healthz/", "/health", "/healthz/x"])
      assert.equal((await scheduler.get(path)).status, 404);
  });

  it("other methods are 405, and say which is allowed", async () => {
    for (const method of ["POST", "PUT", "DELETE"]) {
      const { status, headers } = await scheduler.get("/healthz", { method });
      assert.deepEqual([status, headers.get("allow")], [405, "GET, HEAD"]);
    }
    assert.equal(github.asked.look.length, 0);
  });

  it("HEAD is answered as GET is, without the body, for many uptime services ask so", async () => {
    github.runs = [scheduled("2026-06-01T14:57:00Z")];
    for (const [at, status] of [
      ["2026-06-01T15:00:00Z", 200],
      ["2026-06-01T16:00:00Z", 503],
    ] as const) {
      const page = await scheduler.get("/healthz", { method: "HEAD", at });
      assert.deepEqual([page.status, page.text], [status, ""]);
      assert.equal(page.headers.get("content-type"), "application/json; charset=utf-8");
    }
  });

  it("the answer is JSON that nobody keeps, and shows neither secret nor repository", async () => {
    github.runs = [scheduled("2026-06-01T14:57:00Z")];
    await scheduler.tick("2026-06-01T15:00:00Z");
    const { text, headers } = await scheduler.get("/healthz", { at: "2026-06-01T15:00:00Z" });
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-store");
    for (const hidden of [TOKEN, WEBHOOK_SECRET, github.address, "octo-org"]) assert.ok(!text.includes(hidden), hidden);
  });

  for (const [name, worker] of [
    ["whoever asks and wherever", () => scheduler],
    ["in this isolate, where there is no memory", () => forgetful],
  ] as const) {
    it(`one look at GitHub serves for half a minute, ${name}`, async () => {
      github.runs = [scheduled("2026-06-01T14:57:00Z")];
      const pages = [];
      for (const at of ["2026-06-01T15:00:00Z", "2026-06-01T15:00:29Z"])
        pages.push(await worker().get("/healthz", { at }));
      assert.equal(github.asked.look.length, 1);
      assert.equal(pages[0]?.text, pages[1]?.text);
      await worker().get("/healthz", { at: "2026-06-01T15:00:30Z" });
      assert.equal(github.asked.look.length, 2);
    });
  }

  for (const [name, worker] of [
    ["whoever asks and wherever", () => scheduler],
    ["in this isolate, where there is no memory", () => forgetful],
  ] as const) {
    it(`sixty who ask at once make one look at GitHub, ${name}`, async () => {
      github.runs = [scheduled("2026-06-01T14:57:00Z")];
      github.thinksMs = 300;
      const asking = Array.from({ length: 60 }, () => worker().get("/healthz", { at: "2026-06-01T15:00:00Z" }));
      const pages = await Promise.all(asking);
      assert.equal(github.asked.look.length, 1);
      assert.deepEqual(new Set(pages.map(({ status }) => status)), new Set([200]));
    });
  }

  for (const [name, worker] of [
    ["with memory", () => scheduler],
    ["without", () => forgetful],
  ] as const) {
    it(`who hangs up breaks off no look that others wait for, ${name}`, async () => {
      github.runs = [scheduled("2026-06-01T14:57:00Z")];
      github.thinksMs = 300;
      const at = "2026-06-01T15:00:00Z";
      const gone = worker().get("/healthz", { at, signal: AbortSignal.timeout(100) });
      await assert.rejects(gone);
      const { status } = await worker().get("/healthz", { at });
      assert.deepEqual([status, github.asked.look.length], [200, 1]);
    });
  }

  it("a look that failed serves for half a minute as well", async () => {
    github.always("look", { status: 401, body: { message: "Bad credentials" } });
    const first = await scheduler.get("/healthz", { at: "2026-06-01T15:00:00Z" });
    const second = await scheduler.get("/healthz", { at: "2026-06-01T15:00:29Z" });
    assert.equal(github.asked.look.length, 1);
    assert.deepEqual([second.status, second.text], [503, first.text]);
  });
});

describe("the status", () => {
  const MINUTES = "no check succeeded for";
  const rows: [string, string[], string, number, string | null][] = [
    ["a fresh success", ["2026-06-01T14:57:00Z"], "2026-06-01T15:00:00Z", 200, null],
    ["at the limit", ["2026-06-01T14:30:00Z"], "2026-06-01T15:00:00Z", 200, null],
    ["a second beyond the limit", ["2026-06-01T14:29:59Z"], "2026-06-01T15:00:00Z", 503, `${MINUTES} 30 min (over 30)`],
    ["no run at all", [], "2026-06-01T15:00:00Z", 503, `${MINUTES} 120 min (over 30)`],
    [
      "half an hour after the watch began, nothing since Friday",
      ["2026-05-29T21:57:00Z"],
      "2026-06-01T13:30:00Z",
      200,
      null,
    ],
    ["a second later", ["2026-05-29T21:57:00Z"], "2026-06-01T13:30:01Z", 503, `${MINUTES} 30 min (over 30)`],
    ["nothing for hours, after the watch", ["2026-06-01T15:00:00Z"], "2026-06-01T22:00:00Z", 200, null],
    [
      "nothing for hours, a second before its end",
      ["2026-06-01T15:00:00Z"],
      "2026-06-01T21:59:59Z",
      503,
      `${MINUTES} 419 min (over 30)`,
    ],
    ["nothing, on a Saturday", [], "2026-06-06T15:00:00Z", 200, null],
  ];
  for (const [name, runs, at, status, problem] of rows) {
    it(`${status}: ${name}`, async () => {
      github.runs = runs.map((run) => scheduled(run));
      const page = await scheduler.get("/healthz", { at });
      assert.deepEqual([page.status, page.body.problems], [status, problem === null ? [] : [problem]]);
      assert.equal(page.body.status, status === 200 ? "ok" : "failing");
    });
  }

  it("says whether anybody watches at this hour, for 200 at night means nothing", async () => {
    const night = await scheduler.get("/healthz", { at: "2026-06-01T03:00:00Z" });
    assert.deepEqual([night.status, night.body.watching], [200, false]);
    await scheduler.forget();
    const day = await scheduler.get("/healthz", { at: "2026-06-01T13:00:00Z" });
    assert.deepEqual([day.status, day.body.watching], [200, true]);
  });

  for (const at of ["2026-06-01T15:00:00Z", "2026-06-01T03:00:00Z", "2026-06-06T15:00:00Z"]) {
    it(`503: the list of runs cannot be read, at ${at} as at any time`, async () => {
      github.always("look", { status: 401, body: { message: "Bad credentials" } });
      const { status, body } = await scheduler.get("/healthz", { at });
      assert.equal(status, 503);
      assert.match(body.problems[0], /the list of runs: HTTP 401; .*set GITHUB_DISPATCH_TOKEN again/);
      assert.deepEqual([body.newest_success, body.newest_own_run], ["not known", "not known"]);
    });
  }

  it("503: wrong variables, all of them by name; and a tick fails with the same words", async () => {
    const { status, text, body } = await misconfigured.get("/healthz");
    assert.equal(status, 503);
    assert.deepEqual(body.problems, [
      "GITHUB_REPOSITORY is not an owner/name",
      "MODE is not absent or always",
      "GITHUB_DISPATCH_TOKEN is missing",
    ]);
    assert.ok(!text.includes(TOKEN));
    assert.equal(await misconfigured.tick("2026-06-01T15:00:00Z"), "exception");
    assert.match(misconfigured.log.join("\n"), /configured wrongly: GITHUB_REPOSITORY is not an owner\/name; MODE/);
    assert.deepEqual([github.asked.look.length, github.asked.dispatch.length], [0, 0]);
  });
});

describe("the last tick", () => {
  it("none since this was deployed", async () => {
    const { body } = await scheduler.get("/healthz");
    assert.equal(body.last_tick, "none since this was deployed");
  });

  it("is not known without memory, and the rest is still said", async () => {
    github.runs = [scheduled("2026-06-01T14:57:00Z"), dispatched("2026-06-01T14:50:03Z", `cloudflare-cron:${DAYTIME}`)];
    await forgetful.tick("2026-06-01T15:00:00Z");
    const { status, body } = await forgetful.get("/healthz", { at: "2026-06-01T15:00:00Z" });
    assert.equal(status, 200);
    assert.equal(body.last_tick, "not known: there is no memory: MEMORY is not bound");
    assert.equal(body.newest_success.created_at, "2026-06-01T14:57:00Z");
    assert.deepEqual(body.newest_own_run, {
      created_at: "2026-06-01T14:50:03Z",
      status: "completed",
      conclusion: "success",
      lane: `dispatch cloudflare-cron:${DAYTIME}`,
    });
  });

  it("had nothing to do", async () => {
    github.runs = [scheduled("2026-06-01T14:57:00Z")];
    await scheduler.tick("2026-06-01T15:00:00Z");
    const { last_tick: last } = (await scheduler.get("/healthz")).body;
    assert.deepEqual([last.scheduled_for, last.cron, last.ok], ["2026-06-01T15:00:00Z", DAYTIME, true]);
    assert.match(last.result, /^nothing to dispatch: a run of 2026-06-01T14:57:00Z \(schedule .*\) succeeded$/);
    assert.ok(Math.abs(Date.parse(last.fired_at) - Date.now()) < 60_000);
  });

  it("dispatched", async () => {
    await scheduler.tick("2026-06-01T15:00:00Z");
    const { last_tick: last } = (await scheduler.get("/healthz")).body;
    assert.deepEqual([last.ok, last.result], [true, "dispatched"]);
  });

  it("failed, and why", async () => {
    github.always("dispatch", { status: 403, body: { message: "Resource not accessible" } });
    await scheduler.tick("2026-06-01T13:00:00Z");
    const { last_tick: last } = (await scheduler.get("/healthz")).body;
    assert.equal(last.ok, false);
    assert.match(last.result, /^nothing dispatched; the dispatch: HTTP 403; the token may not do this/);
  });

  it("503: Cloudflare's crons are silent for longer than the limit, while the watch is on", async () => {
    await scheduler.tick("2026-06-01T14:50:00Z");
    for (const [at, status] of [
      ["2026-06-01T15:20:00Z", 200],
      ["2026-06-01T15:21:00Z", 503],
      ["2026-06-02T13:30:00Z", 200],
      ["2026-06-02T13:31:00Z", 503],
      ["2026-06-06T15:00:00Z", 200],
    ] as const) {
      github.runs = [scheduled(at)];
      const page = await scheduler.get("/healthz", { at });
      assert.equal(page.status, status, `${at}: ${page.text}`);
      if (status === 503) assert.match(page.body.problems[0], /no tick for 31 min: Cloudflare's crons are silent/);
    }
  });
});
