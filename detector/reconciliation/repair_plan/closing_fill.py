"""How one trade ended at the broker: the fill that closed it, its price, and whether the day's figure is its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from detector.domain.instrument import to_exact_decimal
from detector.domain.runtime_rows import Trade
from detector.market.hours import MarketUnknown, to_new_york_day
from detector.reconciliation.fills import Fill, has_closed
from detector.reconciliation.repair_plan.competing_trades import CompetingTrades

PRICE_DECIMALS = 4
"""Decimals of a price that is worked out."""


def find_closing_fill(fills: Sequence[Fill], trade: Trade, competing: CompetingTrades) -> Fill | None:
    """Return the fill that closed the trade; of one that is called open, the only fill that could have.

    It came after the trade was opened, and no other trade may own it.
    """
    closing_fill = next((fill for fill in fills if has_closed(fill, trade)), None)
    if closing_fill is not None or trade.is_effectively_open is False or not trade.signed_quantity:
        return closing_fill
    candidates = [
        fill
        for fill in fills
        if fill.quantity == -trade.signed_quantity and _can_follow(fill, trade, competing)
    ]
    return candidates[0] if len(candidates) == 1 and not competing.can_own(candidates[0]) else None


def _can_follow(fill: Fill, trade: Trade, competing: CompetingTrades) -> bool:
    """Whether the fill came after the trade was opened; where a time was not seen, whether it is the only trade."""
    if trade.opened_at is None or fill.at is None:
        return not competing.has_any
    return fill.at >= trade.opened_at


def compute_fill_price(fill: Fill) -> float | None:
    """Return the price of all executions of a fill by their weight; None where one was not seen."""
    parts = [
        (to_exact_decimal(execution.quantity), to_exact_decimal(execution.price))
        for execution in fill.executions
    ]
    priced = [
        (abs(quantity), price) for quantity, price in parts if quantity is not None and price is not None
    ]
    total = sum((quantity for quantity, _ in priced), Decimal(0))
    if len(priced) < len(parts) or not total:
        return None
    prices = {price for _, price in priced}
    if len(prices) == 1:
        return float(prices.pop())
    return round(float(sum(quantity * price for quantity, price in priced) / total), PRICE_DECIMALS)


def is_day_sum_of(trade: Trade | None, competing: CompetingTrades, now: datetime) -> bool:
    """Whether what the broker realized today in the instrument can only be this trade's."""
    if competing.quantities or any(_can_be_of_today(competitor, now) for competitor in competing.trades):
        return False
    return trade is None or _can_be_of_today(trade, now)


def _can_be_of_today(trade: Trade, now: datetime) -> bool:
    if trade.closed_at is None:
        return True
    try:
        return to_new_york_day(trade.closed_at) == to_new_york_day(now)
    except MarketUnknown:
        return True
