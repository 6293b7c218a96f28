"""Runtime: tasks do not stop by themselves again and again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.domain.task_rows import Task
from detector.formats.numbers import format_count
from detector.formats.patterns import build_pattern
from detector.formats.times import format_duration
from detector.settings import RESTART_CRITICAL, RESTART_WINDOW_SEC

# Amazon ECS API reference, Task.stopCode.
_BY_ITSELF_CODES = (
    "EssentialContainerExited",
    "TaskFailedToStart",
    "SpotInterruption",
    "TerminationNotice",
    "InfrastructureHealth",
)
_MOST_ENDS = 3
# A stop without a code, by its reason: Amazon ECS developer guide, stopped task error messages.
_FAILED_CHECKS = "health check"
_BY_ITSELF_REASONS = (
    "essential container", "host ec2 (", "outofmemory", "spot task was interrupted", _FAILED_CHECKS
)  # fmt: skip
_ERROR_NAME: Final = build_pattern(r"\w{3,60}error\b")  # OutOfMemoryError, CannotPullContainerError, …
_ON_PURPOSE_REASONS = (
    "deployment",
    "scaling activity",
    "scale",
    "by user",
    "user initiated",
    "task stopped by",
)


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
    stops = [task for task in _list_stops(facts) if facts.age_of(known(task.stopped_at)) <= window_sec]
    if limits.is_broken(RESTART_CRITICAL, len(stops)):
        yield Finding(
            CRITICAL,
            f"{format_count(len(stops), 'task')} stopped by {'itself' if len(stops) == 1 else 'themselves'}"
            f" within {format_duration(window_sec)}"
            f"{_describe_ends(stops)} (critical at {limits[RESTART_CRITICAL]}).",
            observed=len(stops),
            limit=RESTART_CRITICAL,
            at=max(known(task.stopped_at) for task in stops),
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


def _list_stops(facts: Facts) -> list[Task]:
    """Return the stops, each task once; its events from before its stop know no time of it."""
    tasks = [
        task for task in (*(facts.tasks or ()), *(facts.stopped_tasks or ())) if task.stopped_at is not None
    ]
    stops_by_id = {task.task_id or str(index): task for index, task in enumerate(tasks)}
    return [
        task for task in stops_by_id.values() if task.of_service is not False and _has_stopped_by_itself(task)
    ]


def _has_stopped_by_itself(task: Task) -> bool:
    reason = (task.stopped_reason or "").lower()
    if task.stop_code is not None:
        return task.stop_code in _BY_ITSELF_CODES or (
            task.stop_code == "ServiceSchedulerInitiated" and _FAILED_CHECKS in reason
        )
    if any(words in reason for words in _ON_PURPOSE_REASONS):
        return False
    reasons = (reason, *((container.reason or "").lower() for container in task.containers or ()))
    has_exit_code = any(container.exit_code is not None for container in task.containers or ())
    return has_exit_code or any(
        _ERROR_NAME.match(text) or any(words in text for words in _BY_ITSELF_REASONS) for text in reasons
    )


def _describe_ends(stops: Iterable[Task]) -> str:
    """Return how their containers ended, as a part of the sentence."""
    ends = dict.fromkeys(
        " ".join(
            part for part in (f"exit {container.exit_code}", (container.reason or "").split(":")[0]) if part
        )
        for task in stops
        for container in task.containers or ()
        if container.exit_code is not None
    )
    return f" ({', '.join(list(ends)[:_MOST_ENDS])})" if ends else ""
