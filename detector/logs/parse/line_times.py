"""The lines of one reading, their times, and the digests by which the next run recognises them.

A line's time is that of its event, else the time in its own text, else that of a line near it. The times in
the text are trusted where the newest of them is recent. In a file of last month, or one whose naive times
are of another zone, only their differences count, and the newest line is taken as written now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zlib import crc32

from msgspec import Struct, field

from detector.formats.patterns import build_pattern
from detector.formats.times import parse_epoch
from detector.logs.parse.line import MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_shapes import LONGEST_MASKED, mask_digits

TRUSTED_FOR: Final = timedelta(hours=6)
"""The longest window that `collect` requests."""

TAIL_LENGTH: Final = 32
_SKEW: Final = timedelta(seconds=120)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = build_pattern(
    r"(?<!\d)(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)[T_ ]\s?(\d\d:\d\d:\d\d)(?:[.,:](\d{1,9}))?"
    r"\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_TIME_WITHIN: Final = 120
_MICROSECOND: Final = 1_000_000_000_000_000
_NO_STREAM: Final = ""


class LogLines(Struct):
    """Lines in their order: the text, the epoch milliseconds where an event names them, the stream."""

    texts: list[str] = field(default_factory=list)
    stamps: list[int | None] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    masks: list[bytes] = field(default_factory=list)

    def add(self, text: str, stamp: int | None, stream: str = _NO_STREAM) -> None:
        """Add each line of a message."""
        for line in text.splitlines() if "\n" in text or "\r" in text else (text,):
            self.texts.append(line)
            self.stamps.append(stamp)
            self.streams.append(stream)

    def list_masks(self) -> list[bytes]:
        """Return the shape of each line."""
        self.masks += [mask_digits(text) for text in self.texts[len(self.masks) :]]
        return self.masks


def find_line_time(text: str, zone: tzinfo | None) -> datetime | None:
    """Return the time near the beginning of a line, or None; a naive time is in `zone`, else in UTC."""
    hit = _TIME.search(text, 0, _TIME_WITHIN)
    if hit is None:
        return None
    *second, fraction = hit.group(1, 2, 3, 4, 6, 5)
    moment = _parse_second(*second, zone)
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if moment and fraction else moment


@lru_cache(maxsize=4096)
def _parse_second(  # noqa: PLR0913, PLR0917 - the groups of the pattern
    year: str, month: str, day: str, clock: str, offset: str | None, zone: tzinfo | None
) -> datetime | None:
    """Return a time of whole seconds in UTC, or None where it does not exist; many lines share it."""
    try:
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}")
        return (moment - _parse_offset(offset)).replace(tzinfo=UTC) if offset else _to_utc(moment, zone)
    except (ValueError, OverflowError):
        return None


def _to_utc(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.replace(tzinfo=UTC) if zone is None else moment.replace(tzinfo=zone).astimezone(UTC)


def _parse_offset(text: str) -> timedelta:
    """Return the offset `Z`, `UTC`, `+05:30` or `+0530` as a time span."""
    if text[0] not in "+-":
        return timedelta()
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return -ahead if text[0] == "-" else ahead


def parse_time_field(stamp: str, zone: tzinfo | None) -> datetime | None:
    """Return the time field of a structured record, or None where it cannot be read."""
    if moment := find_line_time(stamp, zone):
        return moment
    try:
        return parse_epoch(_to_seconds(float(stamp)))
    except (ValueError, OverflowError):
        return None


def _to_seconds(value: float) -> float:
    while value >= _MICROSECOND:
        value /= 1000  # microseconds (journald) and nanoseconds
    return value


class LineTimes(Struct):
    """Finds the times of one reading's lines; its window ended at `to`, and its naive times are in `zone`."""

    lines: LogLines
    to: datetime
    zone: tzinfo | None = None
    newest: datetime | None = None
    trusted: bool = True
    next_at: datetime | None = None
    stamp_spans: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plain = [index for index, stamp in enumerate(self.lines.stamps) if stamp is None]
        self.newest = next(
            (own_time for index in reversed(plain) if (own_time := self._parse_own_time(index))), None
        )
        if plain:
            recent = self.newest and self.to - TRUSTED_FOR <= self.newest <= self.to + _SKEW
            self.trusted = bool(recent)

    def get_times(self, indices: Iterable[int]) -> dict[int, datetime]:
        """Return the times of these ascending indices; a line without one takes that of an earlier line."""
        times: dict[int, datetime] = {}
        previous, latest = -1, None
        for index in indices:
            candidates = (self._find_time(position) for position in range(index, previous, -1))
            latest = next((at for at in candidates if at is not None), latest)
            previous = index
            times[index] = latest or self._find_next(index)
        return times

    def find_first(self) -> datetime | None:
        """Return the earliest trusted time of any line, or None."""
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
        """Return the time of the next line with a time; called only for lines before the first such line."""
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
        stamp = self._find_stamp(line, self.lines.list_masks()[index]) if line[:1] == "{" else None
        return parse_time_field(stamp, self.zone) if stamp is not None else find_line_time(line, self.zone)

    def _find_stamp(self, line: str, masked: bytes) -> str | None:
        """Return the time field of a record, read only once for all records of its shape."""
        if masked in self.stamp_spans:
            start, end = self.stamp_spans[masked]
            return line[start:end]
        stamp = parse_line(line).time
        if stamp and line.count(stamp) == 1 and len(line) <= LONGEST_MASKED:
            start = line.index(stamp)
            self.stamp_spans[masked] = start, start + len(stamp)
        return stamp


def compute_digest(line: str) -> str:
    """Return a short digest of a line, the same in every run."""
    return f"{crc32(line[:MAX_LINE_LENGTH].encode('utf-8', 'replace')):08x}"


def compute_tail(lines: LogLines) -> tuple[tuple[str, ...], bool]:
    """Return the digests of the last lines without an event time, and whether these were all of them."""
    plain = [line for line, stamp in zip(lines.texts, lines.stamps, strict=True) if stamp is None]
    return tuple(compute_digest(line) for line in plain[-TAIL_LENGTH:]), len(plain) <= TAIL_LENGTH


def count_known_lines(lines: LogLines, tail: Sequence[str], whole: bool) -> int:
    """Return how many lines were already in the previous reading, whose last lines have the digests `tail`.

    A file that grew begins with the `whole` tail. A window that advanced contains the tail at any place, or
    only the end of the tail at its beginning.
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
