"""Holds what a document states about the schedule against the lanes and the Worker's variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from detector.domain.run_windows import SCHEDULE, Lane
from detector.formats.patterns import build_pattern
from detector.market.hours import get_session_on
from detector.schedule.consistency import SUMMER, WINTER
from detector.schedule.cron import CLOUDFLARE, GITHUB, read_cron
from detector.schedule.schedule_files import EVENT_TYPE

_CRON: Final = build_pattern(r"`([0-9*][0-9*,/-]*(?: [0-9A-Z*,/-]+){4})`", re.ASCII)
_ELSEWHERE: Final = (
    "healthchecks.io"  # the dead-man's switch has a schedule of its own, in a dialect of its own
)
_EVENT: Final = build_pattern(r"(?:\bevent type|\bof (?:the )?type)\s+`?([a-z0-9]+(?:_[a-z0-9]+)+)", re.ASCII)
_HOURS: Final = build_pattern(r"\b([0-2][0-9]:[0-5][0-9]) (to|and) ([0-2][0-9]:[0-5][0-9]) UTC", re.ASCII)
_VARIABLE: Final = build_pattern(r"^\| `([A-Z][A-Z_]+)` \| `([^`]*)` \|", re.MULTILINE | re.ASCII)


class ScheduleFacts(Struct, frozen=True):
    """The facts that the documents are checked against: the lanes of both sides, the Worker's variables."""

    lanes: Sequence[Lane]
    variables: Mapping[str, Any]


def find_document_fault(text: str, facts: ScheduleFacts, must_name: bool = False) -> str:
    """Return the first false statement of a text, or a cron that it must name; empty where there is none."""
    fault = next((message for finder in _FINDERS for message in finder(text, facts)), "")
    missing = {lane.cron for lane in facts.lanes} - _find_crons(text) if must_name else ()
    return fault or (f"does not name `{min(missing)}`" if missing else "")


def _find_crons(text: str) -> set[str]:
    """Return the crons that a text names, except on lines about another program's schedule."""
    return {
        match[1]
        for line in text.splitlines()
        for match in _CRON.finditer(line)
        if _ELSEWHERE not in line[: match.start()]
    }


def _find_other_crons(text: str, facts: ScheduleFacts) -> Iterator[str]:
    others = _find_crons(text) - {lane.cron for lane in facts.lanes}
    yield from (f"names `{cron}`, which nothing runs at" for cron in sorted(others))


def _find_other_events(text: str, _: ScheduleFacts) -> Iterator[str]:
    yield from (
        f"names the event type {event}, not {EVENT_TYPE}"
        for event in _EVENT.findall(text)
        if event != EVENT_TYPE
    )


def _find_other_hours(text: str, facts: ScheduleFacts) -> Iterator[str]:
    """Yield the hours that overlap the schedule's and are not its own, a lane's or the session's."""
    crons = [read_cron(lane.cron, GITHUB if lane.trigger == SCHEDULE else CLOUDFLARE) for lane in facts.lanes]
    hours = {
        hour
        for lane, cron in zip(facts.lanes, crons, strict=True)
        if lane.trigger == SCHEDULE
        for hour in cron.hours
    }
    first, last = min(hours), max(hours)
    begins = {f"{first:02}:00", *(f"{min(cron.hours):02}:{min(cron.minutes):02}" for cron in crons)}
    ends = {f"{last:02}:59", f"{last + 1:02}:00"}
    ends |= {f"{max(cron.hours):02}:{max(cron.minutes):02}" for cron in crons}
    for begin, joiner, end in _HOURS.findall(text):
        overlaps = begin < f"{last + 1:02}:00" and end > f"{first:02}:00"
        if overlaps and (begin, end) not in _list_sessions() and not (begin in begins and end in ends):
            yield f"says {begin} {joiner} {end} UTC, when the schedule is not due"


def _list_sessions() -> set[tuple[str, str]]:
    sessions = (get_session_on(monday + timedelta(days=1)) for monday in (WINTER, SUMMER))
    return {(_format_clock(session.opens), _format_clock(session.closes)) for session in sessions if session}


def _format_clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M}"


def _find_other_variables(text: str, facts: ScheduleFacts) -> Iterator[str]:
    for variable, documented in _VARIABLE.findall(text):
        value = facts.variables.get(variable)
        if value is not None and str(value) != documented:
            yield f"says that {variable} is {documented}, and it is {value}"


_FINDERS: Final[tuple[Callable[[str, ScheduleFacts], Iterator[str]], ...]] = (
    _find_other_crons,
    _find_other_events,
    _find_other_hours,
    _find_other_variables,
)
