"""Builds the LogHistory of a run from its lines and the memory of earlier runs, and counts those lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Final
from zlib import crc32

from msgspec import Struct

from detector.logs.events import (
    CONNECT_FAILED,
    MISMATCH,
    ORDER_REJECTED,
    PROOF_DUE,
    RECONCILED,
    RECONNECT,
    SEVERE,
    THROTTLED,
    LineCounts,
    LogEvent,
    LogHistory,
    LogMemory,
)
from detector.logs.parse.line import MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_times import LineTimes, LogLines, has_time
from detector.logs.parse.phrases import LineMatch
from detector.logs.parse.scan import is_introduced, scan_lines

_COUNTED: Final = (SEVERE, CONNECT_FAILED, THROTTLED, ORDER_REJECTED)
_INTRODUCED: Final = "introduced"
_TAIL_LENGTH: Final = 32


class LogWindow(Struct, frozen=True):
    """The window that was read: `since` is None where it is unknown, `cut` is True where lines are missing.

    `zone` is that of naive times. A reconnect while `is_maintenance` is true needs no proof of
    reconciliation.
    """

    since: datetime | None
    to: datetime
    cut: bool = False
    zone: tzinfo | None = None
    is_maintenance: Callable[[datetime], bool | None] = lambda at: False


def build_history(lines: LogLines, window: LogWindow, memory: LogMemory | None) -> LogHistory:
    """Return the history of these lines as a continuation of the memory."""
    times = LineTimes(lines, window.to, window.zone)
    first_at = times.find_first()
    known_count = _count_known_lines(lines, memory.tail, memory.whole) if memory else 0
    introduced = memory is not None and memory.ending == _INTRODUCED
    matches = list(scan_lines(lines, introduced, _build_known_check(memory, times, first_at)))
    if not times.trusted:
        matches = [(index, match) for index, match in matches if index >= known_count]
    events = [event for event in _to_events(matches, times, lines) if not _is_expected(event, window)]
    tail, whole = _compute_tail(lines)
    verdict, proven_at, proof_due_since = _summarize_reconciliation(events, memory)
    return LogHistory(
        to=window.to,
        since=_compute_since(window, first_at, known_count, memory),
        newest=max((at for at in (times.find_last(), memory.newest if memory else None) if at), default=None),
        previous_newest=(memory.newest or memory.since) if memory else None,
        events=tuple(_merge_events((*(memory.marks if memory else ()), *events))),
        memory=memory,
        verdict=verdict,
        proven_at=proven_at,
        proof_due_since=proof_due_since,
        tail=tail or (memory.tail if memory else ()),
        whole=whole if tail or not memory else memory.whole,
        ending=_compute_ending(lines, memory),
        counts=count_lines(lines),
    )


def _is_expected(event: LogEvent, window: LogWindow) -> bool:
    return event.kind == PROOF_DUE and event.note == RECONNECT and bool(window.is_maintenance(event.at))


def _build_known_check(
    memory: LogMemory | None, times: LineTimes, first_at: datetime | None
) -> Callable[[int], bool]:
    """Return a function: whether the line at an index is of a time that an earlier run read to its end.

    It is asked of each line: the first may have been read when those after it were not.
    """
    if memory is None or first_at is None or first_at > memory.to:
        return lambda index: False
    read_to = memory.to
    return lambda index: times.get_times((index,))[index] <= read_to


def _compute_ending(lines: LogLines, memory: LogMemory | None) -> str:
    introduced = memory is not None and memory.ending == _INTRODUCED
    return _INTRODUCED if is_introduced(len(lines.texts), lines.texts, lines.streams, introduced) else ""


def _compute_since(
    window: LogWindow, first_at: datetime | None, known_count: int, memory: LogMemory | None
) -> datetime:
    """Return the time from which lines were read without a hole, over any number of runs."""
    if window.cut:
        return window.to
    since = min(window.since or first_at or window.to, window.to)
    if memory is not None and (known_count or since <= memory.to):
        return min(since, memory.since)
    return since


def _to_events(
    matches: Iterable[tuple[int, LineMatch]], times: LineTimes, lines: LogLines
) -> Iterator[LogEvent]:
    matches = list(matches)
    time_by_index = times.get_times(dict.fromkeys(index for index, _ in matches))
    counts: defaultdict[tuple[datetime, str], int] = defaultdict(int)
    line_ids: dict[int, str] = {}
    for index, match in matches:
        line_id = ""
        if match.kind in _COUNTED:
            if index not in line_ids:
                line_ids[index] = _build_line_id(index, time_by_index[index], counts, lines)
            line_id = line_ids[index]
        yield LogEvent(time_by_index[index], match.kind, match.key, match.note, line_id, match.farms)


def _build_line_id(
    index: int, at: datetime, counts: defaultdict[tuple[datetime, str], int], lines: LogLines
) -> str:
    """Return an id that distinguishes a line from others of its moment; an event listed twice has one id."""
    line_digest = _compute_digest(lines.texts[index])
    counts[at, line_digest] += lines.stamps[index] is None
    return f"{line_digest}.{counts[at, line_digest]}" if counts[at, line_digest] > 1 else line_digest


def _merge_events(events: Iterable[LogEvent]) -> Iterator[LogEvent]:
    """Yield each event once, by time, those of earlier runs first."""
    unique: dict[tuple[datetime, str, str, str], LogEvent] = {}
    for event in events:
        unique.setdefault((event.at, event.kind, event.key, event.line), event)
    yield from sorted(unique.values(), key=lambda event: event.at)


def _summarize_reconciliation(
    events: Iterable[LogEvent], memory: LogMemory | None
) -> tuple[LogEvent | None, datetime | None, datetime | None]:
    """Return the newest event on reconciliation, and the times of the newest proof and the oldest due one."""
    verdict, proven_at, proof_due_since = (
        (memory.verdict, memory.proven_at, memory.owed_at) if memory else (None, None, None)
    )
    for event in sorted(events, key=lambda event: event.at):
        if event.kind in (RECONCILED, MISMATCH) and (verdict is None or event.at >= verdict.at):
            verdict = event
        if event.kind == RECONCILED:
            proven_at = max(proven_at or event.at, event.at)
            if proof_due_since is not None and proof_due_since <= event.at:
                proof_due_since = None
        elif event.kind == PROOF_DUE and (proven_at is None or event.at > proven_at):
            proof_due_since = min(proof_due_since or event.at, event.at)
    return verdict, proven_at, proof_due_since


_MOST_SHAPES = 2000
_OTHER = "other"


def count_lines(lines: LogLines) -> LineCounts:
    """Return the counts; lines of one shape count alike, those beyond 2,000 shapes as another dialect."""
    shapes = lines.list_masks()
    samples = dict(zip(shapes, lines.texts, strict=True))
    with_text = sum(map(bool, map(str.strip, lines.texts)))
    timed = len(lines.stamps) - lines.stamps.count(None)
    dialects: Counter[str] = Counter()
    for shape, count in Counter(shapes).most_common(_MOST_SHAPES):
        sample = samples[shape]
        parsed = parse_line(sample)
        if not parsed.text.strip():
            with_text -= count if sample.strip() else 0
            continue
        dialects[parsed.dialect] += count
        if lines.stamps[0] is None and (parsed.time is not None or has_time(sample)):
            timed += count
    if others := with_text - dialects.total():
        dialects[_OTHER] = others
    return LineCounts(len(lines.texts), with_text, min(timed, len(lines.texts)), dict(dialects.most_common()))


def _compute_digest(line: str) -> str:
    """Return a short digest of a line, the same in every run."""
    return f"{crc32(line[:MAX_LINE_LENGTH].encode('utf-8', 'replace')):08x}"


def _compute_tail(lines: LogLines) -> tuple[tuple[str, ...], bool]:
    """Return the digests of the last lines without an event time, and whether these were all of them."""
    if None not in lines.stamps:
        return (), True
    plain = [line for line, stamp in zip(lines.texts, lines.stamps, strict=True) if stamp is None]
    return tuple(_compute_digest(line) for line in plain[-_TAIL_LENGTH:]), len(plain) <= _TAIL_LENGTH


def _count_known_lines(lines: LogLines, tail: Sequence[str], whole: bool) -> int:
    """Return how many lines were already in the previous reading, whose last lines have the digests `tail`.

    A file that grew begins with the `whole` tail. A window that advanced contains the tail at any place, or
    only the end of the tail at its beginning.
    """
    if not tail:
        return 0
    digests = [
        _compute_digest(line) if stamp is None else ""
        for line, stamp in zip(lines.texts, lines.stamps, strict=True)
    ]
    if whole and digests[: len(tail)] == list(tail):
        return len(tail)
    for end in range(len(digests), 0, -1):
        if digests[end - 1] == tail[-1]:
            length = min(end, len(tail))
            if digests[end - length : end] == list(tail[-length:]):
                return end
    return 0
