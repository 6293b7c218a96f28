"""What the incidents in the log lines of a run give: findings for rules, and the memory for the next run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta, tzinfo

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, OCCURRENCE, Finding, Limits, Severity
from detector.formats.numbers import format_count
from detector.formats.times import format_utc
from detector.logs import events
from detector.logs.bursts import (
    REPEATED_WITHIN,
    UNREACHED_WITHIN,
    Starts,
    find_gateway_failures,
    find_rejections,
    find_repeated,
    find_session_conflicts,
    find_severe_bursts,
    find_throttling,
)
from detector.logs.events import LogEvent, LogHistory, LogIncident, LogMemory
from detector.logs.outages import (
    find_dead_streams,
    find_farm_outages,
    find_link_outages,
    find_logins_due,
    find_trading_blocks,
)
from detector.market.maintenance import PlannedRestart
from detector.settings import (
    OBSERVATION_SEC,
    ORDER_REJECT_CRITICAL,
    SEVERE_LOG_CRITICAL,
    SOURCE_STALE_SEC,
    START_GRACE_SEC,
    Settings,
)

MOST_ORDERS = 20
"""Orders that are reported one by one; all further ones are one more event."""

OTHERS = "others"


def find_latest_incident(facts: Facts, kind: str) -> LogIncident | None:
    """Return the newest incident of a kind that repetitions within an hour join, or None without news."""
    news = _iter_news(known(facts.logs), kind, facts)
    return max(news, key=lambda incident: (incident.last, incident.key), default=None)


def _iter_news(history: LogHistory, kind: str, facts: Facts) -> Iterator[LogIncident]:
    oldest = facts.taken_at - events.MAX_NEWS_AGE
    return (incident for incident in find_repeated(history, kind) if history.is_news(incident.last, oldest))


def describe_span(incident: LogIncident) -> str:
    """Return when an incident happened: its time, or its first and latest times."""
    if incident.last == incident.since:
        return f"at {format_utc(incident.since)}"
    return f"since {format_utc(incident.since)}, last at {format_utc(incident.last)}"


def find_orders_in_logs(
    facts: Facts, kind: str, problem: str, severity: Severity = CRITICAL
) -> Iterator[Finding]:
    """Yield a finding for each order with a log event of that kind; `problem` is what is wrong with it."""
    history = facts.logs
    if history is None:
        return
    news = sorted(_iter_news(history, kind, facts), key=lambda incident: (incident.at, incident.key))
    first, rest = news[:MOST_ORDERS], news[MOST_ORDERS:]
    for incident in first:
        order = (
            "an order that it does not name" if incident.key == events.UNNAMED else f"order {incident.key}"
        )
        yield _build_finding(incident.key, incident.at, f"{problem} {order}", severity)
    if rest:
        orders = format_count(len(rest), "further order")
        yield _build_finding(OTHERS, rest[-1].at, f"{problem} {orders}", severity)


def _build_finding(subject: str, at: datetime, problem: str, severity: Severity) -> Finding:
    return Finding(
        severity,
        f"The log said at {format_utc(at)} that {problem}.",
        subject=subject,
        at=at,
        kind=OCCURRENCE,
        facts=("logs",),
    )


_REPEATED_KINDS = (
    events.MARGIN, events.OUTCOME_UNKNOWN, events.UNKNOWN_FILL, events.FILLED_FIRST,
    events.NOT_ENTITLED, events.UNSUPPORTED, events.HOST_EXHAUSTED
)  # fmt: skip
_UNLINKED_KINDS = (
    events.SEVERE, events.CONNECT_FAILED, events.CONNECTED, events.LOGGED_IN, events.DISCLAIMER,
    events.THROTTLED, events.ORDER_REJECTED, events.GATEWAY_STARTED
)  # fmt: skip
_COUNTED_BY_THE_HOUR = (events.ORDER_REJECTED, events.GATEWAY_STARTED)
_MOST_INCIDENTS, _MOST_EVENTS, _MOST_STARTS = 60, 200, 40
_STARTS_MAX_AGE = timedelta(hours=2)
_MAINTENANCE = timedelta(hours=6)  # longer than any maintenance window


def collect_starts(facts: Facts, grace_sec: float) -> Starts:
    """Return when tasks and the engine started, as seen now and, for tasks, in earlier runs."""
    times = {*_iter_task_starts(facts), *(facts.before.logs.starts if facts.before.logs else ())}
    engine = _get_engine_start(facts)
    return Starts(sorted({*times, engine} if engine else times), timedelta(seconds=grace_sec))


def get_connected_at(facts: Facts) -> datetime | None:
    """Return this run's time where the runtime or a handshake shows that the gateway is reached, or None."""
    is_reached = facts.broker_connected is True or facts.gateway_handshake == "ok"
    return facts.taken_at if is_reached else None


def list_link_outages(facts: Facts, limits: Limits | Settings) -> list[LogIncident]:
    """Return the outages of the link: one ends too where two observations saw the runtime linked after it.

    A line of the log that comes later contradicts them.
    """
    history = known(facts.logs)
    outages = find_link_outages(history)
    since = _find_linked_since(facts, outages, limits[SOURCE_STALE_SEC])
    is_confirmed = since is not None and facts.age_of(since) >= limits[OBSERVATION_SEC]
    return find_link_outages(history, since) if is_confirmed else outages


def _find_linked_since(facts: Facts, outages: list[LogIncident], stale_sec: float) -> datetime | None:
    """Return since when runs see the link up after the latest loss, None where it is down or nothing is lost.

    What a payload says may be as old as it may be.
    """
    if not facts.broker_connected or not outages or outages[-1].until is not None:
        return None
    newer_than = outages[-1].last + timedelta(seconds=stale_sec)
    since = facts.before.logs.linked_at if facts.before.logs else None
    return next((at for at in (since, facts.taken_at) if at is not None and at > newer_than), None)


def _iter_task_starts(facts: Facts) -> Iterable[datetime]:
    for task in (*(facts.tasks or ()), *(facts.stopped_tasks or ())):
        start = task.started_at or task.created_at
        if start is not None:
            yield start


def _get_engine_start(facts: Facts) -> datetime | None:
    """Return the engine's latest start: of an engine that starts again and again only the last one counts."""
    return facts.engine_started_at or (facts.before.logs.engine_started_at if facts.before.logs else None)


def build_log_memory(facts: Facts, settings: Settings) -> LogMemory | None:
    """Return the log memory for the next run; unchanged where no lines were seen."""
    history = facts.logs
    if history is None:
        return facts.before.logs
    starts = collect_starts(facts, settings[START_GRACE_SEC])
    latest = min(history.to, history.newest or history.to)
    link_outages = list_link_outages(facts, settings)
    incidents = [
        *link_outages,
        *find_farm_outages(history),
        *find_dead_streams(history),
        *find_session_conflicts(history),
        *find_severe_bursts(history, settings[SEVERE_LOG_CRITICAL], starts),
        *find_gateway_failures(history, starts, get_connected_at(facts)),
        *(incident for kind in _REPEATED_KINDS for incident in find_repeated(history, kind)),
        *find_throttling(history),
        *find_rejections(history, settings[ORDER_REJECT_CRITICAL]),
        *find_trading_blocks(history),
        *find_logins_due(history),
    ]
    recent_starts = [at for at in sorted(set(starts.times)) if at >= history.to - _STARTS_MAX_AGE]
    return LogMemory(
        to=history.to,
        since=history.since,
        newest=history.newest,
        linked_at=_find_linked_since(facts, link_outages, settings[SOURCE_STALE_SEC]),
        spells=_limit_incidents(incidents, latest - events.MAX_NEWS_AGE),
        marks=_list_unlinked_events(history, latest),
        starts=tuple(at for at in recent_starts if at != _get_engine_start(facts))[-_MOST_STARTS:],
        engine_started_at=_get_engine_start(facts),
        verdict=history.verdict,
        proven_at=history.proven_at,
        owed_at=history.proof_due_since,
        tail=history.tail,
        whole=history.whole,
        ending=history.ending,
    )


def _limit_incidents(incidents: Iterable[LogIncident], oldest: datetime) -> tuple[LogIncident, ...]:
    """Return the incidents that are open or recent; of too many, the open ones first, then the newest."""
    kept = [
        incident
        for incident in incidents
        if incident.is_open or (incident.until or incident.last) >= oldest - _get_extra_retention(incident)
    ]
    kept.sort(key=lambda incident: (incident.is_open, incident.last), reverse=True)
    return tuple(
        sorted(kept[:_MOST_INCIDENTS], key=lambda incident: (incident.since, incident.kind, incident.key))
    )


def _get_extra_retention(incident: LogIncident) -> timedelta:
    """Return the extra retention: a stream that died in a maintenance window is reported at its end."""
    return _MAINTENANCE if incident.is_stream else timedelta()


def _list_unlinked_events(history: LogHistory, latest: datetime) -> tuple[LogEvent, ...]:
    recent = [
        event
        for event in history.list_events(*_UNLINKED_KINDS)
        if event.at >= latest - (REPEATED_WITHIN if event.kind in _COUNTED_BY_THE_HOUR else UNREACHED_WITHIN)
    ]
    # A launcher writes its time once, at its start, perhaps weeks ago.
    return (*history.list_events(events.RESTART_TIME)[-1:], *recent[-_MOST_EVENTS:])


def find_announced_restart(
    history: LogHistory | None, memory: LogMemory | None, zone: tzinfo | None
) -> Iterator[PlannedRestart]:
    """Yield the restart that the launcher announced last, in this run's log or an earlier one.

    Its line names no zone: without one no outage is known to be planned.
    """
    given = history.events if history is not None else memory.marks if memory is not None else ()
    restarts = (event for event in given if event.kind == events.RESTART_TIME)
    newest = max(restarts, key=lambda event: event.at, default=None)
    if newest is not None and newest.key and zone is not None:
        yield PlannedRestart(time.fromisoformat(newest.key), zone)
