"""The owner's override file: market closures announced at short notice, from parsed TOML.

The table is generated from a calendar library and cannot know a mourning day (2025-01-09 was one) or a storm.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from detector.market._nyse_table import FIRST_YEAR, LAST_YEAR
from detector.market.session_plan import US_EQUITY, SessionPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENS: Final = time(9, 30)
CLOSES: Final = time(16, 0)
"""The regular session's hours, America/New_York; an early close lies between them."""

SATURDAY: Final = 5
"""The first weekday without a session."""

_KEYS: Final = {"closed": ("date", "reason"), "early_close": ("date", "closes", "reason")}


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


def parse_closures(document: Mapping[str, object]) -> Closures:
    """Read parsed TOML: `[[closed]] date, reason` and `[[early_close]] date, closes = "HH:MM", reason`.

    `reason` is for people and optional. Raises `ValueError` with the entry and what is wrong with it.
    """
    days: dict[date, time | None] = {}
    for kind, rows in document.items():
        if kind not in _KEYS or not isinstance(rows, list):
            raise ValueError(f"{kind}: must be one of {', '.join(f'[[{key}]]' for key in _KEYS)}")
        for number, entry in enumerate(rows, start=1):
            try:
                day = _parse_day(entry, _KEYS[kind])
                if day in days:
                    raise ValueError(f"{day} stands in another entry already")
                days[day] = _parse_early_close(entry.get("closes")) if kind == "early_close" else None
            except ValueError as error:
                raise ValueError(f"[[{kind}]] number {number}: {error}") from None
    early = {day: closes for day, closes in days.items() if closes is not None}
    return Closures(frozenset(days.keys() - early.keys()), early)


def _parse_day(entry: Mapping[str, object], keys: tuple[str, ...]) -> date:
    if not isinstance(entry, dict) or not isinstance(entry.get("reason", ""), str):
        raise ValueError(f"must be a table of {', '.join(keys)}, with a text as reason")
    for key in sorted(entry.keys() - set(keys)):
        raise ValueError(f"unknown key {key!r}; known are {', '.join(keys)}")
    day = entry.get("date")
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValueError(f"date must be a TOML date such as 2026-11-27, not {day!r}")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(describe_outside_years(day))
    if day.weekday() >= SATURDAY:
        raise ValueError(f"{day} is a {day:%A}, when the market is closed anyway")
    return day


def _parse_early_close(text: object) -> time:
    try:
        closes = time.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        closes = CLOSES
    if f"{closes:%H:%M}" != text or not OPENS < closes < CLOSES:
        raise ValueError(f'closes must be "HH:MM" in New York, after 09:30 and before 16:00, not {text!r}')
    return closes


def describe_outside_years(day: date) -> str:
    """Return the sentence that a day lies outside the years of the table."""
    return f"{day} is outside the exchange calendar, which covers {FIRST_YEAR} to {LAST_YEAR}"
