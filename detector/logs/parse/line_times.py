"""When each line was written: by its event, by the time in its text, or by the order that it stands in.

The times in plain lines are believed where the newest of them is recent; in a file of last month, or one whose
naive times are of another zone, they are a clock of which only the differences count: its newest line is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zlib import crc32

from detector.logs.parse.line import LONGEST, text_of_line
from detector.logs.parse.scan import Lines
from detector.logs.parse.timestamps import stamp_of, time_of

BELIEVED_FOR: Final = timedelta(hours=6)
"""The longest window that is ever collected."""

TAIL: Final = 32
_SKEW: Final = timedelta(seconds=120)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class LineTimes:
    """The clock of one reading; `to` is when its window ended, `zone` what a naive time means."""

    lines: Lines
    to: datetime
    zone: tzinfo | None = None
    newest: datetime | None = None
    believed: bool = True
    following: datetime | None = None

    def __post_init__(self) -> None:
        plain = [index for index, stamp in enumerate(self.lines.stamps) if stamp is None]
        self.newest = next((own for index in reversed(plain) if (own := self._own(index))), None)
        if plain:
            recent = self.newest and self.to - BELIEVED_FOR <= self.newest <= self.to + _SKEW
            self.believed = bool(recent)

    def of(self, indices: Iterable[int]) -> dict[int, datetime]:
        """Return the times of these lines, given in their order; a line without one has that before it."""
        found: dict[int, datetime] = {}
        behind, latest = -1, None
        for index in indices:
            before = (self._at(at) for at in range(index, behind, -1))
            latest = next((at for at in before if at is not None), latest)
            behind = index
            found[index] = latest or self._next(index)
        return found

    def first(self) -> datetime | None:
        """Return the time of the earliest line that carries one that is believed."""
        stamps = [stamp for stamp in self.lines.stamps if stamp is not None]
        times = [_EPOCH + timedelta(milliseconds=min(stamps))] if stamps else []
        if self.believed and self.newest is not None:
            own = next((own for index in range(len(self.lines.texts)) if (own := self._own(index))), None)
            times += [own] if own else []
        return min(times, default=None)

    def last(self) -> datetime | None:
        """Return the time of the newest line, or None where there is no line."""
        stamps = [stamp for stamp in self.lines.stamps if stamp is not None]
        times = [_EPOCH + timedelta(milliseconds=max(stamps))] if stamps else []
        if len(stamps) < len(self.lines.stamps):
            times.append(min(self.to, self.newest) if self.believed and self.newest else self.to)
        return max(times, default=None)

    def _next(self, index: int) -> datetime:
        """Return the time of the next line that has one; asked only for the lines before the first of them."""
        if self.following is None:
            later = (self._at(after) for after in range(index + 1, len(self.lines.texts)))
            self.following = next((at for at in later if at is not None), self.to)
        return self.following

    def _at(self, index: int) -> datetime | None:
        stamp = self.lines.stamps[index]
        if stamp is not None:
            return _EPOCH + timedelta(milliseconds=stamp)
        own = self._own(index) if self.newest is not None else None
        if own is None or self.newest is None:
            return None
        return min(self.to, own if self.believed else self.to - (self.newest - own))

    def _own(self, index: int) -> datetime | None:
        if self.lines.stamps[index] is not None:
            return None
        line = self.lines.texts[index]
        stamp = text_of_line(line).time if line[:1] == "{" else None
        return stamp_of(stamp, self.zone) if stamp is not None else time_of(line, self.zone)


def digest(line: str) -> str:
    """Return a short digest of a line, the same in every run."""
    return f"{crc32(line[:LONGEST].encode('utf-8', 'replace')):08x}"


def tail_of(lines: Lines) -> tuple[tuple[str, ...], bool]:
    """Return the digests of the last plain lines, and whether these were all."""
    plain = [line for line, stamp in zip(lines.texts, lines.stamps, strict=True) if stamp is None]
    return tuple(digest(line) for line in plain[-TAIL:]), len(plain) <= TAIL


def known_lines(lines: Lines, tail: Sequence[str], whole: bool) -> int:
    """Return how many of the lines stood in the previous reading already, whose last lines `tail` are.

    A file that grew begins with all of it (`whole`); a window that moved on has it somewhere, at its
    beginning perhaps only the end of it.
    """
    digests = [
        digest(line) if stamp is None else "" for line, stamp in zip(lines.texts, lines.stamps, strict=True)
    ]
    if not tail:
        return 0
    if whole and digests[: len(tail)] == list(tail):
        return len(tail)
    for end in range(len(digests), 0, -1):
        if digests[end - 1] == tail[-1]:
            reach = min(end, len(tail))
            if digests[end - reach : end] == list(tail[-reach:]):
                return end
    return 0
