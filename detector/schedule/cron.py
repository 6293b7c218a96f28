"""Cron expressions in the dialects of GitHub and Cloudflare, parsed strictly to one form.

The same fields mean different days: `1-5` is Monday to Friday on GitHub, Sunday to Thursday on Cloudflare.
GitHub: POSIX cron, at least five minutes apart (docs.github.com, "Events that trigger workflows").
Cloudflare: weekdays 1-7 from Sunday (developers.cloudflare.com/workers/configuration/cron-triggers); its `L`,
`W` and `#` are not supported here, because GitHub has no equivalent.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from msgspec import Struct

from detector.formats.errors import InputError
from detector.formats.numbers import format_count
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import MONTHS

_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ITEM = build_pattern(r"(?P<first>\*|[0-9A-Z]+)(?:-(?P<last>[0-9A-Z]+))?(?:/(?P<step>[0-9]+))?", re.ASCII)
_STAR = build_pattern(r"\*(?:/[0-9]+)?", re.ASCII)
_DIGITS = 2  # the most that any value or step has
_MINUTES_PER_HOUR = 60


class Dialect(Struct, frozen=True):
    """A dialect of cron: the number of Sunday, and the least minutes between two ticks."""

    name: str
    sunday: int
    shortest_min: int


GITHUB: Final = Dialect("GitHub", sunday=0, shortest_min=5)
CLOUDFLARE: Final = Dialect("Cloudflare", sunday=1, shortest_min=1)


class _Field(Struct, frozen=True):
    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()


def _list_fields(dialect: Dialect) -> tuple[_Field, ...]:
    return (
        _Field("minute", 0, 59),
        _Field("hour", 0, 23),
        _Field("day of the month", 1, 31),
        _Field("month", 1, 12, MONTHS),
        _Field("weekday", dialect.sunday, dialect.sunday + 6, _DAYS),
    )


class Cron(Struct, frozen=True):
    """A parsed expression: the values of each field, weekdays counted from Sunday as 0."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def fires(self) -> str:
        """The expression for cronsim: every value listed, a star unchanged.

        A star and all values differ: beside a weekday, `*` and `*/2` require both, `1-31` requires either.
        """
        columns = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join(
            part if _STAR.fullmatch(part) else ",".join(map(str, values))
            for part, values in zip(self.text.split(), columns, strict=True)
        )


def read_cron(text: str, dialect: Dialect) -> Cron:
    """Return the parsed expression of a dialect; raises InputError with the field and its value."""
    parts = text.split()
    if text.startswith("@"):
        raise InputError(
            f"{redact_excerpt(text)!r}: {dialect.name} knows no names such as @daily; write the five fields"
        )
    fields = _list_fields(dialect)
    if len(parts) != len(fields):
        raise InputError(
            f"{redact_excerpt(text)!r} has {format_count(len(parts), 'field')}; {dialect.name} reads five"
        )
    minute, hour, day, month, weekday = (
        _parse_values(field, part, dialect) for field, part in zip(fields, parts, strict=True)
    )
    _check_days_exist(parts[2], day, month)
    _check_shortest(parts[0], minute, hour, dialect)
    weekday = tuple(sorted(number - dialect.sunday for number in weekday))
    return Cron(text, minute, hour, day, month, weekday)


def _parse_values(field: _Field, part: str, dialect: Dialect) -> tuple[int, ...]:
    values: set[int] = set()
    for item in part.split(","):
        match = _ITEM.fullmatch(item.upper())
        if match is None:
            raise _build_error(
                field,
                part,
                f"{redact_excerpt(item)!r} is nothing that {dialect.name}'s five fields and we both know",
            )
        values |= set(_parse_range(field, part, match, dialect))
    return tuple(sorted(values))


def _parse_range(field: _Field, part: str, match: re.Match[str], dialect: Dialect) -> range:
    if match["first"] == "*":
        if match["last"] is not None:
            raise _build_error(field, part, "a range needs two values")
        first, last = field.lowest, field.highest
    else:
        first = _parse_number(field, part, match["first"], dialect)
        last = first
        if match["last"] is not None:
            last = _parse_number(field, part, match["last"], dialect)
        elif match["step"] is not None:
            last = field.highest
    if last < first:
        raise _build_error(field, part, "the range runs backwards")
    if len(match["step"] or "") > _DIGITS:
        raise _build_error(field, part, "a step has one or two digits")
    step = 1 if match["step"] is None else int(match["step"])
    if step < 1:
        raise _build_error(field, part, "a step must be 1 or more")
    return range(first, last + 1, step)


def _parse_number(field: _Field, part: str, value: str, dialect: Dialect) -> int:
    if value in field.names:
        return field.names.index(value) + field.lowest
    if value.isdigit() and len(value) <= _DIGITS and field.lowest <= int(value) <= field.highest:
        return int(value)
    message = f"{redact_excerpt(value)!r} is not from {field.lowest} to {field.highest}"
    if field.name == "weekday":
        message += f", where {dialect.name} counts Sunday as {dialect.sunday}; write SUN to SAT"
    raise _build_error(field, part, message)


def _check_days_exist(part: str, days: tuple[int, ...], months: tuple[int, ...]) -> None:
    longest = max(_MONTH_DAYS[month - 1] for month in months)
    if min(days) > longest:
        raise InputError(
            f"the day of the month field {redact_excerpt(part)!r}: none of its months has such a day"
        )


def _check_shortest(part: str, minutes: tuple[int, ...], hours: tuple[int, ...], dialect: Dialect) -> None:
    intervals = [later - earlier for earlier, later in pairwise(minutes)]
    if any((hour + 1) % 24 in hours for hour in hours):
        intervals.append(minutes[0] + _MINUTES_PER_HOUR - minutes[-1])
    if intervals and min(intervals) < dialect.shortest_min:
        raise InputError(
            f"the minute field {redact_excerpt(part)!r}:"
            f" {dialect.name} runs nothing more often than every {dialect.shortest_min} minutes"
        )


def _build_error(field: _Field, part: str, message: str) -> InputError:
    return InputError(f"the {field.name} field {redact_excerpt(part)!r}: {message}")
