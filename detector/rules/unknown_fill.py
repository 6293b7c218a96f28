"""Exit safety: every fill belongs to a known order."""

from __future__ import annotations

from detector.model.facts import Facts, known
from detector.model.rule import CRITICAL, NOW, STATE, Finding, Limits, Verdicts, rule
from detector.model.words import counted


@rule(STATE, "critical", sees=["unknown_fills"], money=True, escalates=NOW)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """The broker filled something that the runtime does not know."""
    count = known(facts.unknown_fills)
    if count > 0:
        yield Finding(
            CRITICAL, f"{counted(count, 'fill belongs', 'fills belong')} to no known order.", observed=count
        )
