"""Exit safety: the outcome of every send is known."""

from __future__ import annotations

from detector.model.facts import Facts, known
from detector.model.rule import CRITICAL, NOW, STATE, Finding, Limits, Verdicts, rule


@rule(STATE, "critical", sees=["send_outcome_unknown"], money=True, escalates=NOW)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """An order was sent and nobody knows what became of it."""
    count = known(facts.send_outcome_unknown)
    if count > 0:
        yield Finding(CRITICAL, f"The outcome of {count} sent orders is unknown.", observed=count)
