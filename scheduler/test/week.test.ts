/**
 * A week of three lanes in workerd's time: GitHub's primary and fallback schedule, dropped, late, failing and cancelled
 * as they are, and this Worker beside them. Every window that nothing answered is dispatched once, Friday included.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CLOSING, DAYTIME, ticksOfDay } from "./crons.ts";
import { dispatched, type FakeRun, LoopbackGitHub, scheduled } from "./github.ts";
import { type Scheduler, startScheduler } from "./scheduler.ts";

const MINUTE = 60_000;
const WEEK = ["2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04", "2026-06-05", "2026-06-06", "2026-06-07"];
const PRIMARY = "7,17,27,37,47,57 13-21 * * MON-FRI";
const FALLBACK = "12,22,32,42,52 13-21 * * MON-FRI";
/** GitHub makes no run at all; and runs that all fail, so that only the watcher is left. */
const SILENT = ["2026-06-03T15:00:00Z", "2026-06-03T17:00:00Z"] as const;
const BROKEN = ["2026-06-04T16:00:00Z", "2026-06-04T18:00:00Z"] as const;
const FRIDAY_EVENING = "2026-06-05T21:00:00Z";

/** A run with its whole life; GitHub's list shows what of it has happened by then. */
interface Life {
  createdAt: number;
  finishedAt: number;
  conclusion: string;
  row: FakeRun;
}

interface Played {
  tick: number;
  cron: string;
  dispatches: number;
  correlationIds: string[];
  /** What stood in GitHub's list at the tick, this Worker's own runs left out. */
  seen: Life[];
  told: string[];
}

/** A small seeded generator (mulberry32), so that every week is the same week. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function within(at: number, [from, to]: readonly [string, string]): boolean {
  return at >= Date.parse(from) && at < Date.parse(to);
}

function rfc3339(at: number): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}

/** Half of the ticks make no run; of the rest most come within minutes, some an hour late, some fail. */
function githubsOwnWeek(chance: () => number): Life[] {
  const ticks = WEEK.flatMap((day) => ticksOfDay(day, [PRIMARY, FALLBACK]));
  return ticks.flatMap(({ at, cron }) => {
    const dropped = chance() < 0.5;
    const delay = chance() < 0.1 ? 60 * chance() : 4 * chance();
    const createdAt = Math.floor((Date.parse(at) + delay * MINUTE) / 1000) * 1000;
    const finishedAt = createdAt + Math.floor(40 + 80 * chance()) * 1000;
    const fate = chance();
    if (dropped || within(createdAt, SILENT) || createdAt >= Date.parse(FRIDAY_EVENING)) return [];
    const conclusion = within(createdAt, BROKEN) || fate < 0.15 ? "failure" : fate < 0.2 ? "cancelled" : "success";
    const row = scheduled(rfc3339(createdAt), { display_title: `PT health | schedule ${cron}` });
    return [{ createdAt, finishedAt, conclusion, row }];
  });
}

function shownAt(run: Life, at: number): FakeRun {
  const finished = run.finishedAt <= at;
  return { ...run.row, status: finished ? "completed" : "in_progress", conclusion: finished ? run.conclusion : null };
}

const github = new LoopbackGitHub();
let scheduler: Scheduler;
const week: Played[] = [];

before(async () => {
  await github.start();
  scheduler = await startScheduler(github);
  const chance = seeded(20260601);
  const natural = githubsOwnWeek(chance);
  const own: Life[] = [];
  for (const { at, cron } of WEEK.flatMap((day) => ticksOfDay(day, [DAYTIME, CLOSING]))) {
    const tick = Date.parse(at);
    const correlationIds: string[] = [];
    github.onDispatch = ({ source, correlation_id }) => {
      correlationIds.push(correlation_id);
      const conclusion = within(tick, BROKEN) ? "failure" : "success";
      const createdAt = tick + 3000;
      const life = { createdAt, finishedAt: tick + 55_000, conclusion, row: dispatched(rfc3339(createdAt), source) };
      own.push(life);
      github.runs.push(shownAt(life, createdAt));
    };
    const seen = natural.filter((run) => run.createdAt <= tick);
    github.runs = [...seen, ...own].map((run) => shownAt(run, tick));
    const told = github.told.length;
    assert.equal(await scheduler.tick(at, cron), "ok", `${at}: ${scheduler.log.at(-1)}`);
    // Delivery is at least once: every seventh tick comes twice.
    if (Math.floor(tick / (10 * MINUTE)) % 7 === 0) await scheduler.tick(at, cron);
    week.push({ tick, cron, dispatches: correlationIds.length, correlationIds, seen, told: github.told.slice(told) });
  }
});
after(async () => {
  await scheduler.dispose();
  github.stop();
});

/** Said here once more in other words: did anything of GitHub's own answer the period before the tick? */
function isAnswered({ tick, seen }: Played): boolean {
  const lastOfDay = new Date(tick).toISOString().slice(11, 16) === "22:10";
  return seen
    .filter((run) => tick - run.createdAt < 10 * MINUTE)
    .some((run) => (run.finishedAt <= tick ? run.conclusion === "success" : !lastOfDay));
}

describe("a week of three lanes", () => {
  it("is a week worth playing: all ticks, answered and empty windows, and not one on a weekend", () => {
    assert.equal(week.length, 5 * 56);
    const empty = week.filter((played) => !isAnswered(played)).length;
    assert.ok(empty > 60 && empty < 220, `${empty} empty windows`);
    assert.ok(week.every(({ tick }) => [1, 2, 3, 4, 5].includes(new Date(tick).getUTCDay())));
  });

  it("every empty window is dispatched exactly once, and no other", () => {
    for (const played of week) {
      assert.equal(played.dispatches, isAnswered(played) ? 0 : 1, rfc3339(played.tick));
    }
  });

  it("no two ticks share a correlation id", () => {
    const ids = week.flatMap(({ correlationIds }) => correlationIds);
    assert.equal(new Set(ids).size, ids.length);
  });

  it("while GitHub makes no run every tick dispatches, not every second one", () => {
    const silent = week.filter(({ tick }) => within(tick - 10 * MINUTE, SILENT) && within(tick, SILENT));
    assert.equal(silent.length, 11);
    assert.ok(silent.every(({ dispatches }) => dispatches === 1));
  });

  it("the silent Friday evening is covered to its end, the tick after the last window included", () => {
    const evening = week.filter(
      ({ tick }) => tick > Date.parse(FRIDAY_EVENING) && tick <= Date.parse("2026-06-05T22:10:00Z"),
    );
    assert.deepEqual(
      evening.map(({ tick }) => rfc3339(tick).slice(11, 16)),
      ["21:10", "21:20", "21:30", "21:40", "21:50", "22:00", "22:10"],
    );
    assert.ok(evening.every(({ dispatches }) => dispatches === 1));
    assert.equal(evening.at(-1)?.cron, CLOSING);
  });

  it("a window that was left to a run on its way is made good within a period, should that run fail", () => {
    for (const [which, { tick, dispatches, seen }] of week.entries()) {
      const recent = seen.filter((run) => tick - run.createdAt < 10 * MINUTE);
      if (dispatches > 0 || recent.some((run) => run.conclusion === "success")) continue;
      const next = week[which + 1];
      assert.ok(next && (next.dispatches === 1 || isAnswered(next)), rfc3339(tick));
    }
  });

  it("the watcher speaks once when all runs fail for two hours, and once when they succeed again", () => {
    const told = week.flatMap(({ tick, told: texts }) =>
      texts.map((text) => `${rfc3339(tick).slice(0, 16)} ${text.slice(0, 35)}`),
    );
    assert.equal(told.length, 2, told.join("\n"));
    assert.match(told[0] ?? "", /^2026-06-04T16:\d0 PT health: no check succeeded for/);
    assert.match(told[1] ?? "", /^2026-06-04T18:\d0 PT health: a check succeeded again/);
  });

  it("held to GitHub's description from the first request to the last", () => {
    assert.deepEqual(github.faults, []);
  });
});
