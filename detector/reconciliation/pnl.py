"""A closed trade's P&L against its own prices and against the broker's figure, in exact numbers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.instrument import normalize
from detector.domain.instrument_names import FUTURE
from detector.domain.trade_rows import Trade
from detector.formats.numbers import to_exact_decimal
from detector.reconciliation.instrument_aliases import BONDS

_MIN_TOLERANCE, _TOLERANCE_SHARE = Decimal(1), Decimal("0.005")  # EVENTS: max(1, 0.5 %)
_FEE_PER_SIDE, _SIDES = Decimal(2), 2  # EVENTS: unknown fees add 2 per contract and side
_MULTIPLIERS = (Decimal(1), Decimal(100))  # of a share and of an option; either may hold where none is given
# Prices of these may be hundredths of a unit: percent of a bond's face, cents of a bushel, pence of a share.
_IN_HUNDREDTHS = frozenset([*BONDS, FUTURE, "FOP"])
_MINOR_UNITS = frozenset(["GBP", "ZAR", "ILS"])


class PnlMismatch(Struct, frozen=True):
    """A wrong realized P&L: the expected amount and the tolerance. `flat_price`: exit equals entry price."""

    expected: Decimal
    tolerance: Decimal
    flat_price: bool = False


def check_pnl_by_prices(trade: Trade) -> PnlMismatch | None:
    """Return the mismatch of the trade's P&L with its own prices; None where they agree or one is unknown.

    (exit - entry) x signed quantity x multiplier - fees; where the multiplier is unknown, both usual ones
    are accepted, and a hundredth where the price may be in hundredths.
    """
    pnl, quantity = to_exact_decimal(trade.realized_pnl), trade.signed_quantity
    entry_price, exit_price = to_exact_decimal(trade.entry_price), to_exact_decimal(trade.exit_price)
    if pnl is None or entry_price is None or exit_price is None or quantity is None:
        return None
    gain, fees = (exit_price - entry_price) * quantity, abs(to_exact_decimal(trade.fees) or Decimal(0))
    results = [_compare(trade, pnl, gain * multiplier - fees) for multiplier in _iter_multipliers(trade)]
    last = None if None in results else results[-1]
    return last and replace(last, flat_price=exit_price == entry_price)


def check_pnl_by_broker(trade: Trade, broker_pnl: float) -> PnlMismatch | None:
    """Return the mismatch of the trade's P&L with the broker's realized P&L, or None."""
    pnl, expected = to_exact_decimal(trade.realized_pnl), to_exact_decimal(broker_pnl)
    if pnl is None or expected is None:
        return None
    return _compare(trade, pnl, expected)


def _compare(trade: Trade, pnl: Decimal, expected: Decimal) -> PnlMismatch | None:
    charged = abs(trade.signed_quantity or Decimal(0)) if trade.fees is None else Decimal(0)
    tolerance = max(_MIN_TOLERANCE, abs(expected) * _TOLERANCE_SHARE) + charged * _FEE_PER_SIDE * _SIDES
    return PnlMismatch(expected, tolerance) if abs(pnl - expected) > tolerance else None


def _iter_multipliers(trade: Trade) -> Iterator[Decimal]:
    row = normalize(trade)
    multiplier = to_exact_decimal(row.multiplier)
    usual = _MULTIPLIERS if multiplier is None else (multiplier,)
    if row.sec_type in _IN_HUNDREDTHS or row.currency in _MINOR_UNITS:
        yield from (number / 100 for number in usual)
    yield from usual
