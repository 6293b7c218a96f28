"""Checks what the documents and the Worker's variables state about the schedule against the lanes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from detector.domain.schedule_windows import SCHEDULE, Lane
from detector.formats.errors import InputError
from detector.formats.patterns import build_pattern
from detector.market.hours import get_session_on
from detector.schedule.cron import CLOUDFLARE, GITHUB, read_cron
from detector.schedule.expected import list_week_windows
from detector.schedule.schedule_files import EVENT_TYPE, parse_minutes, parse_time_of_day

_CRON: Final = build_pattern(r"`([0-9*][0-9*,/-]*(?: [0-9A-Z*,/-]+){4})`", re.ASCII)
_ELSEWHERE: Final = (
    "healthchecks.io"  # the dead-man's switch has a schedule of its own, in a dialect of its own
)
_EVENT: Final = build_pattern(r"(?:\bevent type|\bof (?:the )?type)\s+`?([a-z0-9]+(?:_[a-z0-9]+)+)", re.ASCII)
_HOURS: Final = build_pattern(r"\b([0-2][0-9]:[0-5][0-9]) (to|and) ([0-2][0-9]:[0-5][0-9]) UTC", re.ASCII)
_VARIABLE: Final = build_pattern(r"^\| `([A-Z][A-Z_]+)` \| `([^`]*)` \|", re.MULTILINE | re.ASCII)
# Mondays of full weeks, one in each half of New York's year; the Tuesday after each has a session.
WINTER: Final = date(2027, 1, 11)
SUMMER: Final = date(2027, 7, 12)


class ScheduleFacts(Struct, frozen=True):
    """The facts that the documents are checked against: the lanes of both sides, the Worker's variables."""

    lanes: Sequence[Lane]
    variables: Mapping[str, Any]


def find_document_fault(texts: Mapping[str, str], must_name: Sequence[str], facts: ScheduleFacts) -> str:
    """Return the first false statement of a text, or a cron that it must name; empty where there is none."""
    crons = {lane.cron for lane in facts.lanes}
    for name, text in texts.items():
        fault = next((message for finder in _FINDERS for message in finder(text, facts)), "")
        if fault:
            return f"{name} {fault}"
        missing = crons - _find_crons(text)
        if name in must_name and missing:
            return f"{name} does not name `{min(missing)}`"
    return ""


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


def find_variables_fault(github: Sequence[Lane], worker: Sequence[Lane], variables: Mapping[str, Any]) -> str:
    """Return the first difference between the Worker's variables and its ticks, empty for none."""
    try:
        return next(_find_faults(github, worker, variables), "")
    except InputError as error:
        return str(error)


def _find_faults(
    github: Sequence[Lane], worker: Sequence[Lane], variables: Mapping[str, Any]
) -> Iterator[str]:
    due, ticks = _list_day_times(github), _list_day_times(worker)
    period = parse_minutes(variables, "PERIOD_MINUTES")
    tick_interval = min((later - earlier for earlier, later in pairwise(ticks)), default=period)
    if period != tick_interval:
        yield (
            f"PERIOD_MINUTES is {_count_minutes(period)},"
            f" and the ticks are {_count_minutes(tick_interval)} min apart"
        )
    if parse_minutes(variables, "ON_ITS_WAY_MINUTES") >= period:
        yield (
            "ON_ITS_WAY_MINUTES is not below PERIOD_MINUTES:"
            " a run that hangs would stand for the next one too"
        )
    begins, ends = (parse_time_of_day(variables, name) for name in ("WATCH_FROM_UTC", "WATCH_TO_UTC"))
    if begins != ticks[0]:
        first_tick = _format_time_of_day(ticks[0])
        yield f"WATCH_FROM_UTC is {_format_time_of_day(begins)}, and the first tick is at {first_tick}"
    last = next((tick for tick in ticks if tick >= due[-1]), None)
    if last is not None and ends != last:
        end, last_tick = _format_time_of_day(ends), _format_time_of_day(last)
        yield f"WATCH_TO_UTC is {end}, and the tick for the last window is at {last_tick}"
    if ticks[-1] <= ends:
        yield "no tick follows WATCH_TO_UTC: what is owed then waits for the next day"


def _list_day_times(lanes: Sequence[Lane]) -> list[timedelta]:
    """Return the times of day at which the lanes are due, in order, as the time since midnight."""
    moments = (moment for lane in lanes for moment in list_week_windows(lane, SUMMER))
    return sorted({timedelta(hours=due_at.hour, minutes=due_at.minute) for due_at in moments})


def _count_minutes(length: timedelta) -> int:
    return length // timedelta(minutes=1)


def _format_time_of_day(since_midnight: timedelta) -> str:
    hours, rest = divmod(_count_minutes(since_midnight), 60)
    return f"{hours:02}:{rest:02}"
