"""Matches the broker's fills with the runtime's trades, whole or in parts, without comparing every pair."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.instrument import Instrument, normalize
from detector.domain.trade_rows import Trade
from detector.reconciliation.fills import (
    MATCH_TOLERANCE,
    Fill,
    FillMatch,
    Leg,
    get_leg_ids,
    has_closed,
    iter_legs,
    match_leg,
)
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_pairs import Lot, merge_by_instrument

_ZERO = Decimal(0)


class KnownFills:
    """The fills that the runtime accounts for: the legs of its trades and its open positions."""

    def __init__(self, trades: Iterable[Trade], lots: Iterable[Lot]) -> None:
        self._ids: set[str] = set()
        self._timed: dict[int, list[Leg]] = {}
        self._untimed: InstrumentIndex[Leg] = InstrumentIndex()
        self._nameless: dict[Decimal | None, Leg] = {}
        self._positions = InstrumentIndex((lot.instrument, lot) for lot in merge_by_instrument(lots))
        legs = [leg for trade in trades for leg in iter_legs(trade)]
        self._ids.update(leg_id for leg in legs for leg_id in leg.ids)
        for leg in dict.fromkeys(replace(leg, ids=frozenset()) for leg in legs):
            self._add_leg(leg)

    def _add_leg(self, leg: Leg) -> None:
        if leg.at is not None:
            self._timed.setdefault(_to_minute(leg.at), []).append(leg)
        elif leg.instrument.symbol is None and leg.instrument.con_id is None:
            self._nameless[leg.quantity] = leg
        else:
            self._untimed.add(leg.instrument, leg)

    def match(self, fill: Fill) -> FillMatch:
        """Return whether a trade or an open position accounts for this fill.

        A position on the fill's side with at least its quantity accounts for the fill that opened it.
        """
        if self._ids & fill.get_ids():
            return "yes"
        matches = {match_leg(fill, leg) for leg in self._iter_near(fill)}
        matches |= {_match_opening(fill, lot) for lot in self._positions.find_same(fill.instrument)}
        return "yes" if "yes" in matches else "maybe" if "maybe" in matches else "no"

    def _iter_near(self, fill: Fill) -> Iterator[Leg]:
        yield from self._nameless.values()
        yield from self._untimed.find_same(fill.instrument)
        times = fill.times
        minutes = range(_to_minute(min(times)) - 1, _to_minute(max(times)) + 2) if times else self._timed
        for minute in minutes:
            yield from self._timed.get(minute, ())


class ClosingFills:
    """An index of the broker's fills by the trade that a fill closed."""

    def __init__(self, fills: Iterable[Fill]) -> None:
        self._by_id: dict[str, Fill] = {}
        self._by_minute: dict[int, list[Fill]] = {}
        for fill in fills:
            self._by_id.update(dict.fromkeys(fill.get_ids(), fill))
            for minute in {_to_minute(at) for at in fill.times}:
                self._by_minute.setdefault(minute, []).append(fill)

    def find(self, trade: Trade) -> Fill | None:
        """Return the fill that closed the trade, or None where no fill certainly did."""
        by_id = (
            self._by_id[leg_id]
            for leg_id in sorted(get_leg_ids(trade, opening=False))
            if leg_id in self._by_id
        )
        near = (
            fill
            for minute in (
                range(_to_minute(trade.closed_at) - 1, _to_minute(trade.closed_at) + 2)
                if trade.closed_at
                else ()
            )
            for fill in self._by_minute.get(minute, ())
        )
        return next((fill for fill in (*by_id, *near) if has_closed(fill, trade)), None)


def _to_minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _match_opening(fill: Fill, lot: Lot) -> FillMatch:
    if lot.quantity is None or fill.quantity is None:
        return "maybe"
    same_side = lot.quantity * fill.quantity > 0
    return "yes" if same_side and abs(lot.quantity) >= abs(fill.quantity) else "no"


class _LegPart(Struct, frozen=True):
    """The signed quantity that fills of several orders must add up to between two times; None is no bound."""

    quantity: Decimal
    since: datetime | None
    until: datetime | None
    min_fills: int = 2  # a single fill of the whole leg is the leg itself, or another trade's


class _FillSeries:
    """The fills of one instrument and side, oldest first, with running sums: any span is one subtraction."""

    def __init__(self, fills: Iterable[Fill], sign: int) -> None:
        dated = [
            (fill.at, fill.quantity, fill)
            for fill in fills
            if fill.at is not None and fill.quantity is not None and fill.quantity * sign > 0
        ]
        dated.sort(key=lambda entry: entry[0])
        self._times = [at for at, _, _ in dated]
        self._sums = list(accumulate((quantity for _, quantity, _ in dated), initial=_ZERO))
        self._fills = [fill for _, _, fill in dated]

    def find_exact(self, part: _LegPart) -> Sequence[Fill]:
        """Return the fills in the span of the part where they add up to it exactly, else none."""
        start = 0 if part.since is None else bisect_left(self._times, part.since)
        end = len(self._times) if part.until is None else bisect_right(self._times, part.until)
        exact = end - start >= part.min_fills and self._sums[end] - self._sums[start] == part.quantity
        return self._fills[start:end] if exact else ()


def find_partial_fills(fills: Iterable[Fill], trades: Sequence[Trade], held: Iterable[Lot]) -> set[int]:
    """Return the Python ids of fills that add up exactly to one leg of a trade: none of them is missed."""
    by_instrument = InstrumentIndex((fill.instrument, fill) for fill in fills)
    lots = InstrumentIndex((lot.instrument, lot) for lot in merge_by_instrument(held))
    series: dict[tuple[Instrument, int], _FillSeries] = {}
    fill_ids: set[int] = set()
    for trade in trades:
        instrument = normalize(trade)
        for part in _iter_leg_parts(trade, lots):
            sign = 1 if part.quantity > 0 else -1
            if (instrument, sign) not in series:
                series[instrument, sign] = _FillSeries(by_instrument.find_same(instrument), sign)
            fill_ids.update(id(fill) for fill in series[instrument, sign].find_exact(part))
    return fill_ids


def _iter_leg_parts(trade: Trade, lots: InstrumentIndex[Lot]) -> Iterator[_LegPart]:
    """Yield the leg that opened the trade, and the part of it that is closed so far."""
    quantity, opened = trade.signed_quantity, trade.opened_at
    if quantity is None:
        return
    until = None if trade.closed_at is None else trade.closed_at + MATCH_TOLERANCE
    yield _LegPart(quantity, None if opened is None else opened - MATCH_TOLERANCE, until)
    remaining = _ZERO if trade.is_effectively_open is False else _find_remaining(normalize(trade), lots)
    if remaining is not None and quantity != remaining:
        yield _LegPart(remaining - quantity, opened, until, min_fills=1 if remaining else 2)


def _find_remaining(instrument: Instrument, lots: InstrumentIndex[Lot]) -> Decimal | None:
    matches = lots.find_same(instrument)
    return matches[0].quantity if len(matches) == 1 else None
