"""Exit safety: the outcome of every send is known."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.log_incidents import find_orders_in_logs
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, rule
from detector.formats.numbers import format_count
from detector.logs.events import MAX_NEWS_AGE, OUTCOME_UNKNOWN


@rule(
    STATE,
    "critical",
    any_of=["send_outcome_unknown", "logs"],
    money=True,
    escalates=NOW,
    reads_back=MAX_NEWS_AGE.total_seconds(),
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """An order was sent and nobody knows what became of it, as the runtime or its log says."""
    count = facts.send_outcome_unknown
    if count:
        yield Finding(
            CRITICAL,
            f"The outcome of {format_count(count, 'sent order')} is unknown.",
            observed=count,
            facts=("send_outcome_unknown",),
        )
    yield from find_orders_in_logs(facts, OUTCOME_UNKNOWN, "nobody knows the outcome of sending")
