"""Times in the data: RFC 3339 and epochs in, one text out; ages and durations for people."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from detector.formats.errors import InputError
from detector.formats.numbers import normalize_number
from detector.formats.patterns import build_pattern

_HOUR_MINUTE = r"(?:[01]\d|2[0-3]):[0-5]\d"
_RFC3339 = build_pattern(
    rf"(\d{{4}}-\d\d-\d\d)[Tt ]({_HOUR_MINUTE}):(\d\d)(?:\.(\d{{1,18}}))?([Zz]|[+-]{_HOUR_MINUTE})?", re.ASCII
)
_PLAIN = build_pattern(rf"\d{{4}}-\d\d-\d\dT{_HOUR_MINUTE}:[0-5]\dZ", re.ASCII)  # the commonest form
_NO_TIME = "is not a time that exists"
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138, as milliseconds 1973
_LATEST_EPOCH = 253_402_300_799  # 9999-12-31T23:59:59Z
_LATEST_FILE_TIME = _LATEST_EPOCH - 366 * 86_400  # so that it is one in every zone, and a day later too
_MANY_SECONDS, _MANY_MINUTES, _MANY_HOURS = 120, 60, 48
NEVER = datetime.min.replace(tzinfo=UTC)  # a time that is known not to have come yet
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
RUNS_FROM, RUNS_UNTIL = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""When a run may be: far enough from the ends of time that every age, window and zone of it exists."""


@lru_cache(maxsize=4096)  # most times of a snapshot are in the next one too
def parse_rfc3339(text: str, zone: tzinfo | None = None) -> datetime:
    """Read an RFC 3339 time into UTC; a naive one only where `zone` says what it means.

    Raises InputError. A leap second counts as the next second; digits beyond microseconds are dropped.
    """
    if _PLAIN.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise InputError(_NO_TIME) from None
    match = _RFC3339.fullmatch(text)
    if not match:
        raise InputError("is not an RFC 3339 time")
    day, minute, second, fraction, offset = match.groups()
    if offset is None and zone is None:
        raise InputError("names no offset from UTC")
    leap = second == "60"
    micros = ((fraction or "") + "000000")[:6]
    plain = f"{day}T{minute}:{'59' if leap else second}.{micros}{(offset or '').upper()}"
    try:
        moment = datetime.fromisoformat(plain)
        if offset is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC) + timedelta(seconds=1 if leap else 0)
    except (ValueError, OverflowError):
        raise InputError(_NO_TIME) from None


def parse_run_time(text: str) -> datetime:
    """Read the time of a run, RFC 3339 with an offset, into UTC; raises InputError.

    It lies from `RUNS_FROM` to `RUNS_UNTIL`.
    """
    moment = parse_rfc3339(text)
    if not RUNS_FROM <= moment < RUNS_UNTIL:
        raise InputError(f"is outside the years {RUNS_FROM.year} to {RUNS_UNTIL.year - 1}")
    return moment


def parse_http_date(text: str) -> datetime | None:
    """Return the time of an HTTP header (RFC 9110 5.6.7), None where it is none or names no zone."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - only an answer over HTTP needs it

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return None if moment.tzinfo is None else moment


def parse_epoch(number: float) -> datetime:
    """Read epoch seconds, or milliseconds where the number is too large for seconds; raises InputError."""
    unit = timedelta(milliseconds=1) if number >= _MILLISECONDS_FROM else timedelta(seconds=1)
    if not 0 <= number <= _LATEST_EPOCH * (timedelta(seconds=1) // unit):
        raise InputError("is not an epoch time")
    return datetime(1970, 1, 1, tzinfo=UTC) + number * unit


def parse_file_time(seconds: float) -> datetime:
    """Return the time of a file; one beyond the calendar, of a broken clock, is the last year that it has."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LATEST_FILE_TIME), UTC)


def format_time(moment: datetime) -> str:
    """Return the time for a program: RFC 3339 in UTC, whole seconds where it has no fraction."""
    moment = moment.astimezone(UTC)
    spec = "microseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def format_utc(moment: datetime) -> str:
    """Return the time as every sentence and table for people has it: `2026-06-02 14:58:30 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def compute_seconds(earlier: datetime, later: datetime) -> float:
    """Return the seconds from `earlier` to `later`, never less than 0."""
    return max(0.0, (later - earlier).total_seconds())


def format_duration(seconds: float) -> str:
    """Return a duration for people: `45 s`, `34 min`, `3 h 10 min`, `2 d 4 h`."""
    total = int(seconds)
    if total < _MANY_SECONDS:
        return f"{total} s"
    minutes = total // 60
    if minutes < _MANY_MINUTES:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < _MANY_HOURS:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def format_exactly(seconds: float) -> str:
    """Return a limit for people, nothing rounded: `45 s`, `5 min`, `5 min 10 s`, `36 h`, `7 d`."""
    if seconds < _MANY_SECONDS:
        return f"{normalize_number(seconds)} s"
    minutes, left = int(seconds // 60), normalize_number(round(seconds % 60, 3))
    hours, minutes = divmod(minutes, 60) if minutes >= _MANY_MINUTES else (0, minutes)
    days, hours = divmod(hours, 24) if hours >= _MANY_HOURS else (0, hours)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def format_above(seconds: float, limit: float) -> str:
    """Return seconds above their limit for people, as exactly as it takes to read more than the limit."""
    text = format_duration(seconds)
    if seconds <= limit or text != format_duration(limit):
        return text
    return format_exactly(math.ceil(seconds * 1000) / 1000 if seconds < limit + 1 else int(seconds))


def format_over(limit: float) -> str:
    """Return the limit that a duration exceeds: `over 5 min`."""
    return f"over {format_exactly(limit)}"


def format_limit(seconds: float, limit: float) -> str:
    """Return the limit of a duration: `limit 5 min` where it is kept, else that it is exceeded."""
    return format_over(limit) if seconds > limit else f"limit {format_exactly(limit)}"
