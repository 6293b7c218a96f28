"""The matches in all lines of one reading, found in one pass that is linear in their length.

A traceback is many lines. Its first line counts as severe unless a line with a level introduces it. Its
inner lines quote code and other messages, so they match nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from detector.formats.patterns import build_pattern
from detector.logs import events
from detector.logs.codes import CODES, IBC_EXIT_RANGE, WARNING_BAND
from detector.logs.parse.classify import can_match, classify_line
from detector.logs.parse.line import INTRODUCING_LEVELS, MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_times import LogLines, find_line_time
from detector.logs.parse.phrases_gateway import IB_PORTS
from detector.logs.parse.phrases_runtime import is_traceback_start
from detector.logs.parse.vocabulary import LineMatch

_CHAINED: Final = ("during handling of the above exception", "the above exception was the direct cause")
_WITHIN: Final = 12
_SEARCHED: Final = 200
_CACHE_LIMIT, _LONGEST_CACHED = 20_000, 1000
_NUMBER: Final = build_pattern(r"\d+")
# Numbers whose value decides what a line reports: codes, exit codes, ports, HTTP's 429, errno, small counts.
_DECISIVE: Final = frozenset(
    str(number)
    for number in (
        *range(32), *CODES, *WARNING_BAND, *IBC_EXIT_RANGE, *(code % 256 for code in IBC_EXIT_RANGE),
        *IB_PORTS, 429,
    )
)  # fmt: skip


class _LineResult(Struct, frozen=True):
    """What one line gives by itself: its matches, and whether it begins a traceback, with a level or bare."""

    matches: tuple[LineMatch, ...] = ()
    starts_traceback: bool = False
    is_bare: bool = False


_NOTHING: Final = _LineResult()


def _classify_alone(line: str) -> _LineResult:
    lowered = line[:MAX_LINE_LENGTH].lower()
    if not can_match(lowered):
        return _NOTHING
    starts_traceback = is_traceback_start(lowered)
    parsed = parse_line(line)
    is_bare = parsed.level is None and is_traceback_start(parsed.body)
    return _LineResult(tuple(classify_line(parsed)), starts_traceback, is_bare)


class _LineCache:
    """The results of lines by their shape: the line with every number that decides nothing masked.

    A line is read again only where the result of its shape depends on such a number, as an order's id.
    """

    def __init__(self) -> None:
        self._results: dict[str, _LineResult | None] = {}

    def classify(self, line: str) -> _LineResult:
        """Return the result of a line."""
        if len(line) > _LONGEST_CACHED:
            return _classify_alone(line)
        shape = _NUMBER.sub(_mask_number, line)
        if shape in self._results:
            result = self._results[shape]
            return _classify_alone(line) if result is None else result
        result = _classify_alone(line)
        if len(self._results) < _CACHE_LIMIT:
            self._results[shape] = result if result == _classify_alone(shape) else None
        return result


def _mask_number(hit: re.Match[str]) -> str:
    return hit[0] if hit[0] in _DECISIVE else "7" * len(hit[0])


def scan_lines(lines: LogLines, introduced: bool) -> Iterator[tuple[int, LineMatch]]:
    """Yield each match with its line's index; `introduced` is the state at the end of the previous run."""
    for index, result in _iter_results(lines):
        for match in result.matches:
            yield index, match
        if result.is_bare and not is_introduced(index, lines.texts, lines.streams, introduced):
            yield index, LineMatch(events.SEVERE)


def _iter_results(lines: LogLines) -> Iterator[tuple[int, _LineResult]]:
    """Yield the results of the lines that give something, but for the inner lines of a traceback."""
    in_traceback: set[str] = set()  # the streams whose latest line is part of a traceback
    cache = _LineCache()
    for index, line in enumerate(lines.texts):
        if in_traceback and lines.streams[index] in in_traceback:
            if line[:1] in " \t":  # an empty line too: it ends no traceback
                continue
            in_traceback.discard(lines.streams[index])
        result = cache.classify(line)
        if result is not _NOTHING:
            if result.starts_traceback:
                in_traceback.add(lines.streams[index])
            yield index, result


def is_introduced(index: int, texts: Sequence[str], streams: Sequence[str], already: bool) -> bool:
    """Whether a line with a level, or a chained traceback, introduces the traceback that begins at the index.

    `already` is the previous run's answer, used where the lines of this reading do not decide.
    """
    stream = streams[min(index, len(streams) - 1)] if streams else ""
    for line in _iter_before(index, texts, streams, stream):
        lowered = line[:1000].lower()
        if any(phrase in lowered for phrase in _CHAINED):
            return True
        if is_traceback_start(lowered):
            return False
        parsed = parse_line(line[:1000])
        if parsed.level is not None:
            return parsed.level in INTRODUCING_LEVELS
        if find_line_time(line, None) is not None:
            return False
    return already and index < _WITHIN


def _iter_before(index: int, texts: Sequence[str], streams: Sequence[str], stream: str) -> Iterator[str]:
    """Yield up to 12 earlier lines of the same stream, the nearest first."""
    count = 0
    for position in range(index - 1, max(-1, index - 1 - _SEARCHED), -1):
        if streams[position] == stream:
            yield texts[position]
            count += 1
            if count == _WITHIN:
                return
