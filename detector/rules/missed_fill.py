"""Broker truth: every execution at the broker has a trade in the runtime."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from detector.domain.broker_rows import get_original_id
from detector.domain.facts import Facts, known
from detector.domain.instrument import normalize
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, exceeds, rule
from detector.domain.trade_rows import Trade
from detector.formats.numbers import format_quantity
from detector.formats.times import format_above, format_over, format_utc
from detector.logs.events import LogIncident
from detector.logs.outages import find_link_outages
from detector.reconciliation.fill_matching import (
    LISTED_FOR,
    StatementFills,
    find_partial_fills,
    find_unmatched,
)
from detector.reconciliation.fills import Fill, list_fills, list_trades
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.lots import iter_internal_lots
from detector.settings import FILL_LAG_SEC


@rule(
    OCCURRENCE,
    "critical",
    sees=["broker_executions"],
    any_of=["store_trades", "recent_trades"],
    severity_inputs=["store_positions", "open_positions", "logs", "statement_fills"],
    limits=[exceeds(FILL_LAG_SEC)],
    money=True,
    escalates=NOW,
    signal="reconciliation",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """An execution at the broker has no trade in the runtime."""
    trades = list_trades(facts)
    lots = list(iter_internal_lots(facts))
    if facts.provenance.partial & {"store_trades", "recent_trades", "store_positions", "open_positions"}:
        return  # an unreadable row may be the trade of the fill
    since, outages = _compute_listed_since(facts, trades), find_link_outages(facts.logs) if facts.logs else []
    listed = list_fills(facts)
    of_statement = StatementFills(facts.statement_fills or (), known(facts.broker_executions))
    broker_fills = [*listed, *of_statement.new]
    own = InstrumentIndex(
        [(normalize(trade), trade) for trade in trades] + [(lot.instrument, lot) for lot in lots]
    )
    unknown = [
        fill
        for fill in find_unmatched(broker_fills, trades, lots)
        if fill.at is not None and fill.at >= since and not _is_conversion(fill, own)
    ]
    partial = (
        find_partial_fills(_list_fills_of_same_instruments(unknown, broker_fills), trades, lots)
        if unknown
        else set()
    )
    for fill in unknown:
        at, exec_id = known(fill.at), get_original_id(fill.first.exec_id or "")
        if any(fill is other for other in of_statement.new):
            exec_id = f"{fill.first.instrument_name} {at:%Y-%m-%dT%H.%M.%SZ}"
        if not exec_id or id(fill) in partial:
            continue
        age, lost, limit = facts.age_of(at), _is_within_outage(outages, at), limits[FILL_LAG_SEC]
        if lost or limits.is_broken(FILL_LAG_SEC, age):
            ago = f"{format_above(age, limit)} ago ({format_over(limit)})"
            yield Finding(
                CRITICAL,
                f"{_describe_source(fill)} has no trade in the runtime: {_describe_fill(fill)}"
                f" at {format_utc(at)}, {'while connectivity was lost' if lost else ago}.",
                subject=exec_id,
                observed=age,
                limit=FILL_LAG_SEC,
                at=at,
            )


def _list_fills_of_same_instruments(unknown: Sequence[Fill], broker_fills: Sequence[Fill]) -> list[Fill]:
    """Return the fills in the instruments of the unknown ones: other parts of their trade may match by id."""
    instruments = {fill.instrument for fill in unknown}
    return [fill for fill in broker_fills if fill.instrument in instruments]


def _is_conversion(fill: Fill, own: InstrumentIndex[Any]) -> bool:
    """Whether it converts a currency, and the runtime trades no such pair."""
    return fill.instrument.sec_type == "CASH" and not own.has(fill.instrument)


def _describe_source(fill: Fill) -> str:
    exec_id = fill.first.exec_id
    return f"Execution {exec_id} at the broker" if exec_id else "A fill of the broker's statement"


def _describe_fill(fill: Fill) -> str:
    quantity = fill.quantity
    side = "bought" if quantity is not None and quantity > 0 else "sold"
    quantity_text = (
        "an unknown quantity of" if quantity is None else f"{side} {format_quantity(abs(quantity))}"
    )
    pnl = "" if fill.realized_pnl is None else f", realized P&L {fill.realized_pnl:.2f}"
    return f"{quantity_text} {fill.first.instrument_name}{pnl}"


def _compute_listed_since(facts: Facts, trades: list[Trade]) -> datetime:
    """Return the time since which the runtime's lists must contain every trade.

    A store has at least its last day; a payload's recent trades are complete since the oldest of them.
    """
    day = facts.taken_at - LISTED_FOR
    times = [at for trade in trades for at in (trade.opened_at, trade.closed_at) if at is not None]
    return day if facts.store_trades is not None or not times else max(day, min(times))


def _is_within_outage(outages: Sequence[LogIncident], at: datetime) -> bool:
    """Whether the link to the broker was down at that time, by the logs."""
    return any(outage.since <= at and (outage.until is None or at <= outage.until) for outage in outages)
