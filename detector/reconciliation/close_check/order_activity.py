"""What else changes a position that `verdict` decides on: working exits, and executions after it was read."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from detector.domain.broker_rows import BrokerOrder, Execution
from detector.domain.facts import Facts
from detector.domain.instrument_names import get_sign
from detector.domain.runtime_rows import EXIT, Order
from detector.formats.numbers import format_count, to_exact_decimal
from detector.formats.times import format_time
from detector.reconciliation.close_check.close_order import (
    CloseOrder,
    CloseVerdict,
    build_unknown_verdict,
    match_instrument,
)
from detector.reconciliation.position_pairs import can_be_in_account
from detector.reconciliation.working_orders import is_combo

_RESOLUTION = timedelta(seconds=1)  # TWS gives the time of an execution in whole seconds, cut off
WorkingExit = tuple[Order, Decimal]
# Only these are certainly final: an inactive order may be waiting for shares to borrow (IBKR, `whyHeld`).
_FINAL_STATUSES = ("filled", "cancelled", "apicancelled")


def list_working_exits(
    close: CloseOrder, facts: Facts, account: str | None, position: Decimal, requires_runtime: bool
) -> list[WorkingExit] | CloseVerdict:
    """Return the working exits of the broker and of the runtime, each once, with the quantity still to fill.

    A verdict where an exit may work that no list contains, and where a listed order may be an exit or not.
    """
    unknown = _explain_unknown_orders(facts, requires_runtime)
    if unknown is not None:
        return build_unknown_verdict("orders", unknown)
    at_broker = [row for row in facts.broker_orders or () if can_be_in_account(row.account, account)]
    con_ids = _collect_con_ids(close, facts)
    exits: list[WorkingExit] = []
    for row in (*at_broker, *(facts.orders or ())):
        left = None if _has_leg(row, con_ids) else _compute_exit_quantity(close, row, position)
        if left is None:
            return build_unknown_verdict(
                "orders", f"Whether order {row.title} exits this position cannot be told."
            )
        if left:
            _add_exit(exits, row, left)
    return exits


def _add_exit(exits: list[WorkingExit], row: Order, left: Decimal) -> None:
    twin = next((i for i, (order, _) in enumerate(exits) if _is_same_order(order, row)), None)
    if twin is None:
        exits.append((row, left))
    else:
        exits[twin] = (exits[twin][0], max(exits[twin][1], left))


def _explain_unknown_orders(facts: Facts, requires_runtime: bool) -> str | None:
    """Return why an exit may work that no list contains, None where the lists are complete."""
    if facts.broker_orders is None:
        return "The orders that work at the broker were not seen."
    return _explain_runtime_orders(facts) if requires_runtime else None


def _explain_runtime_orders(facts: Facts) -> str | None:
    """Return why the runtime may send an exit that it does not list; pending and stuck exits add up."""
    if facts.orders is None and facts.pending_exits is None:
        return "Whether the runtime works an exit of its own was not seen."
    if {"orders", "pending_exits", "stuck_exits"} & facts.provenance.partial or _is_misread(facts):
        return "The runtime's own orders could not be read in full."
    pending, stuck = facts.pending_exits or 0, facts.stuck_exits or 0
    if pending + stuck > len(_collect_listed_exits(facts)):
        counts = [format_count(pending, "pending exit")] if pending else []
        counts += [format_count(stuck, "stuck exit")] if stuck else []
        return f"The runtime has {' and '.join(counts)} and does not list each of them."
    if facts.send_outcome_unknown:
        return "The runtime sent an order and does not know what became of it."
    return None


def _is_misread(facts: Facts) -> bool:
    return any(
        fault.path.endswith((".pending_exits", ".stuck_exits", ".send_outcome_unknown"))
        for fault in facts.invalid
    )


def _collect_listed_exits(facts: Facts) -> set[str]:
    """Return the working orders that the runtime marks as exits; one without a mark may be an entry."""
    return {
        order.identity
        for order in facts.orders or ()
        if (order.kind or "").strip().lower() == EXIT and not _is_final(order)
    }


def _is_final(order: Order) -> bool:
    return (order.status or "").strip().lower() in _FINAL_STATUSES


def _collect_con_ids(close: CloseOrder, facts: Facts) -> set[str]:
    """Return the contract ids under which the broker may hold the instrument."""
    rows = [
        row for row in facts.broker_positions or () if match_instrument(close.instrument, row) is not False
    ]
    return {row.con_id for row in (close.instrument, *rows) if row.con_id is not None}


def _has_leg(order: Order, con_ids: set[str]) -> bool:
    """Whether it is a working combo with one of these contracts among its legs."""
    legs = set(order.leg_con_ids or ()) if isinstance(order, BrokerOrder) else set()
    return bool(legs & con_ids) and not _is_final(order)


def _compute_exit_quantity(close: CloseOrder, order: Order, position: Decimal) -> Decimal | None:
    """Return the quantity that the order can still take off the position; None where that cannot be told.

    0 where it is final, of another instrument, or adds to the position.
    """
    fit = match_instrument(close.instrument, order)
    if fit is False or _is_final(order):
        return Decimal(0)
    sign = None if is_combo(order) else get_sign(order.side)  # a combo that is bought may sell a leg
    if sign is not None and (sign > 0) == (position > 0):
        return Decimal(0)
    return None if fit is None or sign is None else _compute_remaining(order)


def _compute_remaining(order: Order) -> Decimal | None:
    """Return what the order can still fill by its quantity and its fills; None where that is unknown.

    A smaller `remaining` in the row is ignored: it may be of another moment than the fills. A larger one
    contradicts them, and an order without a quantity is for an amount of cash (IBKR, `cashQty`).
    """
    quantity, filled = to_exact_decimal(order.quantity), to_exact_decimal(order.filled) or Decimal(0)
    if not quantity:
        return None
    left = abs(quantity) - abs(filled)
    remaining = to_exact_decimal(order.remaining) if isinstance(order, BrokerOrder) else None
    return None if left < 0 or (remaining is not None and abs(remaining) > left) else left


def _is_same_order(first: Order, second: Order) -> bool:
    """Whether two rows are the same order: by permanent id, else across both lists by order id and quantity.

    An order id is unique to one API client only, so that another quantity means another order.
    """
    if first.perm_id is not None and second.perm_id is not None:
        return first.perm_id == second.perm_id
    lists = {isinstance(first, BrokerOrder), isinstance(second, BrokerOrder)}
    numbered = len(lists) > 1 and first.order_id is not None and first.order_id == second.order_id
    return numbered and to_exact_decimal(first.quantity) == to_exact_decimal(second.quantity)


def explain_later_execution(close: CloseOrder, facts: Facts, account: str | None) -> str | None:
    """Return which execution the broker's positions may not contain yet, None where there is none."""
    for execution in facts.broker_executions or ():
        if (
            not can_be_in_account(execution.account, account)
            or match_instrument(close.instrument, execution) is False
            or _is_before(execution, facts)
        ):
            continue
        when = "at a time that was not seen" if execution.at is None else f"at {format_time(execution.at)}"
        return f"Execution {execution.title} {when} may have changed the position since it was read."
    return None


def _is_before(execution: Execution, facts: Facts) -> bool:
    if execution.at is None or facts.broker_as_of is None:
        return False
    return facts.broker_as_of - execution.at >= _RESOLUTION
