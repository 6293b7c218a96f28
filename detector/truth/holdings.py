"""What is held where: positions of both sides by instrument, compared exactly, and what cannot be compared.

The broker and the runtime name an instrument in different detail. Rows are one instrument where everything agrees
that both of them say, the account among it; a contract id that both carry decides alone. The most detailed rows
come first, so that the order of rows, the writing of numbers and the splitting of a position into lots change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from detector.model.instrument import STOCK, Instrument, instrument_of, is_same, normal
from detector.truth.drift import FLAT, Difference, Kind, kind_of_difference
from detector.truth.lookup import Lookup

Side = Literal["internal", "broker"]
INTERNAL, BROKER = "internal", "broker"
_PARTS = ("symbol", "sec_type", "expiry", "strike", "right", "multiplier")


@dataclass(frozen=True, slots=True)
class Lot:
    """What one row says: so much of an instrument, signed; None where the quantity was not seen.

    `about` names what the row belongs to, for a person: `trade #162 (signal #238, position #301)`.
    """

    instrument: Instrument
    quantity: Decimal | None
    account: str | None = None
    about: str = field(default="", compare=False)

    @property
    def detail(self) -> tuple[int, tuple[str, ...]]:
        """Return how much it says of its instrument, and then a name that puts equals in one order."""
        said = (self.account, self.instrument.con_id, *(getattr(self.instrument, part) for part in _PARTS))
        return -sum(part is not None for part in said), tuple(str(part) for part in said)


@dataclass(slots=True)
class Held:
    """One instrument with what each side holds of it; a side with an unseen quantity is not known."""

    instrument: Instrument
    account: str | None
    lots: dict[str, list[Lot]] = field(default_factory=lambda: {INTERNAL: [], BROKER: []})

    @property
    def name(self) -> str:
        """Return the instrument's one name."""
        return instrument_of(self.instrument)

    def quantity(self, side: Side) -> Decimal | None:
        """Return what the side holds, 0 where it lists nothing; None where a quantity was not seen."""
        found = [lot.quantity for lot in self.lots[side]]
        known = [quantity for quantity in found if quantity is not None]
        return sum(known, FLAT) if len(known) == len(found) else None

    def takes(self, lot: Lot) -> bool:
        """Whether the lot can be of this instrument: nothing that both say differs."""
        if self.account is not None and lot.account is not None and self.account != lot.account:
            return False
        return is_same(self.instrument, lot.instrument)

    def add(self, lot: Lot, side: Side) -> None:
        """Take the lot in, and whatever it says that was not known."""
        self.lots[side].append(lot)
        self.account = self.account or lot.account
        self.instrument = completed(self.instrument, lot.instrument)


def completed(one: Instrument, other: Instrument) -> Instrument:
    """Return the instrument with what only the other says."""
    said = {part: getattr(one, part) or getattr(other, part) for part in ("con_id", *_PARTS)}
    return Instrument(**said)


@dataclass(slots=True)
class Holdings:
    """What both sides hold, by instrument; `doubtful` are internal lots that fit several instruments.

    `account` is that of the runtime: rows of another account are another runtime's.
    """

    account: str | None = None
    held: list[Held] = field(default_factory=list)
    doubtful: list[tuple[Lot, tuple[Held, ...]]] = field(default_factory=list)
    _lookup: Lookup[Held] = field(default_factory=Lookup)

    def find(self, instrument: Instrument, account: str | None = None) -> list[Held]:
        """Return what is held of the instrument: one, none, or several where it is named in too little detail."""
        return self._fitting(Lot(normal(instrument), None, account or self.account))

    def _fitting(self, lot: Lot) -> list[Held]:
        found = [one for one in self._lookup.near(lot.instrument) if one.takes(lot)]
        if len(found) > 1 and lot.instrument.con_id is None and lot.instrument.is_bare:
            shares = [one for one in found if one.instrument.sec_type in (STOCK, None)]
            return shares or found
        return found

    def put(self, lot: Lot, side: Side) -> None:
        """Put one lot where it belongs: to the one instrument that it fits, to a new one, or among the doubtful."""
        found = self._fitting(lot)
        if len(found) > 1:
            self.doubtful.append((lot, tuple(found)))
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


def _summed(lots: Sequence[Lot]) -> Lot:
    known = [lot.quantity for lot in lots if lot.quantity is not None]
    about = " and ".join(sorted({lot.about for lot in lots if lot.about and lot.quantity != FLAT}))
    return replace(lots[0], quantity=sum(known, FLAT) if len(known) == len(lots) else None, about=about)


def _is_taken(held: Held, lot: Lot, side: Side) -> bool:
    """Whether a lot with nothing but a symbol would join an option that its side lists already in full."""
    return lot.instrument.is_bare and held.instrument.is_option and bool(held.lots[side])


def lot_of(
    instrument: Instrument, quantity: Decimal | None, account: str | None = None, about: str = ""
) -> Lot:
    """Return a lot with its instrument in its normal form."""
    return Lot(normal(instrument), quantity, account, about)


def netted(lots: Iterable[Lot]) -> list[Lot]:
    """Return one lot for each instrument as it is named, with the sum; None where a quantity was not seen."""
    found: dict[Instrument, list[Lot]] = {}
    for lot in lots:
        found.setdefault(lot.instrument, []).append(lot)
    return [_summed(group) for group in found.values()]


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
        made.put(_summed(group), side)
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
    unclear = {id(one) for _, several in compared.doubtful for one in several}
    found = [_difference(one) for one in compared.held if id(one) not in unclear]
    found += [_difference(together) for together in _together(compared)]
    return sorted((one for one in found if one is not None), key=lambda one: (one.name, one.account or ""))


def undecided(compared: Holdings) -> list[str]:
    """Return the names of instruments of which a quantity was not seen, or which cannot be told apart."""
    blind = [one.name for one in compared.held if None in (one.quantity("internal"), one.quantity("broker"))]
    mixed = [name for lot, several in compared.doubtful for name in _names(lot, several)]
    return sorted({*blind, *mixed})


def _names(lot: Lot, several: Sequence[Held]) -> Iterator[str]:
    yield instrument_of(lot.instrument)
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
    groups: list[tuple[set[int], list[Held], list[Lot]]] = []
    for lot, several in compared.doubtful:
        keys = {id(one) for one in several}
        touching = [group for group in groups if group[0] & keys]
        members = {id(one): one for group in touching for one in group[1]} | {id(one): one for one in several}
        lots = [*(known for group in touching for known in group[2]), lot]
        groups = [group for group in groups if not group[0] & keys]
        groups.append((set(members), list(members.values()), lots))
    for _, mixed, lots in groups:
        made = Held(lots[0].instrument, None)
        for side in (INTERNAL, BROKER):
            made.lots[side] = [lot for one in mixed for lot in one.lots[side]]
        made.lots[INTERNAL] += lots
        yield made


__all__ = [
    "BROKER", "FLAT", "INTERNAL", "Difference", "Held", "Holdings", "Kind", "Lot", "Side", "completed", "differences",
    "holdings", "is_same", "kind_of_difference", "lot_of", "netted", "undecided",
]  # fmt: skip
