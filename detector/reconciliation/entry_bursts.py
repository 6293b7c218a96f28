"""Filled entry orders by instrument and time, from the broker's executions or from the runtime's trades."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, get_instrument_name
from detector.domain.runtime_rows import ENTRY
from detector.reconciliation.fills import Fill, group_fills, list_trades
from detector.reconciliation.lots import build_broker_book, find_broker_position
from detector.reconciliation.working_orders import list_orders


class Entry(Struct, frozen=True):
    """One order that opened or added to a position, and when it first filled."""

    name: str
    at: datetime


def iter_trade_entries(facts: Facts) -> Iterator[Entry]:
    """Yield the entry of every trade with an instrument and an opening time; each trade is one order."""
    for trade in list_trades(facts):
        if trade.opened_at is not None and trade.symbol and trade.trade_id:
            yield Entry(get_instrument_name(trade), trade.opened_at)


def iter_broker_entries(facts: Facts) -> Iterator[Entry]:
    """Yield the broker's fills that opened or added to a position.

    The purpose of a fill is Flex's open/close indicator or the runtime's purpose of its order. Else the
    position before the fill decides, counted back from the present one. Where none of these is known, it is
    no entry.
    """
    purposes = {
        key: order.purpose
        for order in list_orders(facts)
        if order.purpose
        for key in (f"perm {order.perm_id}", f"order {order.order_id}")
    }
    dated_fills = [
        fill for fill in group_fills(facts.broker_executions or ()) if fill.first.order_ref and fill.at
    ]
    after = _compute_positions_after(facts, dated_fills)
    for fill, held in zip(dated_fills, after, strict=True):
        purpose = fill.first.opens or purposes.get(fill.first.order_ref or "")
        if fill.at is not None and (_is_opening(purpose) if purpose else _is_increase(fill, held)):
            yield Entry(get_instrument_name(fill.first), fill.at)


def _is_opening(purpose: str) -> bool:
    return purpose.strip().upper().startswith("O") or purpose == ENTRY


def _is_increase(fill: Fill, after: Decimal | None) -> bool:
    """Whether the position after the fill is on the side of the fill."""
    quantity = fill.quantity
    if quantity is None or after is None or fill.realized_pnl:
        return False
    return after * quantity > 0


def _compute_positions_after(facts: Facts, dated_fills: list[Fill]) -> list[Decimal | None]:
    """Return the position after each fill: the present one without the fills that came later."""
    if facts.broker_positions is None or "broker_positions" in facts.provenance.partial:
        return [None] * len(dated_fills)
    side = build_broker_book(facts)
    current: dict[tuple[str | None, Instrument], Decimal | None] = {}
    positions: list[Decimal | None] = []
    for fill in reversed(dated_fills):
        key = fill.first.account, fill.instrument
        held = current[key] if key in current else find_broker_position(side, fill.first, key[0])[1]
        positions.append(held)
        quantity = fill.quantity
        current[key] = None if held is None or quantity is None else held - quantity
    return positions[::-1]
