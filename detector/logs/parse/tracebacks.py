"""Lines among their neighbours: what introduces a traceback.

A traceback is many lines. Its first one counts as severe where no level introduces it; its inner lines quote code and
other messages and say nothing themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detector.logs.parse.line import INTRODUCING_LEVELS, parse_line
from detector.logs.parse.phrases_runtime import is_traceback_start
from detector.logs.parse.timestamps import find_line_time

_CHAINED: Final = ("during handling of the above exception", "the above exception was the direct cause")
_WITHIN: Final = 12
_SEARCHED: Final = 200


def is_introduced(index: int, texts: Sequence[str], streams: Sequence[str], already: bool) -> bool:
    """Whether a level, or another traceback that it is chained to, introduces what begins at the line.

    `already` is the answer where the lines of this reading do not say: the run before knows it.
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
    """Yield the lines of the same stream that stand before, the nearest first, as far as they matter."""
    count = 0
    for position in range(index - 1, max(-1, index - 1 - _SEARCHED), -1):
        if streams[position] == stream:
            yield texts[position]
            count += 1
            if count == _WITHIN:
                return
