"""The exits of a position that work already: at the broker and in the runtime's own list, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from detector.domain.broker_rows import EXIT, BrokerOrder, Execution
from detector.domain.facts import Facts
from detector.domain.instrument import get_sign, to_exact_decimal
from detector.domain.runtime_rows import Order
from detector.formats.plural import format_count
from detector.formats.times import format_time
from detector.reconciliation.close_check.close_order import (
    CANNOT_TELL,
    CloseOrder,
    EarlyVerdict,
    match_instrument,
)
from detector.reconciliation.position_pairs import can_be_in_account
from detector.reconciliation.working_orders import is_combo

_RESOLUTION = timedelta(seconds=1)  # TWS gives the time of an execution in whole seconds, cut off
WorkingExit = tuple[Order, Decimal]
# Only these are over for certain: an inactive order may be waiting for shares to borrow (IBKR, `whyHeld`).
_FINAL_STATUSES = ("filled", "cancelled", "apicancelled")


def list_working_exits(
    close: CloseOrder, facts: Facts, account: str | None, position: Decimal, requires_runtime: bool
) -> list[WorkingExit]:
    """Return the exits that work at the broker or in the runtime's own list, each once, with what they can fill."""
    if facts.broker_orders is None:
        raise EarlyVerdict(CANNOT_TELL, "orders", "The orders that work at the broker were not seen.")
    if requires_runtime:
        _check_runtime_orders(facts)
    at_broker = [row for row in facts.broker_orders if can_be_in_account(row.account, account)]
    con_ids = _collect_con_ids(close, facts)
    exits: list[WorkingExit] = []
    for row in (*at_broker, *(facts.orders or ())):
        _check_combo_legs(row, con_ids)
        for left in _iter_exit_quantity(close, row, position):
            twin = next((i for i, (order, _) in enumerate(exits) if _is_same_order(order, row)), None)
            if twin is None:
                exits.append((row, left))
            else:
                exits[twin] = (exits[twin][0], max(exits[twin][1], left))
    return exits


def _check_runtime_orders(facts: Facts) -> None:
    """End where the runtime may be about to send an exit that is not listed; stuck ones may be beside the pending."""
    if facts.orders is None and facts.pending_exits is None:
        raise EarlyVerdict(
            CANNOT_TELL, "orders", "Whether the runtime works an exit of its own was not seen."
        )
    if {"orders", "pending_exits", "stuck_exits"} & facts.provenance.partial or _is_misread(facts):
        raise EarlyVerdict(CANNOT_TELL, "orders", "The runtime's own orders could not be read in full.")
    pending, stuck = facts.pending_exits or 0, facts.stuck_exits or 0
    if pending + stuck > len(_collect_listed_exits(facts)):
        counts = [format_count(pending, "pending exit")] if pending else []
        counts += [format_count(stuck, "stuck exit")] if stuck else []
        raise EarlyVerdict(
            CANNOT_TELL, "orders", f"The runtime has {' and '.join(counts)} and does not list each of them."
        )
    if facts.send_outcome_unknown:
        raise EarlyVerdict(
            CANNOT_TELL, "orders", "The runtime sent an order and does not know what became of it."
        )


def _is_misread(facts: Facts) -> bool:
    return any(
        fault.path.endswith((".pending_exits", ".stuck_exits", ".send_outcome_unknown"))
        for fault in facts.invalid
    )


def _collect_listed_exits(facts: Facts) -> set[str]:
    """Return the working orders that the runtime itself calls exits: one that it calls nothing may be an entry."""
    return {
        order.identity
        for order in facts.orders or ()
        if (order.kind or "").strip().lower() == EXIT and not _is_final(order)
    }


def _is_final(order: Order) -> bool:
    return (order.status or "").strip().lower() in _FINAL_STATUSES


def _collect_con_ids(close: CloseOrder, facts: Facts) -> set[str]:
    """Return the contract ids under which what is to be closed may be held."""
    rows = [
        row for row in facts.broker_positions or () if match_instrument(close.instrument, row) is not False
    ]
    return {row.con_id for row in (close.instrument, *rows) if row.con_id is not None}


def _check_combo_legs(order: Order, con_ids: set[str]) -> None:
    legs = set(order.leg_con_ids or ()) if isinstance(order, BrokerOrder) else set()
    if legs & con_ids and not _is_final(order):
        raise _build_unclear_order(order)


def _iter_exit_quantity(close: CloseOrder, order: Order, position: Decimal) -> Iterator[Decimal]:
    """Yield what the order can still take off the position; nothing where it is over, elsewhere or adds to it."""
    fit = match_instrument(close.instrument, order)
    if fit is False or _is_final(order):
        return
    sign = None if is_combo(order) else get_sign(order.side)  # a combo that is bought may sell a leg
    if sign is not None and (sign > 0) == (position > 0):
        return
    left = _compute_remaining(order)
    if fit is None or sign is None or left is None:
        raise _build_unclear_order(order)
    if left:
        yield left


def _build_unclear_order(order: Order) -> EarlyVerdict:
    return EarlyVerdict(
        CANNOT_TELL, "orders", f"Whether order {order.title} exits this position cannot be told."
    )


def _compute_remaining(order: Order) -> Decimal | None:
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


def _is_same_order(first: Order, second: Order) -> bool:
    """Whether two rows are one order: by its permanent id, else by its number and quantity, across two lists.

    A number is only its client's own, so that one of another quantity is another order.
    """
    if first.perm_id is not None and second.perm_id is not None:
        return first.perm_id == second.perm_id
    lists = {isinstance(first, BrokerOrder), isinstance(second, BrokerOrder)}
    numbered = len(lists) > 1 and first.order_id is not None and first.order_id == second.order_id
    return numbered and to_exact_decimal(first.quantity) == to_exact_decimal(second.quantity)


def check_no_execution_since(order: CloseOrder, facts: Facts, account: str | None) -> None:
    """End where the broker lists an execution that its positions may not hold yet."""
    for execution in facts.broker_executions or ():
        if (
            not can_be_in_account(execution.account, account)
            or match_instrument(order.instrument, execution) is False
        ):
            continue
        if _is_before(execution, facts):
            continue
        when = "at a time that was not seen" if execution.at is None else f"at {format_time(execution.at)}"
        raise EarlyVerdict(
            CANNOT_TELL,
            "moved",
            f"Execution {execution.title} {when} may have changed the position since it was read.",
        )


def _is_before(execution: Execution, facts: Facts) -> bool:
    if execution.at is None or facts.broker_as_of is None:
        return False
    return facts.broker_as_of - execution.at >= _RESOLUTION
