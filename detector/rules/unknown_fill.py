"""Exit safety: every fill belongs to a known order."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.log_incidents import find_orders_in_logs
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, rule
from detector.formats.numbers import format_count
from detector.logs.events import MAX_NEWS_AGE, UNKNOWN_FILL


@rule(
    STATE,
    "critical",
    any_of=["unknown_fills", "logs"],
    money=True,
    escalates=NOW,
    reads_back=MAX_NEWS_AGE.total_seconds(),
    signal="exit_safety",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The broker filled something that the runtime does not know, as the runtime or its log says."""
    count = facts.unknown_fills
    if count:
        yield Finding(
            CRITICAL,
            f"{format_count(count, 'fill belongs', 'fills belong')} to no known order.",
            observed=count,
            facts=("unknown_fills",),
        )
    yield from find_orders_in_logs(facts, UNKNOWN_FILL, "the runtime cannot assign a fill of")
