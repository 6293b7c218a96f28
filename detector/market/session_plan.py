"""Which hours are the session: one of the built-in markets, or weekly windows with dated exceptions.

Hours: NYSE and Arca 04:00-20:00 with the regular session inside (17:00 on an early close); IBKR's overnight
session Sunday to Thursday 20:00-03:50; Globex equity index futures Sunday to Friday 18:00-17:00, with the
hour from 17:00 on closed (all America/New_York). A session belongs to the day on which it ends.
The owner's closures are what a table cannot know: a day of mourning (2025-01-09 was one), a storm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from detector.formats.patterns import build_pattern
from detector.market._exchange_days import (
    EARLY_CLOSE,
    GLOBEX_CLOSED,
    GLOBEX_EARLY,
    NYSE_CLOSED,
    NYSE_EARLY,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

NEW_YORK: Final = "America/New_York"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT: Final = time(0)
_WINDOW = build_pattern(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?(\d\d:\d\d)-(\d\d:\d\d)", re.ASCII)


class TableDays(Struct, frozen=True):
    """The days of a generated table: per year "MM-DD MM-DD" without a session, and with an early close."""

    closed: Mapping[int, str]
    early: Mapping[int, str]

    def describe_outside(self, day: date) -> str | None:
        """Return the sentence that a day lies outside the table's years; None where it does not."""
        if day.year in self.closed:
            return None
        return (
            f"{day} is outside the exchange calendar, which covers {min(self.closed)} to {max(self.closed)}"
        )


NYSE: Final = TableDays(NYSE_CLOSED, NYSE_EARLY)
GLOBEX: Final = TableDays(GLOBEX_CLOSED, GLOBEX_EARLY)


class SessionWindow(Struct, frozen=True):
    """One window of a day, in local time; it begins `days_before` the day, and `ends` at 00:00 is 24:00."""

    begins: time
    ends: time
    days_before: int = 0
    early_ends: time | None = None
    weekdays: frozenset[int] = frozenset(range(7))


class SessionPlan(Struct, frozen=True, eq=False):
    """The hours of one market; `table` names its days, `exceptions` replaces the windows of single days."""

    windows: tuple[SessionWindow, ...]
    zone: str = NEW_YORK
    table: TableDays | None = None
    exceptions: Mapping[date, tuple[SessionWindow, ...]] = field(default_factory=dict)


_WEEKDAYS: Final = frozenset(range(5))
US_EQUITY: Final = SessionPlan(
    (SessionWindow(time(9, 30), time(16), early_ends=EARLY_CLOSE, weekdays=_WEEKDAYS),),
    table=NYSE,
)
PLANS: Final[Mapping[str, SessionPlan]] = {
    "us_equity": US_EQUITY,
    "us_extended": SessionPlan(
        (SessionWindow(time(4), time(20), early_ends=time(17), weekdays=_WEEKDAYS),),
        table=NYSE,
    ),
    "us_overnight": SessionPlan(
        (SessionWindow(time(20), time(3, 50), days_before=1, weekdays=_WEEKDAYS),), table=NYSE
    ),
    "cme_globex": SessionPlan(
        (SessionWindow(time(18), time(17), 1, early_ends=EARLY_CLOSE, weekdays=_WEEKDAYS),),
        table=GLOBEX,
    ),
    "always": SessionPlan((SessionWindow(_MIDNIGHT, _MIDNIGHT),), zone="UTC"),
}


def build_session_plan(table: Mapping[str, Any]) -> SessionPlan:
    """Return the plan of a profile's [market]: `session`, or `zone` with `open` and `exceptions`."""
    if "session" in table:
        return PLANS[table["session"]]
    return SessionPlan(
        tuple(parse_window(text) for text in table["open"]),
        table["zone"],
        exceptions={
            date.fromisoformat(day): parse_exception(text)
            for day, text in table.get("exceptions", {}).items()
        },
    )


def parse_exception(text: str) -> tuple[SessionWindow, ...]:
    """Return the windows of a single day: none where it is "closed". Raises ValueError."""
    return () if text == "closed" else (parse_window(text),)


def parse_window(text: str) -> SessionWindow:
    """Return the window of a text such as "mon-fri 09:00-15:00". Raises ValueError with what is wrong."""
    match = _WINDOW.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f'{text!r} is not a window such as "mon-fri 09:00-15:00"')
    first, last, begins, ends = match.groups()
    try:
        weekdays = _list_weekdays(first, last or first) if first else range(7)
        if ends == "24:00":
            ends = "00:00"
        return SessionWindow(
            time.fromisoformat(begins), time.fromisoformat(ends), weekdays=frozenset(weekdays)
        )
    except ValueError:
        raise ValueError(f"{text!r} names no such day or time") from None


def _list_weekdays(first: str, last: str) -> list[int]:
    start, end = DAYS.index(first), DAYS.index(last)
    return [(start + offset) % 7 for offset in range((end - start) % 7 + 1)]


OPENS: Final = time(9, 30)
CLOSES: Final = time(16, 0)
"""The regular session's hours, America/New_York; an early close lies between them."""

_MOST_CLOSURES, _CLOSURES_WITHIN = 5, timedelta(days=30)

SATURDAY: Final = 5
"""The first weekday without a session."""


class Closures(Struct, frozen=True):
    """What the owner announced at short notice: days without a session, and early closes in New York time.

    `plan` are the hours that they change: the profile's session.
    """

    closed: frozenset[date] = frozenset()
    early: Mapping[date, time] = field(default_factory=dict)
    plan: SessionPlan = US_EQUITY

    def __hash__(self) -> int:
        return hash((self.closed, frozenset(self.early.items()), self.plan))


NO_CLOSURES: Final = Closures()


def check_closure_number(days: Collection[date]) -> None:
    """Raise ValueError for more closures than an exchange announces: they would switch the monitor off."""
    ordered = sorted(days)
    for first, last in zip(ordered, ordered[_MOST_CLOSURES:], strict=False):
        if last - first < _CLOSURES_WITHIN:
            raise ValueError(
                f"more than {_MOST_CLOSURES} sessions from {first} to {last} are closed or cut"
                f" ({_MOST_CLOSURES} in {_CLOSURES_WITHIN.days} days at most)"
            )


def describe_override(closures: Closures, day: date) -> str | None:
    """Return what the owner announced for a day as a part of a sentence; None where that is nothing."""
    if day in closures.closed:
        return f"the session of {day} is closed by AEGIS_PT_MARKET_CLOSURES"
    if day in closures.early:
        return f"the session of {day} ends at {closures.early[day]:%H:%M} ET by AEGIS_PT_MARKET_CLOSURES"
    return None


def check_closure_day(day: date) -> None:
    """Raise ValueError for a day that cannot be announced: outside of the table's years, or at a weekend."""
    if outside := NYSE.describe_outside(day):
        raise ValueError(outside)
    if day.weekday() >= SATURDAY:
        raise ValueError(f"{day} is a {day:%A}, when the market is closed anyway")
