"""Episodes out of marks: the link to IBKR and each data farm, lost until their counterpart is seen.

Pure functions of the marks of this run and the episodes that earlier runs carried over, so that the same lines
give the same episodes however they are spread over runs. Silence ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from detector.logs.bursts import begun_before
from detector.logs.events import (
    BACK,
    DATA_LOST,
    FARM,
    FARM_DOWN,
    FARM_UP,
    FARMS_UP,
    LINK,
    LOGGED_IN,
    LOST,
    STREAM_DEAD,
    UNNAMED,
    Logbook,
    Mark,
    Spell,
)

SAME_RECOVERY: Final = timedelta(seconds=60)
"""One recovery is logged by every client and by the gateway itself."""

_FLAPPED: Final = timedelta(seconds=600)
_LOOKED_BACK: Final = timedelta(hours=6)
_BY_LOGIN: Final = "login"


def link_episodes(book: Logbook) -> list[Spell]:
    """Return every episode of the link, oldest first; the last one may be open.

    It ends by a line that says that the link is back, or by a new gateway session that logged in. A line
    that says so without a loss before is an episode that was not seen to begin.
    """
    episodes: list[Spell] = []
    for mark in _in_order(_link_marks(book.carried(LINK)), book.of(LOST, BACK, LOGGED_IN)):
        latest = episodes[-1] if episodes else None
        is_open = latest is not None and latest.until is None
        if mark.kind == LOST:
            if latest is not None and is_open:
                episodes[-1] = replace(latest, last=mark.at)
            else:
                episodes.append(Spell(LINK, mark.at, mark.at, mark.at, note=mark.note))
        elif latest is not None and is_open:
            episodes[-1] = _ended(latest, mark)
        elif mark.kind == BACK:
            if latest is not None and latest.until and mark.at - latest.until <= SAME_RECOVERY:
                episodes[-1] = _with_recovery(latest, mark)
            else:
                alone = Spell(LINK, mark.at, mark.at, mark.at, mark.at, note=mark.note, alone=True)
                episodes.append(_with_recovery(alone, mark))
    return episodes


def _link_marks(episodes: Iterable[Spell]) -> Iterator[Mark]:
    for one in episodes:
        if not one.alone:
            yield Mark(one.since, LOST, note=one.note)
            yield Mark(one.last, LOST, note=one.note)
        if one.until is not None:
            kind = LOGGED_IN if one.key == _BY_LOGIN else BACK
            yield Mark(one.until, kind, DATA_LOST if one.data_lost else "", one.note, farms=one.farms)


def _ended(episode: Spell, mark: Mark) -> Spell:
    ended = replace(episode, until=mark.at, key=_BY_LOGIN if mark.kind == LOGGED_IN else "")
    return _with_recovery(ended, mark)


def _with_recovery(episode: Spell, mark: Mark) -> Spell:
    return replace(
        episode,
        data_lost=episode.data_lost or mark.key == DATA_LOST,
        farms=tuple(dict.fromkeys((*episode.farms, *mark.farms))),
    )


def _in_order(carried: Iterable[Mark], read: Iterable[Mark]) -> list[Mark]:
    """Return the marks by time, each once; at the same moment what is carried over comes first."""
    once: dict[object, Mark] = {}
    for mark in (*carried, *read):
        once.setdefault((mark.at, mark.kind, mark.key, mark.farms), mark)
    return sorted(once.values(), key=lambda mark: mark.at)


def farm_episodes(book: Logbook) -> list[Spell]:
    """Return every episode of every farm, oldest first; a farm is well again only by a line of its own name."""
    done: list[Spell] = []
    broken: dict[str, Spell] = {}
    for mark in _in_order(_farm_marks(book.carried(FARM)), book.of(FARM_DOWN, FARM_UP, FARMS_UP)):
        if mark.kind == FARM_DOWN:
            old = broken.get(mark.key)
            new = Spell(FARM, mark.at, mark.at, mark.at, key=mark.key, note=mark.note)
            broken[mark.key] = replace(old, last=mark.at) if old else new
        else:
            for farm in [mark.key] if mark.kind == FARM_UP else list(broken):
                if farm in broken:
                    done.append(replace(broken.pop(farm), until=mark.at))
    return sorted((*done, *broken.values()), key=lambda one: (one.since, one.key))


def _farm_marks(episodes: Iterable[Spell]) -> Iterator[Mark]:
    for one in episodes:
        yield Mark(one.since, FARM_DOWN, one.key, one.note)
        yield Mark(one.last, FARM_DOWN, one.key, one.note)
        if one.until is not None:
            yield Mark(one.until, FARM_UP, one.key)


def dead_streams(book: Logbook) -> list[Spell]:
    """Return each death of live streams, oldest first: 10182, by the farm that was down just before.

    A farm's recovery does not bring its streams back. Several streams die with one farm.
    """
    farms = farm_episodes(book)
    found = sorted(book.carried(STREAM_DEAD), key=lambda one: one.since)
    for mark in sorted(book.of(STREAM_DEAD), key=lambda mark: mark.at):
        index = begun_before(found, mark.at)
        if index is not None and mark.at <= found[index].last + SAME_RECOVERY:
            found[index] = replace(found[index], last=max(found[index].last, mark.at))
            continue
        key = _down_at(farms, mark.at) or mark.key or UNNAMED
        new = Spell(STREAM_DEAD, mark.at, mark.at, mark.at, key=key, note=mark.note)
        found.insert(0 if index is None else index + 1, new)
    return found


def _down_at(farms: list[Spell], at: datetime) -> str | None:
    """Return the farm that broke last before that time and was not well for long, or None."""
    index = begun_before(farms, at)
    while index is not None and index >= 0 and at - farms[index].since <= _LOOKED_BACK:
        if at <= (farms[index].until or at) + _FLAPPED:
            return farms[index].key
        index -= 1
    return None
