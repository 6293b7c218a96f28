"""Pending orders: orders do not build up."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    AS_DECLARED,
    CRITICAL,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    lasts,
    reaches,
    rule,
)
from detector.formats.numbers import format_count
from detector.settings import (
    ESCALATE_AFTER_SEC,
    PENDING_ORDER_CRITICAL,
    PENDING_ORDER_PERSIST_SEC,
    PENDING_ORDER_WARN,
)

# EVENTS: a warning escalates too, once the buildup has not cleared for so long.
_BUILDUP = lasts(PENDING_ORDER_PERSIST_SEC)


@rule(
    STATE,
    "warning / critical",
    sees=["pending_orders"],
    limits=[reaches(PENDING_ORDER_WARN), reaches(PENDING_ORDER_CRITICAL)],
    escalates=lasts(ESCALATE_AFTER_SEC, at=CRITICAL),
    signal="pending_orders",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """More orders are pending than the normal single entry order."""
    count = known(facts.pending_orders)
    for setting, severity in ((PENDING_ORDER_CRITICAL, CRITICAL), (PENDING_ORDER_WARN, WARNING)):
        if limits.is_broken(setting, count):
            yield Finding(
                severity,
                f"{format_count(count, 'order is', 'orders are')} pending ({severity} at {limits[setting]}).",
                observed=count,
                limit=setting,
                escalates=_BUILDUP if severity == WARNING else AS_DECLARED,
            )
            return
