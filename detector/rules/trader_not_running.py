"""Gateway: the trader container of the service's task runs."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, STATE, Finding, Limits, RuleResults, Undecided, lasts, rule
from detector.settings import ESCALATE_AFTER_SEC, TRADER_CONTAINER


@rule(
    STATE,
    "critical",
    sees=["tasks"],
    limits=[TRADER_CONTAINER],
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="gateway",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The trader's container of a running task of the service is absent or not running."""
    name = limits[TRADER_CONTAINER]
    running = [
        task for task in known(facts.tasks) if task.last_status == "RUNNING" and task.of_service is not False
    ]
    if not running:
        yield Undecided("no task of the service is running")
    for task in running:
        trader = task.find_container(name)
        if (trader is None and not task.all_named) or (trader is not None and trader.last_status is None):
            yield Undecided(f"the status of {name} was not seen")
        elif trader is None and task.of_service:
            yield Finding(CRITICAL, f"Task {task.short_id} of the service runs without its container {name}.")
        elif trader is not None and trader.last_status != "RUNNING":
            yield Finding(CRITICAL, f"Container {name} is {trader.last_status}, not RUNNING.")
