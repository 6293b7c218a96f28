"""The lines of one reading as columns, and everything that they say; one pass, linear in their length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from detector.logs import events
from detector.logs.parse.classify import can_match, classify_line
from detector.logs.parse.line import MAX_LINE_LENGTH, parse_line
from detector.logs.parse.phrases import LineMatch
from detector.logs.parse.phrases_runtime import is_severe, is_traceback_start
from detector.logs.parse.tracebacks import is_introduced

_NO_STREAM: Final = ""
_CACHE_LIMIT: Final = 2000


@dataclass(slots=True)
class LogLines:
    """Lines in their order: the text, the time in epoch milliseconds where an event names it, the stream."""

    texts: list[str] = field(default_factory=list)
    stamps: list[int | None] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)

    def add(self, text: str, stamp: int | None, stream: str = _NO_STREAM) -> None:
        """Add a message, each of its lines by itself."""
        for line in text.splitlines() if "\n" in text or "\r" in text else (text,):
            self.texts.append(line)
            self.stamps.append(stamp)
            self.streams.append(stream)


def scan_lines(lines: LogLines, introduced: bool) -> Iterator[tuple[int, LineMatch]]:
    """Yield what the lines say, with the index of the line; `introduced` is how the run before ended."""
    in_traceback: set[str] = set()  # the streams that are within a traceback
    cached: dict[tuple[str, bool, bool], list[LineMatch]] = {}  # the same message comes again and again
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
        key = parsed.text[parsed.body_start :], parsed.body_start == 0, is_severe(parsed)
        matches = cached.get(key)
        if matches is None:
            matches = classify_line(parsed)
            if len(cached) < _CACHE_LIMIT:
                cached[key] = matches
        yield from ((index, match) for match in matches)
        bare = parsed.level is None and is_traceback_start(parsed.body)
        if bare and not is_introduced(index, lines.texts, lines.streams, introduced):
            yield index, LineMatch(events.SEVERE)
