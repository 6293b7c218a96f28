"""Market data: the account may have the data that the runtime asks for."""

from __future__ import annotations

from detector.domain.facts import EXPOSURE_FACTS, Facts
from detector.domain.log_incidents import describe_span, find_latest_incident
from detector.domain.rule import CRITICAL, OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.logs.events import MAX_NEWS_AGE, NOT_ENTITLED


@rule(
    OCCURRENCE,
    "warning; critical with positions open",
    sees=["logs"],
    severity_inputs=EXPOSURE_FACTS,
    reads_back=MAX_NEWS_AGE.total_seconds(),
    signal="market_data",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """IBKR refused live market data, or sent delayed data instead: a subscription has lapsed."""
    incident = find_latest_incident(facts, NOT_ENTITLED)
    if incident is not None:
        yield Finding(
            CRITICAL if facts.exposure else WARNING,
            f"IBKR gave no live market data for want of a subscription, {describe_span(incident)} "
            f"({incident.note}).",
            at=incident.last,
        )
