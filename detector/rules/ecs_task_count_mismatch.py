"""Runtime: exactly one runtime task runs in the whole cluster."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.formats.numbers import format_count
from detector.settings import EXPECTED_TASKS, TRADER_CONTAINER


@rule(
    STATE,
    "critical",
    sees=["tasks"],
    severity_inputs=["service"],
    limits=[EXPECTED_TASKS, TRADER_CONTAINER],
    money=True,
    escalates=NOW,
    signal="runtime_primary",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """More runtime tasks run in the cluster than expected, or fewer than the service says."""
    expected = limits[EXPECTED_TASKS]
    running = [task for task in known(facts.tasks) if task.last_status == "RUNNING"]
    runtime = [task for task in running if task.find_container(limits[TRADER_CONTAINER])]
    unclear = [task for task in running if not task.all_named]
    unclear += [task for task in known(facts.tasks) if task.last_status is None]
    count = len(runtime)
    draining = sum(task.desired_status == "STOPPED" for task in runtime)
    draining_note = f", {draining} of them draining" if draining else ""
    if count > expected:
        yield Finding(
            CRITICAL,
            f"{count} runtime tasks run in the cluster{draining_note} (expected {expected}):"
            " they may trade twice.",
            observed=count,
            limit=EXPECTED_TASKS,
        )
    elif unclear:
        yield Undecided("the containers or the status of a task were not seen")
    elif count < expected and _is_unreported_by_service(facts, expected):
        yield Finding(
            CRITICAL,
            f"{format_count(count, 'runtime task runs', 'runtime tasks run')} in the"
            f" cluster{draining_note} (expected {expected}).",
            observed=count,
            limit=EXPECTED_TASKS,
            cause="no runtime task" if count == 0 else None,
        )


def _is_unreported_by_service(facts: Facts, expected: int) -> bool:
    service = facts.service
    return service is None or (service.running == expected and service.pending == 0)
