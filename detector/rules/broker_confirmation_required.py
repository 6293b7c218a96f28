"""Exit safety: no order waits for the broker's confirmation."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, rule


@rule(
    STATE, "critical", sees=["broker_confirmation_required"], money=True, escalates=NOW, signal="exit_safety"
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The runtime cannot go on without the broker's confirmation."""
    if known(facts.broker_confirmation_required):
        yield Finding(CRITICAL, "The runtime requires the broker's confirmation of an order.")
