"""Gateway: the gateway container of the runtime task runs and is healthy."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    CRITICAL,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    exceeds,
    lasts,
    rule,
)
from detector.domain.task_rows import Task
from detector.formats.times import format_above, format_over
from detector.settings import ESCALATE_AFTER_SEC, GATEWAY_CONTAINER, START_GRACE_SEC, TRADER_CONTAINER


@rule(
    STATE,
    "critical; warning while its health is unknown past the start grace",
    sees=["tasks"],
    limits=[exceeds(START_GRACE_SEC), GATEWAY_CONTAINER, TRADER_CONTAINER],
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="gateway",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The gateway's container of a running runtime task is absent, not running or not healthy."""
    runtime = [
        task
        for task in known(facts.tasks)
        if task.last_status == "RUNNING" and task.find_container(limits[TRADER_CONTAINER])
    ]
    if not runtime:
        yield Undecided("no runtime task is running")
    for task in runtime:
        yield from _judge_task(task, facts, limits)


def _judge_task(task: Task, facts: Facts, limits: Limits) -> RuleResults:
    name = limits[GATEWAY_CONTAINER]
    gateway = task.find_container(name)
    if gateway is None and not task.all_named:
        yield Undecided("the name of a container was not seen")
    elif gateway is None:
        yield Finding(CRITICAL, f"Task {task.short_id} runs without its container {name}.")
    elif gateway.last_status is None:
        yield Undecided(f"the status of {name} was not seen")
    elif gateway.last_status != "RUNNING":
        yield Finding(CRITICAL, f"Container {name} is {gateway.last_status}, not RUNNING.")
    elif gateway.health == "UNHEALTHY":
        yield Finding(CRITICAL, f"Container {name} is RUNNING and UNHEALTHY.")
    elif gateway.health != "HEALTHY":
        yield from _judge_unknown_health(task, facts, limits)


def _judge_unknown_health(task: Task, facts: Facts, limits: Limits) -> RuleResults:
    name, limit, started = (
        limits[GATEWAY_CONTAINER],
        limits[START_GRACE_SEC],
        task.started_at or task.created_at,
    )
    age = None if started is None else facts.age_of(started)
    if age is not None and limits.is_broken(START_GRACE_SEC, age):
        yield Finding(
            WARNING,
            f"The health of {name} is still unknown {format_above(age, limit)} after its task started "
            f"({format_over(limit)}).",
            observed=age,
            limit=START_GRACE_SEC,
        )
    else:
        yield Undecided(f"the health of {name} is not known yet")
