"""Broker truth: what the records say of a closed trade can be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.domain.runtime_rows import Trade
from detector.formats.times import text_of
from detector.market.hours import MarketUnknown, to_new_york_day
from detector.reconciliation.comparison import broker_lots, held_of
from detector.reconciliation.fill_matching import Closings
from detector.reconciliation.fills import fills, trades_of
from detector.reconciliation.holdings import holdings
from detector.reconciliation.instrument_index import Lookup
from detector.reconciliation.pnl import Wrong, broker_fault, own_fault


@rule(
    OCCURRENCE,
    "warning",
    any_of=["store_trades", "recent_trades"],
    severity_inputs=["broker_executions", "broker_positions", "broker_account"],
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The record of a closed trade contradicts itself or the broker."""
    every = trades_of(facts)
    broker = _Broker(facts, every)
    for trade in every:
        if trade.is_effectively_open is not False:
            continue
        said = list(_said(trade, broker))
        if said and trade.trade_id:
            yield Finding(
                WARNING,
                f"Trade {trade.title} {', and '.join(said)}.",
                subject=trade.trade_id,
                observed=trade.realized_pnl,
                at=trade.closed_at,
            )


def _said(trade: Trade, broker: _Broker) -> Iterator[str]:
    if trade.opened_at and trade.closed_at and trade.closed_at < trade.opened_at:
        yield f"was closed at {text_of(trade.closed_at)} before it was opened at {text_of(trade.opened_at)}"
    if trade.pnl_unknown:
        return
    wrong = own_fault(trade)
    if wrong is not None:
        yield _own(trade, wrong)
    figure = broker.realized(trade)
    wrong = None if figure is None else broker_fault(trade, figure)
    if wrong is not None:
        yield f"has a P&L of {trade.realized_pnl:.2f} where the broker realized {wrong.wanted:.2f}"


def _own(trade: Trade, wrong: Wrong) -> str:
    if wrong.flat_price:
        return (
            f"has its exit price equal to its entry price ({trade.exit_price:g}) and yet a P&L of "
            f"{trade.realized_pnl:.2f}"
        )
    return f"has a P&L of {trade.realized_pnl:.2f} where its prices make {wrong.wanted:.2f}"


class _Broker:
    """What the broker realized: by the fill that closed a trade, else by its position that is flat."""

    def __init__(self, facts: Facts, trades: list[Trade]) -> None:
        self._facts = facts
        self._closings = Closings(fills(facts.broker_executions or ()))
        rows = facts.broker_positions or ()
        self._side = holdings((), broker_lots(facts), facts.broker_account) if rows else None
        self._figures = Lookup((normalize(row), row) for row in rows)
        counts = Counter(normalize(trade) for trade in trades)
        self._counts = Lookup((pair[0], pair) for pair in counts.items())

    def realized(self, trade: Trade) -> float | None:
        """Return the broker's figure; None where there is none of this trade alone.

        The position's figure is that of the day, so that it counts for the only trade in its instrument, open or closed.
        """
        fill = self._closings.of(trade)
        if fill is not None:
            return fill.realized_pnl
        if self._side is None or not _of_today(trade, self._facts):
            return None
        held, quantity = held_of(self._side, trade)
        if held is None or quantity != 0 or sum(count for _, count in self._counts.same(normalize(trade))) != 1:
            return None
        wanted = Instrument(held.instrument.symbol) if held.instrument.is_vague else held.instrument
        figures = [row.realized_pnl for row in self._figures.same(wanted)]
        return figures[0] if len(figures) == 1 else None


def _of_today(trade: Trade, facts: Facts) -> bool:
    try:
        today = to_new_york_day(facts.taken_at)
        return any(at is not None and to_new_york_day(at) == today for at in (trade.closed_at, trade.opened_at))
    except MarketUnknown:
        return False
