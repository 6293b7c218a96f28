"""What is held where: positions of both sides by instrument, compared exactly, and what cannot be compared.

The broker and the runtime name an instrument in different detail. Rows are one instrument where everything agrees
that both of them say, the account among it; a contract id that both carry decides alone. The most detailed rows
come first, so that the order of rows, the writing of numbers and the splitting of a position into lots change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from detector.domain.instrument import COMBO, STOCK, Instrument, get_instrument_name, is_same, normalize
from detector.reconciliation.difference import FLAT, Difference, Kind, kind_of_difference
from detector.reconciliation.instrument_index import Lookup
from detector.reconciliation.lots import BROKER, INTERNAL, Held, Lot, Side, completed, lot_of, netted, summed


@dataclass(slots=True)
class Holdings:
    """What both sides hold, by instrument; `doubtful` are lots that fit several instruments, each with its side.

    `account` is that of the runtime: rows of another account are another runtime's. `combos` are internal lots of
    several contracts at once, which the broker lists by their legs: what is on their symbol is not compared.
    """

    account: str | None = None
    held: list[Held] = field(default_factory=list)
    doubtful: list[tuple[Lot, Side, tuple[Held, ...]]] = field(default_factory=list)
    combos: list[Lot] = field(default_factory=list)
    _lookup: Lookup[Held] = field(default_factory=Lookup)

    def find(self, instrument: Instrument, account: str | None = None) -> list[Held]:
        """Return what is held of the instrument: one, none, or several where it is named in too little detail."""
        return self._fitting(Lot(normalize(instrument), None, account or self.account))

    def _fitting(self, lot: Lot) -> list[Held]:
        found = [one for one in self._lookup.near(lot.instrument) if one.takes(lot)]
        if len(found) > 1 and lot.instrument.con_id is None and lot.instrument.is_symbol_only:
            shares = [one for one in found if one.instrument.sec_type in (STOCK, None)]
            return shares or found
        return found

    def is_in_combo(self, instrument: Instrument) -> bool:
        """Whether the runtime holds a combo on its symbol; one may name several symbols."""
        named = instrument.symbol
        return any(
            named is None or _is_on(lot.instrument, named) for lot in self.combos if lot.quantity != FLAT
        )

    def put(self, lot: Lot, side: Side) -> None:
        """Put one lot where it belongs: to the one instrument that it fits, to a new one, or among the doubtful."""
        if side == INTERNAL and lot.instrument.sec_type == COMBO:
            self.combos.append(lot)
            return
        found = self._fitting(lot)
        if len(found) > 1:
            self.doubtful.append((lot, side, tuple(found)))
            return
        if len(found) == 1 and not _is_taken(found[0], lot, side):
            made = found[0]
        else:
            made = Held(lot.instrument, lot.account)
            self.held.append(made)
            self._lookup.add(made.instrument, made)
        known_by = made.instrument.con_id
        made.add(lot, side)
        if made.instrument.con_id != known_by:
            self._lookup.add(made.instrument, made)


def _is_on(combo: Instrument, symbol: str) -> bool:
    return combo.symbol is None or symbol in set(combo.symbol.replace(",", " ").split())


def _is_taken(held: Held, lot: Lot, side: Side) -> bool:
    """Whether a lot with nothing but a symbol would join an option that its side lists already in full."""
    return lot.instrument.is_symbol_only and held.instrument.is_option and bool(held.lots[side])


def holdings(internal: Iterable[Lot], broker: Iterable[Lot], account: str | None = None) -> Holdings:
    """Return what both sides hold, by instrument.

    A broker's row with nothing but a symbol is a share. Lots of another account than the runtime's are left out.
    """
    made = Holdings(account)
    shares = (_as_share(lot) for lot in broker)
    lots: list[tuple[Lot, Side]] = [(lot, "broker") for lot in shares]
    lots += [(lot, "internal") for lot in internal]
    alike: dict[tuple[Instrument, str | None, Side], list[Lot]] = {}
    for lot, side in lots:
        if account is None or lot.account in (None, account):
            alike.setdefault((lot.instrument, lot.account, side), []).append(lot)
    for (_, _, side), group in sorted(alike.items(), key=lambda pair: (pair[1][0].detail, pair[0][2])):
        made.put(summed(group), side)
    return made


def _as_share(lot: Lot) -> Lot:
    named = lot.instrument
    if named.sec_type is not None or named.is_option or named.expiry is not None or named.symbol is None:
        return lot
    return replace(lot, instrument=completed(named, Instrument(sec_type=STOCK)))


def differences(compared: Holdings) -> list[Difference]:
    """Return every difference that is certain, by the name of its instrument.

    Where an internal row fits several instruments, they are compared together: equal sums prove nothing and are
    left to `undecided`, sums that differ are a difference however the row is meant.
    """
    unclear = {id(one) for _, _, several in compared.doubtful for one in several}
    alone = [one for one in compared.held if id(one) not in unclear]
    mixed = [*alone, *_together(compared)]
    found = [_difference(one) for one in mixed if not compared.is_in_combo(one.instrument)]
    return sorted((one for one in found if one is not None), key=lambda one: (one.name, one.account or ""))


def undecided(compared: Holdings) -> list[str]:
    """Return the names of instruments of which a quantity was not seen, or which cannot be told apart."""
    blind = [one.name for one in compared.held if None in (one.quantity("internal"), one.quantity("broker"))]
    mixed = [name for lot, _, several in compared.doubtful for name in _names(lot, several)]
    legs = [one.name for one in compared.held if compared.is_in_combo(one.instrument)]
    return sorted({*blind, *mixed, *legs})


def _names(lot: Lot, several: Sequence[Held]) -> Iterator[str]:
    yield get_instrument_name(lot.instrument)
    yield from (one.name for one in several)


def _difference(one: Held) -> Difference | None:
    internal, broker = one.quantity("internal"), one.quantity("broker")
    if internal is None or broker is None:
        return None
    kind = kind_of_difference(internal, broker)
    if kind is None:
        return None
    about = tuple(sorted({lot.about for lot in one.lots[INTERNAL] if lot.about and lot.quantity}))
    return Difference(kind, one.name, one.instrument, internal, broker, one.account, about)


def _together(compared: Holdings) -> Iterator[Held]:
    """Yield the instruments that an unclear row mixes up as if they were one, under the row's own name."""
    groups: list[tuple[set[int], list[Held], list[tuple[Side, Lot]]]] = []
    for lot, side, several in compared.doubtful:
        keys = {id(one) for one in several}
        touching = [group for group in groups if group[0] & keys]
        members = {id(one): one for group in touching for one in group[1]} | {id(one): one for one in several}
        lots = [*(known for group in touching for known in group[2]), (side, lot)]
        groups = [group for group in groups if not group[0] & keys]
        groups.append((set(members), list(members.values()), lots))
    for _, mixed, lots in groups:
        made = Held(lots[0][1].instrument, None)
        for one in (INTERNAL, BROKER):
            made.lots[one] = [lot for held in mixed for lot in held.lots[one]]
            made.lots[one] += [lot for side, lot in lots if side == one]
        yield made


__all__ = [
    "BROKER", "FLAT", "INTERNAL", "Difference", "Held", "Holdings", "Kind", "Lot", "Side", "completed", "differences",
    "holdings", "is_same", "kind_of_difference", "lot_of", "netted", "undecided",
]  # fmt: skip
