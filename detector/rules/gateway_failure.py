"""Gateway: it starts, logs in and is reachable, by its log and the runtime's."""

from __future__ import annotations

from datetime import timedelta

from detector.domain.facts import Facts, known
from detector.domain.log_incidents import collect_starts, get_connected_at
from detector.domain.rule import CRITICAL, OCCURRENCE, Finding, Limits, RuleResults, lasts, rule
from detector.formats.times import compute_seconds, format_utc
from detector.logs.bursts import UNREACHED_WITHIN, find_gateway_failures
from detector.logs.events import MAX_NEWS_AGE, LogIncident
from detector.settings import ESCALATE_AFTER_SEC, START_GRACE_SEC

_FORGOTTEN_AFTER = timedelta(days=7)


@rule(
    OCCURRENCE,
    "critical",
    sees=["logs"],
    severity_inputs=["tasks", "stopped_tasks", "engine_started_at", "broker_connected", "gateway_handshake"],
    limits=[START_GRACE_SEC],
    reads_back=UNREACHED_WITHIN.total_seconds(),
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="gateway",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """IBC ended with an error, a login or second factor failed, or three connections were refused."""
    history = known(facts.logs)
    failures = find_gateway_failures(
        history, collect_starts(facts, limits[START_GRACE_SEC]), get_connected_at(facts)
    )
    oldest = facts.taken_at - MAX_NEWS_AGE
    for newest in [f for f in failures if history.is_news(f.last, oldest) or _is_open(f, facts)][-1:]:
        recovery_note = f", until a success at {format_utc(newest.until)}" if newest.until else ""
        yield Finding(
            CRITICAL,
            f"The gateway failed at {format_utc(newest.at)} ({newest.note}){recovery_note}.",
            at=newest.at,
            ongoing=_is_open(newest, facts),
            note=newest.note,
            proven_sec=compute_seconds(newest.since, newest.until or facts.taken_at),
        )


def _is_open(failure: LogIncident, facts: Facts) -> bool:
    """Whether no success was seen since, neither in the log nor by the runtime or a handshake.

    A failure that no further line repeats for a week is forgotten, as every condition is.
    """
    return failure.until is None and facts.taken_at - failure.last <= _FORGOTTEN_AFTER
