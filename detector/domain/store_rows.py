"""Rows of the runtime's own stores, under the names that the profile gives them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from detector.domain.columns import build_column
from detector.domain.instrument import Instrument, apply_sign, get_instrument_name
from detector.domain.runtime_rows import format_other_ids

POSITION_STATE, TRADES = "position_state", "trades"


@dataclass(frozen=True, slots=True)
class StoredPosition(Instrument):
    """A row of the store that says what is open; `quantity` is signed and 0 where it is closed."""

    trade_id: str | None = build_column("id")
    signal_id: str | None = build_column("id")
    position_id: str | None = build_column("id")
    account: str | None = build_column("id")
    quantity: Decimal | None = build_column("quantity")
    side: str | None = build_column("text", doc="LONG or SHORT, where the quantity bears no sign")
    is_open: bool | None = build_column("flag")
    avg_price: float | None = build_column("number")

    @property
    def is_named(self) -> bool:
        """Whether the row says which instrument it is."""
        return bool(self.symbol or self.con_id)

    @property
    def is_effectively_open(self) -> bool | None:
        """Return whether it is open: as it says, else by its quantity; None where neither was seen."""
        if self.is_open is not None:
            return self.is_open
        return None if self.quantity is None else self.quantity != 0

    @property
    def signed_quantity(self) -> Decimal | None:
        """Return what it says is open, with its sign: 0 where it is closed, None where it was not seen."""
        if self.is_effectively_open is False:
            return Decimal(0)
        return apply_sign(self.quantity, self.side) if self.is_effectively_open else None

    @property
    def title(self) -> str:
        """Return the trade for a person: its number, its other ids behind it, and what it trades."""
        others = format_other_ids(self.signal_id, self.position_id)
        return (
            f"#{self.trade_id}{others} in {get_instrument_name(self)}"
            if self.trade_id
            else get_instrument_name(self)
        )
