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

from detector.logs.parse.line import MAX_LINE_LENGTH, parse_line
from detector.logs.parse.scan import LogLines
from detector.logs.parse.timestamps import find_line_time, parse_time_field

TRUSTED_FOR: Final = timedelta(hours=6)
"""The longest window that is ever collected."""

TAIL_LENGTH: Final = 32
_SKEW: Final = timedelta(seconds=120)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class LineTimes:
    """The clock of one reading; `to` is when its window ended, `zone` what a naive time means."""

    lines: LogLines
    to: datetime
    zone: tzinfo | None = None
    newest: datetime | None = None
    trusted: bool = True
    next_at: datetime | None = None

    def __post_init__(self) -> None:
        plain = [index for index, stamp in enumerate(self.lines.stamps) if stamp is None]
        self.newest = next(
            (own_time for index in reversed(plain) if (own_time := self._parse_own_time(index))), None
        )
        if plain:
            recent = self.newest and self.to - TRUSTED_FOR <= self.newest <= self.to + _SKEW
            self.trusted = bool(recent)

    def get_times(self, indices: Iterable[int]) -> dict[int, datetime]:
        """Return the times of these lines, given in their order; a line without one has that before it."""
        times: dict[int, datetime] = {}
        previous, latest = -1, None
        for index in indices:
            candidates = (self._find_time(position) for position in range(index, previous, -1))
            latest = next((at for at in candidates if at is not None), latest)
            previous = index
            times[index] = latest or self._find_next(index)
        return times

    def find_first(self) -> datetime | None:
        """Return the time of the earliest line that carries one that is believed."""
        stamps = [stamp for stamp in self.lines.stamps if stamp is not None]
        times = [_EPOCH + timedelta(milliseconds=min(stamps))] if stamps else []
        if self.trusted and self.newest is not None:
            own_time = next(
                (
                    own_time
                    for index in range(len(self.lines.texts))
                    if (own_time := self._parse_own_time(index))
                ),
                None,
            )
            times += [own_time] if own_time else []
        return min(times, default=None)

    def find_last(self) -> datetime | None:
        """Return the time of the newest line, or None where there is no line."""
        stamps = [stamp for stamp in self.lines.stamps if stamp is not None]
        times = [_EPOCH + timedelta(milliseconds=max(stamps))] if stamps else []
        if len(stamps) < len(self.lines.stamps):
            times.append(min(self.to, self.newest) if self.trusted and self.newest else self.to)
        return max(times, default=None)

    def _find_next(self, index: int) -> datetime:
        """Return the time of the next line that has one; asked only for the lines before the first of them."""
        if self.next_at is None:
            candidates = (self._find_time(position) for position in range(index + 1, len(self.lines.texts)))
            self.next_at = next((at for at in candidates if at is not None), self.to)
        return self.next_at

    def _find_time(self, index: int) -> datetime | None:
        stamp = self.lines.stamps[index]
        if stamp is not None:
            return _EPOCH + timedelta(milliseconds=stamp)
        own_time = self._parse_own_time(index) if self.newest is not None else None
        if own_time is None or self.newest is None:
            return None
        return min(self.to, own_time if self.trusted else self.to - (self.newest - own_time))

    def _parse_own_time(self, index: int) -> datetime | None:
        if self.lines.stamps[index] is not None:
            return None
        line = self.lines.texts[index]
        stamp = parse_line(line).time if line[:1] == "{" else None
        return parse_time_field(stamp, self.zone) if stamp is not None else find_line_time(line, self.zone)


def compute_digest(line: str) -> str:
    """Return a short digest of a line, the same in every run."""
    return f"{crc32(line[:MAX_LINE_LENGTH].encode('utf-8', 'replace')):08x}"


def compute_tail(lines: LogLines) -> tuple[tuple[str, ...], bool]:
    """Return the digests of the last plain lines, and whether these were all."""
    plain = [line for line, stamp in zip(lines.texts, lines.stamps, strict=True) if stamp is None]
    return tuple(compute_digest(line) for line in plain[-TAIL_LENGTH:]), len(plain) <= TAIL_LENGTH


def count_known_lines(lines: LogLines, tail: Sequence[str], whole: bool) -> int:
    """Return how many of the lines stood in the previous reading already, whose last lines `tail` are.

    A file that grew begins with all of it (`whole`); a window that moved on has it somewhere, at its
    beginning perhaps only the end of it.
    """
    digests = [
        compute_digest(line) if stamp is None else ""
        for line, stamp in zip(lines.texts, lines.stamps, strict=True)
    ]
    if not tail:
        return 0
    if whole and digests[: len(tail)] == list(tail):
        return len(tail)
    for end in range(len(digests), 0, -1):
        if digests[end - 1] == tail[-1]:
            length = min(end, len(tail))
            if digests[end - length : end] == list(tail[-length:]):
                return end
    return 0
