"""Broker link: the broker does not slow the runtime down."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.log_incidents import describe_span
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.formats.times import format_exactly
from detector.logs.bursts import THROTTLED_TIMES, THROTTLED_WITHIN, find_throttling
from detector.logs.events import MAX_NEWS_AGE


@rule(OCCURRENCE, "warning", sees=["logs"], reads_back=MAX_NEWS_AGE.total_seconds())
def check(facts: Facts, limits: Limits) -> RuleResults:
    """IBKR answered three times within 10 min that requests come too fast (100, pacing, HTTP 429)."""
    history = known(facts.logs)
    oldest = facts.taken_at - MAX_NEWS_AGE
    for newest in [burst for burst in find_throttling(history) if history.is_news(burst.last, oldest)][-1:]:
        yield Finding(
            WARNING,
            f"IBKR refused requests because they came too fast, {describe_span(newest)} ({newest.note};"
            f" warning at {THROTTLED_TIMES} within {format_exactly(THROTTLED_WITHIN.total_seconds())}).",
            at=newest.last,
        )
