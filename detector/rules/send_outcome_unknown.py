"""Exit safety: the outcome of every send is known."""

from __future__ import annotations

from detector.model.facts import Facts, known
from detector.model.rule import CRITICAL, NOW, STATE, Finding, Limits, Verdicts, rule
from detector.model.words import counted


@rule(STATE, "critical", sees=["send_outcome_unknown"], money=True, escalates=NOW)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """An order was sent and nobody knows what became of it."""
    count = known(facts.send_outcome_unknown)
    if count > 0:
        yield Finding(CRITICAL, f"The outcome of {counted(count, 'sent order')} is unknown.", observed=count)
