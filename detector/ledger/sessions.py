"""The sessions as the runs saw them: tallied run by run, and owed to each channel once they are over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from detector.domain.condition import Condition
from detector.domain.rule import RANK, Severity
from detector.domain.session_day import SessionDay
from detector.formats.times import seconds_between
from detector.market.closures import Closures
from detector.market.hours import MarketUnknown, Session, to_new_york_day, get_session_on

_MOST_DAYS = 4  # the running one and the last three that are over
_LOOK_BACK_DAYS = 6
_MOST_CONDITIONS = 30


@dataclass(frozen=True, slots=True)
class Look:
    """One run as a session counts it: when, when the one before was, what was not seen, and what holds."""

    taken_at: datetime
    before: datetime | None
    signals: int
    unseen: tuple[str, ...]
    active: tuple[Condition, ...]


def tallied(days: Sequence[SessionDay], look: Look, closures: Closures) -> tuple[SessionDay, ...]:
    """Return the days with this run counted; a day at which nobody looked is there with no run.

    Where the calendar cannot say what is a session, nothing is counted.
    """
    known = {one.day: one for one in days}
    try:
        for day, session in _begun_sessions(look, closures):
            if session.is_open_at(look.taken_at):
                known[day] = _counted(known.get(day) or _fresh(day, session), look)
            elif look.before is not None and session.closes > look.before:
                known.setdefault(day, _fresh(day, session))
    except MarketUnknown:
        return tuple(days)
    newest = sorted(known.values(), key=lambda one: one.day)[-_MOST_DAYS:]
    return tuple(newest)


def _begun_sessions(look: Look, closures: Closures) -> Iterable[tuple[str, Session]]:
    """Yield the sessions of the last days that have begun, oldest first."""
    today = to_new_york_day(look.taken_at)
    for back in range(_LOOK_BACK_DAYS, -1, -1):
        day: date = today - timedelta(days=back)
        session = get_session_on(day, closures)
        if session is not None and session.opens <= look.taken_at:
            yield day.isoformat(), session


def _fresh(day: str, session: Session) -> SessionDay:
    return SessionDay(day, session.opens, session.closes)


def _counted(day: SessionDay, look: Look) -> SessionDay:
    if day.last_run is not None and look.taken_at <= day.last_run:
        return day  # a second look at the same moment
    conditions = dict(day.conditions)
    more = day.more
    for one in look.active:
        worst = _worse(conditions.get(one.signature), one.severity)
        if one.signature in conditions or len(conditions) < _MOST_CONDITIONS:
            conditions[one.signature] = worst
        else:
            more = max(more, len(look.active) - _MOST_CONDITIONS)
    return replace(
        day,
        runs=day.runs + 1,
        last_run=look.taken_at,
        gap_sec=max(day.gap_sec, seconds_between(day.last_run or day.opens, look.taken_at)),
        signals=look.signals,
        unseen=_plus(day.unseen, look.unseen),
        conditions=conditions,
        more=more,
    )


def _worse(one: Severity | None, other: Severity) -> Severity:
    return other if one is None or RANK[other] > RANK[one] else one


def _plus(counts: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    after = dict(counts)
    for name in names:
        after[name] = after.get(name, 0) + 1
    return after


def untold(
    days: Iterable[SessionDay], channel: str, since: datetime | None, at: datetime
) -> tuple[SessionDay, ...]:
    """Return the days that are over at `at` and owed to the channel, which took its first message at `since`."""
    return tuple(
        day for day in days if since is not None and since < day.closes <= at and channel not in day.told
    )


def summarised(days: Iterable[SessionDay], told: Collection[str], channel: str) -> tuple[SessionDay, ...]:
    """Return the days with the channel's receipt for those of which it was told."""
    return tuple(
        replace(day, told=(*day.told, channel)) if day.day in told and channel not in day.told else day
        for day in days
    )
