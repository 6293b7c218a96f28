"""What one row says of a position, and one instrument with what each side holds of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from detector.domain.instrument import Instrument, get_instrument_name, is_same, normalize
from detector.domain.instrument_names import is_known_expiry, is_known_type
from detector.reconciliation.difference import FLAT

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
        return get_instrument_name(self.instrument)

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
    if other.sec_type is not None and not is_known_type(one.sec_type):
        said["sec_type"] = other.sec_type
    if other.expiry is not None and not is_known_expiry(one.expiry):
        said["expiry"] = other.expiry
    return Instrument(**said)


def lot_of(
    instrument: Instrument, quantity: Decimal | None, account: str | None = None, about: str = ""
) -> Lot:
    """Return a lot with its instrument in its normal form."""
    return Lot(normalize(instrument), quantity, account, about)


def netted(lots: Iterable[Lot]) -> list[Lot]:
    """Return one lot for each instrument as it is named, with the sum; None where a quantity was not seen."""
    found: dict[Instrument, list[Lot]] = {}
    for lot in lots:
        found.setdefault(lot.instrument, []).append(lot)
    return [summed(group) for group in found.values()]


def summed(lots: Sequence[Lot]) -> Lot:
    """Return lots of one instrument, at least one, as one with their sum; None where a quantity was not seen."""
    known = [lot.quantity for lot in lots if lot.quantity is not None]
    about = " and ".join(sorted({lot.about for lot in lots if lot.about and lot.quantity != FLAT}))
    return replace(lots[0], quantity=sum(known, FLAT) if len(known) == len(lots) else None, about=about)
