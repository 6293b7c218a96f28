"""The time that a line itself carries, in the forms in which loggers write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from detector.formats.times import TimeError, parse_epoch

_TIME: Final = re.compile(
    r"(?<!\d)(\d{4})[-/.]?(\d\d)[-/.]?(\d\d)[T_ ]\s?(\d\d:\d\d:\d\d)(?:[.,:](\d{1,9}))?\s?(Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_TIME_WITHIN: Final = 120


def find_line_time(text: str, zone: tzinfo | None) -> datetime | None:
    """Return the time that a line itself carries near its beginning; a naive one in `zone`, else in UTC."""
    hit = _TIME.search(text, 0, _TIME_WITHIN)
    if hit is None:
        return None
    year, month, day, clock, fraction, offset = hit.groups()
    try:
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}")
        if fraction:
            moment = moment.replace(microsecond=int(fraction[:6].ljust(6, "0")))
        return (moment - _parse_offset(offset)).replace(tzinfo=UTC) if offset else _to_utc(moment, zone)
    except (ValueError, OverflowError):
        return None


def _to_utc(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.replace(tzinfo=UTC) if zone is None else moment.replace(tzinfo=zone).astimezone(UTC)


def _parse_offset(text: str) -> timedelta:
    """Return `Z`, `UTC`, `+05:30` or `+0530` as a time span."""
    if text[0] not in "+-":
        return timedelta()
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return -ahead if text[0] == "-" else ahead


def parse_time_field(stamp: str | float, zone: tzinfo | None) -> datetime | None:
    """Return the time field of a structured record, or None where it cannot be read."""
    try:
        return find_line_time(stamp, zone) if isinstance(stamp, str) else parse_epoch(stamp)
    except TimeError:
        return None
