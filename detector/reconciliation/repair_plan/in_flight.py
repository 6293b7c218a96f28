"""Orders that still work in an instrument: while one does, what its rows should say may change at any moment."""

from __future__ import annotations

from detector.domain.broker_rows import BrokerOrder
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument
from detector.domain.runtime_rows import Order
from detector.reconciliation.close_check.instrument_match import match_instrument
from detector.reconciliation.close_check.working_exits import can_be_in_account


def list_in_flight(facts: Facts, instrument: Instrument, account: str | None) -> tuple[str, ...]:
    """Return the orders that work in the instrument, or may, each once."""
    rows = (*(facts.broker_orders or ()), *(facts.orders or ()))
    orders = [order for order in rows if order.is_working and can_be_in_account(_get_account(order), account)]
    return tuple(
        dict.fromkeys(order.title for order in orders if match_instrument(instrument, order) is not False)
    )


def describe_waiting(orders: tuple[str, ...]) -> str:
    """Return for a person why no row is corrected yet."""
    verb = "works" if len(orders) == 1 else "work"
    reason = f"order {', '.join(orders)} still {verb} in it, and what it fills changes what is right"
    return f"what its rows should say: {reason}; look again when it is filled or cancelled"


def _get_account(order: Order) -> str | None:
    return order.account if isinstance(order, BrokerOrder) else None
