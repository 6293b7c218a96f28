"""What a run keeps of closed trades and of prices so that rules of the next run can compare with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from detector.domain.facts import Facts
from detector.domain.profile import POSITION_STATE, TRADES
from detector.domain.runtime_rows import Position
from detector.domain.trade_rows import StoredPosition, Trade

STORES: Mapping[str, str] = {
    "store_positions": POSITION_STATE,
    "store_trades": TRADES,
    "open_positions": "the runtime's positions",
}
"""The facts that list open trades, and their names in a message."""

_MAX_IDS = 200  # ids kept for each store: two weeks of trades, and a few KiB
_MAX_PRICES = 50  # instruments kept for the next run
TradeRow = StoredPosition | Trade | Position


def get_open_trades(name: str, facts: Facts) -> dict[str, TradeRow]:
    """Return the trades that are open in that store, by id."""
    return {row.trade_id: row for row in getattr(facts, name) or () if row.trade_id and _is_open(row)}


def _is_open(row: TradeRow) -> bool:
    return row.quantity != 0 if isinstance(row, Position) else bool(row.is_effectively_open)


def list_reopened(facts: Facts) -> list[tuple[TradeRow, list[str]]]:
    """Return each trade that is open in a store in which an earlier run saw it closed, with these stores."""
    by_trade: dict[str, tuple[TradeRow, list[str]]] = {}
    for name, title in STORES.items():
        before = set(facts.before.closed.get(name, ()))
        for trade_id, row in get_open_trades(name, facts).items():
            if trade_id in before:
                first_row, stores = by_trade.get(trade_id, (row, []))
                by_trade[trade_id] = (first_row if first_row.symbol else row, [*stores, title])
    return [by_trade[trade_id] for trade_id in sorted(by_trade)]


def build_closed_memory(facts: Facts) -> Mapping[str, tuple[str, ...]]:
    """Return by store the ids of trades that were ever closed there after they were open, the newest first.

    A trade that any list marks as closed counts as closed in each store that was read and does not have it
    open. A reopened trade stays in the list, so that its rule fires for as long as it is open.
    """
    closed_ids = _collect_closed_ids(facts)
    memory: dict[str, tuple[str, ...]] = {}
    for name in STORES:
        before = facts.before.closed.get(name, ())
        if getattr(facts, name) is None or name in facts.provenance.partial:
            kept = list(before)
        else:
            open_now = get_open_trades(name, facts)
            reopened_ids = [trade_id for trade_id in before if trade_id in open_now]
            ended = {*closed_ids, *before} - open_now.keys()
            closed_now = sorted(ended, key=lambda trade_id: (len(trade_id), trade_id), reverse=True)
            kept = [*reopened_ids, *closed_now]
        if kept:
            memory[name] = tuple(kept[:_MAX_IDS])
    return memory


def _collect_closed_ids(facts: Facts) -> set[str]:
    """Return the trades that are closed and were open before: a row that never filled is no closed trade."""
    trades = [*(facts.store_trades or ()), *(facts.recent_trades or ())]
    ended = {
        trade.trade_id
        for trade in trades
        if trade.trade_id and trade.is_effectively_open is False and _has_ended(trade)
    }
    trade_ids = {trade.trade_id for trade in trades}
    for row in facts.store_positions or ():
        was_filled = row.trade_id not in trade_ids and bool(row.avg_price)
        if row.trade_id and row.is_effectively_open is False and was_filled:
            ended.add(row.trade_id)
    return {trade_id for trade_id in ended if trade_id}


def _has_ended(trade: Trade) -> bool:
    ends = trade.closed_at, trade.exit_price, trade.realized_pnl, trade.exit_reason, trade.exit_exec_id
    return trade.is_marked_closed or any(value is not None for value in ends)


def get_prices(facts: Facts) -> dict[str, float]:
    """Return the first price of each symbol."""
    prices: dict[str, float] = {}
    for tick in facts.ticks or ():
        if tick.symbol and tick.price is not None:
            prices.setdefault(tick.symbol, tick.price)
    return prices


def has_unchanged_prices(facts: Facts) -> bool:
    """Whether the prices are those of the previous run, which must have had the same instruments."""
    now, before = get_prices(facts), facts.before.prices
    return (
        bool(now)
        and all(before.get(symbol) == price for symbol, price in now.items() if symbol in before)
        and (len(now.keys() & before.keys()) == min(len(now), _MAX_PRICES))
    )


def build_price_memory(facts: Facts) -> tuple[Mapping[str, float], datetime | None]:
    """Return the prices for the next run and when they last changed; without prices, the previous ones."""
    now = get_prices(facts)
    if not now:
        return facts.before.prices, facts.before.prices_at
    kept = dict(sorted(now.items())[:_MAX_PRICES])
    is_unchanged = facts.before.prices_at is not None and has_unchanged_prices(facts)
    return kept, facts.before.prices_at if is_unchanged else facts.taken_at
