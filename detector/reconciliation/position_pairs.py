"""The exact signed quantities of one instrument on both sides, and the kinds of their difference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.instrument import Instrument, get_instrument_name, is_same, normalize
from detector.domain.instrument_names import is_known_expiry, is_known_type

FLAT = Decimal(0)
_PARTS = ("symbol", "sec_type", "expiry", "strike", "right", "multiplier")
Side = Literal["internal", "broker"]
INTERNAL, BROKER = "internal", "broker"
DifferenceKind = Literal["phantom", "unmanaged", "quantity", "side"]


class Difference(Struct, frozen=True):
    """Broker and internal positions differ in an instrument.

    `phantom`: internal open, broker flat, so that a close would open the other side. `unmanaged`: broker
    open, internal none. `side`: open on opposite sides. `quantity`: the same side, another quantity.
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
        """Whether a part of the instrument is unknown."""
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


class Lot(Struct, frozen=True):
    """The signed quantity of an instrument in one row; None where it is unknown.

    `trade_title` names the row's trade in a message: `trade #162 (signal #238, position #301)`.
    """

    instrument: Instrument
    quantity: Decimal | None
    account: str | None = None
    trade_title: str = ""

    @property
    def detail(self) -> tuple[int, tuple[str, ...]]:
        """A sort key: the most detailed lot first, and equally detailed ones in a stable order."""
        values = (self.account, self.instrument.con_id, *(getattr(self.instrument, part) for part in _PARTS))
        return -sum(part is not None for part in values), tuple(str(part) for part in values)


class PositionPair(Struct):
    """One instrument with the lots of each side."""

    instrument: Instrument
    account: str | None
    lots: dict[str, list[Lot]] = field(default_factory=lambda: {INTERNAL: [], BROKER: []})

    @property
    def name(self) -> str:
        """Return the instrument's one name."""
        return get_instrument_name(self.instrument)

    def compute_quantity(self, side: Side) -> Decimal | None:
        """Return the side's sum, 0 where it has no lot; None where the quantity of a lot is unknown."""
        quantities = [lot.quantity for lot in self.lots[side]]
        known_quantities = [quantity for quantity in quantities if quantity is not None]
        return sum(known_quantities, FLAT) if len(known_quantities) == len(quantities) else None

    def can_include(self, lot: Lot) -> bool:
        """Whether the lot can be of this instrument and account: no part differs that both have."""
        if self.account is not None and lot.account is not None and self.account != lot.account:
            return False
        return is_same(self.instrument, lot.instrument)

    def add_lot(self, lot: Lot, side: Side) -> None:
        """Add the lot, and fill the missing parts of the instrument from it."""
        self.lots[side].append(lot)
        self.account = self.account or lot.account
        self.instrument = merge_instruments(self.instrument, lot.instrument)


def merge_instruments(base: Instrument, extra: Instrument) -> Instrument:
    """Return the instrument with its missing parts from the other."""
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
    """Return one lot for each instrument as written, with the sum; None where a quantity is unknown."""
    groups: dict[Instrument, list[Lot]] = {}
    for lot in lots:
        groups.setdefault(lot.instrument, []).append(lot)
    return [merge_lots(group) for group in groups.values()]


def merge_lots(lots: Sequence[Lot]) -> Lot:
    """Return one lot with the sum of one or more lots of an instrument; None where a quantity is unknown."""
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
    """Whether a row may be of that account: the accounts are equal, or one of them is unknown."""
    return account is None or target is None or account == target
