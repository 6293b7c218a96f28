"""Checks the Worker's variables against the times at which its ticks and the workflow's lanes are due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

from detector.domain.run_windows import Lane
from detector.formats.errors import InputError
from detector.schedule.expected import list_week_windows
from detector.schedule.schedule_files import parse_minutes, parse_time_of_day

# Mondays of full weeks, one in each half of New York's year; the Tuesday after each has a session.
WINTER: Final = date(2027, 1, 11)
SUMMER: Final = date(2027, 7, 12)


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
        yield "no tick follows WATCH_TO_UTC: what is undelivered then waits for the next day"


def _list_day_times(lanes: Sequence[Lane]) -> list[timedelta]:
    """Return the times of day at which the lanes are due, in order, as the time since midnight."""
    moments = (moment for lane in lanes for moment in list_week_windows(lane, SUMMER))
    return sorted({timedelta(hours=due_at.hour, minutes=due_at.minute) for due_at in moments})


def _count_minutes(length: timedelta) -> int:
    return length // timedelta(minutes=1)


def _format_time_of_day(since_midnight: timedelta) -> str:
    hours, rest = divmod(_count_minutes(since_midnight), 60)
    return f"{hours:02}:{rest:02}"
