"""Broker truth: the runtime's two stores have the same trades open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from detector.domain.facts import Facts, known
from detector.domain.instrument import normalize
from detector.domain.profile import POSITION_STATE, TRADES
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.domain.trade_rows import StoredPosition, Trade
from detector.formats.grouping import group_pairs
from detector.formats.numbers import format_quantity, to_exact_decimal
from detector.reconciliation.identity import DIFFERENT, compare
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.position_book import PositionBook
from detector.reconciliation.position_comparison import merge_by_subject
from detector.reconciliation.position_pairs import describe_held

StoreRow = StoredPosition | Trade


@rule(
    STATE,
    "critical",
    sees=["store_positions", "store_trades"],
    severity_inputs=["broker_positions", "broker_account"],
    money=True,
    escalates=NOW,
    signal="reconciliation",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The stores `trades` and `position_state` differ about what is open."""
    positions, trades = known(facts.store_positions), known(facts.store_trades)
    partial = facts.provenance.partial & {"store_positions", "store_trades"}
    if partial:
        yield Undecided("a row of the stores could not be read")
        return
    rows: list[StoreRow] = [*positions, *trades]
    for row in rows:
        if row.is_effectively_open is None:
            yield Undecided(f"whether {row.title} is open was not seen", [_get_subject(row)])
    is_broker_read = facts.broker_positions is not None and "broker_positions" not in facts.provenance.partial
    side = build_broker_book(facts) if is_broker_read else None
    in_doubt = {row.trade_id for row in rows if row.is_effectively_open is None}
    findings: list[Finding] = []
    for row, open_in, closed_in in _find_differing_rows(positions, trades):
        if row.trade_id is None or row.trade_id not in in_doubt:
            finding = Finding(
                CRITICAL,
                f"Trade {row.title} is open in {open_in} and not in"
                f" {closed_in}{_describe_broker(row, side, open_in, closed_in)}.",
                subject=_get_subject(row),
                facts=("store_positions", "store_trades"),
            )
            findings.append(finding)
            if row.is_vague:
                yield Undecided("an instrument that differs is not named in full")
    findings += _find_differing_quantities(positions, trades, side)
    yield from merge_by_subject(findings)


def _get_subject(row: StoreRow) -> str:
    return row.instrument_name if row.symbol or row.con_id else f"trade {row.trade_id}"


def _find_differing_rows(
    positions: Iterable[StoredPosition], trades: Iterable[Trade]
) -> Iterator[tuple[StoreRow, str, str]]:
    """Yield each row that is open in one store only, with the name of that store and of the other."""
    open_rows, open_trades = (
        [row for row in positions if row.is_effectively_open],
        [row for row in trades if row.is_effectively_open],
    )
    yield from ((row, POSITION_STATE, TRADES) for row in _find_missing_rows(open_rows, open_trades))
    yield from ((row, TRADES, POSITION_STATE) for row in _find_missing_rows(open_trades, open_rows))


def _find_missing_rows(rows: Iterable[StoreRow], counterparts: Iterable[StoreRow]) -> Iterator[StoreRow]:
    """Yield the rows without a counterpart: by trade id where both have one, else by instrument.

    One of the same id in another instrument is none.
    """
    counterparts = list(counterparts)
    by_id = group_pairs((row.trade_id, normalize(row)) for row in counterparts)
    anonymous_index = InstrumentIndex((normalize(row), row) for row in counterparts if row.trade_id is None)
    full_index = InstrumentIndex((normalize(row), row) for row in counterparts)
    for row in rows:
        index, named = full_index if row.trade_id is None else anonymous_index, normalize(row)
        same_id = by_id.get(row.trade_id, ()) if row.trade_id is not None else ()
        if not index.has(named) and all(compare(named, other) == DIFFERENT for other in same_id):
            yield row


def _find_differing_quantities(
    positions: Iterable[StoredPosition], trades: Iterable[Trade], side: PositionBook | None
) -> Iterator[Finding]:
    """Yield each trade that both stores have open, with sides or quantities that cannot both be right."""
    by_id = {trade.trade_id: trade for trade in trades if trade.trade_id and trade.is_effectively_open}
    for row in positions:
        trade, quantity = by_id.get(row.trade_id or ""), row.signed_quantity
        if trade is None or quantity is None or not row.is_effectively_open:
            continue
        remaining, opened = (to_exact_decimal(value) for value in (trade.remaining, trade.quantity))
        if (trade.signed_quantity or 0) * quantity < 0:
            problem = f"{TRADES} has it {'short' if quantity > 0 else 'long'}"
        elif remaining is not None and abs(remaining) != abs(quantity):
            problem = f"{TRADES} has {format_quantity(abs(remaining))} of it left"
        elif opened and abs(quantity) > abs(opened):
            problem = f"it was never more than {format_quantity(abs(opened))} in {TRADES}"
        elif opened and not quantity and remaining is None:
            problem = f"{TRADES} has it open"
        else:
            continue
        _, held = _find_held(row, side)
        broker = "" if held is None else f", and the broker holds {describe_held(held)}"
        yield Finding(
            CRITICAL,
            f"Trade {row.title} is {describe_held(quantity)} in {POSITION_STATE}, and {problem}{broker}.",
            subject=_get_subject(row),
            facts=("store_positions", "store_trades"),
        )


def _find_held(row: StoreRow, side: PositionBook | None) -> tuple[object, Decimal | None]:
    if side is None:
        return None, None
    return side.find_broker_position(row, row.account if isinstance(row, StoredPosition) else None)


def _describe_broker(row: StoreRow, side: PositionBook | None, open_in: str, closed_in: str) -> str:
    _, quantity = _find_held(row, side)
    if quantity is None or not (row.symbol or row.con_id):
        return ""
    if quantity == 0:
        return f", and the broker is flat as {closed_in} says"
    if row.signed_quantity is not None and quantity == row.signed_quantity:
        return f", and the broker holds it as {open_in} says"
    return f", and the broker holds {describe_held(quantity)}, as neither says"
