"""Market data: the prices of a feed with status ok move."""

from __future__ import annotations

from detector.domain.facts import EXPOSURE_FACTS, Facts, is_ok, known
from detector.domain.rule import (
    CRITICAL,
    PAST_GRACE,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Severity,
    Undecided,
    exceeds,
    rule,
)
from detector.formats.times import format_above, format_duration, format_exactly, format_over
from detector.reconciliation.between_runs import get_prices, has_unchanged_prices
from detector.settings import FEED_FROZEN_SEC

_MIN_INSTRUMENTS = 2  # one instrument alone stands still in a trading halt


@rule(
    STATE,
    "warning; critical with positions open",
    sees=["ticks", "market_data_status"],
    severity_inputs=EXPOSURE_FACTS,
    during=PAST_GRACE,
    limits=[exceeds(FEED_FROZEN_SEC)],
    signal="market_data",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Every tick is old, or every price stands still, while market data is called ok."""
    ticks, limit = known(facts.ticks), limits[FEED_FROZEN_SEC]
    if not is_ok(known(facts.market_data_status)):
        yield Undecided("market data is not called ok, which is another rule's")
        return
    if len({tick.symbol for tick in ticks}) < _MIN_INSTRUMENTS or "ticks" in facts.provenance.partial:
        yield Undecided("fewer than two instruments have ticks")
        return
    severity: Severity = CRITICAL if facts.exposure else WARNING
    ages = [facts.age_of(tick.at) for tick in ticks if tick.at is not None]
    still_sec = _measure_still_sec(facts)
    if len(ages) == len(ticks) and limits.is_broken(FEED_FROZEN_SEC, min(ages)):
        yield Finding(
            severity,
            f"Market data is reported as ok, but none of {len(ticks)} instruments"
            f" has had a tick for {format_above(min(ages), limit)} "
            f"({format_over(limit)}).",
            observed=min(ages),
            limit=FEED_FROZEN_SEC,
            proven_sec=min(ages) - limit,
        )
    elif still_sec is not None and still_sec >= limit:
        yield Finding(
            severity,
            f"Market data is reported as ok, but no price of {len(ticks)} instruments has moved for"
            f" {format_duration(still_sec)} "
            f"({severity} at {format_exactly(limit)}).",
            observed=still_sec,
        )
    elif (
        len(ages) < len(ticks)
        or still_sec is not None
        or len(get_prices(facts)) < len({t.symbol for t in ticks})
    ):
        yield Undecided("whether the prices move is not known yet")


def _measure_still_sec(facts: Facts) -> float | None:
    """Return the seconds since a price last moved; None where one just did, or on a first run."""
    since = facts.before.prices_at
    return facts.age_of(since) if since is not None and has_unchanged_prices(facts) else None
