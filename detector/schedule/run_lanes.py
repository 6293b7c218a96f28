"""Whose run it is: the lane that its title names and its event begins, or none."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from detector.domain.schedule_windows import SCHEDULE, TRIGGER_EVENTS, Lane, WorkflowRun
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import NEVER

_NAMES_A_CRON: Final = re.compile(rf"(?:^|\| ){SCHEDULE} \S")


def assign_runs(
    lanes: Sequence[Lane], runs: Iterable[WorkflowRun], ticks: Mapping[str, Sequence[datetime]], title: str
) -> tuple[dict[str, tuple[WorkflowRun, ...]], dict[str, int]]:
    """Give each run to the lane that its whole title names and that its event begins.

    A scheduled run whose title names no lane, as before there was a run-name, is that of the nearest tick.
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
    """Return the lane that was due last before the run; where none was, the first one."""

    def get_last_due(lane: Lane) -> datetime:
        index = bisect_right(ticks[lane.name], run.created_at)
        return ticks[lane.name][index - 1] if index else NEVER

    return max(lanes, key=get_last_due, default=None)
