"""How long nobody looked while somebody should have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final

from detector.domain.schedule_windows import UNKNOWN, ScheduleWindow, WorkflowRun, Scope

_BREAK: Final = timedelta(hours=2)


def looks_of(runs: Iterable[WorkflowRun]) -> list[datetime]:
    """Return when the runs looked that nobody began by hand, in order."""
    good = (run.attempt_started_at for run in runs if run.is_successful and run.is_unattended)
    return sorted(looked for looked in good if looked is not None)


def longest_silence(
    judged: Sequence[ScheduleWindow], ticks: Sequence[datetime], looks: Sequence[datetime], scope: Scope
) -> timedelta | None:
    """Return the longest time between two looks while some were due; nights and weekends without windows are none."""
    unknown = {one.at for one in judged if one.state == UNKNOWN}
    found: list[timedelta] = []
    for stretch in _stretches(ticks):
        start, end = stretch[0], min(stretch[-1] + scope.grace, scope.now)
        if end <= start or not unknown.isdisjoint(stretch):
            continue
        points = [start, *(look for look in looks if start < look < end), end]
        found.append(max(later - earlier for earlier, later in pairwise(points)))
    return max(found, default=None)


def _stretches(ticks: Sequence[datetime]) -> list[list[datetime]]:
    """Part the ticks where they pause: for over two hours, and over twice as long as they usually do."""
    if not ticks:
        return []
    apart = [later - earlier for earlier, later in pairwise(ticks)]
    usual = timedelta(seconds=median(one.total_seconds() for one in apart) if apart else 0)
    pause = max(_BREAK, 2 * usual)
    found = [[ticks[0]]]
    for earlier, later in pairwise(ticks):
        if later - earlier > pause:
            found.append([])
        found[-1].append(later)
    return found
