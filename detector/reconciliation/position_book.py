"""Positions of both sides by instrument, their exact differences, and the ones that cannot be compared.

The broker and the runtime describe an instrument in different detail. Rows are of one instrument where no
part differs that both have, the account included; a contract id that both have decides alone. The most
detailed rows come first, so that neither the order of rows nor the splitting of a position into lots changes
the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.instrument import COMBO, Instrument, get_instrument_name, normalize
from detector.domain.instrument_names import STOCK
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_pairs import (
    BROKER,
    FLAT,
    INTERNAL,
    Difference,
    Lot,
    PositionPair,
    Side,
    classify_difference,
    merge_instruments,
    merge_lots,
)


class PositionBook(Struct):
    """The positions of both sides; `ambiguous` are lots that fit several positions, each with its side.

    `account` is that of the runtime: rows of another account are another runtime's. `combos` are internal
    lots of several contracts, which the broker lists by leg: positions in their symbols are not compared.
    """

    account: str | None = None
    positions: list[PositionPair] = field(default_factory=list)
    ambiguous: list[tuple[Lot, Side, tuple[PositionPair, ...]]] = field(default_factory=list)
    combos: list[Lot] = field(default_factory=list)
    _index: InstrumentIndex[PositionPair] = field(default_factory=InstrumentIndex)

    def find(self, instrument: Instrument, account: str | None = None) -> list[PositionPair]:
        """Return the positions that may be of the instrument; several where it lacks a deciding part."""
        return self._find_fitting(Lot(normalize(instrument), None, account or self.account))

    def _find_fitting(self, lot: Lot) -> list[PositionPair]:
        positions = [
            position for position in self._index.find_candidates(lot.instrument) if position.can_include(lot)
        ]
        if len(positions) > 1 and lot.instrument.con_id is None and lot.instrument.is_symbol_only:
            shares = [position for position in positions if position.instrument.sec_type in (STOCK, None)]
            return shares or positions
        return positions

    def is_in_combo(self, instrument: Instrument) -> bool:
        """Whether the runtime holds a combo on its symbol; a combo may have several symbols."""
        symbol = instrument.symbol
        return any(
            symbol is None or _has_symbol(lot.instrument, symbol)
            for lot in self.combos
            if lot.quantity != FLAT
        )

    def add_lot(self, lot: Lot, side: Side) -> None:
        """Add a lot to the position that it fits, to a new one, or to the ambiguous lots."""
        if side == INTERNAL and lot.instrument.sec_type == COMBO:
            self.combos.append(lot)
            return
        positions = self._find_fitting(lot)
        if len(positions) > 1:
            self.ambiguous.append((lot, side, tuple(positions)))
            return
        if len(positions) == 1 and not _is_filled(positions[0], lot, side):
            position = positions[0]
        else:
            position = PositionPair(lot.instrument, lot.account)
            self.positions.append(position)
            self._index.add(position.instrument, position)
        old_con_id = position.instrument.con_id
        position.add_lot(lot, side)
        if position.instrument.con_id != old_con_id:
            self._index.add(position.instrument, position)


def _has_symbol(combo: Instrument, symbol: str) -> bool:
    return combo.symbol is None or symbol in set(combo.symbol.replace(",", " ").split())


def _is_filled(position: PositionPair, lot: Lot, side: Side) -> bool:
    """Whether a lot with only a symbol would join an option of which its side has a lot already."""
    return lot.instrument.is_symbol_only and position.instrument.is_option and bool(position.lots[side])


def build_position_book(
    internal: Iterable[Lot], broker: Iterable[Lot], account: str | None = None
) -> PositionBook:
    """Return the positions of both sides.

    A broker's row with only a symbol is a share. Lots of another account than the runtime's are left out.
    """
    book = PositionBook(account)
    shares = (_to_share(lot) for lot in broker)
    lots: list[tuple[Lot, Side]] = [(lot, "broker") for lot in shares]
    lots += [(lot, "internal") for lot in internal]
    groups: dict[tuple[Instrument, str | None, Side], list[Lot]] = {}
    for lot, side in lots:
        if account is None or lot.account in (None, account):
            groups.setdefault((lot.instrument, lot.account, side), []).append(lot)
    for (_, _, side), group in sorted(groups.items(), key=lambda pair: (pair[1][0].detail, pair[0][2])):
        book.add_lot(merge_lots(group), side)
    return book


def _to_share(lot: Lot) -> Lot:
    instrument = lot.instrument
    if (
        instrument.sec_type is not None
        or instrument.is_option
        or instrument.expiry is not None
        or instrument.symbol is None
    ):
        return lot
    return replace(lot, instrument=merge_instruments(instrument, Instrument(sec_type=STOCK)))


def list_differences(book: PositionBook) -> list[Difference]:
    """Return every difference that is certain, by the name of its instrument.

    Where a lot fits several positions, their sums are compared: equal sums prove nothing (`list_undecided`),
    different sums are a difference whichever position the lot belongs to.
    """
    unclear = {id(position) for _, _, positions in book.ambiguous for position in positions}
    certain = [position for position in book.positions if id(position) not in unclear]
    mixed = [*certain, *_iter_merged(book)]
    results = [_build_difference(position) for position in mixed if not book.is_in_combo(position.instrument)]
    return sorted(
        (difference for difference in results if difference is not None),
        key=lambda difference: (difference.name, difference.account or ""),
    )


def list_undecided(book: PositionBook) -> list[str]:
    """Return the names of instruments with an unknown quantity or ambiguous lot, and of combo legs."""
    unknown = [
        position.name
        for position in book.positions
        if None in (position.compute_quantity("internal"), position.compute_quantity("broker"))
    ]
    ambiguous = [name for lot, _, positions in book.ambiguous for name in _iter_names(lot, positions)]
    legs = [position.name for position in book.positions if book.is_in_combo(position.instrument)]
    return sorted({*unknown, *ambiguous, *legs})


def _iter_names(lot: Lot, positions: Sequence[PositionPair]) -> Iterator[str]:
    yield get_instrument_name(lot.instrument)
    yield from (position.name for position in positions)


def _build_difference(position: PositionPair) -> Difference | None:
    internal, broker = position.compute_quantity("internal"), position.compute_quantity("broker")
    if internal is None or broker is None:
        return None
    kind = classify_difference(internal, broker)
    if kind is None:
        return None
    trade_titles = tuple(
        sorted({lot.trade_title for lot in position.lots[INTERNAL] if lot.trade_title and lot.quantity})
    )
    return Difference(
        kind, position.name, position.instrument, internal, broker, position.account, trade_titles
    )


def _iter_merged(book: PositionBook) -> Iterator[PositionPair]:
    """Yield the positions that ambiguous lots connect, merged under the name of the first such lot."""
    groups: list[tuple[set[int], list[PositionPair], list[tuple[Side, Lot]]]] = []
    for lot, side, positions in book.ambiguous:
        keys = {id(position) for position in positions}
        touching = [group for group in groups if group[0] & keys]
        members = {id(position): position for group in touching for position in group[1]} | {
            id(position): position for position in positions
        }
        lots = [*(side_lot for group in touching for side_lot in group[2]), (side, lot)]
        groups = [group for group in groups if not group[0] & keys]
        groups.append((set(members), list(members.values()), lots))
    for _, mixed, lots in groups:
        merged = PositionPair(lots[0][1].instrument, None)
        for own_side in (INTERNAL, BROKER):
            merged.lots[own_side] = [lot for position in mixed for lot in position.lots[own_side]]
            merged.lots[own_side] += [lot for side, lot in lots if side == own_side]
        yield merged
