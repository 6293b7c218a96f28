"""What the documents say of the schedule: the crons, the hours, the event type and the Worker's variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from detector.domain.schedule_windows import SCHEDULE, Lane
from detector.market.hours import get_session_on
from detector.schedule.cron import CLOUDFLARE, GITHUB, read_cron
from detector.schedule.schedule_files import EVENT_TYPE

_CRON: Final = re.compile(r"`([0-9*][0-9*,/-]*(?: [0-9A-Z*,/-]+){4})`", re.ASCII)
_ELSEWHERE: Final = (
    "healthchecks.io"  # the dead-man's switch has a schedule of its own, in a dialect of its own
)
_EVENT: Final = re.compile(r"(?:\bevent type|\bof (?:the )?type)\s+`?([a-z0-9]+(?:_[a-z0-9]+)+)", re.ASCII)
_HOURS: Final = re.compile(r"\b([0-2][0-9]:[0-5][0-9]) (to|and) ([0-2][0-9]:[0-5][0-9]) UTC", re.ASCII)
_VARIABLE: Final = re.compile(r"^\| `([A-Z][A-Z_]+)` \| `([^`]*)` \|", re.MULTILINE | re.ASCII)
_WINTER, _SUMMER = date(2027, 1, 12), date(2027, 7, 13)  # a session in each half of New York's year


@dataclass(frozen=True, slots=True)
class Facts:
    """What the documents are held against: the lanes of both sides, and the Worker's variables."""

    lanes: Sequence[Lane]
    variables: Mapping[str, Any]


def documents_fault(texts: Mapping[str, str], must_name: Sequence[str], facts: Facts) -> str:
    """Return the first thing that a text says and that is not so, or the cron that it should name; empty for none."""
    crons = {lane.cron for lane in facts.lanes}
    for name, text in texts.items():
        fault = next((found for says in _SAYS for found in says(text, facts)), "")
        if fault:
            return f"{name} {fault}"
        lacking = crons - _crons_of(text)
        if name in must_name and lacking:
            return f"{name} does not name `{min(lacking)}`"
    return ""


def _crons_of(text: str) -> set[str]:
    """Return the crons that a text names, but for those that are said to be another program's on their line."""
    return {
        match[1]
        for line in text.splitlines()
        for match in _CRON.finditer(line)
        if _ELSEWHERE not in line[: match.start()]
    }


def _other_crons(text: str, facts: Facts) -> Iterator[str]:
    others = _crons_of(text) - {lane.cron for lane in facts.lanes}
    yield from (f"names `{cron}`, which nothing runs at" for cron in sorted(others))


def _other_events(text: str, _: Facts) -> Iterator[str]:
    yield from (
        f"names the event type {found}, not {EVENT_TYPE}"
        for found in _EVENT.findall(text)
        if found != EVENT_TYPE
    )


def _other_hours(text: str, facts: Facts) -> Iterator[str]:
    """Yield the hours that meet the schedule's and are neither its own, nor a lane's, nor the session's."""
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
    for begin, word, end in _HOURS.findall(text):
        meets = begin < f"{last + 1:02}:00" and end > f"{first:02}:00"
        if meets and (begin, end) not in _sessions() and not (begin in begins and end in ends):
            yield f"says {begin} {word} {end} UTC, when the schedule is not due"


def _sessions() -> set[tuple[str, str]]:
    found = (get_session_on(day) for day in (_WINTER, _SUMMER))
    return {(_clock(one.opens), _clock(one.closes)) for one in found if one}


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M}"


def _other_variables(text: str, facts: Facts) -> Iterator[str]:
    for variable, said in _VARIABLE.findall(text):
        value = facts.variables.get(variable)
        if value is not None and str(value) != said:
            yield f"says that {variable} is {said}, and it is {value}"


_SAYS: Final[tuple[Callable[[str, Facts], Iterator[str]], ...]] = (
    _other_crons,
    _other_events,
    _other_hours,
    _other_variables,
)
