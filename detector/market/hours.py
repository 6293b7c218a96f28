"""The regular NYSE session: open, closed or unknown at an instant, and its seconds within a span.

Days come from the generated `_nyse_table` and the owner's short-notice `Closures`; hours are 09:30 to 16:00,
on early closes to 13:00, America/New_York (https://www.nyse.com/markets/hours-calendars). A session is
half-open, [open, close). Outside the table's years, or without a zone database (slim containers), the market
is *unknown*, never "closed".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.market._nyse_table import CLOSED, EARLY, EARLY_CLOSE, FIRST_YEAR, LAST_YEAR
from detector.market.closures import CLOSES, NO_CLOSURES, OPENS, SATURDAY, Closures, describe_outside_years

NEW_YORK: Final = "America/New_York"
MAX_CLOSED_DAYS: Final = 10
"""The reach of `opens_in`: the longest closure since 1933 (September 2001) had six days with its weekend."""

GRACE_MINUTES: Final = range(30, 90)
"""What `grace_minute` may be: minutes after 09:00 New York."""

_INSTANT: Final = timedelta(microseconds=1)


class MarketUnknown(Exception):  # noqa: N818  an answer of the calendar, not a fault of the program
    """The calendar does not know; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


@dataclass(frozen=True, slots=True)
class Session:
    """One day's regular session, [opens, closes), in UTC."""

    opens: datetime
    closes: datetime

    def is_open_at(self, moment: datetime) -> bool:
        """Whether `moment` (aware) lies in the session."""
        return self.opens <= moment < self.closes


@dataclass(frozen=True, slots=True)
class Market:
    """The market at one instant; durations in seconds, times in UTC. `is_open` is None when it is unknown."""

    is_open: bool | None
    why_unknown: str | None = None
    open_for: float | None = None
    past_grace: bool | None = None
    opens_in: float | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None


def get_market_at(moment: datetime, closures: Closures = NO_CLOSURES, grace_minute: int = 35) -> Market:
    """The market at `moment` (aware, else `ValueError`).

    `grace_minute` counts from 09:00 New York (75 is 10:15), one of `GRACE_MINUTES`, else `ValueError`: the
    open market is `past_grace` from then on. `opens_in` is None when open, and when no open is known within
    `MAX_CLOSED_DAYS`.
    """
    if grace_minute not in GRACE_MINUTES:
        raise ValueError(f"grace_minute must be in {GRACE_MINUTES}, not {grace_minute}")
    moment = to_utc(moment)
    try:
        day = to_new_york_day(moment)
        session = get_session_on(day, closures)
    except MarketUnknown as error:
        return Market(is_open=None, why_unknown=error.reason)
    if session is None or not session.is_open_at(moment):
        return Market(is_open=False, past_grace=False, opens_in=_compute_opens_in(moment, day, closures))
    open_for = (moment - session.opens).total_seconds()
    return Market(
        is_open=True,
        open_for=open_for,
        past_grace=open_for >= (grace_minute - OPENS.minute) * 60,
        opens_at=session.opens,
        closes_at=session.closes,
    )


def get_session_on(day: date, closures: Closures = NO_CLOSURES) -> Session | None:
    """The session of a New York calendar day; None on a known non-trading day. Raises `MarketUnknown`."""
    return _build_session(day, closures)


def count_open_seconds(start: datetime, end: datetime, closures: Closures = NO_CLOSURES) -> float | None:
    """Seconds of regular session in [start, end), both aware, else `ValueError`; None if a day is unknown."""
    start, end = to_utc(start), to_utc(end)
    if end <= start:
        return 0.0
    try:
        first, last = to_new_york_day(start), to_new_york_day(end - _INSTANT)
        total = _compute_session_time_in_year(last, end, closures) - _compute_session_time_in_year(
            first, start, closures
        )
        for year in range(first.year, last.year):
            total += _compute_running_totals(year, closures)[-1]
    except MarketUnknown:
        return None
    return total.total_seconds()


def to_utc(moment: datetime) -> datetime:
    """`moment` in UTC; raises `ValueError` when it names no zone."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} names no time zone")
    return moment.astimezone(UTC)


def to_new_york_day(moment: datetime) -> date:
    """The date in New York at `moment` (aware). Raises `MarketUnknown`."""
    try:
        return moment.astimezone(load_zone(NEW_YORK)).date()
    except OverflowError:
        raise MarketUnknown(describe_outside_years(moment.date())) from None


def load_zone(name: str) -> ZoneInfo:
    """The IANA zone `name`; raises `MarketUnknown` where this machine has no zone database or lacks it."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        raise MarketUnknown(f"the zone database of this machine lacks {name}; install tzdata") from None


@lru_cache(maxsize=16_384)
def _build_session(day: date, closures: Closures) -> Session | None:
    if isinstance(day, datetime):
        raise TypeError("a session belongs to a date in New York, not to a datetime")
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise MarketUnknown(describe_outside_years(day))
    new_york, month_day = load_zone(NEW_YORK), f"{day:%m-%d}"
    if day.weekday() >= SATURDAY or month_day in CLOSED[day.year] or day in closures.closed:
        return None
    closes = closures.early.get(day, EARLY_CLOSE if month_day in EARLY[day.year] else CLOSES)
    return Session(*(datetime.combine(day, hour, new_york).astimezone(UTC) for hour in (OPENS, closes)))


def _compute_opens_in(moment: datetime, day: date, closures: Closures) -> float | None:
    try:
        for ahead in range(MAX_CLOSED_DAYS + 1):
            session = get_session_on(day + timedelta(days=ahead), closures)
            if session is not None and session.opens > moment:
                return (session.opens - moment).total_seconds()
    except MarketUnknown:
        pass
    return None


@lru_cache(maxsize=256)
def _compute_running_totals(year: int, closures: Closures) -> tuple[timedelta, ...]:
    """The session time of `year` before each of its days; the last entry is the whole year."""
    totals, day = [timedelta()], date(year, 1, 1)
    while day.year == year:
        session = get_session_on(day, closures)
        totals.append(totals[-1] + (session.closes - session.opens if session else timedelta()))
        day += timedelta(days=1)
    return tuple(totals)


def _compute_session_time_in_year(day: date, moment: datetime, closures: Closures) -> timedelta:
    """The session time from the first of January up to `moment`, which lies on `day` or is its end."""
    session = get_session_on(day, closures)
    today = timedelta()
    if session is not None and moment > session.opens:
        today = min(moment, session.closes) - session.opens
    return _compute_running_totals(day.year, closures)[day.timetuple().tm_yday - 1] + today
