"""Reconciliation: none is pending."""

from __future__ import annotations

from detector.domain.facts import RECONCILE_FLAGS, Facts
from detector.domain.rule import CRITICAL, STATE, Finding, Limits, RuleResults, lasts, rule
from detector.settings import ESCALATE_AFTER_SEC


@rule(
    STATE,
    "critical",
    any_of=RECONCILE_FLAGS,
    money=True,
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="reconciliation",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """One of the reconciliation flags is true."""
    for flag in RECONCILE_FLAGS:
        if getattr(facts, flag):
            yield Finding(
                CRITICAL,
                f"The runtime is not sure what it holds: {flag} is true.",
                subject=flag,
                facts=(flag,),
            )
