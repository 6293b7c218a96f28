"""The lines of one reading as columns, and everything that they say; one pass, linear in their length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from detector.logs import events as say
from detector.logs.parse.classify import is_suspect, said_by
from detector.logs.parse.line import LONGEST, text_of_line
from detector.logs.parse.phrases import Said
from detector.logs.parse.phrases_runtime import begins_a_traceback, is_severe
from detector.logs.parse.tracebacks import is_introduced

_NO_STREAM: Final = ""
_MOST_UNDERSTOOD: Final = 2000


@dataclass(slots=True)
class Lines:
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


def heard(lines: Lines, introduced: bool) -> Iterator[tuple[int, Said]]:
    """Yield what the lines say, with the index of the line; `introduced` is how the run before ended."""
    inside: set[str] = set()  # the streams that are within a traceback
    understood: dict[tuple[str, bool, bool], list[Said]] = {}  # the same message comes again and again
    for index, line in enumerate(lines.texts):
        indented = line[:1] in " \t"  # an empty line too: it ends no traceback
        if inside and not indented:
            inside.discard(lines.streams[index])
        low = line[:LONGEST].lower()
        if not is_suspect(low) or (indented and lines.streams[index] in inside):
            continue
        if begins_a_traceback(low):
            inside.add(lines.streams[index])
        text = text_of_line(line)
        key = text.own[text.begins :], text.begins == 0, is_severe(text)
        said = understood.get(key)
        if said is None:
            said = said_by(text)
            if len(understood) < _MOST_UNDERSTOOD:
                understood[key] = said
        yield from ((index, thing) for thing in said)
        bare = text.level is None and begins_a_traceback(text.body)
        if bare and not is_introduced(index, lines.texts, lines.streams, introduced):
            yield index, Said(say.SEVERE)
