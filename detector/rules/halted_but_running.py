"""Local runtime: a halt of trading is noticed while the runtime runs on."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, RTH, STATE, Finding, Lasts, Limits, RuleResults, Undecided, rule
from detector.settings import HEARTBEAT_STALE_SEC, TRADER_CONTAINER

_ESCALATES_AFTER_SEC = 1800  # EVENTS.md: a halt that a person set is lifted within half an hour
_SIGNS = ("heartbeat_at", "tasks", "processes")


@rule(
    STATE,
    "critical",
    sees=["trading_halted"],
    severity_inputs=list(_SIGNS),
    during=RTH,
    limits=[HEARTBEAT_STALE_SEC, TRADER_CONTAINER],
    escalates=Lasts(seconds=_ESCALATES_AFTER_SEC),
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Trading is halted by the runtime's own switch while the runtime runs in the regular session."""
    if not known(facts.trading_halted):
        return
    signs = tuple(_iter_signs_of_life(facts, limits))
    if signs:
        yield Finding(
            CRITICAL,
            "Trading is halted by the runtime's own switch while the runtime runs: it looks alive and does"
            " not trade.",
            facts=("trading_halted", *signs),
        )
    else:
        yield Undecided("trading is halted, and whether the runtime runs was not seen")


def _iter_signs_of_life(facts: Facts, limits: Limits) -> Iterator[str]:
    if facts.heartbeat_at is not None and facts.age_of(facts.heartbeat_at) <= limits[HEARTBEAT_STALE_SEC]:
        yield "heartbeat_at"
    for task in facts.tasks or ():
        if task.last_status == "RUNNING" and task.find_container(limits[TRADER_CONTAINER]):
            yield "tasks"
            break
    if any(process.running for process in facts.processes or ()):
        yield "processes"
