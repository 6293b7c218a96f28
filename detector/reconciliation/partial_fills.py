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
from detector.reconciliation.fills import NEAR, Fill
from detector.reconciliation.holdings import Lot, netted
from detector.reconciliation.instrument_index import Lookup

_NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Part:
    """What fills of several orders have to come to together: signed, from then to then as far as that is known."""

    quantity: Decimal
    since: datetime | None
    until: datetime | None
    fewest: int = 2  # one fill for the whole of a leg is that leg, or another trade's


class _Line:
    """The fills of one instrument on one side, oldest first, with their running sums: any span is summed at once."""

    def __init__(self, found: Iterable[Fill], sign: int) -> None:
        dated = [
            (fill.at, fill.quantity, fill)
            for fill in found
            if fill.at is not None and fill.quantity is not None and fill.quantity * sign > 0
        ]
        dated.sort(key=lambda one: one[0])
        self._times = [at for at, _, _ in dated]
        self._sums = list(accumulate((quantity for _, quantity, _ in dated), initial=_NONE))
        self._fills = [fill for _, _, fill in dated]

    def making(self, part: _Part) -> Sequence[Fill]:
        """Return the fills in the span of the part, where they come to it exactly; none where they do not."""
        start = 0 if part.since is None else bisect_left(self._times, part.since)
        end = len(self._times) if part.until is None else bisect_right(self._times, part.until)
        exact = end - start >= part.fewest and self._sums[end] - self._sums[start] == part.quantity
        return self._fills[start:end] if exact else ()


def parts_of_trades(found: Iterable[Fill], trades: Sequence[Trade], held: Iterable[Lot]) -> set[int]:
    """Return by `id` the fills that together make one leg of a trade, exactly: nobody knows that one is missing."""
    by_instrument = Lookup((fill.instrument, fill) for fill in found)
    lots = Lookup((lot.instrument, lot) for lot in netted(held))
    lines: dict[tuple[Instrument, int], _Line] = {}
    made: set[int] = set()
    for trade in trades:
        named = normalize(trade)
        for part in _parts(trade, lots):
            sign = 1 if part.quantity > 0 else -1
            if (named, sign) not in lines:
                lines[named, sign] = _Line(by_instrument.same(named), sign)
            made.update(id(fill) for fill in lines[named, sign].making(part))
    return made


def _parts(trade: Trade, lots: Lookup[Lot]) -> Iterator[_Part]:
    """Yield the leg that opened the trade and what closed of it so far."""
    quantity, opened = trade.signed_quantity, trade.opened_at
    if quantity is None:
        return
    until = None if trade.closed_at is None else trade.closed_at + NEAR
    yield _Part(quantity, None if opened is None else opened - NEAR, until)
    left = _NONE if trade.is_effectively_open is False else _left(normalize(trade), lots)
    if left is not None and quantity != left:
        yield _Part(left - quantity, opened, until, fewest=1 if left else 2)


def _left(instrument: Instrument, lots: Lookup[Lot]) -> Decimal | None:
    found = lots.same(instrument)
    return found[0].quantity if len(found) == 1 else None
