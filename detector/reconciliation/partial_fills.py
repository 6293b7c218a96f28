"""Fills that are a part of a trade: one that was opened or closed by several orders, or is closed in part so far."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import Trade
from detector.reconciliation.fills import MATCH_TOLERANCE, Fill
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_book import Lot, merge_by_instrument

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class _LegPart:
    """What fills of several orders have to come to together: signed, from then to then as far as that is known."""

    quantity: Decimal
    since: datetime | None
    until: datetime | None
    min_fills: int = 2  # one fill for the whole of a leg is that leg, or another trade's


class _FillSeries:
    """The fills of one instrument on one side, oldest first, with their running sums: any span is summed at once."""

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
        """Return the fills in the span of the part, where they come to it exactly; none where they do not."""
        start = 0 if part.since is None else bisect_left(self._times, part.since)
        end = len(self._times) if part.until is None else bisect_right(self._times, part.until)
        exact = end - start >= part.min_fills and self._sums[end] - self._sums[start] == part.quantity
        return self._fills[start:end] if exact else ()


def find_partial_fills(fills: Iterable[Fill], trades: Sequence[Trade], held: Iterable[Lot]) -> set[int]:
    """Return by `id` the fills that together make one leg of a trade, exactly: nobody knows that one is missing."""
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
    """Yield the leg that opened the trade and what closed of it so far."""
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
