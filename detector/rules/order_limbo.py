"""Orders: the broker answers what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from detector.domain.broker_rows import BrokerOrder
from detector.domain.facts import Facts
from detector.domain.log_incidents import find_orders_in_logs
from detector.domain.rule import (
    CRITICAL,
    NEVER,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    lasts,
    rule,
)
from detector.domain.runtime_rows import EXIT, Order
from detector.formats.times import format_above, format_over
from detector.logs.events import FILLED_FIRST, MAX_NEWS_AGE
from detector.reconciliation.working_orders import PURPOSE_FACTS, WorkingOrders, list_orders
from detector.settings import ESCALATE_AFTER_SEC

_WAITING_SEC, _EXIT_SEC = 60, 300  # EVENTS; IBKR answers within a second or two (ib_insync #363, #623)
_SENT, _CANCELLING = ("pendingsubmit", "apipending"), ("pendingcancel",)


@rule(
    STATE,
    "warning; critical for an exit after 5 min",
    any_of=["orders", "broker_orders", "logs"],
    severity_inputs=PURPOSE_FACTS,
    reads_back=MAX_NEWS_AGE.total_seconds(),
    signal="pending_orders",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """An order waits for the broker's answer to its sending or cancelling, or filled before its cancel."""
    waiting = {
        order.identity: order for order in reversed(list_orders(facts)) if _get_label(order) is not None
    }
    for order in list_orders(facts):
        if order.status is None:
            yield Undecided(f"the status of order {order.identity} was not seen", [order.identity])
    exits = {order.identity for order in WorkingOrders(facts).iter_exits()} if waiting else set()
    for identity, order in waiting.items():
        is_exit = order.purpose == EXIT or identity in exits
        yield from _judge_order(order, _find_since(order), facts, is_exit=is_exit)
    yield from find_orders_in_logs(facts, FILLED_FIRST, "a fill came before the cancel of", WARNING)


def _judge_order(order: Order, since: datetime | None, facts: Facts, *, is_exit: bool) -> Iterator[Finding]:
    age = None if since is None else facts.age_of(since)
    if age is not None and age <= _WAITING_SEC:
        return
    is_late = is_exit and age is not None and age > _EXIT_SEC
    yield Finding(
        CRITICAL if is_late else WARNING,
        f"{'Exit order' if is_exit else 'Order'} {order.title} "
        + (
            f"is {order.status} and has not been answered."
            if age is None
            else f"has been {order.status} for {format_above(age, _WAITING_SEC)}"
            f" ({format_over(_WAITING_SEC)})."
        ),
        subject=order.identity,
        observed=age,
        facts=("orders", "broker_orders"),
        proven_sec=None if age is None else age - _WAITING_SEC,
        listed_after=lasts(_WAITING_SEC) if age is None else NEVER,
        critical_after=lasts(_EXIT_SEC) if is_exit and age is None else NEVER,
        escalates=lasts(ESCALATE_AFTER_SEC) if is_exit else NEVER,
    )


def _find_since(order: Order) -> datetime | None:
    """Return since when it has its status; of a cancel the time of the order shows nothing."""
    since = order.status_at if isinstance(order, BrokerOrder) else None
    return since or (order.submitted_at if _get_label(order) in _SENT else None)


def _get_label(order: Order) -> str | None:
    """Return the status of an order that waits for an answer, else None."""
    label = "".join(letter for letter in (order.status or "").lower() if letter.isalpha())
    return label if label in (*_SENT, *_CANCELLING) and not order.parked else None
