"""Lots of positions as the readers of rows build them."""

from __future__ import annotations

from decimal import Decimal

from detector.domain.instrument import Instrument, normalize
from detector.reconciliation.position_pairs import Lot


def build_lot(instrument: Instrument, quantity: Decimal | None, account: str | None = None) -> Lot:
    """Return a lot with its instrument in its normal form."""
    return Lot(normalize(instrument), quantity, account)
