"""The session of a market: open, closed or unknown at an instant, and its seconds within a span.

Hours are those of the plan of `Closures`, by default the regular NYSE session, 09:30 to 16:00, on early
closes to 13:00, America/New_York (https://www.nyse.com/markets/hours-calendars); days come from the plan's
generated table and the owner's short-notice closures. A session is half-open, [open, close), and belongs to
the day on which it ends. Outside the table's years, or without a zone database (slim containers), the market
is *unknown*, never "closed".
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from detector.market.session_plan import (
    NEW_YORK,
    NO_CLOSURES,
    NYSE,
    OPENS,
    US_EQUITY,
    Closures,
    SessionWindow,
)

_NEAR_DAYS: Final = (-1, 0, 1)
"""Whose sessions an instant may lie in, from its day in New York: one may begin the evening before."""

_MAX_RUN: Final = timedelta(days=8)
"""How far back sessions without a break between them count as one: the market is never closed."""

MAX_CLOSED_DAYS: Final = 10
"""The reach of `opens_in`: the longest closure since 1933 (September 2001) had six days with its weekend."""

GRACE_MINUTES: Final = range(30, 90)
"""What `grace_minute` may be: minutes after 09:00 New York."""

_INSTANT: Final = timedelta(microseconds=1)
_SHORT: Final = timedelta(days=8)


class MarketUnknown(Exception):  # noqa: N818  an answer of the calendar, not a fault of the program
    """The calendar does not know; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


class Session(Struct, frozen=True):
    """One day's regular session, [opens, closes), in UTC."""

    opens: datetime
    closes: datetime

    def is_open_at(self, moment: datetime) -> bool:
        """Whether `moment` (aware) lies in the session."""
        return self.opens <= moment < self.closes


class Market(Struct, frozen=True):
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
        session = _find_session(moment, day, closures)
    except MarketUnknown as error:
        return Market(is_open=None, why_unknown=error.reason)
    if session is None:
        return Market(is_open=False, past_grace=False, opens_in=_compute_opens_in(moment, day, closures))
    open_for = (moment - session.opens).total_seconds()
    return Market(
        is_open=True,
        open_for=open_for,
        past_grace=open_for >= (grace_minute - OPENS.minute) * 60,
        opens_at=session.opens,
        closes_at=session.closes,
    )


def _find_session(moment: datetime, day: date, closures: Closures) -> Session | None:
    """Return the session at the moment, with those before it that end where it begins."""
    for near in _NEAR_DAYS if closures.plan is not US_EQUITY else (0,):
        for session in _list_sessions(day + timedelta(days=near), closures):
            if session.is_open_at(moment):
                return _merge_adjacent(session, day, closures)
    return None


def _merge_adjacent(session: Session, day: date, closures: Closures) -> Session:
    opens, earliest = session.opens, session.opens - _MAX_RUN
    if closures.plan is US_EQUITY:
        return session
    for back in range(_MAX_RUN.days):
        for earlier in reversed(_list_sessions(day - timedelta(days=back), closures)):
            if earlier.closes == opens and earlier.opens > earliest:
                opens = earlier.opens
    return Session(opens, session.closes)


def get_session_on(day: date, closures: Closures = NO_CLOSURES) -> Session | None:
    """The session of a day, from its first open to its last close; None on a known non-trading day.

    Raises `MarketUnknown`.
    """
    sessions = _list_sessions(day, closures)
    return Session(sessions[0].opens, sessions[-1].closes) if sessions else None


def find_begun_session(moment: datetime, closures: Closures = NO_CLOSURES) -> tuple[date, Session] | None:
    """The newest session that has begun by `moment` (aware), with its day; None where there is none near.

    A session of a day may begin the evening before it. Raises `MarketUnknown`.
    """
    today = to_new_york_day(moment)
    for back in range(0 if closures.plan is US_EQUITY else -1, MAX_CLOSED_DAYS + 1):
        day = today - timedelta(days=back)
        session = get_session_on(day, closures)
        if session is not None and session.opens <= moment:
            return day, session
    return None


def count_open_seconds(start: datetime, end: datetime, closures: Closures = NO_CLOSURES) -> float | None:
    """Seconds of regular session in [start, end), both aware, else `ValueError`; None if a day is unknown."""
    start, end = to_utc(start), to_utc(end)
    if end <= start:
        return 0.0
    try:
        first, last = to_new_york_day(start), to_new_york_day(end - _INSTANT)
        if closures.plan is not US_EQUITY:
            return _add_open_seconds(start, end, (first, last), closures)
        if last - first <= _SHORT:  # the running totals of a year cost 365 sessions
            return _add_few_sessions(start, end, (first, last), closures)
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
        raise MarketUnknown(
            NYSE.describe_outside(moment.date()) or "the date has no day in New York"
        ) from None


def load_zone(name: str) -> ZoneInfo:
    """The IANA zone `name`; raises `MarketUnknown` where this machine has no zone database or lacks it."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        raise MarketUnknown(f"the zone database of this machine lacks {name}; install tzdata") from None


def _add_few_sessions(start: datetime, end: datetime, days: tuple[date, date], closures: Closures) -> float:
    """Add up the sessions of the days of a short span."""
    first, last = days
    total = timedelta()
    for offset in range((last - first).days + 1):
        session = get_session_on(first + timedelta(days=offset), closures)
        if session is not None:
            total += max(min(session.closes, end) - max(session.opens, start), timedelta())
    return total.total_seconds()


def _add_open_seconds(start: datetime, end: datetime, days: tuple[date, date], closures: Closures) -> float:
    """Add up the sessions of every day near the span, day by day."""
    first, last = days
    total = timedelta()
    for offset in range((last - first).days + len(_NEAR_DAYS)):
        for session in _list_sessions(first + timedelta(days=offset - 1), closures):
            total += max(min(session.closes, end) - max(session.opens, start), timedelta())
    return total.total_seconds()


@lru_cache(maxsize=16_384)
def _list_sessions(day: date, closures: Closures) -> tuple[Session, ...]:
    """Return the sessions of the day in the plan's zone, in their order. Raises `MarketUnknown`."""
    if isinstance(day, datetime):
        raise TypeError("a session belongs to a date, not to a datetime")
    plan, is_early = closures.plan, False
    if plan.table is not None:
        if outside := plan.table.describe_outside(day):
            raise MarketUnknown(outside)
        month_day = f"{day:%m-%d}"
        if month_day in plan.table.closed[day.year] or day in closures.closed:
            return ()
        is_early = month_day in plan.table.early[day.year] or day in closures.early
    windows = plan.exceptions.get(day, plan.windows)
    zone = load_zone(plan.zone)
    sessions = (
        _build_session(window, day, _get_end(window, day, closures) if is_early else window.ends, zone)
        for window in windows
        if day.weekday() in window.weekdays
    )
    return tuple(sorted(sessions, key=lambda session: session.opens))


def _get_end(window: SessionWindow, day: date, closures: Closures) -> time:
    """Return when the window ends on an early close: by the owner's file, else by the plan."""
    if closures.plan is US_EQUITY and day in closures.early:
        return closures.early[day]
    return window.early_ends or window.ends


def _build_session(window: SessionWindow, day: date, ends: time, zone: ZoneInfo) -> Session:
    """Return the window of that day in UTC; an end not after its start is a day later."""
    first = day - timedelta(days=window.days_before)
    last = day if window.days_before or window.begins < ends else day + timedelta(days=1)
    opens, closes = datetime.combine(first, window.begins, zone), datetime.combine(last, ends, zone)
    return Session(opens.astimezone(UTC), closes.astimezone(UTC))


def _compute_opens_in(moment: datetime, day: date, closures: Closures) -> float | None:
    try:
        for ahead in range(-1, MAX_CLOSED_DAYS + 1):
            for session in _list_sessions(day + timedelta(days=ahead), closures):
                if session.opens > moment:
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
