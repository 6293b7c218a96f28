"""Exit safety: the account and the API can trade."""

from __future__ import annotations

from datetime import datetime

from detector.domain.facts import Facts, known
from detector.domain.log_incidents import describe_span
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, rule
from detector.logs.events import MAX_NEWS_AGE
from detector.logs.outages import find_trading_blocks


@rule(
    STATE,
    "critical",
    sees=["logs"],
    severity_inputs=["broker_executions"],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    money=True,
    escalates=NOW,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """IBKR or the API accepts no orders: read-only, closing orders only, or no permission."""
    spells = find_trading_blocks(known(facts.logs))
    newest = spells[-1] if spells else None
    if newest is not None and newest.until is None and not _has_traded_since(newest.last, facts):
        yield Finding(
            CRITICAL,
            f"No order can be placed, exits included: {newest.note}, as the log said "
            f"{describe_span(newest)}.",
        )


def _has_traded_since(moment: datetime, facts: Facts) -> bool:
    """Whether the broker executed an order after that time."""
    return any(row.at is not None and row.at > moment for row in facts.broker_executions or ())
