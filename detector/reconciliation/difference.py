"""How the runtime and the broker differ in one instrument, in exact signed quantities."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from detector.domain.instrument import Instrument

FLAT = Decimal(0)
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
