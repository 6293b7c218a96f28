"""Broker truth: no option turns into shares unnoticed."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, rule
from detector.formats.times import format_duration, format_utc
from detector.reconciliation.explanations import find_booking
from detector.reconciliation.position_comparison import compare_with_broker
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.working_orders import CHANGE_FACTS
from detector.settings import FOREIGN_POSITIONS


@rule(
    OCCURRENCE,
    "critical",
    sees=["broker_positions"],
    any_of=["store_positions", "open_positions"],
    severity_inputs=["orders", "broker_orders", "broker_account", *CHANGE_FACTS, "broker_bookings"],
    limits=[FOREIGN_POSITIONS],
    signal="reconciliation",
    money=True,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """An option is gone, or some of it, and as many shares moved as its exercise or assignment would move."""
    comparison = compare_with_broker(facts, limits[FOREIGN_POSITIONS])
    if comparison is None:
        return
    opens_in = facts.market.opens_in
    when = (
        ""
        if facts.market.is_open or opens_in is None
        else f"; the market opens in {format_duration(opens_in)}"
    )
    for gone, moved in comparison.assigned:
        booking = find_booking(facts, gone.instrument)
        proof = "it was exercised or assigned, as it seems"
        if booking is not None:
            booked_at = f" at {format_utc(booking.at)}" if booking.at else ""
            proof = f"the broker booked its exercise or assignment{booked_at}"
        left = describe_held(gone.broker) if gone.broker else "none of it"
        yield Finding(
            CRITICAL,
            f"{gone.name}: the runtime has {describe_held(gone.internal)} open, and the broker holds {left};"
            f" in {moved.name} the runtime is {describe_held(moved.internal)} and the broker"
            f" {describe_held(moved.broker)}: {proof}{when}.",
            subject=comparison.book.get_subject(gone.name, gone.account),
            observed=describe_held(moved.broker - moved.internal),
            facts=comparison.facts,
            at=facts.taken_at,
            ongoing=True,
        )
