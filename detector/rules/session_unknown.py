"""The monitor: the hours of the market are known."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import STATE, WARNING, Finding, Limits, RuleResults, rule


@rule(STATE, "warning", monitor=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The market's hours are not known at this time, so that no rule of the session can be judged."""
    if facts.market.is_open is None:
        why = facts.market.why_unknown or "no calendar covers this time"
        yield Finding(WARNING, f"Whether the market is open is not known: {why}.")
