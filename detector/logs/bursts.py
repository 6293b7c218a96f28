"""Bursts out of marks: lines that come close together are one occurrence, and some are one only together.

Pure functions of the marks of this run and the spells that earlier runs carried over; a line that is read again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from detector.logs.events import (
    ASKING,
    CONFLICT,
    CONNECTED,
    DISCLAIMER,
    FAILED,
    GATEWAY,
    LOGGED_IN,
    SEVERE,
    UNREACHED,
    Logbook,
    Mark,
    Spell,
)

SEVERE_WITHIN: Final = timedelta(seconds=600)
CONFLICT_WITHIN: Final = timedelta(seconds=60)
REPEATED_WITHIN: Final = timedelta(seconds=3600)
UNREACHED_WITHIN: Final = timedelta(seconds=900)
UNREACHED_TIMES: Final = 3
_ONE_ATTEMPT: Final = timedelta(seconds=1)
_AFTER_DISCLAIMER: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Starts:
    """When tasks started, and how long after that their lines are part of the start."""

    times: Sequence[datetime]
    grace: timedelta

    def cover(self, at: datetime) -> bool:
        """Whether a line of that time belongs to a start."""
        return any(start <= at <= start + self.grace for start in self.times)


def conflicts(book: Logbook) -> list[Spell]:
    """Return the session conflicts, oldest first: those within 60 s of the first are one.

    Where the paper disclaimer was refused just before, a client asks in vain whether its id is in use.
    """
    refused = [mark.at for mark in book.of(DISCLAIMER)]
    real = [
        mark
        for mark in book.of(CONFLICT)
        if mark.key != ASKING or not any(at <= mark.at <= at + _AFTER_DISCLAIMER for at in refused)
    ]
    return _lumped(book.carried(CONFLICT), [replace(mark, key="") for mark in real], CONFLICT_WITHIN)


def repeated(book: Logbook, kind: str) -> list[Spell]:
    """Return the spells of one kind by key, oldest first: what is said again within the hour is one."""
    return _lumped(book.carried(kind), book.of(kind), REPEATED_WITHIN, chained=True)


def _lumped(
    carried: Iterable[Spell], marks: Iterable[Mark], within: timedelta, chained: bool = False
) -> list[Spell]:
    found: dict[str, list[Spell]] = {}
    for one in sorted(carried, key=lambda one: one.since):
        found.setdefault(one.key, []).append(one)
    for mark in sorted(marks, key=lambda mark: mark.at):
        spells = found.setdefault(mark.key, [])
        index = begun_before(spells, mark.at)
        if index is not None and _joins(spells[index], mark, within, chained):
            spells[index] = replace(spells[index], last=max(spells[index].last, mark.at))
        else:
            new = Spell(mark.kind, mark.at, mark.at, mark.at, key=mark.key, note=mark.note)
            spells.insert(0 if index is None else index + 1, new)
    return sorted((one for spells in found.values() for one in spells), key=lambda one: (one.since, one.key))


def begun_before(spells: Sequence[Spell], at: datetime) -> int | None:
    """Return the index of the latest of the ordered spells that had begun by then, or None."""
    index = len(spells) - 1
    while index >= 0 and spells[index].since > at:
        index -= 1
    return index if index >= 0 else None


def _joins(one: Spell, mark: Mark, within: timedelta, chained: bool) -> bool:
    return mark.at <= max(one.last, (one.last if chained else one.since) + within)


def severe_bursts(book: Logbook, limit: int, starts: Starts) -> list[Spell]:
    """Return the bursts of severe lines, oldest first: `limit` lines within 600 s, and what follows closely."""
    found = sorted(book.carried(SEVERE), key=lambda one: one.since)
    window: list[datetime] = []
    for mark in loose_severe(book, starts):
        near = begun_before(found, mark.at)
        if near is not None and _follows(found[near], mark, SEVERE_WITHIN):
            found[near] = replace(found[near], last=max(found[near].last, mark.at))
            window = []
            continue
        window = [at for at in window if mark.at - at <= SEVERE_WITHIN] + [mark.at]
        if len(window) >= limit:
            found.append(Spell(SEVERE, window[0], mark.at, mark.at))
            found.sort(key=lambda one: one.since)
            window = []
    return found


def loose_severe(book: Logbook, starts: Starts) -> list[Mark]:
    """Return the severe lines that count, in order: none of the first seconds of a task."""
    return sorted((mark for mark in book.of(SEVERE) if not starts.cover(mark.at)), key=lambda mark: mark.at)


def most_within(times: Sequence[datetime], within: timedelta) -> int:
    """Return the largest number of the ordered times that lie within one span, both ends included."""
    most = first = 0
    for index, at in enumerate(times):
        while at - times[first] > within:
            first += 1
        most = max(most, index - first + 1)
    return most


def gateway_failures(book: Logbook, starts: Starts) -> list[Spell]:
    """Return the gateway's failures, oldest first: said outright, or three attempts within 900 s in vain.

    A failure ends by a success; what fails again before that, within the hour, is the same one.
    """
    found = sorted(book.carried(GATEWAY), key=lambda one: one.since)
    handled = max((one.until or one.last for one in found), default=None)
    attempts: list[tuple[datetime, set[str]]] = []
    for mark in sorted(book.of(FAILED, UNREACHED, CONNECTED, LOGGED_IN), key=lambda mark: mark.at):
        if handled is not None and mark.at < handled:
            continue
        latest = found[-1] if found and found[-1].until is None else None
        if mark.kind in (CONNECTED, LOGGED_IN):
            attempts = []
            if latest is not None:
                found[-1] = replace(latest, until=mark.at)
        elif mark.kind == FAILED or not starts.cover(mark.at):
            tried = _attempted(attempts, mark)
            if latest is not None and _follows(latest, mark, REPEATED_WITHIN):
                found[-1] = replace(latest, last=max(latest.last, mark.at))
            elif mark.kind == FAILED or len(tried) >= UNREACHED_TIMES:
                since = tried[0][0] if tried else mark.at
                found.append(Spell(GATEWAY, since, mark.at, mark.at, note=mark.note))
            attempts = tried
    return found


def _attempted(attempts: list[tuple[datetime, set[str]]], mark: Mark) -> list[tuple[datetime, set[str]]]:
    """Return the attempts within the span; lines of different forms within a second are of one attempt."""
    near = [one for one in attempts if mark.at - one[0] <= UNREACHED_WITHIN]
    if mark.kind == FAILED:
        return near
    if near and mark.at - near[-1][0] <= _ONE_ATTEMPT and mark.key not in near[-1][1]:
        return [*near[:-1], (near[-1][0], near[-1][1] | {mark.key})]
    return [*near, (mark.at, {mark.key})]


def _follows(one: Spell, mark: Mark, within: timedelta) -> bool:
    return one.since <= mark.at <= one.last + within
