"""Severe signals: the log has no burst of fatal lines."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.log_incidents import collect_starts
from detector.domain.rule import CRITICAL, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.formats.numbers import format_count
from detector.formats.times import format_exactly, format_utc
from detector.logs.bursts import SEVERE_WITHIN, count_most_within, find_severe_bursts, list_severe_events
from detector.logs.events import MAX_NEWS_AGE
from detector.settings import SEVERE_LOG_CRITICAL, START_GRACE_SEC


@rule(
    OCCURRENCE,
    "critical",
    sees=["logs"],
    severity_inputs=["tasks", "stopped_tasks", "engine_started_at"],
    limits=[reaches(SEVERE_LOG_CRITICAL), START_GRACE_SEC],
    reads_back=SEVERE_WITHIN.total_seconds(),
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Fatal, critical or severe lines, or tracebacks that no level introduces, come in a burst."""
    history, starts = known(facts.logs), collect_starts(facts, limits[START_GRACE_SEC])
    limit = limits[SEVERE_LOG_CRITICAL]
    bursts = find_severe_bursts(history, limit, starts)
    recent = [burst for burst in bursts if history.is_news(burst.last, facts.taken_at - MAX_NEWS_AGE)]
    for newest in recent[-1:]:
        times = [
            event.at
            for event in list_severe_events(history, starts)
            if newest.since <= event.at <= newest.last
        ]
        most = max(count_most_within(times, SEVERE_WITHIN), limit)
        yield Finding(
            CRITICAL,
            f"{format_count(most, 'severe log line')} within"
            f" {format_exactly(SEVERE_WITHIN.total_seconds())}, first at {format_utc(newest.since)}"
            f" (critical at {limit}).",
            observed=most,
            limit=SEVERE_LOG_CRITICAL,
            at=newest.at,
            ongoing=facts.taken_at - newest.last <= SEVERE_WITHIN,
        )
