/** The cron triggers of `wrangler.jsonc`, which no tool of Cloudflare checks before a deploy. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { configuration } from "./configuration.ts";
import { CLOSING, DAYTIME, expand, ticksOfDay } from "./crons.ts";

const { triggers, vars } = configuration();
const FRIDAY = "2026-06-05";
const GITHUB_LANES = [7, 17, 27, 37, 47, 57, 12, 22, 32, 42, 52];

describe("the cron triggers", () => {
  it("are the ones that the tests play", () => {
    assert.deepEqual(triggers.crons, [DAYTIME, CLOSING]);
  });

  it("are at most five, all that a free account has", () => {
    assert.ok(triggers.crons.length <= 5);
  });

  for (const cron of triggers.crons) {
    it(`${cron}: Monday to Friday by name, and off GitHub's own minutes`, () => {
      const { minutes, days } = expand(cron);
      assert.deepEqual(days, [1, 2, 3, 4, 5]);
      assert.deepEqual(
        minutes.filter((minute) => GITHUB_LANES.includes(minute)),
        [],
      );
    });
  }

  it("begin with the watch, come every period without a gap, and end after the last window", () => {
    const ticks = ticksOfDay(FRIDAY, triggers.crons).map(({ at }) => Date.parse(at));
    const period = Number(vars["PERIOD_MINUTES"]) * 60_000;
    assert.equal(ticks[0], Date.parse(`${FRIDAY}T${vars["WATCH_FROM_UTC"]}:00Z`));
    assert.equal(ticks.at(-2), Date.parse(`${FRIDAY}T${vars["WATCH_TO_UTC"]}:00Z`));
    assert.deepEqual(new Set(ticks.slice(1).map((tick, which) => tick - (ticks[which] as number))), new Set([period]));
    assert.equal(ticks.length, 56);
  });

  it("never on a Saturday or Sunday", () => {
    assert.deepEqual(ticksOfDay("2026-06-06", triggers.crons), []);
    assert.deepEqual(ticksOfDay("2026-06-07", triggers.crons), []);
  });
});

describe("what would mean something else on Cloudflare is refused", () => {
  for (const cron of [
    "0 13 * * 1-5",
    "0 13 * * 2-6",
    "0 13 * * FOO",
    "99 13 * * MON",
    "0 25 * * MON",
    "0 13 * *",
    "0 0 13 * * MON",
    "0 13 L * MON",
    "5-1 13 * * MON",
  ]) {
    it(cron, () => assert.throws(() => expand(cron), RangeError));
  }
});
