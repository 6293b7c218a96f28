"""A closed trade's P&L against its own prices and against the broker's figure, in exact numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from detector.domain.instrument import to_exact_decimal, normalize
from detector.domain.runtime_rows import Trade

_LEAST, _SHARE = Decimal(1), Decimal("0.005")  # EVENTS: max(1, 0.5 %)
_FEE_A_SIDE, _SIDES = Decimal(2), 2  # EVENTS: fees unknown, 2 per contract and side more
_MULTIPLIERS = (Decimal(1), Decimal(100))  # of a share, and of an option; believed where none was seen


@dataclass(frozen=True, slots=True)
class Wrong:
    """A realized P&L that cannot be: the figure it should be near, and how far it may be off."""

    wanted: Decimal
    tolerance: Decimal
    flat_price: bool = False


def own_fault(trade: Trade) -> Wrong | None:
    """Return why the trade's P&L does not follow from its own prices, or None where it does or cannot be told.

    (exit - entry) x signed quantity x multiplier - fees; where the multiplier was not seen, both of the usual ones
    are believed.
    """
    pnl, entry, leaving, quantity = (
        to_exact_decimal(trade.realized_pnl), to_exact_decimal(trade.entry_price), to_exact_decimal(trade.exit_price), trade.signed_quantity,
    )  # fmt: skip
    if pnl is None or entry is None or leaving is None or quantity is None:
        return None
    found = [
        _against(trade, pnl, (leaving - entry) * quantity * each, quantity) for each in _multipliers(trade)
    ]
    wrong = [one for one in found if one is not None]
    if len(wrong) < len(found) or not wrong:
        return None
    return Wrong(wrong[-1].wanted, wrong[-1].tolerance, flat_price=leaving == entry)


def broker_fault(trade: Trade, broker: float) -> Wrong | None:
    """Return how the trade's P&L differs from the broker's realized P&L of it, or None."""
    pnl, wanted = to_exact_decimal(trade.realized_pnl), to_exact_decimal(broker)
    if pnl is None or wanted is None:
        return None
    tolerance = _tolerance(wanted) + _unknown_fees(trade, trade.signed_quantity or Decimal(0))
    return Wrong(wanted, tolerance) if abs(pnl - wanted) > tolerance else None


def _against(trade: Trade, pnl: Decimal, gross: Decimal, quantity: Decimal) -> Wrong | None:
    wanted = gross - abs(to_exact_decimal(trade.fees) or Decimal(0))
    tolerance = _tolerance(wanted) + _unknown_fees(trade, quantity)
    return Wrong(wanted, tolerance) if abs(pnl - wanted) > tolerance else None


def _tolerance(wanted: Decimal) -> Decimal:
    return max(_LEAST, abs(wanted) * _SHARE)


def _unknown_fees(trade: Trade, quantity: Decimal) -> Decimal:
    return abs(quantity) * _FEE_A_SIDE * _SIDES if trade.fees is None else Decimal(0)


def _multipliers(trade: Trade) -> Iterator[Decimal]:
    known = to_exact_decimal(normalize(trade).multiplier)
    if known is not None:
        yield known
    else:
        yield from _MULTIPLIERS
