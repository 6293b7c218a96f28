"""Host: it has disk, memory and open files left."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.log_incidents import describe_span, find_latest_incident
from detector.domain.rule import CRITICAL, OCCURRENCE, Finding, Limits, RuleResults, lasts, rule
from detector.formats.times import compute_seconds
from detector.logs.events import HOST_EXHAUSTED, MAX_NEWS_AGE
from detector.settings import ESCALATE_AFTER_SEC


@rule(
    OCCURRENCE,
    "critical",
    sees=["logs"],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The log says that the disk is full, memory ran out or too many files are open."""
    incident = find_latest_incident(facts, HOST_EXHAUSTED)
    if incident is not None:
        yield Finding(
            CRITICAL,
            f"The log says that {incident.note}, {describe_span(incident)}.",
            at=incident.last,
            proven_sec=compute_seconds(incident.since, incident.last),
        )
