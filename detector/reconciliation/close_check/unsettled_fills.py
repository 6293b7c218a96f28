"""Fills that the row of a position may not contain yet, for `verdict`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.domain.instrument_names import get_sign
from detector.domain.runtime_rows import Order
from detector.formats.numbers import to_exact_decimal
from detector.formats.times import format_time
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
            when = "at a time that was not seen" if at is None else f"at {format_time(at)}"
            return f"Execution {execution.title} {when} may have changed the position since it was read."
    return None


def _is_of(execution: Execution, target: CloseTarget) -> bool:
    is_own = can_be_in_account(execution.account, target.account)
    return is_own and target.match(execution) != DIFFERENT


def _is_before(execution: Execution, facts: Facts, margin: timedelta) -> bool:
    if execution.at is None or facts.broker_as_of is None:
        return False
    return facts.broker_as_of - execution.at >= margin


class UnsettledFill(Struct, frozen=True):
    """A signed quantity that was filled and may not be in the position's row yet, and by what."""

    quantity: Decimal
    title: str


def list_unsettled_fills(target: CloseTarget, facts: Facts) -> list[UnsettledFill] | CloseVerdict:
    """Return the fills that the row of the position may lack: near executions, and what listed orders filled.

    What an order filled is in the row where the executions show all of it, a minute before the row.
    """
    executions = [row for row in facts.broker_executions or () if _is_of(row, target)]
    near = [row for row in executions if not _is_before(row, facts, SETTLING)]
    by_order = _ExecutionsByOrder(executions)
    fills: list[UnsettledFill] = []
    for execution in near:
        if is_combo(execution) and not all(map(is_combo, by_order.find(execution))):
            continue  # its legs are listed beside it
        if execution.signed_quantity is None or is_combo(execution):
            return build_unknown_verdict(
                "moved", f"How much execution {execution.title} filled was not seen."
            )
        fills.append(UnsettledFill(execution.signed_quantity, f"execution {execution.title}"))
    for order in list_orders_of(target, facts):
        shown = sum((abs(row.signed_quantity or Decimal(0)) for row in by_order.find(order)), Decimal(0))
        left = get_filled(order) - shown
        answer = target.match(order) if left > 0 else DIFFERENT
        sign = get_sign(order.side)
        if answer == DIFFERENT:
            continue
        if sign is None or is_combo(order):
            return build_unknown_verdict(
                "moved", f"What order {order.title} filled may not be in the position yet."
            )
        fills.append(UnsettledFill(sign * left, f"order {order.title}"))
    return fills


def get_filled(order: Order) -> Decimal:
    """Return what an order filled, all of it where it is called filled."""
    filled = abs(to_exact_decimal(order.filled) or Decimal(0))
    return max(filled, abs(to_exact_decimal(order.quantity) or Decimal(0))) if order.is_filled else filled


class _ExecutionsByOrder:
    """Executions by the permanent id of their order, or by its number where either lacks the other."""

    def __init__(self, executions: Iterable[Execution]) -> None:
        self._by_perm: dict[str, list[Execution]] = {}
        self._by_number: dict[str, list[Execution]] = {}
        for row in executions:
            if row.perm_id is not None:
                self._by_perm.setdefault(row.perm_id, []).append(row)
            if row.order_id is not None:
                self._by_number.setdefault(row.order_id, []).append(row)

    def find(self, order: Order | Execution) -> list[Execution]:
        """Return the executions of the order, or of the order of an execution."""
        numbered = self._by_number.get(order.order_id or "", ())
        return [
            *self._by_perm.get(order.perm_id or "", ()),
            *(row for row in numbered if row.perm_id is None or order.perm_id is None),
        ]
