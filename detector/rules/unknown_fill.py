"""Exit safety: every fill belongs to a known order."""

from __future__ import annotations

from detector.model.facts import Facts, known
from detector.model.rule import CRITICAL, NOW, STATE, Finding, Limits, Verdicts, rule


@rule(STATE, "critical", sees=["unknown_fills"], money=True, escalates=NOW)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """The broker filled something that the runtime does not know."""
    count = known(facts.unknown_fills)
    if count > 0:
        yield Finding(CRITICAL, f"{count} fills belong to no known order.", observed=count)
