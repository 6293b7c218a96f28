"""Filled entries, one for each order: out of the broker's executions, and out of the runtime's trades."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from detector.domain.broker_rows import ENTRY
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, get_instrument_name
from detector.reconciliation.comparison import broker_side, held_of
from detector.reconciliation.fills import Fill, fills, trades_of
from detector.reconciliation.working_orders import orders_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One order that opened or added to a position, and when it first filled."""

    name: str
    at: datetime


def entries_in_trades(facts: Facts) -> Iterator[Entry]:
    """Yield the entry of every trade whose instrument and time of opening were seen; each trade is one order."""
    for trade in trades_of(facts):
        if trade.opened_at is not None and trade.symbol and trade.trade_id:
            yield Entry(get_instrument_name(trade), trade.opened_at)


def entries_at_broker(facts: Facts) -> Iterator[Entry]:
    """Yield the broker's fills that opened or added to a position.

    What a fill did is told by Flex's indicator or the runtime's word for the order, else by the position before it:
    counted back from what the broker holds now. Where none of these was seen, it is no entry.
    """
    kinds = {
        key: order.purpose
        for order in orders_of(facts)
        if order.purpose
        for key in (f"perm {order.perm_id}", f"order {order.order_id}")
    }
    found = [fill for fill in fills(facts.broker_executions or ()) if fill.first.order_ref and fill.at]
    after = _positions_after(facts, found)
    for fill, held in zip(found, after, strict=True):
        told = fill.first.opens or kinds.get(fill.first.order_ref or "")
        if fill.at is not None and (_opens(told) if told else _adds(fill, held)):
            yield Entry(get_instrument_name(fill.first), fill.at)


def _opens(told: str) -> bool:
    return told.strip().upper().startswith("O") or told == ENTRY


def _adds(fill: Fill, after: Decimal | None) -> bool:
    """Whether the fill made the position larger, or turned it to its own side."""
    quantity = fill.quantity
    if quantity is None or after is None or fill.realized_pnl:
        return False
    return after * quantity > 0


def _positions_after(facts: Facts, found: list[Fill]) -> list[Decimal | None]:
    """Return what was held after each fill, by taking back the later ones from what is held now."""
    if facts.broker_positions is None or "broker_positions" in facts.provenance.partial:
        return [None] * len(found)
    side = broker_side(facts)
    now: dict[Instrument, Decimal | None] = {}
    made: list[Decimal | None] = []
    for fill in reversed(found):
        held = now[fill.instrument] if fill.instrument in now else held_of(side, fill.first)[1]
        made.append(held)
        quantity = fill.quantity
        now[fill.instrument] = None if held is None or quantity is None else held - quantity
    return made[::-1]
