"""Exit safety: exits finish."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import STATE, WARNING, Finding, Limits, RuleResults, lasts, rule
from detector.domain.runtime_rows import EXIT
from detector.formats.numbers import format_count
from detector.formats.times import format_duration, format_exactly
from detector.settings import PENDING_EXIT_PERSIST_SEC, PENDING_ORDER_STALE_SEC


@rule(
    STATE,
    "warning; critical once it lasted",
    sees=["pending_exits"],
    severity_inputs=["orders"],
    limits=[PENDING_EXIT_PERSIST_SEC, PENDING_ORDER_STALE_SEC],
    confirm=True,
    critical_after=lasts(PENDING_EXIT_PERSIST_SEC),
    signal="exit_safety",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Exits were sent and are not done."""
    count = known(facts.pending_exits)
    if count == 0:
        return
    age = _compute_oldest_exit_age(facts)
    age_note = f", the oldest {format_duration(age)} old" if age is not None else ""
    yield Finding(
        WARNING,
        f"{format_count(count, 'exit is', 'exits are')} pending{age_note} (critical after"
        f" {format_exactly(limits[PENDING_EXIT_PERSIST_SEC])}).",
        observed=count,
        proven_sec=age,
        confirmed=age is not None and age > limits[PENDING_ORDER_STALE_SEC],
    )


def _compute_oldest_exit_age(facts: Facts) -> float | None:
    ages = [
        facts.age_of(order.submitted_at)
        for order in facts.orders or ()
        if order.purpose == EXIT
        and order.is_working
        and not order.is_resting
        and order.submitted_at is not None
    ]
    return max(ages, default=None)
