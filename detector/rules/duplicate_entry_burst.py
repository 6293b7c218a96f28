"""Broker truth: one signal fills one entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, get_instrument_name
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.domain.runtime_rows import ENTRY
from detector.domain.trade_rows import Trade
from detector.formats.times import format_exactly, format_utc
from detector.reconciliation.fill_matching import LISTED_FOR
from detector.reconciliation.fills import Fill, get_leg_ids, is_account_wide, list_fills, list_trades
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.working_orders import list_orders
from detector.settings import ENTRY_BURST_CRITICAL, ENTRY_BURST_WINDOW_SEC


@rule(
    OCCURRENCE,
    "critical",
    any_of=["broker_executions", "store_trades", "recent_trades", "orders"],
    severity_inputs=["broker_positions", "broker_account", "broker_orders"],
    limits=[reaches(ENTRY_BURST_CRITICAL), ENTRY_BURST_WINDOW_SEC],
    money=True,
    escalates=NOW,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Entries of distinct orders in one instrument were filled one after the other within minutes."""
    window = timedelta(seconds=limits[ENTRY_BURST_WINDOW_SEC])
    sources = iter_broker_entries(facts), iter_trade_entries(facts), iter_order_entries(facts, window)
    for entries in sources:
        recent = (entry for entry in entries if entry.at >= facts.taken_at - LISTED_FOR)
        for name, times in _group_by_instrument(recent):
            burst = _find_largest_burst(sorted(times), window)
            if limits.is_broken(ENTRY_BURST_CRITICAL, len(burst)):
                yield Finding(
                    CRITICAL,
                    f"{len(burst)} entries in {name} were filled from {format_utc(burst[0])} to"
                    f" {format_utc(burst[-1])} "
                    f"(critical at {limits[ENTRY_BURST_CRITICAL]}"
                    f" within {format_exactly(limits[ENTRY_BURST_WINDOW_SEC])}).",
                    subject=name,
                    observed=len(burst),
                    limit=ENTRY_BURST_CRITICAL,
                    at=burst[-1],
                )


def _group_by_instrument(entries: Iterable[Entry]) -> Iterator[tuple[str, list[datetime]]]:
    times_by_name: dict[str, list[datetime]] = {}
    for entry in entries:
        times_by_name.setdefault(entry.name, []).append(entry.at)
    yield from times_by_name.items()


def _find_largest_burst(times: list[datetime], window: timedelta) -> list[datetime]:
    """Return the most times that lie within one window; of equally many, the latest."""
    best: list[datetime] = []
    first = 0
    for last, at in enumerate(times):
        while at - times[first] > window:
            first += 1
        if last - first + 1 >= len(best):
            best = times[first : last + 1]
    return best


class Entry(Struct, frozen=True):
    """One order that opened or added to a position, and when it first filled."""

    name: str
    at: datetime


def iter_trade_entries(facts: Facts) -> Iterator[Entry]:
    """Yield the entry of every trade with an instrument and an opening time, the last one of each order.

    A trade that names neither its order nor an execution of it is one order.
    """
    order_refs = {fill_id: fill.first.order_ref for fill in list_fills(facts) for fill_id in fill.get_ids()}
    entries: dict[tuple[str, str], Entry] = {}
    for trade in list_trades(facts):
        if trade.opened_at is None or not trade.symbol or not trade.trade_id:
            continue
        order_ref = _find_order_ref(trade, order_refs)
        entry = Entry(get_instrument_name(trade), trade.opened_at)
        last = entries.setdefault((entry.name, order_ref), entry)
        entries[entry.name, order_ref] = max(last, entry, key=lambda known: known.at)
    yield from entries.values()


def _find_order_ref(trade: Trade, order_refs: Mapping[str, str | None]) -> str:
    """Return what the trades of one order share: the order of a listed execution, an id, else its own."""
    ids = sorted(get_leg_ids(trade, opening=True))
    listed = (order_refs[leg_id] for leg_id in ids if leg_id in order_refs)
    orders = (leg_id for leg_id in reversed(ids) if not leg_id.startswith("exec"))
    return next(filter(None, (*listed, *orders)), f"trade {trade.trade_id}")


def iter_order_entries(facts: Facts, window: timedelta) -> Iterator[Entry]:
    """Yield the runtime's entry orders that were sent and filled, at least in part, within the window.

    A list of orders does not say when one filled; of those that were sent earlier it is not known.
    """
    for order in facts.orders or ():
        sent_at, has_filled = order.submitted_at, order.is_filled or (order.filled or 0) > 0
        if sent_at is None or sent_at < facts.taken_at - window:
            continue
        if has_filled and order.purpose == ENTRY and order.is_named:
            yield Entry(get_instrument_name(order), sent_at)


def iter_broker_entries(facts: Facts) -> Iterator[Entry]:
    """Yield the broker's fills that opened or added to a position.

    The purpose of a fill is Flex's open/close indicator or the runtime's purpose of its order. Else the
    position before the fill decides, counted back from the present one. Where none of these is known, it is
    no entry. An advisor's order that filled in several accounts is one.
    """
    purposes = {key: order.purpose for order in list_orders(facts) if order.purpose for key in order.ids}
    dated_fills = [fill for fill in list_fills(facts) if fill.first.order_ref and fill.at]
    after = _compute_positions_after(facts, dated_fills)
    entries: dict[object, Entry] = {}
    for number, (fill, held) in enumerate(zip(dated_fills, after, strict=True)):
        purpose = fill.first.opens or purposes.get(fill.first.order_ref or "")
        if fill.at is not None and (_is_opening(purpose) if purpose else _is_increase(fill, held)):
            key = (fill.first.perm_id, fill.instrument) if is_account_wide(fill.first) else number
            entries.setdefault(key, Entry(get_instrument_name(fill.first), fill.at))
    yield from entries.values()


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
        held = current[key] if key in current else side.find_broker_position(fill.first, key[0])[1]
        positions.append(held)
        quantity = fill.quantity
        current[key] = None if held is None or quantity is None else held - quantity
    return positions[::-1]
