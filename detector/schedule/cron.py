"""Cron expressions in the dialects of GitHub and Cloudflare, read strictly and made one.

The same five fields mean different days: `1-5` is Monday to Friday on GitHub and Sunday to Thursday on Cloudflare.
GitHub: POSIX cron, shortest interval five minutes (docs.github.com, "Events that trigger workflows", `schedule`).
Cloudflare: weekdays 1-7 from Sunday (developers.cloudflare.com/workers/configuration/cron-triggers); its `L`, `W`
and `#` are left out here, because nothing on GitHub's side could mean the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from detector.formats.strict_json import clipped

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ITEM = re.compile(r"(?P<first>\*|[0-9A-Z]+)(?:-(?P<last>[0-9A-Z]+))?(?:/(?P<step>[0-9]+))?", re.ASCII)
_STAR = re.compile(r"\*(?:/[0-9]+)?", re.ASCII)
_DIGITS = 2  # the most that any value or step has
_HOUR = 60


class CronError(ValueError):
    """An expression that its dialect does not know; the message names the field and its value."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Whose cron it is: what number Sunday has, and how many minutes apart two ticks must be."""

    name: str
    sunday: int
    shortest_min: int


GITHUB: Final = Dialect("GitHub", sunday=0, shortest_min=5)
CLOUDFLARE: Final = Dialect("Cloudflare", sunday=1, shortest_min=1)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


def _fields(dialect: Dialect) -> tuple[_Field, ...]:
    return (
        _Field("minute", 0, 59),
        _Field("hour", 0, 23),
        _Field("day of the month", 1, 31),
        _Field("month", 1, 12, _MONTHS),
        _Field("weekday", dialect.sunday, dialect.sunday + 6, _DAYS),
    )


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression that was read: the values of each field, weekdays counted from Sunday as 0."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def fires(self) -> str:
        """Return the expression for cronsim: every value by itself, a star as it stands.

        A star and all values are not the same: beside a weekday, `*` and `*/2` want both, `1-31` wants either.
        """
        columns = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join(
            word if _STAR.fullmatch(word) else ",".join(map(str, values))
            for word, values in zip(self.text.split(), columns, strict=True)
        )


def read_cron(text: str, dialect: Dialect) -> Cron:
    """Read an expression as its dialect means it; raises CronError with the field and its value."""
    words = text.split()
    if text.startswith("@"):
        raise CronError(
            f"{clipped(text)!r}: {dialect.name} knows no names such as @daily; write the five fields"
        )
    fields = _fields(dialect)
    if len(words) != len(fields):
        raise CronError(f"{clipped(text)!r} has {len(words)} fields; {dialect.name} reads five")
    minute, hour, day, month, weekday = (
        _values(field, word, dialect) for field, word in zip(fields, words, strict=True)
    )
    _check_days_exist(words[2], day, month)
    _check_shortest(words[0], minute, hour, dialect)
    weekday = tuple(sorted(number - dialect.sunday for number in weekday))
    return Cron(text, minute, hour, day, month, weekday)


def _values(field: _Field, word: str, dialect: Dialect) -> tuple[int, ...]:
    found: set[int] = set()
    for item in word.split(","):
        match = _ITEM.fullmatch(item.upper())
        if match is None:
            raise _fault(
                field,
                word,
                f"{clipped(item)!r} is nothing that {dialect.name}'s five fields and we both know",
            )
        found |= set(_range(field, word, match, dialect))
    return tuple(sorted(found))


def _range(field: _Field, word: str, match: re.Match[str], dialect: Dialect) -> range:
    if match["first"] == "*":
        if match["last"] is not None:
            raise _fault(field, word, "a range needs two values")
        first, last = field.least, field.most
    else:
        first = _number(field, word, match["first"], dialect)
        last = first
        if match["last"] is not None:
            last = _number(field, word, match["last"], dialect)
        elif match["step"] is not None:
            last = field.most
    if last < first:
        raise _fault(field, word, "the range runs backwards")
    if len(match["step"] or "") > _DIGITS:
        raise _fault(field, word, "a step has one or two digits")
    step = 1 if match["step"] is None else int(match["step"])
    if step < 1:
        raise _fault(field, word, "a step must be 1 or more")
    return range(first, last + 1, step)


def _number(field: _Field, word: str, value: str, dialect: Dialect) -> int:
    if value in field.names:
        return field.names.index(value) + field.least
    if value.isdigit() and len(value) <= _DIGITS and field.least <= int(value) <= field.most:
        return int(value)
    said = f"{clipped(value)!r} is not from {field.least} to {field.most}"
    if field.name == "weekday":
        said += f", where {dialect.name} counts Sunday as {dialect.sunday}; write SUN to SAT"
    raise _fault(field, word, said)


def _check_days_exist(word: str, days: tuple[int, ...], months: tuple[int, ...]) -> None:
    longest = max(29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in months)  # noqa: PLR2004 - months by their number
    if min(days) > longest:
        raise CronError(f"the day of the month field {clipped(word)!r}: none of its months has such a day")


def _check_shortest(word: str, minutes: tuple[int, ...], hours: tuple[int, ...], dialect: Dialect) -> None:
    apart = [later - earlier for earlier, later in pairwise(minutes)]
    if any((hour + 1) % 24 in hours for hour in hours):
        apart.append(minutes[0] + _HOUR - minutes[-1])
    if apart and min(apart) < dialect.shortest_min:
        raise CronError(
            f"the minute field {clipped(word)!r}: {dialect.name} runs nothing more often than every {dialect.shortest_min} minutes"
        )


def _fault(field: _Field, word: str, said: str) -> CronError:
    return CronError(f"the {field.name} field {clipped(word)!r}: {said}")
