"""Fills and trades found by each other without trying each pair: by id, by minute, and by instrument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from detector.domain.runtime_rows import Trade
from detector.reconciliation.fills import Fill, FillMatch, Leg, get_leg_ids, has_closed, iter_legs, match_leg
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_book import Lot, merge_by_instrument


class KnownFills:
    """What the runtime knows of fills: the legs of its trades, and the positions that it holds open."""

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
        """Return whether a trade, or a position that is held open, is this fill.

        A position held on the fill's side, of its quantity or more, knows of the fill that opened it.
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
    """The broker's fills, found by the trade that one of them closed."""

    def __init__(self, fills: Iterable[Fill]) -> None:
        self._by_id: dict[str, Fill] = {}
        self._by_minute: dict[int, list[Fill]] = {}
        for fill in fills:
            self._by_id.update(dict.fromkeys(fill.get_ids(), fill))
            for minute in {_to_minute(at) for at in fill.times}:
                self._by_minute.setdefault(minute, []).append(fill)

    def find(self, trade: Trade) -> Fill | None:
        """Return the fill that closed the trade, or None where none is known to have."""
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
