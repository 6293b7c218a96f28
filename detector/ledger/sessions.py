"""Counts the runs of each trading session; its summary is due to each channel once the session is over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.condition import Condition
from detector.domain.report import SessionDay
from detector.domain.rule import RANK
from detector.formats.times import compute_seconds
from detector.market.hours import MarketUnknown, Session, get_session_on, to_new_york_day
from detector.market.session_plan import Closures

_MAX_DAYS = 4  # the running one and the last three that are over
_LOOKBACK_DAYS = 6
_MAX_CONDITIONS = 30


class ObservedRun(Struct, frozen=True):
    """One run as a session counts it: its time, the previous run's, missing signals, active conditions.

    A time without a run that is longer than `max_gap_sec` counts as a gap.
    """

    taken_at: datetime
    previous_at: datetime | None
    signals: int
    missing: tuple[str, ...]
    active: tuple[Condition, ...]
    max_gap_sec: float = float("inf")


def count_run(days: Sequence[SessionDay], run: ObservedRun, closures: Closures) -> tuple[SessionDay, ...]:
    """Return the days with this run counted; a session without any run is listed with none.

    Nothing is counted where the calendar does not know the session.
    """
    by_day = {session_day.day: session_day for session_day in days}
    try:
        for day, session in _iter_begun_sessions(run, closures):
            counted = by_day.get(day) or SessionDay(day, session.opens, session.closes)
            if session.is_open_at(run.taken_at):
                by_day[day] = _add_run(counted, run)
            elif run.previous_at is not None and session.closes > run.previous_at:
                by_day[day] = counted
    except MarketUnknown:
        return tuple(days)
    newest = sorted(by_day.values(), key=lambda session_day: session_day.day)[-_MAX_DAYS:]
    return tuple(newest)


def _iter_begun_sessions(run: ObservedRun, closures: Closures) -> Iterable[tuple[str, Session]]:
    """Yield the sessions of the last days that have begun, oldest first."""
    today = to_new_york_day(run.taken_at)
    for back in range(_LOOKBACK_DAYS, -2, -1):  # a session may begin the evening before its day
        day: date = today - timedelta(days=back)
        session = get_session_on(day, closures)
        if session is not None and session.opens <= run.taken_at:
            yield day.isoformat(), session


def _add_run(day: SessionDay, run: ObservedRun) -> SessionDay:
    if day.last_run is not None and run.taken_at <= day.last_run:
        return day  # a snapshot of the same moment again
    conditions = dict(day.conditions)
    more = day.more
    for condition in run.active:
        old = conditions.get(condition.signature, condition.severity)
        worst = max(old, condition.severity, key=lambda severity: RANK[severity])
        if condition.signature in conditions or len(conditions) < _MAX_CONDITIONS:
            conditions[condition.signature] = worst
        else:
            more = max(more, len(run.active) - _MAX_CONDITIONS)
    since_last = compute_seconds(day.last_run or day.opens, run.taken_at)
    is_gap = run.previous_at is not None and since_last > run.max_gap_sec
    return replace(
        day,
        runs=day.runs + 1,
        last_run=run.taken_at,
        gap_sec=max(day.gap_sec, since_last),
        gaps=day.gaps + is_gap,
        gaps_sec=day.gaps_sec + (since_last if is_gap else 0),
        signals=run.signals,
        unseen=_count_names(day.unseen, run.missing),
        conditions=conditions,
        more=more,
    )


def _count_names(counts: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    after = dict(counts)
    for name in names:
        after[name] = after.get(name, 0) + 1
    return after


def list_due_days(
    days: Iterable[SessionDay], channel: str, since: datetime | None, at: datetime
) -> tuple[SessionDay, ...]:
    """Return the days over at `at` that are due to the channel; it accepted its first message at `since`."""
    return tuple(
        day for day in days if since is not None and since < day.closes <= at and channel not in day.told
    )


def mark_summarized(
    days: Iterable[SessionDay], summarized_days: Collection[str], channel: str
) -> tuple[SessionDay, ...]:
    """Return the days with the channel's receipt for each summary that it accepted."""
    return tuple(
        replace(day, told=(*day.told, channel))
        if day.day in summarized_days and channel not in day.told
        else day
        for day in days
    )
