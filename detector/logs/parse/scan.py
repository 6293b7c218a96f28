"""The matches in all lines of one reading, found in one pass that is linear in their length.

A traceback is many lines. Its first line counts as severe unless a line with a level introduces it. Its
inner lines quote code and other messages, so they match nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detector.logs import events
from detector.logs.parse.classify import can_match, classify_line
from detector.logs.parse.line import INTRODUCING_LEVELS, MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_times import LogLines, find_line_time
from detector.logs.parse.phrases_runtime import is_severe, is_traceback_start
from detector.logs.parse.vocabulary import LineMatch

_CACHE_LIMIT: Final = 2000
_CHAINED: Final = ("during handling of the above exception", "the above exception was the direct cause")
_WITHIN: Final = 12
_SEARCHED: Final = 200


def scan_lines(lines: LogLines, introduced: bool) -> Iterator[tuple[int, LineMatch]]:
    """Yield each match with its line's index; `introduced` is the state at the end of the previous run."""
    in_traceback: set[str] = set()  # the streams whose latest line is part of a traceback
    cached: dict[tuple[str, bool, bool], list[LineMatch]] = {}  # the same message is repeated often
    for index, line in enumerate(lines.texts):
        indented = line[:1] in " \t"  # an empty line too: it ends no traceback
        if in_traceback and not indented:
            in_traceback.discard(lines.streams[index])
        lowered = line[:MAX_LINE_LENGTH].lower()
        if not can_match(lowered) or (indented and lines.streams[index] in in_traceback):
            continue
        if is_traceback_start(lowered):
            in_traceback.add(lines.streams[index])
        parsed = parse_line(line)
        key = parsed.text, parsed.is_wrapped, is_severe(parsed)
        matches = cached.get(key)
        if matches is None:
            matches = classify_line(parsed)
            if len(cached) < _CACHE_LIMIT:
                cached[key] = matches
        yield from ((index, match) for match in matches)
        bare = parsed.level is None and is_traceback_start(parsed.body)
        if bare and not is_introduced(index, lines.texts, lines.streams, introduced):
            yield index, LineMatch(events.SEVERE)


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
