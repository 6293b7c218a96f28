"""The lanes in which runs come about: GitHub's schedule as it was measured, an external trigger, both.

Each gives run times for a shift: the lane is laid over a stretch of time at many shifts, evenly spread and
the same every time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from math import ceil
from pathlib import Path

from msgspec import Struct

SERIES = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "run_times" / "measured.json"
SHIFTS = 40
_EVERY = timedelta(minutes=10)
_TICK = timedelta(seconds=60)
"""The cadence of `watch` where nobody sets another."""
_STARTS = timedelta(seconds=60)
"""From an external trigger to the run's look: the runner starts, the program is installed."""
_DENSE = ("alex/nyt-2020-election-scraper",)
_THROTTLED = ("onkartalekar/fpl-intelligence", "Molecule-AI/molecule-core", "inkdrafts/notiongit-template")
Times = Callable[[int, datetime, datetime], Iterator[datetime]]


class Way(Struct, frozen=True):
    """One lane: its name in the table, its point of view, and its run times for a shift between two times."""

    title: str
    looks_from: str
    times: Times


@cache
def _series(of: str) -> tuple[datetime, ...]:
    found = json.loads(SERIES.read_text(encoding="utf-8"))["series"]
    times = next(one["created_at"] for one in found if one["of"].startswith(of))
    return tuple(datetime.fromisoformat(text) for text in times)


def _github(names: Sequence[str]) -> Times:
    """Return the run times of repositories that were measured, one after the other and round again."""

    def times(shift: int, start: datetime, end: datetime) -> Iterator[datetime]:
        moments = _series(names[shift % len(names)])
        length = moments[-1] - moments[0] + (moments[1] - moments[0])
        into = length * ((shift // len(names) + 0.5) / ceil(SHIFTS / len(names)))
        for turn in count():
            for moment in moments:
                at = start + (moment - moments[0]) + turn * length - into
                if at >= end:
                    return
                if at >= start:
                    yield at

    return times


def _external(shift: int, start: datetime, end: datetime) -> Iterator[datetime]:
    return _every(_EVERY, start + _STARTS, end, shift)


def _watch(shift: int, start: datetime, end: datetime) -> Iterator[datetime]:
    return _every(_TICK, start, end, shift)


def _every(step: timedelta, start: datetime, end: datetime, shift: int) -> Iterator[datetime]:
    at = start + step * ((shift + 0.5) / SHIFTS)
    while at < end:
        yield at
        at += step


def _both(shift: int, start: datetime, end: datetime) -> Iterator[datetime]:
    github = _github(_DENSE)
    yield from sorted({*_external(shift, start, end), *github(shift, start, end)})


WAYS: Mapping[str, Way] = {
    "github": Way("GitHub's schedule alone, at its best", "remote", _github(_DENSE)),
    "throttled": Way("GitHub's schedule alone, throttled", "remote", _github(_THROTTLED)),
    "external": Way("external trigger, every 10 min", "remote", _external),
    "both": Way("both", "remote", _both),
    "machine": Way("every 10 min, on the machine itself", "on the machine", _external),
    "watch": Way("`watch`, every 60 s, on the machine itself", "on the machine", _watch),
    "watch_remote": Way("`watch`, every 60 s, elsewhere", "remote", _watch),
}
