"""Which hours are the session: one of the built-in markets, or weekly windows with dated exceptions.

Hours: NYSE and Arca 04:00-20:00 with the regular session inside (17:00 on an early close); IBKR's overnight
session Sunday to Thursday 20:00-03:50; Globex equity index futures Sunday to Friday 18:00-17:00, with the
hour from 17:00 on closed (all America/New_York). A session belongs to the day on which it ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from detector.market import _globex_table, _nyse_table

NEW_YORK: Final = "America/New_York"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT: Final = time(0)
_WINDOW = re.compile(r"(?:([a-z]{3})(?:-([a-z]{3}))? )?(\d\d:\d\d)-(\d\d:\d\d)", re.ASCII)
_KEYS: Final = {"session", "zone", "open", "exceptions"}


class TableDays(Struct, frozen=True):
    """The days of a generated table: per year "MM-DD MM-DD" without a session, and with an early close."""

    closed: Mapping[int, str]
    early: Mapping[int, str]


NYSE: Final = TableDays(_nyse_table.CLOSED, _nyse_table.EARLY)
GLOBEX: Final = TableDays(_globex_table.CLOSED, _globex_table.EARLY)


class SessionWindow(Struct, frozen=True):
    """One window of a day, in local time; it begins `days_before` the day, and `ends` at 00:00 is 24:00."""

    begins: time
    ends: time
    days_before: int = 0
    early_ends: time | None = None
    weekdays: frozenset[int] = frozenset(range(7))


class SessionPlan(Struct, frozen=True, eq=False):
    """The hours of one market; `table` names its days, `exceptions` replaces the windows of single days."""

    name: str
    windows: tuple[SessionWindow, ...]
    zone: str = NEW_YORK
    table: TableDays | None = None
    exceptions: Mapping[date, tuple[SessionWindow, ...]] = field(default_factory=dict)


_WEEKDAYS: Final = frozenset(range(5))
US_EQUITY: Final = SessionPlan(
    "us_equity",
    (SessionWindow(time(9, 30), time(16), early_ends=_nyse_table.EARLY_CLOSE, weekdays=_WEEKDAYS),),
    table=NYSE,
)
PLANS: Final[Mapping[str, SessionPlan]] = {
    "us_equity": US_EQUITY,
    "us_extended": SessionPlan(
        "us_extended",
        (SessionWindow(time(4), time(20), early_ends=time(17), weekdays=_WEEKDAYS),),
        table=NYSE,
    ),
    "us_overnight": SessionPlan(
        "us_overnight",
        (SessionWindow(time(20), time(3, 50), days_before=1, weekdays=_WEEKDAYS),),
        table=NYSE,
    ),
    "cme_globex": SessionPlan(
        "cme_globex",
        (SessionWindow(time(18), time(17), 1, early_ends=_globex_table.EARLY_CLOSE, weekdays=_WEEKDAYS),),
        table=GLOBEX,
    ),
    "always": SessionPlan("always", (SessionWindow(_MIDNIGHT, _MIDNIGHT),), zone="UTC"),
}


def parse_session_plan(table: Mapping[str, Any]) -> SessionPlan:
    """Read the table `[market]` of a profile: `session`, or `zone` with `open` and `exceptions`.

    Raises ValueError with the entry and what is wrong.
    """
    unknown = table.keys() - _KEYS
    if unknown:
        raise ValueError(f"{min(unknown)}: no such key (there are: {', '.join(sorted(_KEYS))})")
    if "session" in table:
        if len(table) > 1:
            raise ValueError("session: names a market; leave zone, open and exceptions out")
        if table["session"] not in PLANS:
            raise ValueError(f"session: {table['session']!r} is none of {', '.join(PLANS)}")
        return PLANS[table["session"]]
    if not table.get("open") or not isinstance(table["open"], list):
        raise ValueError('open: must be a list of windows such as "mon-fri 09:00-15:00"')
    zone = table.get("zone")
    try:
        ZoneInfo(str(zone))
    except (KeyError, ValueError, OSError):
        raise ValueError(f"zone: {zone!r} is not a known time zone") from None
    windows = tuple(_parse_window(text, "open") for text in table["open"])
    return SessionPlan("own", windows, str(zone), exceptions=_parse_exceptions(table.get("exceptions", {})))


def _parse_exceptions(table: Any) -> dict[date, tuple[SessionWindow, ...]]:
    if not isinstance(table, dict):
        raise ValueError('exceptions: must be a table of days, each "closed" or a window')
    exceptions: dict[date, tuple[SessionWindow, ...]] = {}
    for key, text in table.items():
        try:
            day = date.fromisoformat(key)
        except ValueError:
            raise ValueError(f"exceptions: {key!r} is not a day such as 2026-12-25") from None
        exceptions[day] = () if text == "closed" else (_parse_window(text, f"exceptions.{key}"),)
    return exceptions


def _parse_window(text: Any, where: str) -> SessionWindow:
    match = _WINDOW.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'{where}: {text!r} is not a window such as "mon-fri 09:00-15:00"')
    first, last, begins, ends = match.groups()
    try:
        weekdays = _list_weekdays(first, last or first) if first else range(7)
        if ends == "24:00":
            ends = "00:00"
        return SessionWindow(
            time.fromisoformat(begins), time.fromisoformat(ends), weekdays=frozenset(weekdays)
        )
    except ValueError:
        raise ValueError(f"{where}: {text!r} names no such day or time") from None


def _list_weekdays(first: str, last: str) -> list[int]:
    start, end = DAYS.index(first), DAYS.index(last)
    return [(start + offset) % 7 for offset in range((end - start) % 7 + 1)]
