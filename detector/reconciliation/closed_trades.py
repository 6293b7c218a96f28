"""Which trades were seen closed in which store, over runs: what was closed there once does not open again."""

from __future__ import annotations

from collections.abc import Mapping

from detector.domain.facts import Facts
from detector.domain.runtime_rows import Position, Trade
from detector.domain.store_rows import POSITION_STATE, TRADES, StoredPosition

STORES: Mapping[str, str] = {
    "store_positions": POSITION_STATE,
    "store_trades": TRADES,
    "open_positions": "the runtime's positions",
}
"""The facts that say what is open, and what they are called for a person."""

_MOST = 200  # ids kept for each store: two weeks of trades, and a few KiB
Row = StoredPosition | Trade | Position


def open_in(name: str, facts: Facts) -> dict[str, Row]:
    """Return the trades that are open in that store, by id."""
    return {row.trade_id: row for row in getattr(facts, name) or () if row.trade_id and _is_open(row)}


def _is_open(row: Row) -> bool:
    return row.quantity != 0 if isinstance(row, Position) else bool(row.is_effectively_open)


def reopened(facts: Facts) -> list[tuple[Row, list[str]]]:
    """Return each trade that was seen closed in a store in which it is open now, with those stores."""
    found: dict[str, tuple[Row, list[str]]] = {}
    for name, title in STORES.items():
        before = set(facts.before.closed.get(name, ()))
        for trade_id, row in open_in(name, facts).items():
            if trade_id in before:
                known, stores = found.get(trade_id, (row, []))
                found[trade_id] = (known if known.symbol else row, [*stores, title])
    return [found[trade_id] for trade_id in sorted(found)]


def closed_to_remember(facts: Facts) -> Mapping[str, tuple[str, ...]]:
    """Return for each store the trades that were ever seen closed there after they were open, the newest first.

    A trade that any list says is closed is closed in a store that was read and does not hold it open. What is
    open again stays remembered as closed, so that it is told for as long as it lasts.
    """
    anywhere = _closed(facts)
    made: dict[str, tuple[str, ...]] = {}
    for name in STORES:
        before = facts.before.closed.get(name, ())
        if getattr(facts, name) is None or name in facts.provenance.partial:
            kept = list(before)
        else:
            open_now = open_in(name, facts)
            again = [one for one in before if one in open_now]
            fresh = sorted({*anywhere, *before} - open_now.keys(), key=_by_number, reverse=True)
            kept = [*again, *fresh]
        if kept:
            made[name] = tuple(kept[:_MOST])
    return made


def _by_number(trade_id: str) -> tuple[int, str]:
    return len(trade_id), trade_id


def _closed(facts: Facts) -> set[str]:
    """Return the trades that are closed and were open: a row of nothing yet is no trade that ended."""
    trades = [*(facts.store_trades or ()), *(facts.recent_trades or ())]
    ended = {one.trade_id for one in trades if one.trade_id and one.is_effectively_open is False and _has_ended(one)}
    named = {one.trade_id for one in trades}
    for row in facts.store_positions or ():
        was_filled = row.trade_id not in named and bool(row.avg_price)
        if row.trade_id and row.is_effectively_open is False and was_filled:
            ended.add(row.trade_id)
    return {trade_id for trade_id in ended if trade_id}


def _has_ended(trade: Trade) -> bool:
    exits = (trade.closed_at, trade.exit_price, trade.realized_pnl, trade.exit_reason, trade.exit_exec_id)
    return trade.is_marked_closed or any(one is not None for one in exits)
