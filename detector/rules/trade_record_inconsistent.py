"""Broker truth: the record of a closed trade is consistent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.domain.trade_rows import Trade
from detector.formats.times import format_utc
from detector.market.hours import MarketUnknown, to_new_york_day
from detector.reconciliation.fill_matching import ClosingFills, StatementFills
from detector.reconciliation.fills import list_fills, list_trades
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.pnl import PnlMismatch, check_pnl_by_broker, check_pnl_by_prices


@rule(
    OCCURRENCE,
    "warning",
    any_of=["store_trades", "recent_trades"],
    severity_inputs=["broker_executions", "statement_fills", "broker_positions", "broker_account"],
    signal="exit_attribution",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The record of a closed trade contradicts itself or the broker."""
    trades = list_trades(facts)
    has_figures = facts.broker_executions or facts.statement_fills or facts.broker_positions
    broker_figures = _BrokerFigures(facts, trades) if has_figures else None
    for trade in trades:
        if trade.is_effectively_open is not False:
            continue
        faults = list(_find_faults(trade, broker_figures))
        if faults and trade.trade_id:
            yield Finding(
                WARNING,
                f"Trade {trade.title} {', and '.join(faults)}.",
                subject=trade.trade_id,
                observed=trade.realized_pnl,
                at=trade.closed_at,
            )


def _find_faults(trade: Trade, broker_figures: _BrokerFigures | None) -> Iterator[str]:
    if trade.opened_at and trade.closed_at and trade.closed_at < trade.opened_at:
        yield (
            f"was closed at {format_utc(trade.closed_at)} before it was opened at"
            f" {format_utc(trade.opened_at)}"
        )
    if trade.pnl_unknown:
        return
    fault = check_pnl_by_prices(trade)
    if fault is not None:
        yield _describe_own_fault(trade, fault)
    figure = None if broker_figures is None else broker_figures.find_realized_pnl(trade)
    fault = None if figure is None else check_pnl_by_broker(trade, figure)
    if fault is not None:
        yield f"has a P&L of {trade.realized_pnl:.2f} where the broker realized {fault.expected:.2f}"


def _describe_own_fault(trade: Trade, fault: PnlMismatch) -> str:
    if fault.flat_price:
        return (
            f"has its exit price equal to its entry price ({trade.exit_price:g}) and yet a P&L of "
            f"{trade.realized_pnl:.2f}"
        )
    return f"has a P&L of {trade.realized_pnl:.2f} where its prices make {fault.expected:.2f}"


class _BrokerFigures:
    """The broker's realized P&L: of the fill that closed a trade, else of its flat position."""

    def __init__(self, facts: Facts, trades: list[Trade]) -> None:
        self._facts = facts
        stated = StatementFills(facts.statement_fills or (), facts.broker_executions or ()).new
        self._closings = ClosingFills([*list_fills(facts), *stated])
        rows = facts.broker_positions or ()
        self._side = build_broker_book(facts) if rows else None
        self._rows = InstrumentIndex((normalize(row), row) for row in rows)
        counts = Counter(normalize(trade) for trade in trades)
        self._counts = InstrumentIndex((pair[0], pair) for pair in counts.items())

    def find_realized_pnl(self, trade: Trade) -> float | None:
        """Return the broker's realized P&L; None where there is none of this trade alone.

        The position's P&L is that of the day, so that it counts only for the one trade in its instrument.
        """
        fill = self._closings.find(trade)
        if fill is not None:
            return fill.realized_pnl
        if self._side is None or not _is_of_today(trade, self._facts):
            return None
        position, quantity = self._side.find_broker_position(trade)
        if (
            position is None
            or quantity != 0
            or sum(count for _, count in self._counts.find_same(normalize(trade))) != 1
        ):
            return None
        instrument = (
            Instrument(position.instrument.symbol) if position.instrument.is_vague else position.instrument
        )
        figures = [row.realized_pnl for row in self._rows.find_same(instrument)]
        return figures[0] if len(figures) == 1 else None


def _is_of_today(trade: Trade, facts: Facts) -> bool:
    try:
        today = to_new_york_day(facts.taken_at)
        return any(
            at is not None and to_new_york_day(at) == today for at in (trade.closed_at, trade.opened_at)
        )
    except MarketUnknown:
        return False
