"""Gateway: it starts, logs in and is reachable, by its log and the runtime's."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.log_evidence import collect_starts
from detector.domain.rule import CRITICAL, OCCURRENCE, Finding, Limits, RuleResults, lasts, rule
from detector.formats.times import compute_seconds, format_time
from detector.logs.bursts import UNREACHED_WITHIN, find_gateway_failures
from detector.logs.events import MAX_NEWS_AGE
from detector.settings import ESCALATE_AFTER_SEC, START_GRACE_SEC


@rule(
    OCCURRENCE,
    "critical",
    sees=["logs"],
    severity_inputs=["tasks", "stopped_tasks", "engine_started_at"],
    limits=[START_GRACE_SEC],
    reads_back=UNREACHED_WITHIN.total_seconds(),
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="gateway",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """IBC ended with an error, a login or second factor failed, or three connections were refused."""
    history = known(facts.logs)
    failures = find_gateway_failures(history, collect_starts(facts, limits[START_GRACE_SEC]))
    for newest in [
        failure for failure in failures if history.is_news(failure.last, facts.taken_at - MAX_NEWS_AGE)
    ][-1:]:
        recovery_note = f", until a success at {format_time(newest.until)}" if newest.until else ""
        yield Finding(
            CRITICAL,
            f"The gateway failed at {format_time(newest.at)} ({newest.note}){recovery_note}.",
            at=newest.at,
            ongoing=newest.until is None,
            proven_sec=compute_seconds(newest.since, newest.until or facts.taken_at),
        )
