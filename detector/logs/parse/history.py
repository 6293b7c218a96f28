"""The log book of a run: what its lines say and when, together with what earlier runs carried over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from detector.logs.events import (
    DIFFERS,
    OWES,
    PROVEN,
    RECONNECT,
    SEVERE,
    UNREACHED,
    Logbook,
    LogMemory,
    Mark,
)
from detector.logs.parse.line_times import LineTimes, digest, known_lines, tail_of
from detector.logs.parse.phrases import Said
from detector.logs.parse.scan import Lines, heard
from detector.logs.parse.tracebacks import is_introduced

_COUNTED: Final = (SEVERE, UNREACHED)
_INTRODUCED: Final = "introduced"


@dataclass(frozen=True, slots=True)
class Window:
    """What was read: `since` is None where nobody said it, `cut` where lines are missing.

    `zone` is what a naive time means. A link that comes back at a time that is `quiet` owes no proof.
    """

    since: datetime | None
    to: datetime
    cut: bool = False
    zone: tzinfo | None = None
    quiet: Callable[[datetime], bool | None] = lambda at: False


def opened(lines: Lines, window: Window, memory: LogMemory | None) -> Logbook:
    """Return the log book of these lines, which continues what is remembered."""
    times = LineTimes(lines, window.to, window.zone)
    first = times.first()
    known = known_lines(lines, memory.tail, memory.whole) if memory else 0
    said = list(heard(lines, _was_introduced(memory, first)))
    if not times.believed:
        said = [(index, thing) for index, thing in said if index >= known]
    marks = [mark for mark in _marks(said, times, lines) if not _is_expected(mark, window)]
    tail, whole = tail_of(lines)
    verdict, proven_at, owed_at = _reconciled(marks, memory)
    return Logbook(
        to=window.to,
        since=_since(window, first, known, memory),
        newest=max((at for at in (times.last(), memory.newest if memory else None) if at), default=None),
        seen_to=(memory.newest or memory.since) if memory else None,
        marks=tuple(_once((*(memory.marks if memory else ()), *marks))),
        memory=memory,
        verdict=verdict,
        proven_at=proven_at,
        owed_at=owed_at,
        tail=tail or (memory.tail if memory else ()),
        whole=whole if tail or not memory else memory.whole,
        ending=_ending(lines, memory),
    )


def _is_expected(mark: Mark, window: Window) -> bool:
    return mark.kind == OWES and mark.note == RECONNECT and bool(window.quiet(mark.at))


def _was_introduced(memory: LogMemory | None, first: datetime | None) -> bool:
    """Whether a traceback on the first line is none of its own: introduced before, or judged before."""
    if memory is None:
        return False
    return memory.ending == _INTRODUCED or (first is not None and first <= memory.to)


def _ending(lines: Lines, memory: LogMemory | None) -> str:
    before = memory is not None and memory.ending == _INTRODUCED
    return _INTRODUCED if is_introduced(len(lines.texts), lines.texts, lines.streams, before) else ""


def _since(window: Window, first: datetime | None, known: int, memory: LogMemory | None) -> datetime:
    """Return from when on lines were seen without a hole, over any number of runs."""
    if window.cut:
        return window.to
    since = min(window.since or first or window.to, window.to)
    if memory is not None and (known or since <= memory.to):
        return min(since, memory.since)
    return since


def _marks(said: Iterable[tuple[int, Said]], times: LineTimes, lines: Lines) -> Iterator[Mark]:
    said = list(said)
    at = times.of(dict.fromkeys(index for index, _ in said))
    seen: Counter[tuple[datetime, str]] = Counter()
    numbered: dict[int, str] = {}
    for index, thing in said:
        line = ""
        if thing.kind in _COUNTED:
            if index not in numbered:
                numbered[index] = _number(index, at[index], seen, lines)
            line = numbered[index]
        yield Mark(at[index], thing.kind, thing.key, thing.note, line, thing.farms)


def _number(index: int, at: datetime, seen: Counter[tuple[datetime, str]], lines: Lines) -> str:
    """Return what tells a line from others of its moment; an event that is listed twice is one event."""
    text = digest(lines.texts[index])
    seen[at, text] += lines.stamps[index] is None
    return f"{text}.{seen[at, text]}" if seen[at, text] > 1 else text


def _once(marks: Iterable[Mark]) -> Iterator[Mark]:
    """Yield each mark once, by time, those of earlier runs first."""
    once: dict[tuple[datetime, str, str, str], Mark] = {}
    for mark in marks:
        once.setdefault((mark.at, mark.kind, mark.key, mark.line), mark)
    yield from sorted(once.values(), key=lambda mark: mark.at)


def _reconciled(
    marks: Iterable[Mark], memory: LogMemory | None
) -> tuple[Mark | None, datetime | None, datetime | None]:
    """Return the newest line on reconciliation, the newest proof, and the oldest debt that no proof followed."""
    verdict, proven, owed = (
        (memory.verdict, memory.proven_at, memory.owed_at) if memory else (None, None, None)
    )
    for mark in sorted(marks, key=lambda mark: mark.at):
        if mark.kind in (PROVEN, DIFFERS) and (verdict is None or mark.at >= verdict.at):
            verdict = mark
        if mark.kind == PROVEN:
            proven = max(proven or mark.at, mark.at)
            owed = None if owed is not None and owed <= mark.at else owed
        elif mark.kind == OWES and (proven is None or mark.at > proven):
            owed = min(owed or mark.at, mark.at)
    return verdict, proven, owed
