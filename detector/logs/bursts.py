"""Groups log events that come close together into incidents; some kinds become an incident only in numbers.

Pure functions of this run's events and the incidents that earlier runs carried over. A line that is read
again changes nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from detector.logs.events import (
    CONNECT_FAILED,
    CONNECTED,
    DISCLAIMER,
    GATEWAY,
    GATEWAY_FAILED,
    GATEWAY_STARTED,
    ID_PROBE,
    LOGGED_IN,
    ORDER_REJECTED,
    SESSION_CONFLICT,
    SEVERE,
    THROTTLED,
    UNNAMED,
    LogEvent,
    LogHistory,
    LogIncident,
)

SEVERE_WITHIN: Final = timedelta(seconds=600)
CONFLICT_WITHIN: Final = timedelta(seconds=60)
REPEATED_WITHIN: Final = timedelta(seconds=3600)
THROTTLED_WITHIN, THROTTLED_TIMES = timedelta(seconds=600), 3
UNREACHED_WITHIN: Final = timedelta(seconds=900)
UNREACHED_TIMES: Final = 3
_SAME_START: Final = timedelta(seconds=60)
_SAME_ATTEMPT: Final = timedelta(seconds=1)
_AFTER_DISCLAIMER: Final = timedelta(seconds=10)
_NOTICED_WITHIN: Final = timedelta(seconds=300)  # a runtime calls a link up until its next request fails


class Starts(Struct, frozen=True):
    """When tasks started, and for how long after that their log lines count as part of the start."""

    times: Sequence[datetime]
    grace: timedelta

    def is_within_grace(self, at: datetime) -> bool:
        """Whether a line written at that time belongs to a start."""
        return any(start <= at <= start + self.grace for start in self.times)


def find_session_conflicts(history: LogHistory) -> list[LogIncident]:
    """Return the session conflicts, oldest first; conflicts within 60 s of the first are one incident.

    A client's check of its own id is no conflict within 10 s after the paper disclaimer was not accepted.
    """
    if not history.has_any(SESSION_CONFLICT):
        return []
    disclaimers = sorted(event.at for event in history.list_events(DISCLAIMER))
    real_conflicts = [
        event
        for event in history.list_events(SESSION_CONFLICT)
        if event.key != ID_PROBE or not _is_soon_after(disclaimers, event.at)
    ]
    return _group_events(
        history.list_carried(SESSION_CONFLICT),
        [replace(event, key="") for event in real_conflicts],
        CONFLICT_WITHIN,
    )


def _is_soon_after(times: Sequence[datetime], at: datetime) -> bool:
    """Whether the last of the ordered times before `at` lies at most 10 s before it."""
    index = bisect_right(times, at)
    return index > 0 and at - times[index - 1] <= _AFTER_DISCLAIMER


def find_repeated(history: LogHistory, kind: str) -> list[LogIncident]:
    """Return the incidents of one kind by key, oldest first; a repetition within 3600 s joins it."""
    if not history.has_any(kind):
        return []
    return _group_events(history.list_carried(kind), history.list_events(kind), REPEATED_WITHIN, chained=True)


def _group_events(
    carried: Iterable[LogIncident], events: Iterable[LogEvent], within: timedelta, chained: bool = False
) -> list[LogIncident]:
    by_key: dict[str, list[LogIncident]] = {}
    for incident in sorted(carried, key=lambda incident: incident.since):
        by_key.setdefault(incident.key, []).append(incident)
    for event in sorted(events, key=lambda event: event.at):
        incidents = by_key.setdefault(event.key, [])
        index = find_latest_begun(incidents, event.at)
        if index is not None and _should_join(incidents[index], event, within, chained):
            incidents[index] = replace(incidents[index], last=max(incidents[index].last, event.at))
        else:
            new = LogIncident(event.kind, event.at, event.at, event.at, key=event.key, note=event.note)
            incidents.insert(0 if index is None else index + 1, new)
    return sorted(
        (incident for incidents in by_key.values() for incident in incidents),
        key=lambda incident: (incident.since, incident.key),
    )


def find_latest_begun(incidents: Sequence[LogIncident], at: datetime) -> int | None:
    """Return the index of the latest of the ordered incidents that began at or before `at`, or None."""
    index = len(incidents) - 1
    while index >= 0 and incidents[index].since > at:
        index -= 1
    return index if index >= 0 else None


def _should_join(incident: LogIncident, event: LogEvent, within: timedelta, chained: bool) -> bool:
    return event.at <= max(incident.last, (incident.last if chained else incident.since) + within)


def find_severe_bursts(history: LogHistory, limit: int, starts: Starts) -> list[LogIncident]:
    """Return the bursts of severe lines, oldest first: `limit` lines within 600 s and those soon after."""
    if not history.has_any(SEVERE):
        return []
    return _find_bursts(
        history.list_carried(SEVERE), list_severe_events(history, starts), limit, SEVERE_WITHIN
    )


def find_throttling(history: LogHistory) -> list[LogIncident]:
    """Return the bursts of pacing and rate answers, oldest first: 3 within 600 s and those soon after."""
    if not history.has_any(THROTTLED):
        return []
    events = sorted(history.list_events(THROTTLED), key=lambda event: event.at)
    return _find_bursts(history.list_carried(THROTTLED), events, THROTTLED_TIMES, THROTTLED_WITHIN)


def find_rejections(history: LogHistory, limit: int) -> list[LogIncident]:
    """Return the bursts of rejected orders, oldest first: `limit` within 3600 s and those soon after."""
    if not history.has_any(ORDER_REJECTED):
        return []
    return _find_bursts(
        history.list_carried(ORDER_REJECTED), list_rejections(history), limit, REPEATED_WITHIN
    )


def list_rejections(history: LogHistory) -> list[LogEvent]:
    """Return the first rejection of each order, in order of time: several lines on one order are one.

    Of lines that name no order those with the same text in the same minute are of one.
    """
    first: dict[str, LogEvent] = {}
    for event in sorted(history.list_events(ORDER_REJECTED), key=lambda event: event.at):
        first.setdefault(f"{event.line} {event.at:%d%H%M}" if event.key == UNNAMED else event.key, event)
    return list(first.values())


def _find_bursts(
    carried: Iterable[LogIncident], events: Iterable[LogEvent], limit: int, within: timedelta
) -> list[LogIncident]:
    bursts = sorted(carried, key=lambda burst: burst.since)
    recent: list[datetime] = []
    for event in events:
        index = find_latest_begun(bursts, event.at)
        if index is not None and _is_continued_by(bursts[index], event, within):
            bursts[index] = replace(bursts[index], last=max(bursts[index].last, event.at))
            recent = []
            continue
        recent = [at for at in recent if event.at - at <= within] + [event.at]
        if len(recent) >= limit:
            bursts.append(LogIncident(event.kind, recent[0], event.at, event.at, note=event.note))
            bursts.sort(key=lambda burst: burst.since)
            recent = []
    return bursts


def list_severe_events(history: LogHistory, starts: Starts) -> list[LogEvent]:
    """Return the severe events that count, in order; those of a task's first seconds do not."""
    return sorted(
        (event for event in history.list_events(SEVERE) if not starts.is_within_grace(event.at)),
        key=lambda event: event.at,
    )


def find_gateway_starts(history: LogHistory) -> list[datetime]:
    """Return when the gateway started, oldest first; lines within 60 s of the first are of one start."""
    starts: list[datetime] = []
    for at in sorted(event.at for event in history.list_events(GATEWAY_STARTED)):
        if not starts or at - starts[-1] > _SAME_START:
            starts.append(at)
    return starts


def count_most_within(times: Sequence[datetime], within: timedelta) -> int:
    """Return the largest number of the ordered times that lie within one span, both ends included."""
    most = first = 0
    for index, at in enumerate(times):
        while at - times[first] > within:
            first += 1
        most = max(most, index - first + 1)
    return most


def find_gateway_failures(
    history: LogHistory, starts: Starts, connected_at: datetime | None = None
) -> list[LogIncident]:
    """Return the gateway's failures, oldest first: one logged as such, or three failed attempts within 900 s.

    A success ends a failure, also one that is seen elsewhere than in the log, at `connected_at`, more than
    300 s after its last line. Every further failure before that is the same one, however late it comes.
    """
    if not history.has_any(GATEWAY, GATEWAY_FAILED, CONNECT_FAILED):
        return []
    failures = _find_logged_failures(history, starts)
    is_open = failures and failures[-1].until is None
    if is_open and connected_at and connected_at - failures[-1].last > _NOTICED_WITHIN:
        failures[-1] = replace(failures[-1], until=connected_at)
    return failures


def _find_logged_failures(history: LogHistory, starts: Starts) -> list[LogIncident]:
    failures = sorted(history.list_carried(GATEWAY), key=lambda failure: failure.since)
    handled_until = max((failure.until or failure.last for failure in failures), default=None)
    attempts: list[tuple[datetime, set[str]]] = []
    for event in sorted(
        history.list_events(GATEWAY_FAILED, CONNECT_FAILED, CONNECTED, LOGGED_IN), key=lambda event: event.at
    ):
        if handled_until is not None and event.at < handled_until:
            continue
        latest = failures[-1] if failures and failures[-1].until is None else None
        if event.kind in (CONNECTED, LOGGED_IN):
            attempts = []
            if latest is not None:
                failures[-1] = replace(latest, until=event.at)
        elif event.kind == GATEWAY_FAILED or not starts.is_within_grace(event.at):
            if latest is not None:  # the attempts during a failure are part of it
                failures[-1] = replace(latest, last=max(latest.last, event.at))
                continue
            attempts = _update_attempts(attempts, event)
            if event.kind == GATEWAY_FAILED or len(attempts) >= UNREACHED_TIMES:
                since = attempts[0][0] if attempts else event.at
                failures.append(LogIncident(GATEWAY, since, event.at, event.at, note=event.note))
    return failures


def _update_attempts(
    attempts: list[tuple[datetime, set[str]]], event: LogEvent
) -> list[tuple[datetime, set[str]]]:
    """Return the attempts of the last 900 s; lines of different forms within 1 s are of one attempt."""
    recent = [attempt for attempt in attempts if event.at - attempt[0] <= UNREACHED_WITHIN]
    if event.kind == GATEWAY_FAILED:
        return recent
    if recent and event.at - recent[-1][0] <= _SAME_ATTEMPT and event.key not in recent[-1][1]:
        return [*recent[:-1], (recent[-1][0], recent[-1][1] | {event.key})]
    return [*recent, (event.at, {event.key})]


def _is_continued_by(incident: LogIncident, event: LogEvent, within: timedelta) -> bool:
    return incident.since <= event.at <= incident.last + within
