"""The matches in all lines of one reading, found in one pass that is linear in their length.

A traceback is many lines. Its first line counts as severe unless a line with a level introduces it. Its
inner lines quote code and other messages, so they match nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from detector.logs import events
from detector.logs.parse.classify import can_match, classify_line, has_candidate_number, has_candidate_text
from detector.logs.parse.line import INTRODUCING_LEVELS, MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_times import LogLines, find_line_time
from detector.logs.parse.phrases_runtime import is_traceback_start
from detector.logs.parse.shapes import (
    build_signature,
    build_stand_ins,
    find_spans,
    mask_digits,
    replace_numbers,
)
from detector.logs.parse.vocabulary import LineMatch

_CHAINED: Final = ("during handling of the above exception", "the above exception was the direct cause")
_WITHIN: Final = 12
_SEARCHED: Final = 200
_CACHE_LIMIT, _LONGEST_CACHED = 20_000, 1000


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
    result = _LineResult(tuple(classify_line(parsed)), starts_traceback, is_bare)
    return _NOTHING if result == _NOTHING else result


class _Template(Struct, frozen=True):
    """The result of the lines of one shape and signature; None where each of them must be read.

    Where it `is_quoting`, its texts hold stand-ins for the numbers of a line.
    """

    result: _LineResult | None
    is_quoting: bool = False


class _Shape(Struct, frozen=True):
    """What is known of the lines of one shape: where their numbers stand, and their results by signature.

    The words of a shape that `is_wordless` report nothing: only a code among its numbers can.
    """

    spans: tuple[tuple[int, int], ...]
    is_wordless: bool
    templates: dict[tuple[str | int, ...], _Template]


class _LineCache:
    """The results of lines by their shape, so that a line like an earlier one is not read again.

    Where a result quotes a number, such as an order's id, the line's own takes its place. Lines whose result
    depends on a number in another way are read one by one.
    """

    def __init__(self) -> None:
        self._shapes: dict[bytes, _Shape] = {}
        self._count = 0

    def classify(self, line: str) -> _LineResult:
        """Return the result of a line."""
        if len(line) > _LONGEST_CACHED:
            return _classify_alone(line)
        digits_masked = mask_digits(line)
        shape = self._shapes.get(digits_masked)
        if shape is None:
            if self._count >= _CACHE_LIMIT:
                return _classify_alone(line)
            self._count += 1
            shape = _Shape(
                find_spans(line),
                not has_candidate_text(digits_masked.decode("utf-8", "surrogatepass").lower()),
                {},
            )
            self._shapes[digits_masked] = shape
        numbers = [line[start:end] for start, end in shape.spans]
        if shape.is_wordless and not has_candidate_number(numbers):
            return _NOTHING
        signature = build_signature(numbers)
        template = shape.templates.get(signature)
        if template is None:
            return self._add_template(line, numbers, signature, shape)
        if template.result is None:
            return _classify_alone(line)
        return _replace_stand_ins(template.result, numbers) if template.is_quoting else template.result

    def _add_template(
        self, line: str, numbers: Sequence[str], signature: tuple[str | int, ...], shape: _Shape
    ) -> _LineResult:
        result = _classify_alone(line)
        if self._count < _CACHE_LIMIT:
            self._count += 1
            shape.templates[signature] = _build_template(line, numbers, result)
        return result


def _build_template(line: str, numbers: Sequence[str], result: _LineResult) -> _Template:
    stand_ins = build_stand_ins(numbers)
    if stand_ins is None:
        return _Template(None)
    if not stand_ins:
        return _Template(result)
    of_stand_ins = _classify_alone(replace_numbers(line, stand_ins))
    quoting = _replace_stand_ins(of_stand_ins, numbers)
    return _Template(of_stand_ins if quoting == result else None, quoting != of_stand_ins)


def _replace_stand_ins(result: _LineResult, numbers: Sequence[str]) -> _LineResult:
    """Return the result with a line's own numbers in the place of their stand-ins."""
    own = {stand_in: number for number, stand_in in (build_stand_ins(numbers) or {}).items()}
    matches = tuple(
        LineMatch(
            match.kind,
            replace_numbers(match.key, own),
            replace_numbers(match.note, own),
            tuple(replace_numbers(farm, own) for farm in match.farms),
        )
        for match in result.matches
    )
    return _LineResult(matches, result.starts_traceback, result.is_bare)


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
