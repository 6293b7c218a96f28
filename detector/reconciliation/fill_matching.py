"""Fills and trades found by each other without trying each pair: by id, by minute, and by instrument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from detector.domain.runtime_rows import Trade
from detector.reconciliation.fills import Fill, Leg, Match, alike, closes, leg_ids, legs_of
from detector.reconciliation.holdings import Lot, netted
from detector.reconciliation.instrument_index import Lookup


class Ledger:
    """What the runtime knows of fills: the legs of its trades, and the positions that it holds open."""

    def __init__(self, trades: Iterable[Trade], held: Iterable[Lot]) -> None:
        self._ids: set[str] = set()
        self._timed: dict[int, list[Leg]] = {}
        self._untimed: Lookup[Leg] = Lookup()
        self._nameless: dict[Decimal | None, Leg] = {}
        self._held = Lookup((lot.instrument, lot) for lot in netted(held))
        legs = [leg for trade in trades for leg in legs_of(trade)]
        self._ids.update(one for leg in legs for one in leg.ids)
        for leg in dict.fromkeys(replace(leg, ids=frozenset()) for leg in legs):
            self._keep(leg)

    def _keep(self, leg: Leg) -> None:
        if leg.at is not None:
            self._timed.setdefault(_minute(leg.at), []).append(leg)
        elif leg.instrument.symbol is None and leg.instrument.con_id is None:
            self._nameless[leg.quantity] = leg
        else:
            self._untimed.add(leg.instrument, leg)

    def knows(self, fill: Fill) -> Match:
        """Return whether a trade, or a position that is held open, is this fill.

        A position held on the fill's side, of its quantity or more, knows of the fill that opened it.
        """
        if self._ids & fill.ids():
            return "yes"
        found = {alike(fill, leg) for leg in self._near(fill)}
        found |= {_opened(fill, lot) for lot in self._held.same(fill.instrument)}
        return "yes" if "yes" in found else "maybe" if "maybe" in found else "no"

    def _near(self, fill: Fill) -> Iterator[Leg]:
        yield from self._nameless.values()
        yield from self._untimed.same(fill.instrument)
        times = fill.times
        minutes = range(_minute(min(times)) - 1, _minute(max(times)) + 2) if times else self._timed
        for minute in minutes:
            yield from self._timed.get(minute, ())


class Closings:
    """The broker's fills, found by the trade that one of them closed."""

    def __init__(self, found: Iterable[Fill]) -> None:
        self._by_id: dict[str, Fill] = {}
        self._by_minute: dict[int, list[Fill]] = {}
        for fill in found:
            self._by_id.update(dict.fromkeys(fill.ids(), fill))
            for minute in {_minute(at) for at in fill.times}:
                self._by_minute.setdefault(minute, []).append(fill)

    def of(self, trade: Trade) -> Fill | None:
        """Return the fill that closed the trade, or None where none is known to have."""
        named = (self._by_id[one] for one in sorted(leg_ids(trade, opening=False)) if one in self._by_id)
        near = (
            fill
            for minute in (
                range(_minute(trade.closed_at) - 1, _minute(trade.closed_at) + 2) if trade.closed_at else ()
            )
            for fill in self._by_minute.get(minute, ())
        )
        return next((fill for fill in (*named, *near) if closes(fill, trade)), None)


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _opened(fill: Fill, lot: Lot) -> Match:
    if lot.quantity is None or fill.quantity is None:
        return "maybe"
    same_side = lot.quantity * fill.quantity > 0
    return "yes" if same_side and abs(lot.quantity) >= abs(fill.quantity) else "no"
