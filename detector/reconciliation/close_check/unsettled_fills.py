"""Fills that the row of a position may not contain yet, for `verdict`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.domain.instrument_names import get_sign
from detector.domain.runtime_rows import Order, list_order_ids
from detector.formats.grouping import group_pairs
from detector.formats.numbers import to_exact_decimal
from detector.formats.times import format_utc
from detector.reconciliation.close_check.close_order import (
    CloseTarget,
    CloseVerdict,
    build_unknown_verdict,
    list_orders_of,
)
from detector.reconciliation.fills import SETTLING
from detector.reconciliation.identity import DIFFERENT, can_be_in_account, is_combo

_RESOLUTION = timedelta(seconds=1)  # TWS gives the time of an execution in whole seconds, cut off


# Wherever the broker section lists executions; a Flex report has its own lists of them.
_EXECUTION_LISTS = ("broker.executions", "broker.fills", "broker.flex")


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
            return build_unknown_verdict(
                "moved", f"How much execution {execution.title} filled was not seen."
            )
        fills.append((execution.signed_quantity, f"execution {execution.title}"))
    for order in list_orders_of(target, facts):
        shown = (abs(row.signed_quantity or Decimal(0)) for row in _iter_of_order(order, by_id))
        left = _get_filled(order) - sum(shown, Decimal(0))
        answer = target.match(order) if left > 0 else DIFFERENT
        sign = get_sign(order.side)
        if answer == DIFFERENT:
            continue
        if sign is None or is_combo(order):
            return build_unknown_verdict(
                "moved", f"What order {order.title} filled may not be in the position yet."
            )
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
