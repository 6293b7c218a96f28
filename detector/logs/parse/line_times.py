"""The lines of one reading and their times.

A line's time is that of its event, else the time in its own text, else that of a line near it. The times in
the text are trusted where the newest of them is recent; one that names no zone, where none is configured,
within two hours. In a file of last month, or one whose naive times are of another zone, only their
differences count, and the newest line is taken as written now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from msgspec import Struct, field

from detector.formats.patterns import build_pattern
from detector.formats.times import parse_epoch
from detector.logs.parse.line import MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_shapes import LONGEST_MASKED, mask_digits
from detector.logs.parse.record_fields import limit_record, split_list

TRUSTED_FOR: Final = timedelta(hours=6)
"""The longest window that `collect` requests."""

_NAIVE_TRUSTED_FOR: Final = timedelta(hours=2)  # the nearest zone behind UTC with a market is three
_ELSEWHERE: Final = timezone(timedelta(hours=1))

_NUL: Final = build_pattern(r"\0|\\u0000")
_SKEW: Final = timedelta(seconds=120)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = build_pattern(
    r"(?<!\d)(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)[T_ -]\s?(\d\d:\d\d:\d\d)(?:[.,:](\d{1,9}))?"
    r"\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_TIME_WITHIN: Final = 120
# Other forms at the beginning of a line: RFC 3164 and 2822, the common log format, ctime, java.util.logging,
# glog, logcat, .NET, epoch seconds.
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_CLOCK: Final = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,9}))?(?![\d:])"
    r"(?:\s?(?P<half>[AP])M\b)?"
)
_OFFSET: Final = r"(?:\s?(?P<offset>[+-]\d\d:?\d\d))?"
_LEAD: Final = (
    r"[^\w\n]{0,3}(?:<\d{1,3}>)?(?:(?:TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\W{1,3})?"
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s{1,2})?"
)
_FORMS: Final = (
    build_pattern(
        rf"{_LEAD}(?P<day>\d{{1,2}})[-/ ](?P<month>{_MONTH})[-/ ](?P<year>\d{{4}}|\d\d)[ :T]\s?"
        rf"{_CLOCK}{_OFFSET}"
    ),
    build_pattern(
        rf"{_LEAD}(?P<month>{_MONTH})\s{{1,2}}(?P<day>\d{{1,2}})(?:,\s(?P<year>\d{{4}}),?)?\s{_CLOCK}"
        r"(?:\s(?P<late_year>\d{4})\b)?"
    ),
    build_pattern(
        rf"{_LEAD}(?P<first>\d{{1,2}})(?P<mark>[./])(?P<last>\d{{1,2}})[./](?P<year>\d{{4}}),?\s"
        rf"{_CLOCK}{_OFFSET}"
    ),
    build_pattern(rf"(?:[DIWEF](?=\d{{4}}\s))?{_LEAD}(?P<month>\d\d)-?(?P<day>\d\d)\s{{1,2}}{_CLOCK}"),
    build_pattern(rf"{_LEAD}{_CLOCK}"),
    build_pattern(
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d):(?P<hour>\d\d)(?P<minute>\d\d)\.(?P<second>\d\d)\s"
    ),
)
_EPOCH_SECONDS: Final = build_pattern(rf"{_LEAD}(1\d{{9}})(?:(\d{{3}})(?:\d{{3}})?|\.(\d{{1,9}}))?(?![\d.])")
_PLAUSIBLE: Final = timedelta(days=366)  # another number of ten digits is no time
_NOON: Final = 12
_CENTURY: Final = 100
_MICROSECOND: Final = 1_000_000_000_000_000
_NO_STREAM: Final = ""


class LogLines(Struct):
    """Lines in their order: the text, the epoch milliseconds where an event names them, the stream."""

    texts: list[str] = field(default_factory=list)
    stamps: list[int | None] = field(default_factory=list)
    streams: list[str] = field(default_factory=list)
    masks: list[bytes] = field(default_factory=list)

    def add(self, text: str, stamp: int | None, stream: str = _NO_STREAM) -> None:
        """Add each line of a message, and of a line that is a list of records each of them.

        A NUL is left out: UTF-16 that was read as bytes has one beside each letter.
        """
        text = _NUL.sub("", text) if "\0" in text or "\\u0000" in text else text
        for line in text.splitlines() if "\n" in text or "\r" in text else (text,):
            for part in split_list(line):
                self.texts.append(limit_record(part) if len(part) > MAX_LINE_LENGTH else part)
                self.stamps.append(stamp)
                self.streams.append(stream)

    def list_masks(self) -> list[bytes]:
        """Return the shape of each line."""
        self.masks += [mask_digits(text) for text in self.texts[len(self.masks) :]]
        return self.masks


def find_line_time(text: str, zone: tzinfo | None, now: datetime | None = None) -> datetime | None:
    """Return the time near the beginning of a line, or None; a naive time is in `zone`, else in UTC.

    `now` is where the reading ended: of what a time leaves open, its year, its day or the order of day and
    month, the latest that is not after it counts.
    """
    hit = _TIME.search(text, 0, _TIME_WITHIN)
    if hit is None:
        return _find_other_time(text, zone, now) if now is not None else None
    *second, fraction = hit.group(1, 2, 3, 4, 6, 5)
    moment = _parse_second(*second, zone)
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if moment and fraction else moment


def has_time(text: str) -> bool:
    """Whether a line has a time near its beginning."""
    return _TIME.search(text, 0, _TIME_WITHIN) is not None or any(
        form.match(text) for form in (_EPOCH_SECONDS, *_FORMS)
    )


def _find_other_time(text: str, zone: tzinfo | None, now: datetime) -> datetime | None:
    """Return the time that a line begins with, or None; a naive one is in `zone`, else in UTC."""
    epoch = _EPOCH_SECONDS.match(text)
    if epoch is not None:
        moment = parse_epoch(float(f"{epoch[1]}.{epoch[2] or epoch[3] or 0}"))
        return moment if abs(moment - now) <= _PLAUSIBLE else None
    for form in _FORMS:
        hit = form.match(text)
        if hit is not None:
            moments = list(_iter_moments(hit, zone or UTC, now.astimezone(zone or UTC)))
            past = [moment for moment in moments if moment <= now + _SKEW]
            return max(past, default=min(moments, default=None))
    return None


def _iter_moments(hit: re.Match[str], zone: tzinfo, now: datetime) -> Iterator[datetime]:
    """Yield the times in UTC that the parts of a form may mean."""
    parts = hit.groupdict()
    offset = parts.get("offset")
    hour = int(parts["hour"])
    if parts.get("half"):
        hour = hour % _NOON + (_NOON if parts["half"] == "P" else 0)
    fraction = int((parts.get("fraction") or "")[:6].ljust(6, "0"))
    for year, month, day in _iter_days(parts, now):
        with suppress(ValueError, OverflowError):
            moment = datetime(
                year, month, day, hour, int(parts["minute"]), int(parts["second"]), fraction,
                UTC if offset else zone,
            )  # fmt: skip
            yield moment - _parse_offset(offset) if offset else moment.astimezone(UTC)


def _iter_days(parts: dict[str, str | None], now: datetime) -> Iterator[tuple[int, int, int]]:
    """Yield the years, months and days that the parts may mean."""
    if parts.get("first"):
        year, first, last = int(parts["year"] or 0), int(parts["first"] or 0), int(parts["last"] or 0)
        yield year, last, first
        if parts["mark"] == "/":
            yield year, first, last
    elif parts.get("month") is None:
        for days in (0, 1):
            day = now - timedelta(days=days)
            yield day.year, day.month, day.day
    else:
        month = parts["month"] or ""
        number = int(month) if month.isdecimal() else _MONTHS.index(month.lower()) + 1
        given = parts.get("year") or parts.get("late_year")
        years = (_compute_year(int(given)),) if given else (now.year, now.year - 1)
        for year in years:
            yield year, number, int(parts["day"] or 0)


def _compute_year(year: int) -> int:
    return year if year >= _CENTURY else year + 20 * _CENTURY


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
        last = next((index for index in reversed(plain) if self._parse_own_time(index)), None)
        self.newest = None if last is None else self._parse_own_time(last)
        if plain:
            oldest = self.to - (
                _NAIVE_TRUSTED_FOR if last is not None and self._is_naive(last) else TRUSTED_FOR
            )
            self.trusted = self.newest is not None and oldest <= self.newest <= self.to + _SKEW

    def _is_naive(self, index: int) -> bool:
        """Whether the time of the line names no zone, and none is configured."""
        return self.zone is None and self._parse_own_time(index) != self._parse_own_time(index, _ELSEWHERE)

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

    def _parse_own_time(self, index: int, zone: tzinfo | None = None) -> datetime | None:
        if self.lines.stamps[index] is not None:
            return None
        line, zone = self.lines.texts[index], zone or self.zone
        moment = None if line[:1] == "{" else find_line_time(line, zone, self.to)
        if moment is not None or '{"' not in line[:_TIME_WITHIN]:
            return moment
        stamp = self._find_stamp(line, self.lines.list_masks()[index])
        return find_line_time(line, zone, self.to) if stamp is None else parse_time_field(stamp, zone)

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
