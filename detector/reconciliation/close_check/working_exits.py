"""The exits of a position that work already: at the broker and in the runtime's own list, each once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from detector.domain.broker_rows import EXIT, BrokerOrder
from detector.domain.facts import Facts
from detector.domain.instrument import to_exact_decimal, get_sign
from detector.domain.runtime_rows import Order
from detector.formats.plural import counted
from detector.reconciliation.close_check.instrument_match import alike, is_combo
from detector.reconciliation.close_check.order import CANNOT_TELL, Close, Ended

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
    held = _ids_held(close, facts)
    exits: list[Exit] = []
    for row in (*at_broker, *(facts.orders or ())):
        _ends_for_a_leg(row, held)
        for left in _exit(close, row, position):
            twin = next((i for i, (other, _) in enumerate(exits) if _is_one(other, row)), None)
            if twin is None:
                exits.append((row, left))
            else:
                exits[twin] = (exits[twin][0], max(exits[twin][1], left))
    return exits


def _runtime_is_seen(facts: Facts) -> None:
    """End where the runtime may be about to send an exit that is not listed; stuck ones may be beside the pending."""
    if facts.orders is None and facts.pending_exits is None:
        raise Ended(CANNOT_TELL, "orders", "Whether the runtime works an exit of its own was not seen.")
    if {"orders", "pending_exits", "stuck_exits"} & facts.provenance.partial or _is_misread(facts):
        raise Ended(CANNOT_TELL, "orders", "The runtime's own orders could not be read in full.")
    pending, stuck = facts.pending_exits or 0, facts.stuck_exits or 0
    if pending + stuck > len(_listed_exits(facts)):
        said = [counted(pending, "pending exit")] if pending else []
        said += [counted(stuck, "stuck exit")] if stuck else []
        raise Ended(
            CANNOT_TELL, "orders", f"The runtime has {' and '.join(said)} and does not list each of them."
        )
    if facts.send_outcome_unknown:
        raise Ended(CANNOT_TELL, "orders", "The runtime sent an order and does not know what became of it.")


def _is_misread(facts: Facts) -> bool:
    return any(
        fault.path.endswith((".pending_exits", ".stuck_exits", ".send_outcome_unknown"))
        for fault in facts.invalid
    )


def _listed_exits(facts: Facts) -> set[str]:
    """Return the working orders that the runtime itself calls exits: one that it calls nothing may be an entry."""
    return {
        order.identity
        for order in facts.orders or ()
        if (order.kind or "").strip().lower() == EXIT and not _is_over(order)
    }


def _is_over(order: Order) -> bool:
    return (order.status or "").strip().lower() in _OVER


def _ids_held(close: Close, facts: Facts) -> set[str]:
    """Return the contract ids under which what is to be closed may be held."""
    rows = [row for row in facts.broker_positions or () if alike(close.instrument, row) is not False]
    return {row.con_id for row in (close.instrument, *rows) if row.con_id is not None}


def _ends_for_a_leg(order: Order, held: set[str]) -> None:
    legs = set(order.leg_con_ids or ()) if isinstance(order, BrokerOrder) else set()
    if legs & held and not _is_over(order):
        raise _untold(order)


def _exit(close: Close, order: Order, position: Decimal) -> Iterator[Decimal]:
    """Yield what the order can still take off the position; nothing where it is over, elsewhere or adds to it."""
    fit = alike(close.instrument, order)
    if fit is False or _is_over(order):
        return
    sign = None if is_combo(order) else get_sign(order.side)  # a combo that is bought may sell a leg
    if sign is not None and (sign > 0) == (position > 0):
        return
    left = _left(order)
    if fit is None or sign is None or left is None:
        raise _untold(order)
    if left:
        yield left


def _untold(order: Order) -> Ended:
    return Ended(CANNOT_TELL, "orders", f"Whether order {order.title} exits this position cannot be told.")


def _left(order: Order) -> Decimal | None:
    """Return what the order can still fill by its quantity and its fills; None where that is not seen.

    A smaller remainder that the row gives by itself is not asked: it may be of another moment than its fills. A larger
    one contradicts them, and an order for none is one for an amount of cash (IBKR, `cashQty`).
    """
    quantity, filled = to_exact_decimal(order.quantity), to_exact_decimal(order.filled) or Decimal(0)
    if not quantity:
        return None
    left = abs(quantity) - abs(filled)
    remaining = to_exact_decimal(order.remaining) if isinstance(order, BrokerOrder) else None
    return None if left < 0 or (remaining is not None and abs(remaining) > left) else left


def _is_one(one: Order, other: Order) -> bool:
    """Whether two rows are one order: by its permanent id, else by its number and quantity, across two lists.

    A number is only its client's own, so that one of another quantity is another order.
    """
    if one.perm_id is not None and other.perm_id is not None:
        return one.perm_id == other.perm_id
    lists = {isinstance(one, BrokerOrder), isinstance(other, BrokerOrder)}
    numbered = len(lists) > 1 and one.order_id is not None and one.order_id == other.order_id
    return numbered and to_exact_decimal(one.quantity) == to_exact_decimal(other.quantity)


def may_be_of(account: str | None, wanted: str | None) -> bool:
    """Whether a row may be of that account: it is, or one of the two is not named."""
    return account is None or wanted is None or account == wanted
