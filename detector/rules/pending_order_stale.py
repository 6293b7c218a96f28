"""Pending orders: no order stays pending too long."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    CRITICAL,
    NEVER,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    exceeds,
    lasts,
    rule,
)
from detector.domain.runtime_rows import Order
from detector.formats.numbers import format_count
from detector.formats.times import format_above, format_over
from detector.reconciliation.working_orders import PURPOSE_FACTS, WorkingOrders
from detector.settings import ESCALATE_AFTER_SEC, PENDING_ORDER_STALE_SEC

_UNLISTED = lasts(1800, observations=3)  # EVENTS: three observations in a row that span 1800 s


@rule(
    STATE,
    "warning; an exit order critical beyond twice the limit",
    any_of=["orders", "pending_orders"],
    severity_inputs=["broker_orders", *PURPOSE_FACTS],
    limits=[exceeds(PENDING_ORDER_STALE_SEC)],
    signal="pending_orders",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A working order is older than it may be."""
    if facts.orders is None:
        if known(facts.pending_orders) > 0:
            yield Finding(
                WARNING,
                f"{format_count(known(facts.pending_orders), 'order stays', 'orders stay')} pending, "
                "and no list says which or since when.",
                observed=facts.pending_orders,
                facts=("pending_orders",),
                listed_after=_UNLISTED,
            )
        return
    old: list[tuple[Order, float]] = []
    for order in facts.orders:
        if not order.is_working or order.is_resting:
            continue
        if order.submitted_at is None:
            yield Undecided(f"the age of order {order.identity} was not seen", [order.identity])
        else:
            age = facts.age_of(order.submitted_at)
            if limits.is_broken(PENDING_ORDER_STALE_SEC, age):
                old.append((order, age))
    if old:
        orders = WorkingOrders(facts)
        yield from (_describe_order(*entry, limits, is_exit=orders.is_exit(entry[0])) for entry in old)


def _describe_order(order: Order, age: float, limits: Limits, *, is_exit: bool) -> Finding:
    limit = limits[PENDING_ORDER_STALE_SEC]
    return Finding(
        CRITICAL if is_exit and age > 2 * limit else WARNING,
        f"{(order.kind or '').capitalize() or 'Working'} order {order.title} is"
        f" {format_above(age, limit)} old ({format_over(limit)}).",
        subject=order.identity,
        observed=age,
        limit=PENDING_ORDER_STALE_SEC,
        facts=("orders",),
        proven_sec=age - limit,
        escalates=lasts(ESCALATE_AFTER_SEC) if is_exit else NEVER,
    )
