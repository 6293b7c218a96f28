"""Gateway: its version is supported."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.log_incidents import describe_span, find_latest_incident
from detector.domain.rule import CRITICAL, OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.logs.events import MAX_NEWS_AGE, UNSUPPORTED, UNSUPPORTED_NOW


@rule(
    OCCURRENCE,
    "warning; critical once it is no longer supported",
    sees=["logs"],
    reads_back=MAX_NEWS_AGE.total_seconds(),
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The gateway or TWS says that its version will be, or is, unsupported."""
    incident = find_latest_incident(facts, UNSUPPORTED)
    if incident is None:
        return
    is_over = incident.key == UNSUPPORTED_NOW
    state = "is no longer supported" if is_over else f"will lose support {incident.note}"
    yield Finding(
        CRITICAL if is_over else WARNING,
        f"The version of the gateway {state}, as it said {describe_span(incident)}.",
        at=incident.last,
    )
