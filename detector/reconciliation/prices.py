"""The last prices of a run as the next one compares them: a bounded digest, and since when it stands still."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from detector.domain.facts import Facts

_MOST = 50  # instruments kept for the next run


def prices_of(facts: Facts) -> dict[str, float]:
    """Return the price of each instrument whose price was seen once and without contradiction."""
    found: dict[str, float] = {}
    for tick in facts.ticks or ():
        if tick.symbol and tick.price is not None:
            found.setdefault(tick.symbol, tick.price)
    return found


def stands_still(facts: Facts) -> bool:
    """Whether every price that is seen now is the one that was carried."""
    now, before = prices_of(facts), facts.before.prices
    return (
        bool(now)
        and all(before.get(symbol) == price for symbol, price in now.items() if symbol in before)
        and (len(now.keys() & before.keys()) == min(len(now), _MOST))
    )


def prices_to_remember(facts: Facts) -> tuple[Mapping[str, float], datetime | None]:
    """Return the digest for the next run and since when it is so; what was not seen leaves it as it was."""
    now = prices_of(facts)
    if not now:
        return facts.before.prices, facts.before.prices_at
    kept = dict(sorted(now.items())[:_MOST])
    still = facts.before.prices_at is not None and stands_still(facts)
    return kept, facts.before.prices_at if still else facts.taken_at
