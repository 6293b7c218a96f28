"""The owner's closures: days without a session and early closes, announced at short notice.

The table is generated from a calendar library and cannot know a mourning day (2025-01-09 was one) or a storm.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from detector.market.session_plan import NYSE, US_EQUITY, SessionPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
