"""Judges all lanes and their union over a range of time: the covered windows, and the longest gap."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.run_windows import (
    COVERED,
    DISPATCH,
    LATE,
    NO_RUN,
    PENDING,
    RUNNING,
    UNKNOWN,
    GapReport,
    Lane,
    LaneReport,
    ScheduleWindow,
    Scope,
    WorkflowRun,
)
from detector.market.session_plan import NO_CLOSURES, Closures
from detector.schedule.expected import (
    describe_market_day,
    iter_windows,
    list_check_times,
    measure_longest_gap,
)
from detector.schedule.matching import LATE_WITHIN, assign_to_lanes, match_windows
from detector.schedule.schedule_files import WORKER_SOURCE

UNION: Final = "union"


class _JudgedLane(Struct, frozen=True):
    lane: Lane
    runs: tuple[WorkflowRun, ...]
    windows: tuple[ScheduleWindow, ...]
    ticks: tuple[datetime, ...]


def judge(
    lanes: Sequence[Lane],
    runs: Sequence[WorkflowRun],
    between: tuple[datetime, datetime],
    scope: Scope,
    closures: Closures = NO_CLOSURES,
) -> GapReport:
    """Judge every window of the lanes in `between` = [start, end) by the runs, ordered by their creation.

    The windows of the day after the range are assigned their own runs first, so that none of these counts
    as a late run of the range's end.
    """
    start, end = between
    ticks = {lane.name: list(iter_windows(lane, start, end + LATE_WITHIN)) for lane in lanes}
    runs_by_lane, others = assign_to_lanes(lanes, runs, ticks, scope.title_prefix)
    parts = [
        _cut(_judge_lane(lane, ticks[lane.name], runs_by_lane[lane.name], runs, scope), end) for lane in lanes
    ]
    marked = [replace(part, windows=_mark_days(part.windows, closures)) for part in parts]
    union = _judge_union(marked, runs, scope)
    check_times = list_check_times(runs)
    return GapReport(
        start,
        end,
        scope,
        tuple(_build_report(part, scope) for part in marked),
        LaneReport(
            UNION,
            UNION,
            None,
            "UTC",
            union,
            measure_longest_gap(union, [w.at for w in union], check_times, scope),
        ),
        others,
    )


def _judge_lane(
    lane: Lane, ticks: list[datetime], own: tuple[WorkflowRun, ...], runs: Sequence[WorkflowRun], scope: Scope
) -> _JudgedLane:
    """Judge one lane; a tick at which an external scheduler rightly stood by is no window."""
    windows = match_windows(lane, ticks, own, scope)
    if lane.stand_by is not None:
        windows = [
            _mark_unread(lane, window, scope)
            for window in windows
            if window.state == COVERED or not _is_idle(lane, window.at, runs, scope.title_prefix)
        ]
    return _JudgedLane(lane, own, tuple(windows), tuple(ticks))


def _cut(part: _JudgedLane, end: datetime) -> _JudgedLane:
    return replace(
        part,
        windows=tuple(window for window in part.windows if window.at < end),
        ticks=tuple(tick for tick in part.ticks if tick < end),
    )


def _is_idle(lane: Lane, tick: datetime, runs: Sequence[WorkflowRun], title: str) -> bool:
    """Whether another run let the external scheduler stand by: a recent success, or a recent run under way.

    A re-run gives no information on its earlier attempts, and counts only where it had begun by then.
    """
    assert lane.stand_by is not None
    under_way_since = tick - lane.stand_by.max_running_age
    followed = tick - tick.replace(hour=0, minute=0, second=0, microsecond=0) <= lane.stand_by.until

    def is_awaited(run: WorkflowRun) -> bool:
        under_way = run.attempt == 1 and (run.updated_at is None or run.updated_at > tick)
        return followed and run.created_at >= under_way_since and under_way

    return any(
        (run.is_successful and run.attempt_started_at is not None and run.attempt_started_at <= tick)
        or is_awaited(run)
        for run in _filter_created(runs, tick - lane.stand_by.period, tick)
        if run.is_unattended and not run.title.startswith(f"{title}{DISPATCH} {WORKER_SOURCE}")
    )


def _filter_created(runs: Sequence[WorkflowRun], start: datetime, end: datetime) -> Sequence[WorkflowRun]:
    """Return the runs created in [start, end]."""
    first = bisect_left(runs, start, key=lambda run: run.created_at)
    return runs[first : bisect_right(runs, end, lo=first, key=lambda run: run.created_at)]


def _mark_unread(lane: Lane, window: ScheduleWindow, scope: Scope) -> ScheduleWindow:
    """Mark a tick *unknown* where the runs before it, which decide whether it was due, were not all read."""
    assert lane.stand_by is not None
    unread = scope.find_unread(window.at - lane.stand_by.period, window.at)
    return ScheduleWindow(window.at, UNKNOWN, unread.why) if unread else window


def _mark_days(windows: Iterable[ScheduleWindow], closures: Closures) -> tuple[ScheduleWindow, ...]:
    def mark(window: ScheduleWindow) -> ScheduleWindow:
        day, in_session = describe_market_day(window.at, closures)
        return replace(window, day_kind=day, in_session=in_session)

    return tuple(mark(window) for window in windows)


def _judge_union(
    parts: Iterable[_JudgedLane], runs: Sequence[WorkflowRun], scope: Scope
) -> tuple[ScheduleWindow, ...]:
    """Judge every time at which any lane was due: whether any run began within the grace.

    Unlike in a lane, one run may answer two times: the union measures the time without any check.
    """
    by_time: dict[datetime, list[ScheduleWindow]] = {}
    for part in parts:
        for window in part.windows:
            by_time.setdefault(window.at, []).append(window)
    return tuple(_judge_time(by_time[time], runs, scope) for time in sorted(by_time))


def _judge_time(windows: list[ScheduleWindow], runs: Sequence[WorkflowRun], scope: Scope) -> ScheduleWindow:
    first = windows[0]
    until = first.at + scope.grace
    unread = next((window for window in windows if window.state == UNKNOWN), None)
    if unread is not None:
        return unread
    within = [run for run in _filter_created(runs, first.at, until) if run.is_unattended]
    answer = next(
        (
            run
            for run in within
            if run.is_successful and run.attempt_started_at and run.attempt_started_at <= until
        ),
        None,
    )
    if answer is None:  # a lane outside GitHub may have been answered a little before its window
        answer = next((window.run for window in windows if window.state == COVERED), None)
    if answer is not None:
        return replace(first, state=COVERED, why="success", run=answer)
    waiting = next((window for window in windows if window.state == PENDING), None)
    if waiting is not None:
        return waiting
    for run in within:
        if run.conclusion is None and run.attempt == 1 and not scope.is_stuck(run):
            return replace(first, state=PENDING, why=RUNNING, run=run)
    late = next((window for window in windows if window.state == LATE), None)
    return late or next((window for window in windows if window.why != NO_RUN), first)


def _build_report(part: _JudgedLane, scope: Scope) -> LaneReport:
    lane = part.lane
    longest = (
        None
        if lane.stand_by
        else measure_longest_gap(part.windows, part.ticks, list_check_times(part.runs), scope)
    )
    window_times = {window.at for window in part.windows}
    stood_by = tuple(tick for tick in part.ticks if tick not in window_times)
    return LaneReport(lane.name, lane.trigger, lane.cron, lane.zone, part.windows, longest, stood_by)
