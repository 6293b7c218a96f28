"""Local runtime: the processes that must run are running."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    CRITICAL,
    OUTSIDE_RESTART,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    lasts,
    rule,
)
from detector.settings import ESCALATE_AFTER_SEC


@rule(
    STATE,
    "critical in the regular session, else warning",
    sees=["processes"],
    during=OUTSIDE_RESTART,
    escalates=lasts(ESCALATE_AFTER_SEC),
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A process that must run is not running."""
    expected, seen = facts.expected_processes, set()
    for process in known(facts.processes):
        name = process.name
        if name is None or (expected and name not in expected):
            continue
        seen.add(name)
        if process.running is None:
            yield Undecided(f"whether {name} runs was not seen", [name])
        elif not process.running:
            code = process.exit_code
            ended = "" if code is None else f" (signal {-code})" if code < 0 else f" (exit code {code})"
            yield Finding(
                WARNING if facts.market.is_open is False else CRITICAL,
                f"Process {name} is not running{ended}.",
                subject=name,
                observed=code,
            )
    for name in expected:
        if name not in seen:
            yield Undecided(f"process {name} was not listed", [name])
