"""How the runtime and the broker differ in one instrument, in exact signed quantities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from detector.domain.instrument import Instrument, get_instrument_name, is_same, normalize
from detector.domain.instrument_names import is_known_expiry, is_known_type

FLAT = Decimal(0)
_PARTS = ("symbol", "sec_type", "expiry", "strike", "right", "multiplier")
Side = Literal["internal", "broker"]
INTERNAL, BROKER = "internal", "broker"
DifferenceKind = Literal["phantom", "unmanaged", "quantity", "side"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Broker and internal positions differ in an instrument.

    `phantom`: internal open, broker flat, so that a close would open the other side. `unmanaged`: broker open,
    internal none. `side`: open on opposite sides. `quantity`: the same side, another number.
    """

    kind: DifferenceKind
    name: str
    instrument: Instrument
    internal: Decimal
    broker: Decimal
    account: str | None = None
    trade_titles: tuple[str, ...] = ()

    @property
    def is_vague(self) -> bool:
        """Whether a part of the instrument's name was not seen."""
        return self.instrument.is_vague


def classify_difference(internal: Decimal, broker: Decimal) -> DifferenceKind | None:
    """Return how two signed quantities differ, or None where they are equal."""
    if internal == broker:
        return None
    if broker == FLAT:
        return "phantom"
    if internal == FLAT:
        return "unmanaged"
    return "quantity" if (internal > FLAT) == (broker > FLAT) else "side"


@dataclass(frozen=True, slots=True)
class Lot:
    """What one row says: so much of an instrument, signed; None where the quantity was not seen.

    `about` names what the row belongs to, for a person: `trade #162 (signal #238, position #301)`.
    """

    instrument: Instrument
    quantity: Decimal | None
    account: str | None = None
    trade_title: str = field(default="", compare=False)

    @property
    def detail(self) -> tuple[int, tuple[str, ...]]:
        """Return how much it says of its instrument, and then a name that puts equals in one order."""
        values = (self.account, self.instrument.con_id, *(getattr(self.instrument, part) for part in _PARTS))
        return -sum(part is not None for part in values), tuple(str(part) for part in values)


@dataclass(slots=True)
class PositionPair:
    """One instrument with what each side holds of it; a side with an unseen quantity is not known."""

    instrument: Instrument
    account: str | None
    lots: dict[str, list[Lot]] = field(default_factory=lambda: {INTERNAL: [], BROKER: []})

    @property
    def name(self) -> str:
        """Return the instrument's one name."""
        return get_instrument_name(self.instrument)

    def compute_quantity(self, side: Side) -> Decimal | None:
        """Return what the side holds, 0 where it lists nothing; None where a quantity was not seen."""
        quantities = [lot.quantity for lot in self.lots[side]]
        known_quantities = [quantity for quantity in quantities if quantity is not None]
        return sum(known_quantities, FLAT) if len(known_quantities) == len(quantities) else None

    def can_include(self, lot: Lot) -> bool:
        """Whether the lot can be of this instrument: nothing that both say differs."""
        if self.account is not None and lot.account is not None and self.account != lot.account:
            return False
        return is_same(self.instrument, lot.instrument)

    def add_lot(self, lot: Lot, side: Side) -> None:
        """Take the lot in, and whatever it says that was not known."""
        self.lots[side].append(lot)
        self.account = self.account or lot.account
        self.instrument = merge_instruments(self.instrument, lot.instrument)


def merge_instruments(base: Instrument, extra: Instrument) -> Instrument:
    """Return the instrument with what only the other says."""
    parts = {part: getattr(base, part) or getattr(extra, part) for part in ("con_id", *_PARTS)}
    if extra.sec_type is not None and not is_known_type(base.sec_type):
        parts["sec_type"] = extra.sec_type
    if extra.expiry is not None and not is_known_expiry(base.expiry):
        parts["expiry"] = extra.expiry
    return Instrument(**parts)


def build_lot(
    instrument: Instrument, quantity: Decimal | None, account: str | None = None, trade_title: str = ""
) -> Lot:
    """Return a lot with its instrument in its normal form."""
    return Lot(normalize(instrument), quantity, account, trade_title)


def merge_by_instrument(lots: Iterable[Lot]) -> list[Lot]:
    """Return one lot for each instrument as it is named, with the sum; None where a quantity was not seen."""
    groups: dict[Instrument, list[Lot]] = {}
    for lot in lots:
        groups.setdefault(lot.instrument, []).append(lot)
    return [merge_lots(group) for group in groups.values()]


def merge_lots(lots: Sequence[Lot]) -> Lot:
    """Return lots of one instrument, at least one, as one with their sum; None where a quantity was not seen."""
    known_quantities = [lot.quantity for lot in lots if lot.quantity is not None]
    trade_title = " and ".join(
        sorted({lot.trade_title for lot in lots if lot.trade_title and lot.quantity != FLAT})
    )
    return replace(
        lots[0],
        quantity=sum(known_quantities, FLAT) if len(known_quantities) == len(lots) else None,
        trade_title=trade_title,
    )


def can_be_in_account(account: str | None, target: str | None) -> bool:
    """Whether a row may be of that account: it is, or one of the two is not named."""
    return account is None or target is None or account == target
