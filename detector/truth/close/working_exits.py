"""The exits of a position that work already: at the broker and in the runtime's own list, each once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from detector.model.broker_rows import BrokerOrder
from detector.model.facts import Facts
from detector.model.instrument import exact, sign_of
from detector.model.rows import Order
from detector.model.words import counted
from detector.truth.close.close_order import CANNOT_TELL, Close, Ended
from detector.truth.close.likeness import alike

Exit = tuple[Order, Decimal]
# Only these are over for certain: an inactive order may be waiting for shares to borrow (IBKR, `whyHeld`).
_OVER = ("filled", "cancelled", "apicancelled")


def exits_of(
    close: Close, facts: Facts, account: str | None, position: Decimal, asks_runtime: bool
) -> list[Exit]:
    """Return the exits that work at the broker or in the runtime's own list, each once, with what they can fill."""
    if facts.broker_orders is None:
        raise Ended(CANNOT_TELL, "orders", "The orders that work at the broker were not seen.")
    if asks_runtime:
        _runtime_is_seen(facts)
    at_broker = [row for row in facts.broker_orders if may_be_of(row.account, account)]
    exits: list[Exit] = []
    for row in (*at_broker, *(facts.orders or ())):
        for left in _exit(close, row, position):
            twin = next((i for i, (other, _) in enumerate(exits) if _is_one(other, row)), None)
            if twin is None:
                exits.append((row, left))
            else:
                exits[twin] = (exits[twin][0], max(exits[twin][1], left))
    return exits


def _runtime_is_seen(facts: Facts) -> None:
    """End where the runtime may be about to send an exit that is not listed."""
    working = sum(order.is_working for order in facts.orders or ())
    if facts.orders is None and facts.pending_exits is None:
        raise Ended(CANNOT_TELL, "orders", "Whether the runtime works an exit of its own was not seen.")
    if (facts.pending_exits or 0) > working:
        said = counted(facts.pending_exits or 0, "pending exit")
        raise Ended(CANNOT_TELL, "orders", f"The runtime has {said} and does not list of what.")
    if {"orders", "pending_exits"} & facts.provenance.partial:
        raise Ended(CANNOT_TELL, "orders", "The runtime's own orders could not be read in full.")
    if facts.send_outcome_unknown:
        raise Ended(CANNOT_TELL, "orders", "The runtime sent an order and does not know what became of it.")


def _exit(close: Close, order: Order, position: Decimal) -> Iterator[Decimal]:
    """Yield what the order can still take off the position; nothing where it is over, elsewhere or adds to it."""
    fit = alike(close.instrument, order)
    if fit is False or (order.status or "").strip().lower() in _OVER:
        return
    sign = sign_of(order.side)
    if sign is not None and (sign > 0) == (position > 0):
        return
    left = _left(order)
    if fit is None or sign is None or left is None:
        raise Ended(CANNOT_TELL, "orders", f"Whether order {order.title} exits this position cannot be told.")
    if left:
        yield left


def _left(order: Order) -> Decimal | None:
    """Return what the order can still fill by its quantity and its fills; None where that is not seen.

    A remainder that the row gives by itself is not asked: it may be of another moment than its fills.
    """
    quantity, filled = exact(order.quantity), exact(order.filled) or Decimal(0)
    left = None if quantity is None else abs(quantity) - abs(filled)
    return left if left is None or left >= 0 else None


def _is_one(one: Order, other: Order) -> bool:
    """Whether two rows are one order: by its permanent id, else by its number, which only two lists may share."""
    if one.perm_id is not None and other.perm_id is not None:
        return one.perm_id == other.perm_id
    lists = {isinstance(one, BrokerOrder), isinstance(other, BrokerOrder)}
    return len(lists) > 1 and one.order_id is not None and one.order_id == other.order_id


def may_be_of(account: str | None, wanted: str | None) -> bool:
    """Whether a row may be of that account: it is, or one of the two is not named."""
    return account is None or wanted is None or account == wanted
