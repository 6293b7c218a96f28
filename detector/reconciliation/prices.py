"""The last prices of a run as the next one compares them: a bounded digest, and since when it stands still."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from detector.domain.facts import Facts

_MAX_PRICES = 50  # instruments kept for the next run


def get_prices(facts: Facts) -> dict[str, float]:
    """Return the price of each instrument whose price was seen once and without contradiction."""
    prices: dict[str, float] = {}
    for tick in facts.ticks or ():
        if tick.symbol and tick.price is not None:
            prices.setdefault(tick.symbol, tick.price)
    return prices


def has_unchanged_prices(facts: Facts) -> bool:
    """Whether every price that is seen now is the one that was carried."""
    now, before = get_prices(facts), facts.before.prices
    return (
        bool(now)
        and all(before.get(symbol) == price for symbol, price in now.items() if symbol in before)
        and (len(now.keys() & before.keys()) == min(len(now), _MAX_PRICES))
    )


def build_price_memory(facts: Facts) -> tuple[Mapping[str, float], datetime | None]:
    """Return the digest for the next run and since when it is so; what was not seen leaves it as it was."""
    now = get_prices(facts)
    if not now:
        return facts.before.prices, facts.before.prices_at
    kept = dict(sorted(now.items())[:_MAX_PRICES])
    is_unchanged = facts.before.prices_at is not None and has_unchanged_prices(facts)
    return kept, facts.before.prices_at if is_unchanged else facts.taken_at
