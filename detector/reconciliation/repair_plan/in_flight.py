"""Orders that still work in an instrument: while one does, what its rows should say may change at any moment."""

from __future__ import annotations

from detector.domain.broker_rows import BrokerOrder
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument
from detector.domain.runtime_rows import Order
from detector.reconciliation.close_check.instrument_match import alike
from detector.reconciliation.close_check.working_exits import may_be_of


def in_flight(facts: Facts, named: Instrument, account: str | None) -> tuple[str, ...]:
    """Return the orders that work in the instrument, or may, each once."""
    rows = (*(facts.broker_orders or ()), *(facts.orders or ()))
    found = [one for one in rows if one.is_working and may_be_of(_account(one), account)]
    return tuple(dict.fromkeys(one.title for one in found if alike(named, one) is not False))


def waits_for(orders: tuple[str, ...]) -> str:
    """Return for a person why no row is corrected yet."""
    few = "works" if len(orders) == 1 else "work"
    said = f"order {', '.join(orders)} still {few} in it, and what it fills changes what is right"
    return f"what its rows should say: {said}; look again when it is filled or cancelled"


def _account(order: Order) -> str | None:
    return order.account if isinstance(order, BrokerOrder) else None
