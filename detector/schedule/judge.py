"""All lanes and their union over a range of time: what was covered, and how long nobody looked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from detector.domain.schedule_windows import (
    COVERED,
    DISPATCH,
    LATE,
    NO_RUN,
    PENDING,
    RUNNING,
    UNKNOWN,
    GapReport,
    ScheduleWindow,
    Lane,
    LaneReport,
    WorkflowRun,
    Scope,
)
from detector.market.closures import NO_CLOSURES, Closures
from detector.schedule.expected import expected, marks
from detector.schedule.matching import LATE_WITHIN, matched
from detector.schedule.run_lanes import sorted_out
from detector.schedule.schedule_files import WORKER_SOURCE
from detector.schedule.silence import longest_silence, looks_of

UNION: Final = "union"


@dataclass(frozen=True, slots=True)
class _Lane:
    lane: Lane
    runs: tuple[WorkflowRun, ...]
    judged: tuple[ScheduleWindow, ...]
    ticks: tuple[datetime, ...]


def judge(
    lanes: Sequence[Lane],
    runs: Sequence[WorkflowRun],
    between: tuple[datetime, datetime],
    scope: Scope,
    closures: Closures = NO_CLOSURES,
) -> GapReport:
    """Judge every window of the lanes in `between` = [start, end) by the runs, ordered by their creation.

    The windows of the day after it take their own runs first, so that these are no late ones of the range's end.
    """
    start, end = between
    ticks = {lane.name: list(expected(lane, start, end + LATE_WITHIN)) for lane in lanes}
    of_lane, others = sorted_out(lanes, runs, ticks, scope.title_prefix)
    parts = [_cut(_lane(lane, ticks[lane.name], of_lane[lane.name], runs, scope), end) for lane in lanes]
    marked = [replace(part, judged=_marked(part.judged, closures)) for part in parts]
    union = _union(marked, runs, scope)
    looks = looks_of(runs)
    return GapReport(
        start,
        end,
        scope,
        tuple(_report(part, scope) for part in marked),
        LaneReport(
            UNION, UNION, None, "UTC", union, longest_silence(union, [w.at for w in union], looks, scope)
        ),
        others,
    )


def _lane(
    lane: Lane, ticks: list[datetime], own: tuple[WorkflowRun, ...], runs: Sequence[WorkflowRun], scope: Scope
) -> _Lane:
    """Judge one lane; a tick at which an external scheduler had nothing to do is no window of it."""
    judged = matched(lane, ticks, own, scope)
    if lane.stand_by is not None:
        judged = [
            _owed_unread(lane, one, scope)
            for one in judged
            if one.state == COVERED or not _idle(lane, one.at, runs, scope.title_prefix)
        ]
    return _Lane(lane, own, tuple(judged), tuple(ticks))


def _cut(part: _Lane, end: datetime) -> _Lane:
    return replace(
        part,
        judged=tuple(one for one in part.judged if one.at < end),
        ticks=tuple(tick for tick in part.ticks if tick < end),
    )


def _idle(lane: Lane, tick: datetime, runs: Sequence[WorkflowRun], title: str) -> bool:
    """Whether another's run let the external scheduler stand by: a success of late, or one that was on its way.

    A re-run says nothing of its earlier attempts, and it counts only where it had begun by then.
    """
    assert lane.stand_by is not None
    coming = tick - lane.stand_by.max_running_age
    followed = tick - tick.replace(hour=0, minute=0, second=0, microsecond=0) <= lane.stand_by.until

    def awaited(run: WorkflowRun) -> bool:
        under_way = run.attempt == 1 and (run.updated_at is None or run.updated_at > tick)
        return followed and run.created_at >= coming and under_way

    return any(
        (run.is_successful and run.attempt_started_at is not None and run.attempt_started_at <= tick) or awaited(run)
        for run in _created(runs, tick - lane.stand_by.period, tick)
        if run.is_unattended and not run.title.startswith(f"{title}{DISPATCH} {WORKER_SOURCE}")
    )


def _created(runs: Sequence[WorkflowRun], start: datetime, end: datetime) -> Sequence[WorkflowRun]:
    """Return the runs created in [start, end]."""
    first = bisect_left(runs, start, key=lambda run: run.created_at)
    return runs[first : bisect_right(runs, end, lo=first, key=lambda run: run.created_at)]


def _owed_unread(lane: Lane, one: ScheduleWindow, scope: Scope) -> ScheduleWindow:
    """A tick is *unknown* where the runs before it, which decide whether it was owed, were not all read."""
    assert lane.stand_by is not None
    unread = scope.find_unread(one.at - lane.stand_by.period, one.at)
    return ScheduleWindow(one.at, UNKNOWN, unread.why) if unread else one


def _marked(judged: Iterable[ScheduleWindow], closures: Closures) -> tuple[ScheduleWindow, ...]:
    def marked(one: ScheduleWindow) -> ScheduleWindow:
        day, in_session = marks(one.at, closures)
        return replace(one, day_kind=day, in_session=in_session)

    return tuple(marked(one) for one in judged)


def _union(parts: Iterable[_Lane], runs: Sequence[WorkflowRun], scope: Scope) -> tuple[ScheduleWindow, ...]:
    """Judge every time at which any lane was due: did anybody look within the grace, whoever began the run?

    Unlike in a lane, one look may be the answer to two times: the question is how long nobody looked.
    """
    at: dict[datetime, list[ScheduleWindow]] = {}
    for part in parts:
        for one in part.judged:
            at.setdefault(one.at, []).append(one)
    return tuple(_together(at[time], runs, scope) for time in sorted(at))


def _together(ones: list[ScheduleWindow], runs: Sequence[WorkflowRun], scope: Scope) -> ScheduleWindow:
    first = ones[0]
    until = first.at + scope.grace
    unread = next((one for one in ones if one.state == UNKNOWN), None)
    if unread is not None:
        return unread
    within = [run for run in _created(runs, first.at, until) if run.is_unattended]
    look = next((run for run in within if run.is_successful and run.attempt_started_at and run.attempt_started_at <= until), None)
    if look is None:  # a lane outside GitHub may have been answered a little before its window
        look = next((one.run for one in ones if one.state == COVERED), None)
    if look is not None:
        return replace(first, state=COVERED, why="success", run=look)
    waiting = next((one for one in ones if one.state == PENDING), None)
    if waiting is not None:
        return waiting
    for run in within:
        if run.conclusion is None and run.attempt == 1 and not scope.is_stuck(run):
            return replace(first, state=PENDING, why=RUNNING, run=run)
    return next((one for one in ones if one.state == LATE), None) or _worst(ones)


def _worst(ones: Sequence[ScheduleWindow]) -> ScheduleWindow:
    return next((one for one in ones if one.why != NO_RUN), ones[0])


def _report(part: _Lane, scope: Scope) -> LaneReport:
    lane = part.lane
    longest = None if lane.stand_by else longest_silence(part.judged, part.ticks, looks_of(part.runs), scope)
    owed = {one.at for one in part.judged}
    stood_by = tuple(tick for tick in part.ticks if tick not in owed)
    return LaneReport(lane.name, lane.trigger, lane.cron, lane.zone, part.judged, longest, stood_by)
