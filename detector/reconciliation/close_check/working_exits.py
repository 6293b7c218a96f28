"""The exits at work beside a close order, at the broker and in the runtime, and what they can still fill."""

from __future__ import annotations

from decimal import Decimal

from detector.domain.broker_rows import BrokerOrder
from detector.domain.facts import Facts
from detector.domain.instrument_names import get_sign
from detector.domain.runtime_rows import EXIT, Order
from detector.formats.numbers import format_count, format_list, to_exact_decimal
from detector.formats.times import format_duration
from detector.reconciliation.close_check.close_order import (
    CloseTarget,
    CloseVerdict,
    build_unknown_verdict,
    list_orders_of,
)
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, Answer, is_combo
from detector.reconciliation.working_orders import WaitingEntries, WorkingQuantity, count_working


def list_working_exits(target: CloseTarget, facts: Facts, is_long: bool) -> WorkingQuantity | CloseVerdict:
    """Return the working exits of a position of the broker and of the runtime, each once, with what is left.

    A verdict where a listed order may be an exit or not.
    """
    exits: list[tuple[Order, Decimal]] = []
    entries = WaitingEntries(facts.broker_orders or ())
    for row in (*list_orders_of(target, facts), *(facts.orders or ())):
        if row.is_final or _is_waiting_child(target, row, entries):
            continue
        left = _compute_exit_quantity(target, row, is_long=is_long)
        if left is None:
            text = (
                f"Whether order {row.title} exits this position is not known: {_explain_exit(target, row)}."
            )
            return build_unknown_verdict("orders", text)
        if left and isinstance(row, BrokerOrder) and row.is_for_group:
            text = (
                f"Order {row.title} is for a group of accounts: how much of it is for this one is not known."
            )
            return build_unknown_verdict("orders", text)
        if left:
            exits.append((row, left))
    return count_working(exits)


def _is_waiting_child(target: CloseTarget, row: Order, entries: WaitingEntries) -> bool:
    """Whether it is a child of a listed entry that has filled nothing: it exits nothing of the position yet.

    What the entry brings is as much as the child takes, in the same contract.
    """
    return any(
        target.match(parent) == SAME and (_compute_remaining(parent) or 0) >= (_compute_remaining(row) or 0)
        for parent in entries.list_parents(row)
    )


def explain_unknown_orders(facts: Facts, heartbeat_limit_sec: float | None) -> str | None:
    """Return why an exit may work that no list contains, None where the lists are complete.

    `heartbeat_limit_sec` is None where the snapshot has no runtime.
    """
    if facts.broker_orders is None:
        return "The orders that work at the broker were not seen."
    if heartbeat_limit_sec is None:
        return None
    if facts.heartbeat_at is not None and facts.age_of(facts.heartbeat_at) > heartbeat_limit_sec:
        age = format_duration(facts.age_of(facts.heartbeat_at))
        return f"The runtime's last sign of life is {age} old: its own orders may be others than it lists."
    if facts.heartbeat_at is None and _is_misread(facts, "heartbeat_at", "heartbeat_age_sec"):
        return (
            "The runtime's last sign of life could not be read: its own orders may be others than it lists."
        )
    return _explain_runtime_orders(facts)


def _explain_runtime_orders(facts: Facts) -> str | None:
    """Return why the runtime may send an exit that it does not list; pending and stuck exits add up."""
    if facts.orders is None and facts.pending_exits is None:
        return "Whether the runtime works an exit of its own was not seen."
    counts_unread = _is_misread(facts, "pending_exits", "stuck_exits", "send_outcome_unknown")
    if {"orders", "pending_exits", "stuck_exits"} & facts.provenance.partial or counts_unread:
        return "The runtime's own orders could not be read in full."
    pending, stuck = facts.pending_exits or 0, facts.stuck_exits or 0
    if pending + stuck > len(_collect_listed_exits(facts)):
        counts = [format_count(pending, "pending exit")] if pending else []
        counts += [format_count(stuck, "stuck exit")] if stuck else []
        return f"The runtime has {format_list(counts)} and does not list each of them."
    if facts.send_outcome_unknown:
        return "The runtime sent an order and does not know what became of it."
    return None


def _is_misread(facts: Facts, *names: str) -> bool:
    """Whether one of these values is given and could not be read, or is a time of the future."""
    paths = (*(fault.path for fault in facts.invalid), *(path for path, _ in facts.skewed))
    return any(path.rpartition(".")[2] in names for path in paths)


def _collect_listed_exits(facts: Facts) -> set[str]:
    """Return the working orders that the runtime marks as exits; one without a mark may be an entry."""
    return {
        order.identity
        for order in facts.orders or ()
        if (order.kind or "").strip().lower() == EXIT and not order.is_final
    }


def _compute_exit_quantity(target: CloseTarget, order: Order, *, is_long: bool) -> Decimal | None:
    """Return the quantity that the order can still take off the position; None where that is not known.

    0 where it is of another instrument, or adds to the position.
    """
    answer = _match_order(target, order)
    if answer == DIFFERENT:
        return Decimal(0)
    sign = None if is_combo(order) else get_sign(order.side)  # a combo that is bought may sell a leg
    if sign is not None and (sign > 0) == is_long:
        return Decimal(0)
    return None if answer == UNCLEAR or sign is None else _compute_remaining(order)


def _match_order(target: CloseTarget, order: Order) -> Answer:
    """Compare with an order; a combo may close the leg that it has, whatever its symbol."""
    legs = order.leg_con_ids if isinstance(order, BrokerOrder) else None
    return UNCLEAR if target.con_ids & set(legs or ()) else target.match(order)


def _explain_exit(target: CloseTarget, order: Order) -> str:
    """Return what of an order is unknown, so that it may be an exit."""
    if is_combo(order):
        return "it is a combo that has this contract among its legs, or may"
    if _match_order(target, order) == UNCLEAR:
        is_bare = target.instrument.is_option and not order.trading_class
        remedy = "its trading class or its contract id" if is_bare else "its contract id"
        return f"it does not say in full which contract it is for; {remedy} would"
    return "its side was not seen" if get_sign(order.side) is None else "what it can still fill was not seen"


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
