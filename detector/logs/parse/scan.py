"""The matches in all lines of one reading, found in one pass that is linear in their length.

A traceback is many lines. Its first line counts as severe unless a line with a level introduces it. Its
inner lines quote code and other messages, so they match nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct, field

from detector.logs import events
from detector.logs.parse.classify import CANDIDATE_NUMBERS, can_match, classify_line, has_candidate_text
from detector.logs.parse.line import INTRODUCING_LEVELS, MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_shapes import (
    LONGEST_MASKED,
    build_signature,
    build_stand_ins,
    find_code_spans,
    find_spans,
    join_parts,
    mask_ids,
    replace_numbers,
    split_stand_ins,
)
from detector.logs.parse.line_times import LogLines, has_time
from detector.logs.parse.phrases import LineMatch
from detector.logs.parse.prefixes import has_urgent_priority
from detector.logs.parse.runtime_matchers import is_traceback_start

_CHAINED: Final = ("during handling of the above exception", "the above exception was the direct cause")
_EXCEPTION_GROUP: Final = "  + Exception Group Traceback"  # the indented first line of Python's
_WITHIN: Final = 12
_SEARCHED: Final = 200
_INTRODUCING: Final = 1000  # characters of a line that show whether it introduces a traceback
_CACHE_LIMIT: Final = 20_000


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


_Parts = tuple[str | int, ...]


class _Quotation(Struct, frozen=True):
    """A match whose texts quote numbers of its line; a part that is an index stands for that number."""

    kind: str
    key: _Parts
    note: _Parts
    farms: tuple[_Parts, ...]


class _Template(Struct, frozen=True):
    """The result of the lines of one shape and signature; None where each of them must be read.

    `quotations` replace its matches where they quote numbers.
    """

    result: _LineResult | None
    quotations: tuple[_Quotation, ...] = ()

    def build_result(self, line: str, numbers: Sequence[str]) -> _LineResult:
        """Return the result of a line with these numbers."""
        if self.result is None:
            return _classify_alone(line)
        if not self.quotations:
            return self.result
        matches = tuple(
            LineMatch(
                quotation.kind,
                join_parts(quotation.key, numbers),
                join_parts(quotation.note, numbers),
                tuple(join_parts(farm, numbers) for farm in quotation.farms),
            )
            for quotation in self.quotations
        )
        return _LineResult(matches, self.result.starts_traceback, self.result.is_bare)


_MET_ONCE: Final = _Template(None)


class _Shape(Struct):
    """What is known of the lines of one shape.

    The words of a shape with `code_spans` report nothing: only a code among the numbers there can. `spans`
    are those of all numbers, once they are needed.
    """

    code_spans: tuple[tuple[int, int], ...] | None
    spans: tuple[tuple[int, int], ...] | None = None
    templates: dict[tuple[str | int, ...], _Template] = field(default_factory=dict)


class _LineCache:
    """The results of lines by their shape, so that a line like an earlier one is not read again.

    A process keeps it from one reading to the next, until it is full: a result depends on its line alone.
    Where a result quotes a number, such as an order's id, the line's own takes its place. Lines whose result
    depends on a number in another way are read one by one.
    """

    def __init__(self) -> None:
        self._shapes: dict[bytes, _Shape] = {}
        self._reporting: dict[bytes, bool] = {}
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether it learns nothing more."""
        return self._count >= _CACHE_LIMIT

    def classify(self, line: str, masked: bytes) -> _LineResult:
        """Return the result of a line; `masked` is the beginning of its shape."""
        if len(line) > LONGEST_MASKED or (line[:1] == "<" and has_urgent_priority(line)):
            return _classify_alone(line)
        shape = self._shapes.get(masked)
        if shape is None:
            shape = self._build_shape(masked)
            if not self.is_full:
                self._count += 1
                self._shapes[masked] = shape
        codes = shape.code_spans
        if codes is not None and CANDIDATE_NUMBERS.isdisjoint([line[start:end] for start, end in codes]):
            return _NOTHING
        if shape.spans is None:
            shape.spans = find_spans(line)
        numbers = [line[start:end] for start, end in shape.spans]
        signature = build_signature(numbers)
        template = shape.templates.get(signature)
        if template is None or template is _MET_ONCE:
            return self._add_template(line, numbers, signature, shape)
        return template.build_result(line, numbers)

    def _build_shape(self, masked: bytes) -> _Shape:
        """Return a new shape; ids in hexadecimal digits make new shapes of the same words."""
        words = mask_ids(masked)
        can_report = self._reporting.get(words)
        if can_report is None:
            can_report = has_candidate_text(words.decode("utf-8", "surrogatepass").lower())
            if not self.is_full:
                self._count += 1
                self._reporting[words] = can_report
        return _Shape(None if can_report else find_code_spans(masked))

    def _add_template(
        self, line: str, numbers: Sequence[str], signature: tuple[str | int, ...], shape: _Shape
    ) -> _LineResult:
        """Return the result of a line; its template, as costly again, is built for the second like it."""
        result = _classify_alone(line)
        if not self.is_full:
            is_first = signature not in shape.templates
            self._count += is_first
            shape.templates[signature] = _MET_ONCE if is_first else _build_template(line, numbers, result)
        return result


_get_shared_cache = lru_cache(maxsize=1)(_LineCache)


def _get_line_cache() -> _LineCache:
    """Return what earlier readings learnt of lines; an empty one where that is full."""
    if _get_shared_cache().is_full:
        _get_shared_cache.cache_clear()
    return _get_shared_cache()


def _build_template(line: str, numbers: Sequence[str], result: _LineResult) -> _Template:
    stand_ins = build_stand_ins(numbers)
    if stand_ins is None:
        return _Template(None)
    if not stand_ins:
        return _Template(result)
    of_stand_ins = _classify_alone(replace_numbers(line, stand_ins))
    indices = {stand_in: numbers.index(number) for number, stand_in in stand_ins.items()}
    template = _Template(of_stand_ins, tuple(_build_quotations(of_stand_ins.matches, indices)))
    if template.build_result(line, numbers) != result:
        return _Template(None)
    is_quoting = any(
        len(text) > 1
        for quotation in template.quotations
        for text in (quotation.key, quotation.note, *quotation.farms)
    )
    return template if is_quoting else _Template(of_stand_ins)


def _build_quotations(matches: Sequence[LineMatch], indices: Mapping[str, int]) -> Iterator[_Quotation]:
    for match in matches:
        yield _Quotation(
            match.kind,
            split_stand_ins(match.key, indices),
            split_stand_ins(match.note, indices),
            tuple(split_stand_ins(farm, indices) for farm in match.farms),
        )


def scan_lines(
    lines: LogLines, introduced: bool, is_known: Callable[[int], bool] = lambda index: False
) -> Iterator[tuple[int, LineMatch]]:
    """Yield each match with its line's index; `introduced` is the state at the end of the previous run.

    `is_known` is whether the previous run read the line at an index, and so a traceback that begins there.
    """
    for index, result in _iter_results(lines):
        for match in result.matches:
            yield index, match
        already = introduced or (result.is_bare and index < _WITHIN and is_known(index))
        if result.is_bare and not is_introduced(index, lines.texts, lines.streams, already):
            yield index, LineMatch(events.SEVERE)


def _iter_results(lines: LogLines) -> Iterator[tuple[int, _LineResult]]:
    """Yield the results of the lines that give something, but for the inner lines of a traceback."""
    in_traceback: set[str] = set()  # the streams whose latest line is part of a traceback
    cache = _get_line_cache()
    for index, (line, masked) in enumerate(zip(lines.texts, lines.list_masks(), strict=True)):
        if in_traceback and lines.streams[index] in in_traceback:
            # An empty line too: it ends no traceback.
            if line[:1] in " \t" and not line.startswith(_EXCEPTION_GROUP):
                continue
            in_traceback.discard(lines.streams[index])
        result = cache.classify(line, masked)
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
        answer = _find_introduction(line[:_INTRODUCING])
        if answer is not None:
            return answer
    return already and index < _WITHIN


@lru_cache(maxsize=256)  # the last lines of a window are among those of the next one
def _find_introduction(line: str) -> bool | None:
    """Return whether a line introduces the traceback after it; None where that is for the line before it."""
    lowered = line.lower()
    if any(phrase in lowered for phrase in _CHAINED):
        return True
    if is_traceback_start(lowered):
        return False
    parsed = parse_line(line)
    if parsed.level is not None:
        return parsed.level in INTRODUCING_LEVELS
    return False if has_time(line) else None


def _iter_before(index: int, texts: Sequence[str], streams: Sequence[str], stream: str) -> Iterator[str]:
    """Yield up to 12 earlier lines of the same stream, the nearest first."""
    count = 0
    for position in range(index - 1, max(-1, index - 1 - _SEARCHED), -1):
        if streams[position] == stream:
            yield texts[position]
            count += 1
            if count == _WITHIN:
                return
