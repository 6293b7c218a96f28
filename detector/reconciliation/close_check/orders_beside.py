"""The exits at work beside a close order, and the fills that the row of its position may lack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from detector.domain.broker_rows import BrokerOrder, Execution
from detector.domain.facts import Facts
from detector.domain.runtime_rows import EXIT, Order, list_order_ids
from detector.domain.sides import get_sign
from detector.formats.grouping import group_pairs
from detector.formats.numbers import format_count, format_list, to_exact_decimal
from detector.formats.times import format_duration, format_utc
from detector.reconciliation.close_check.close_order import (
    CloseTarget,
    CloseVerdict,
    build_unknown_verdict,
    list_orders_of,
)
from detector.reconciliation.fills import SETTLING
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, Answer, can_be_in_account, is_combo
from detector.reconciliation.working_orders import WaitingEntries, WorkingQuantity, count_working

_RESOLUTION = timedelta(seconds=1)  # TWS gives the time of an execution in whole seconds, cut off
# Wherever the broker section lists executions; a Flex report has its own lists of them.
_EXECUTION_LISTS = ("broker.executions", "broker.fills", "broker.flex")


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
            why = _explain_exit(target, row)
            text = f"Whether order {row.title} exits this position is not known: {why}."
            return build_unknown_verdict("orders", text)
        if left and isinstance(row, BrokerOrder) and row.is_for_group:
            text = (
                f"Order {row.title} is for a group of accounts: how much of it is for this one is not known."
            )
            return build_unknown_verdict("orders", text)
        exits += [(row, left)] if left else []
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
    # One without a mark may be an entry.
    marked = (order for order in facts.orders or () if (order.kind or "").strip().lower() == EXIT)
    if pending + stuck > len({order.identity for order in marked if not order.is_final}):
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


def explain_later_execution(target: CloseTarget, facts: Facts) -> str | None:
    """Return which execution the broker's positions may not contain yet, None where there is none."""
    # One client's executions are no fault of the reading: TWS lists no others, and its positions are current.
    if any(fault.path.startswith(_EXECUTION_LISTS) for fault in facts.invalid):
        return "The broker's executions could not be read in full: the position may have changed since."
    for execution in facts.broker_executions or ():
        if _is_of(execution, target) and not _is_before(execution, facts, _RESOLUTION):
            at = execution.at
            when = "at a time that was not seen" if at is None else f"at {format_utc(at)}"
            return f"Execution {execution.title} {when} may have changed the position since it was read."
    return None


def _is_of(execution: Execution, target: CloseTarget) -> bool:
    is_own = can_be_in_account(execution.account, target.account)
    return is_own and target.match(execution) != DIFFERENT


def _is_before(execution: Execution, facts: Facts, margin: timedelta) -> bool:
    if execution.at is None or facts.broker_as_of is None:
        return False
    return facts.broker_as_of - execution.at >= margin


def list_unsettled_fills(target: CloseTarget, facts: Facts) -> list[tuple[Decimal, str]] | CloseVerdict:
    """Return what may have been filled without being in the position's row yet, signed, and by what.

    These are near executions, and what listed orders filled.
    What an order filled is in the row where the executions show all of it, a minute before the row.
    """
    executions = [row for row in facts.broker_executions or () if _is_of(row, target)]
    near = [row for row in executions if not _is_before(row, facts, SETTLING)]
    by_id = group_pairs((key, row) for row in executions for key in list_order_ids(row.perm_id, row.order_id))
    fills: list[tuple[Decimal, str]] = []
    for execution in near:
        if is_combo(execution) and not all(map(is_combo, _iter_of_order(execution, by_id))):
            continue  # its legs are listed beside it
        if execution.signed_quantity is None or is_combo(execution):
            text = f"How much execution {execution.title} filled was not seen."
            return build_unknown_verdict("moved", text)
        fills.append((execution.signed_quantity, f"execution {execution.title}"))
    for order in list_orders_of(target, facts):
        shown = (abs(row.signed_quantity or Decimal(0)) for row in _iter_of_order(order, by_id))
        left = _get_filled(order) - sum(shown, Decimal(0))
        answer = target.match(order) if left > 0 else DIFFERENT
        sign = get_sign(order.side)
        if answer == DIFFERENT:
            continue
        if sign is None or is_combo(order):
            text = f"What order {order.title} filled may not be in the position yet."
            return build_unknown_verdict("moved", text)
        fills.append((sign * left, f"order {order.title}"))
    return fills


def _get_filled(order: Order) -> Decimal:
    """Return what an order filled, all of it where it is called filled."""
    filled = abs(to_exact_decimal(order.filled) or Decimal(0))
    return max(filled, abs(to_exact_decimal(order.quantity) or Decimal(0))) if order.is_filled else filled


def _iter_of_order(order: Order | Execution, by_id: Mapping[str, Sequence[Execution]]) -> Iterator[Execution]:
    """Yield the executions of an order, by its number where either lacks the permanent id, each once."""
    for key in list_order_ids(order.perm_id, order.order_id):
        for row in by_id.get(key, ()):
            if key.startswith("perm") or None in (row.perm_id, order.perm_id):
                yield row
