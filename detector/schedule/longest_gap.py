"""How long nobody looked while somebody should have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from detector.domain.schedule_windows import UNKNOWN, ScheduleWindow, Scope, WorkflowRun

_BREAK: Final = timedelta(hours=2)


def list_check_times(runs: Iterable[WorkflowRun]) -> list[datetime]:
    """Return when the runs looked that nobody began by hand, in order."""
    good = (run.attempt_started_at for run in runs if run.is_successful and run.is_unattended)
    return sorted(checked_at for checked_at in good if checked_at is not None)


def measure_longest_gap(
    windows: Sequence[ScheduleWindow],
    ticks: Sequence[datetime],
    check_times: Sequence[datetime],
    scope: Scope,
) -> timedelta | None:
    """Return the longest time between two looks while some were due; nights and weekends without windows are none."""
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
    """Part the ticks where they pause: for over two hours, and over twice as long as they usually do."""
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
