/** Asking GitHub for a run: what is sent, what is repeated, and what becomes of a refusal. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { CLOSING, DAYTIME } from "./crons.ts";
import { type Answer, dispatched, LoopbackGitHub, scheduled } from "./github.ts";
import { type Scheduler, startScheduler, TOKEN, WEBHOOK_SECRET } from "./scheduler.ts";

const MONDAY_13_10 = "2026-06-01T13:10:00Z";

const github = new LoopbackGitHub();
let scheduler: Scheduler;

before(async () => {
  await github.start();
  scheduler = await startScheduler(github, { MODE: "always" });
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

function payload(which = 0): Record<string, string> {
  return JSON.parse(github.asked.dispatch[which]?.body ?? "null").client_payload;
}

describe("the request", () => {
  it("is what GitHub's description wants, signed with the cron char for char", async () => {
    assert.equal(await scheduler.tick(MONDAY_13_10), "ok");
    const [sent] = github.asked.dispatch;
    assert.equal(sent?.path, "/repos/octo-org/trading/dispatches");
    assert.equal(sent?.headers.authorization, `Bearer ${TOKEN}`);
    assert.equal(sent?.headers["user-agent"], "pt-health-scheduler");
    assert.equal(JSON.parse(sent?.body ?? "").event_type, "aws_ibkr_pt_health");
    assert.equal(payload()["source"], `cloudflare-cron:${DAYTIME}`);
    assert.equal(payload()["scheduled_at"], MONDAY_13_10);
  });

  it("carries the same correlation id when the tick is delivered twice, and another one otherwise", async () => {
    for (const [at, cron] of [
      [MONDAY_13_10, DAYTIME],
      [MONDAY_13_10, DAYTIME],
      ["2026-06-01T13:20:00Z", DAYTIME],
      [MONDAY_13_10, CLOSING],
    ] as const) {
      await scheduler.tick(at, cron);
    }
    const ids = [0, 1, 2, 3].map((which) => payload(which)["correlation_id"]);
    assert.equal(ids[0], ids[1]);
    assert.equal(new Set(ids).size, 3);
    assert.match(ids[0] ?? "", /^20260601T131000Z-[0-9a-f]{12}$/);
  });

  it("is sent at every tick in mode always, whatever the runs say", async () => {
    github.runs = [scheduled("2026-06-01T13:07:00Z")];
    assert.equal(await scheduler.tick(MONDAY_13_10), "ok");
    assert.equal(github.asked.dispatch.length, 1);
  });

  it("is sent twice in mode always when the tick is delivered twice, as README.md says", async () => {
    github.onDispatch = ({ source }) => void github.runs.push(dispatched("2026-06-01T13:10:02Z", source));
    for (let delivery = 0; delivery < 2; delivery += 1) await scheduler.tick(MONDAY_13_10);
    assert.equal(github.asked.dispatch.length, 2);
    assert.equal(payload(0)["correlation_id"], payload(1)["correlation_id"]);
  });
});

describe("a refusal is not repeated, and the tick fails with what to fix", () => {
  for (const [status, message, remedy] of [
    [401, "Bad credentials", "set GITHUB_DISPATCH_TOKEN again"],
    [403, "Resource not accessible by personal access token", "needs Contents (read and write)"],
    [404, "Not Found", "check GITHUB_REPOSITORY"],
    [422, "Invalid request", "check EVENT_TYPE"],
    [307, "Moved", "set GITHUB_REPOSITORY to its new name"],
  ] as const) {
    it(String(status), async () => {
      github.always("dispatch", { status, body: { message }, headers: { Location: `${github.address}/elsewhere` } });
      assert.equal(await scheduler.tick(MONDAY_13_10), "exception");
      assert.equal(github.asked.dispatch.length, 1);
      const log = scheduler.log.join("\n");
      assert.ok(log.includes(`HTTP ${status}`) && log.includes(message) && log.includes(remedy), log);
    });
  }

  const SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
  const limits: [string, Record<string, string>, string][] = [
    ["used up", { "x-ratelimit-remaining": "0" }, "Forbidden"],
    ["of the second kind", { "Retry-After": "60" }, "Forbidden"],
    ["of the second kind, by its text alone,", {}, SECONDARY],
  ];
  for (const [kind, headers, message] of limits) {
    it(`403 because a rate limit is ${kind} says so, and nobody is woken for it`, async () => {
      github.runs = [scheduled("2026-06-01T13:07:00Z")];
      github.always("dispatch", { status: 403, body: { message }, headers });
      assert.equal(await scheduler.tick(MONDAY_13_10), "exception");
      assert.deepEqual([github.asked.dispatch.length, github.asked.webhook.length], [1, 0]);
      assert.match(scheduler.log.join("\n"), /HTTP 403; a rate limit is reached/);
    });
  }
});

describe("what passes by itself is tried up to three times", () => {
  const failures: [string, Answer, RegExp][] = [
    ["429", { status: 429 }, /the dispatch: HTTP 429 \(3 attempts\)/],
    ["500", { status: 500 }, /the dispatch: HTTP 500 \(3 attempts\)/],
    ["a broken connection", "break", /the dispatch: the connection failed \(3 attempts\)/],
  ];
  for (const [name, failure, said] of failures) {
    it(`${name}, then 204`, async () => {
      github.next("dispatch", failure);
      assert.equal(await scheduler.tick(MONDAY_13_10), "ok");
      assert.equal(github.asked.dispatch.length, 2);
      assert.equal(payload(0)["correlation_id"], payload(1)["correlation_id"]);
    });

    it(`${name} to the end: three attempts, and the tick fails`, async () => {
      github.always("dispatch", failure);
      assert.equal(await scheduler.tick(MONDAY_13_10), "exception");
      assert.equal(github.asked.dispatch.length, 3);
      assert.match(scheduler.log.join("\n"), said);
    });
  }

  it("waits as long as Retry-After asks", async () => {
    github.next("dispatch", { status: 429, headers: { "Retry-After": "1" } });
    const began = performance.now();
    assert.equal(await scheduler.tick(MONDAY_13_10), "ok");
    assert.ok(performance.now() - began >= 950);
  });
});

describe("a hang ends with the attempt", () => {
  let impatient: Scheduler;
  before(async () => {
    impatient = await startScheduler(github, { MODE: "always", ATTEMPT_TIMEOUT_MS: "400" });
  });
  after(() => impatient.dispose());

  it("a hang, then 204", async () => {
    github.next("dispatch", "hang");
    assert.equal(await impatient.tick(MONDAY_13_10), "ok");
    assert.equal(github.asked.dispatch.length, 2);
  });

  it("a hang to the end: three attempts, and the tick fails", async () => {
    github.always("dispatch", "hang");
    assert.equal(await impatient.tick(MONDAY_13_10), "exception");
    assert.equal(github.asked.dispatch.length, 3);
    assert.match(impatient.log.join("\n"), /the dispatch: no answer within 0\.4 s \(3 attempts\)/);
  });

  for (const silence of ["hang", "stall"] as const) {
    it(`a look that ends in a ${silence} holds up no dispatch`, async () => {
      github.always("look", silence);
      assert.equal(await impatient.tick(MONDAY_13_10), "exception");
      assert.deepEqual([github.asked.look.length, github.asked.dispatch.length], [3, 1]);
    });
  }
});

describe("GitHub out of reach", () => {
  it("connection refused: the tick fails, and says that it could not look either", async () => {
    const nobody = new LoopbackGitHub();
    await nobody.start();
    const address = nobody.address;
    nobody.stop();
    const alone = await startScheduler(github, { GITHUB_API: address });
    try {
      assert.equal(await alone.tick(MONDAY_13_10), "exception");
      const log = alone.log.join("\n");
      assert.match(log, /the list of runs: the connection failed \(3 attempts\)/);
      assert.match(log, /the dispatch: the connection failed \(3 attempts\)/);
    } finally {
      await alone.dispose();
    }
  });
});

describe("secrets", () => {
  it("turn up in no log, no message and no page, even where a server echoes them", async () => {
    const message = `no: Bearer ${TOKEN} at ${github.address}/webhook?key=${WEBHOOK_SECRET} or /webhook?key=${WEBHOOK_SECRET}`;
    github.always("look", { status: 403, body: { message } });
    github.always("dispatch", { status: 403, body: { message } });
    assert.equal(await scheduler.tick("2026-06-01T14:00:00Z"), "exception");
    assert.equal(github.told.length, 1);
    github.always("webhook", { status: 404, body: message });
    assert.equal(await scheduler.tick("2026-06-02T14:00:00Z"), "exception");
    const page = await scheduler.get("/healthz");
    const said = [...scheduler.log, ...github.told, page.text].join("\n");
    assert.match(said, /the watcher's webhook: HTTP 404; it said: no: Bearer \*\*\* at \*\*\*/);
    assert.ok(!said.includes(TOKEN) && !said.includes(WEBHOOK_SECRET), said);
  });
});
