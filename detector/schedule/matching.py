"""Assigns each run to its lane, and to the window of the lane that it answers: one run to a window."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from detector.domain.run_windows import (
    COMPLETED,
    COVERED,
    IN_GRACE,
    LATE,
    MISSING,
    NO_RUN,
    PENDING,
    RERUN,
    RUNNING,
    SCHEDULE,
    STUCK,
    TRIGGER_EVENTS,
    UNKNOWN,
    Lane,
    ScheduleWindow,
    Scope,
    WorkflowRun,
)
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import NEVER, format_duration

LATE_WITHIN: Final = timedelta(hours=24)
"""The longest delay of a late run; the longest that was measured in public is 12 h 1 min."""

_SECOND_WITHIN: Final = timedelta(hours=2)
"""The longest delay of a late run within the grace of a window that another run answered.

It may be the second run of that window; therefore it makes no window of the evening before late.
"""

_NO_TIME: Final = timedelta()

Assigned = dict[datetime, WorkflowRun]
WindowRange = tuple[datetime, datetime]
_NAMES_A_CRON: Final = build_pattern(rf"(?:^|\| ){SCHEDULE} \S")


def assign_to_lanes(
    lanes: Sequence[Lane], runs: Iterable[WorkflowRun], ticks: Mapping[str, Sequence[datetime]], title: str
) -> tuple[dict[str, tuple[WorkflowRun, ...]], dict[str, int]]:
    """Return the runs by lane, and the number of others by title: title and event must be the lane's.

    A scheduled run whose title names no cron, from before run-name was set, belongs to the lane due last.
    """
    runs_by_lane: dict[str, list[WorkflowRun]] = {lane.name: [] for lane in lanes}
    others: Counter[str] = Counter()
    for run in runs:
        lane = next((lane for lane in lanes if _is_from_lane(run, lane, title)), None)
        if lane is None and run.event == SCHEDULE and not _NAMES_A_CRON.search(run.title):
            lane = _find_nearest(run, [lane for lane in lanes if lane.trigger == SCHEDULE], ticks)
        if lane is None:
            others[redact_excerpt(run.title or run.event)] += 1
        else:
            runs_by_lane[lane.name].append(run)
    return {name: tuple(own) for name, own in runs_by_lane.items()}, dict(others)


def _is_from_lane(run: WorkflowRun, lane: Lane, title: str) -> bool:
    return run.event == TRIGGER_EVENTS[lane.trigger] and run.title == f"{title}{lane.name}"


def _find_nearest(
    run: WorkflowRun, lanes: Sequence[Lane], ticks: Mapping[str, Sequence[datetime]]
) -> Lane | None:
    """Return the lane that was due last before the run, or the first lane."""

    def get_last_due(lane: Lane) -> datetime:
        index = bisect_right(ticks[lane.name], run.created_at)
        return ticks[lane.name][index - 1] if index else NEVER

    return max(lanes, key=get_last_due, default=None)


def match_windows(
    lane: Lane, windows: Sequence[datetime], runs: Sequence[WorkflowRun], scope: Scope
) -> list[ScheduleWindow]:
    """Return the state of each window of a lane, given the lane's own runs.

    A run answers at most one window, whose [w, w + grace] contains its creation. Successes are assigned
    first, then runs under way, then unsuccessful runs. A success that is left over makes the newest
    unanswered window before it *late*.
    """
    early = scope.get_early_allowance(lane.trigger)
    good = _assign_to_windows(windows, runs, lambda run: _get_success_range(run, scope.grace, early))
    rest = [window for window in windows if window not in good]
    under_way = _assign_to_windows(rest, runs, lambda run: _get_running_range(run, scope.grace, early))
    rest = [window for window in rest if window not in under_way]
    used = {id(run) for run in good.values()}
    others = [run for run in runs if id(run) not in used]
    failed = _assign_to_windows(rest, others, lambda run: _get_failed_range(run, scope.grace, early))
    unanswered = [window for window in rest if window not in failed and scope.is_grace_over(window)]
    used |= {id(run) for run in failed.values()}
    leftover = [run for run in others if run.is_successful and id(run) not in used]
    late = _assign_late(unanswered, leftover, lambda run: _get_late_limit(run, good, scope.grace))

    def judge(window: datetime) -> ScheduleWindow:
        state, why, run = _decide_state(window, good, under_way, {**failed, **late}, scope)
        unread = scope.find_unread(window - early, window + scope.grace)
        return (
            ScheduleWindow(window, UNKNOWN, unread.why) if unread else ScheduleWindow(window, state, why, run)
        )

    return [judge(window) for window in windows]


def _assign_to_windows(
    windows: Iterable[datetime],
    runs: Iterable[WorkflowRun],
    get_range: Callable[[WorkflowRun], WindowRange | None],
) -> Assigned:
    """Assign to each window the run whose range ends first; `get_range` returns the range of a run.

    With windows in order this covers as many as possible, and one more run never uncovers a window.
    """
    waiting = [(window_range[1], window_range[0], run) for run in runs if (window_range := get_range(run))]
    waiting = sorted((entry for entry in waiting if entry[1] <= entry[0]), key=lambda entry: entry[:2])
    widest = max((last - first for last, first, _ in waiting), default=_NO_TIME)
    assigned: Assigned = {}
    for window in windows:
        while waiting and waiting[0][0] < window:
            del waiting[0]
        for index, (last, first, run) in enumerate(waiting):
            if last - widest > window:
                break
            if first <= window:
                assigned[window] = run
                del waiting[index]
                break
    return assigned


def _get_success_range(run: WorkflowRun, grace: timedelta, early: timedelta) -> WindowRange | None:
    """Return the range of a success; a re-run's last attempt must have begun within the grace as well."""
    checked_at = run.attempt_started_at
    return (
        (checked_at - grace, run.created_at + early) if run.is_successful and checked_at is not None else None
    )


def _get_running_range(run: WorkflowRun, grace: timedelta, early: timedelta) -> WindowRange | None:
    if run.status == COMPLETED or run.attempt > 1:
        return None
    return run.created_at - grace, run.created_at + early


def _get_failed_range(run: WorkflowRun, grace: timedelta, early: timedelta) -> WindowRange | None:
    if run.attempt > 1 or (run.status == COMPLETED and not run.is_successful):
        return run.created_at - grace, run.created_at + early
    return None


def _get_late_limit(run: WorkflowRun, good: Assigned, grace: timedelta) -> timedelta:
    """Return the longest delay of a success that is left over."""
    is_second = any(window <= run.created_at <= window + grace for window in good)
    return _SECOND_WITHIN if is_second else LATE_WITHIN


def _assign_late(
    unanswered: Iterable[datetime], runs: Iterable[WorkflowRun], get_limit: Callable[[WorkflowRun], timedelta]
) -> Assigned:
    """Assign to each success that is left over the newest unanswered window before it, within its limit."""
    remaining = list(unanswered)
    assigned: Assigned = {}
    for run in runs:
        limit = get_limit(run)
        before = [w for w in remaining if w < run.created_at <= w + limit]
        if before:
            assigned[before[-1]] = run
            remaining.remove(before[-1])
    return assigned


def _decide_state(
    window: datetime, good: Assigned, under_way: Assigned, unsuccessful: Assigned, scope: Scope
) -> tuple[str, str, WorkflowRun | None]:
    """Return the state of a window, why it is so, and its run."""
    if window in good:
        return COVERED, "success", good[window]
    if not scope.is_grace_over(window):
        run = under_way.get(window)
        return PENDING, RUNNING if run else IN_GRACE, run
    if window in under_way:
        run = under_way[window]
        return (MISSING, STUCK, run) if scope.is_stuck(run) else (PENDING, RUNNING, run)
    if window not in unsuccessful:
        return MISSING, NO_RUN, None
    run = unsuccessful[window]
    if run.is_successful:
        delay = format_duration((run.created_at - window).total_seconds())
        return LATE, RERUN if run.attempt > 1 else f"{delay} late", run
    return MISSING, RERUN if run.status != COMPLETED else run.conclusion or "no conclusion", run
