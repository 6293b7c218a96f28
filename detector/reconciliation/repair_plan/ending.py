"""How one trade ended at the broker: the fill that closed it, its price, and whether the day's figure is its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from detector.domain.instrument import to_exact_decimal
from detector.domain.runtime_rows import Trade
from detector.market.hours import MarketUnknown, to_new_york_day
from detector.reconciliation.fills import Fill, closes
from detector.reconciliation.repair_plan.duplicates import Rivals

NEAR = 4
"""Decimals of a price that is worked out."""


def ending_of(mine: Sequence[Fill], trade: Trade, rivals: Rivals) -> Fill | None:
    """Return the fill that closed the trade; of one that is called open, the only fill that could have.

    It came after the trade was opened, and no other trade may own it.
    """
    known = next((one for one in mine if closes(one, trade)), None)
    if known is not None or trade.is_effectively_open is False or not trade.signed_quantity:
        return known
    could = [one for one in mine if one.quantity == -trade.signed_quantity and _may_follow(one, trade, rivals)]
    return could[0] if len(could) == 1 and not rivals.may_own(could[0]) else None


def _may_follow(fill: Fill, trade: Trade, rivals: Rivals) -> bool:
    """Whether the fill came after the trade was opened; where a time was not seen, whether it is the only trade."""
    if trade.opened_at is None or fill.at is None:
        return not rivals.there_are
    return fill.at >= trade.opened_at


def price_of(fill: Fill) -> float | None:
    """Return the price of all executions of a fill by their weight; None where one was not seen."""
    parts = [(to_exact_decimal(one.quantity), to_exact_decimal(one.price)) for one in fill.executions]
    seen = [(abs(quantity), price) for quantity, price in parts if quantity is not None and price is not None]
    total = sum((quantity for quantity, _ in seen), Decimal(0))
    if len(seen) < len(parts) or not total:
        return None
    prices = {price for _, price in seen}
    if len(prices) == 1:
        return float(prices.pop())
    return round(float(sum(quantity * price for quantity, price in seen) / total), NEAR)


def is_day_sum_of(trade: Trade | None, rivals: Rivals, now: datetime) -> bool:
    """Whether what the broker realized today in the instrument can only be this trade's."""
    if rivals.held or any(_may_be_of_today(one, now) for one in rivals.trades):
        return False
    return trade is None or _may_be_of_today(trade, now)


def _may_be_of_today(trade: Trade, now: datetime) -> bool:
    if trade.closed_at is None:
        return True
    try:
        return to_new_york_day(trade.closed_at) == to_new_york_day(now)
    except MarketUnknown:
        return True
