"""Exit safety: no exit is stuck."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, rule
from detector.formats.numbers import format_count


@rule(STATE, "critical", sees=["stuck_exits"], money=True, escalates=NOW, signal="exit_safety")
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The runtime itself calls an exit stuck."""
    count = known(facts.stuck_exits)
    if count > 0:
        yield Finding(CRITICAL, f"{format_count(count, 'exit is', 'exits are')} stuck.", observed=count)
