"""Runtime: tasks do not stop by themselves again and again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.domain.task_rows import Task
from detector.formats.times import format_duration
from detector.settings import RESTART_CRITICAL, RESTART_WINDOW_SEC

# Amazon ECS API reference, Task.stopCode.
_BY_ITSELF_CODES = ("EssentialContainerExited", "TaskFailedToStart", "SpotInterruption")


@rule(
    OCCURRENCE,
    "critical",
    any_of=["stopped_tasks", "tasks", "service"],
    limits=[reaches(RESTART_CRITICAL), RESTART_WINDOW_SEC],
    lookback=RESTART_WINDOW_SEC,
    escalates=NOW,
    signal="runtime_primary",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Tasks stopped by themselves too often within the window, or ECS says that it cannot start them."""
    window_sec = limits[RESTART_WINDOW_SEC]
    stops = sorted(at for at in _iter_stops(facts) if facts.age_of(at) <= window_sec)
    if limits.is_broken(RESTART_CRITICAL, len(stops)):
        yield Finding(
            CRITICAL,
            f"{len(stops)} tasks stopped by themselves within {format_duration(window_sec)}"
            f" (limit {limits[RESTART_CRITICAL]}).",
            observed=len(stops),
            limit=RESTART_CRITICAL,
            at=stops[-1],
        )
    elif facts.service and facts.service.start_failures_at:
        at = facts.service.start_failures_at
        if facts.age_of(at) <= window_sec:
            yield Finding(
                CRITICAL,
                f"ECS said {format_duration(facts.age_of(at))} ago that the service cannot"
                " consistently start tasks.",
                at=at,
            )


def _iter_stops(facts: Facts) -> Iterator[datetime]:
    tasks = (*(facts.tasks or ()), *(facts.stopped_tasks or ()))
    tasks_by_id = {task.task_id or str(index): task for index, task in enumerate(tasks)}
    for task in tasks_by_id.values():
        if task.stopped_at is not None and task.of_service is not False and _has_stopped_by_itself(task):
            yield task.stopped_at


def _has_stopped_by_itself(task: Task) -> bool:
    reason = (task.stopped_reason or "").lower()
    if task.stop_code is None:
        return "essential container" in reason
    return task.stop_code in _BY_ITSELF_CODES or (
        task.stop_code == "ServiceSchedulerInitiated" and "health check" in reason
    )
