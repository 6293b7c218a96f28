"""The windows at which lanes are expected to begin runs, their market days, and the gaps between checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median

from cronsim import CronSim
from msgspec import Struct

from detector.domain.run_windows import UNKNOWN, Lane, ScheduleWindow, Scope, WorkflowRun
from detector.market.hours import MarketUnknown, get_session_on, load_zone, to_new_york_day
from detector.market.session_plan import CLOSES, NEW_YORK, NO_CLOSURES, SATURDAY, Closures

GRACE = timedelta(minutes=8)
"""The default time after its window in which a run may begin."""

_BEFORE = timedelta(minutes=1)
_LONGEST = timedelta(days=31)
_BREAK = timedelta(hours=2)
_MAX_GAP = timedelta(minutes=10)  # the interval that the runbook promises


def iter_windows(lane: Lane, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the lane's windows in [start, end), in UTC.

    A lane in UTC has no daylight saving. In another zone a skipped or doubled hour is handled as in Debian's
    cron.
    """
    lane_zone = UTC if lane.zone == "UTC" else load_zone(lane.zone)
    for moment in CronSim(lane.fires, start.astimezone(lane_zone) - _BEFORE):
        window = moment.astimezone(UTC)
        if window >= end:
            return
        if window >= start:
            yield window


def list_week_windows(lane: Lane, monday: date) -> list[datetime]:
    """Return the windows of a lane in the week that begins on that Monday."""
    start = datetime.combine(monday, time(), UTC)
    return list(iter_windows(lane, start, start + timedelta(days=7)))


class LaneTimetable(Struct, frozen=True):
    """The `Timetable` of these lanes together; two that are due at the same time are one window."""

    lanes: tuple[Lane, ...]

    def count_missed(self, since: datetime, until: datetime) -> int | None:
        """Return how many windows between the runs at `since` and `until` were missed.

        A window whose grace is not over at `until` does not count, as the run at `until` may answer it. None
        for more than a month without runs.
        """
        if until - since > _LONGEST:
            return None
        due = {window for lane in self.lanes for window in iter_windows(lane, since, until - GRACE)}
        return len(due - {since})


def describe_market_day(window: datetime, closures: Closures = NO_CLOSURES) -> tuple[str | None, bool | None]:
    """Return the kind of the market's day at a window, and whether its session was open then."""
    try:
        day = to_new_york_day(window)
        session = get_session_on(day, closures)
    except MarketUnknown:
        return None, None
    if session is None:
        return ("weekend" if day.weekday() >= SATURDAY else "holiday"), False
    full = session.closes.astimezone(load_zone(NEW_YORK)).time() == CLOSES
    return ("session" if full else "half day"), session.is_open_at(window)


def find_uncovered_time(due: Sequence[datetime], day: date) -> str:
    """Return where a day's session is over 10 min without a window, empty for none; `due` is sorted."""
    try:
        session = get_session_on(day)
    except MarketUnknown as unknown:
        return unknown.reason
    if session is None:
        return ""
    before = max((window for window in due if window <= session.opens), default=None)
    after = min((window for window in due if window >= session.closes), default=None)
    if (
        before is None
        or after is None
        or session.opens - before > _MAX_GAP
        or after - session.closes > _MAX_GAP
    ):
        hours = f"{session.opens:%H:%M} to {session.closes:%H:%M} UTC"
        return f"no window around the open or the close of {day} ({hours})"
    within = [window for window in due if before <= window <= after]
    gap_start = next((earlier for earlier, later in pairwise(within) if later - earlier > _MAX_GAP), None)
    return f"over 10 min without a window after {gap_start:%Y-%m-%d %H:%M} UTC" if gap_start else ""


def list_check_times(runs: Iterable[WorkflowRun]) -> list[datetime]:
    """Return the start times of the successful runs that were not started by hand, in order."""
    good = (run.attempt_started_at for run in runs if run.is_successful and run.is_unattended)
    return sorted(checked_at for checked_at in good if checked_at is not None)


def measure_longest_gap(
    windows: Sequence[ScheduleWindow],
    ticks: Sequence[datetime],
    check_times: Sequence[datetime],
    scope: Scope,
) -> timedelta | None:
    """Return the longest time between two checks while some were due; pauses without windows do not count."""
    unknown = {window.at for window in windows if window.state == UNKNOWN}
    gaps: list[timedelta] = []
    for stretch in _split_ticks(ticks):
        start, end = stretch[0], min(stretch[-1] + scope.grace, scope.now)
        if end <= start or not unknown.isdisjoint(stretch):
            continue
        points = [start, *(check_time for check_time in check_times if start < check_time < end), end]
        gaps.append(max(later - earlier for earlier, later in pairwise(points)))
    return max(gaps, default=None)


def _split_ticks(ticks: Sequence[datetime]) -> list[list[datetime]]:
    """Split the ticks at pauses of over two hours that are over twice as long as the median interval."""
    if not ticks:
        return []
    intervals = [later - earlier for earlier, later in pairwise(ticks)]
    usual = timedelta(seconds=median(interval.total_seconds() for interval in intervals) if intervals else 0)
    pause = max(_BREAK, 2 * usual)
    stretches = [[ticks[0]]]
    for earlier, later in pairwise(ticks):
        if later - earlier > pause:
            stretches.append([])
        stretches[-1].append(later)
    return stretches
