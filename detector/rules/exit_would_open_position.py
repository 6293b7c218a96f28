"""Exit safety: an exit closes what the broker holds, and nothing more."""

from __future__ import annotations

from decimal import Decimal

from detector.model.broker_rows import BrokerOrder, remaining_of
from detector.model.facts import Facts
from detector.model.instrument import amount, instrument_of, sign_of
from detector.model.rows import Order
from detector.model.rule import CRITICAL, NOW, STATE, CannotTell, Finding, Limits, Verdicts, rule
from detector.truth.exits import WorkingOrders
from detector.truth.sides import broker_side, held_of


@rule(
    STATE,
    "critical",
    sees=["broker_positions"],
    any_of=["orders", "broker_orders"],
    weighs=["store_positions", "open_positions", "broker_account"],
    money=True,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """A working exit order would open a position, because the broker does not hold what it closes."""
    whole = "broker_positions" not in facts.provenance.partial
    side, orders = broker_side(facts), WorkingOrders(facts)
    for order in orders.exits():
        name = instrument_of(order)
        _, held = held_of(side, order)
        if not whole or held is None or not (order.symbol or order.con_id):
            yield CannotTell(f"what order {order.title} would close was not seen")
            continue
        waits = order.rests or (isinstance(order, BrokerOrder) and bool(order.parent_id))
        coming = orders.entries_against(order) if waits else Decimal(0)
        why = _why(order, held, coming)
        if why == "":
            yield CannotTell(f"the side or quantity of order {order.title} was not seen", [name])
        elif why is not None:
            yield Finding(CRITICAL, f"Exit order {order.title} {why}.", subject=name, observed=amount(held))
            if order.is_vague:
                yield CannotTell("the instrument of the order is not named in full")
    for order in orders.unknown():
        yield CannotTell(f"what order {order.title} is for was not seen", [instrument_of(order)])


def _why(order: Order, held: Decimal, coming: Decimal) -> str | None:
    """Return what is wrong with the exit; None where nothing is, and nothing where it cannot be told."""
    sign, rest = sign_of(order.side), remaining_of(order)
    if held == 0 and not coming:
        return "is working while the broker is flat, so that it would open a position"
    if sign is None or rest is None:
        return ""
    closable = -held * sign
    if closable < 0:
        return f"{_side(sign)} where the broker holds {amount(held)}, so that it would add to the position"
    if rest > closable + coming:
        return f"{_side(sign)} {amount(rest)} where the broker holds {amount(held)}, so that it would open the other side"
    return None


def _side(sign: int) -> str:
    return "buys" if sign > 0 else "sells"
