"""Broker truth: the runtime holds what the broker holds."""

from __future__ import annotations

from detector.model.facts import Facts
from detector.model.instrument import amount
from detector.model.rule import (
    CRITICAL,
    DECLARED,
    NOW,
    STATE,
    WARNING,
    CannotTell,
    Finding,
    Lasts,
    Limits,
    Verdicts,
    lasts,
    rule,
)
from detector.truth.exits import WorkingOrders
from detector.truth.holdings import Difference
from detector.truth.sides import compared

_MAY_BE_LAG = ("quantity", "unmanaged")  # an order in flight explains them once; it never explains the others
_ONCE_CRITICAL = Lasts(observations=NOW.observations, at=CRITICAL)


@rule(
    STATE,
    "critical; a quantity or unmanaged difference with an order at work is a warning at first",
    sees=["broker_positions"],
    any_of=["store_positions", "open_positions"],
    weighs=["orders", "broker_orders", "broker_account"],
    money=True,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """Broker and internal positions differ in an instrument."""
    both = compared(facts)
    if both is None:
        return
    found, orders = both.differences(), WorkingOrders(facts)
    for one in found:
        waits = one.kind in _MAY_BE_LAG and orders.has(one.instrument)
        yield Finding(
            WARNING if waits else CRITICAL,
            f"{_said(one)}{', while an order for it is working' if waits else ''}.",
            subject=one.name,
            observed=one.kind,
            facts=both.facts,
            worsens=lasts(observations=2) if waits else DECLARED,
            escalates=_ONCE_CRITICAL if waits else DECLARED,
        )
    if not (both.whole_broker and both.whole_internal):
        yield CannotTell("a row of the positions could not be read")
    elif any(one.is_vague for one in found):
        yield CannotTell("an instrument that differs is not named in full")
    names = both.undecided()
    if names:
        yield CannotTell(f"{', '.join(names)} could not be compared", names)


def _said(one: Difference) -> str:
    whose = f" as {' and '.join(one.about)}" if one.about else ""
    internal, broker = amount(one.internal), amount(one.broker)
    if one.kind == "phantom":
        return f"{one.name}: {internal} open internally{whose}, flat at the broker, so that a close would open {amount(-one.internal)}"
    if one.kind == "unmanaged":
        return f"{one.name}: {broker} open at the broker, and nothing internally manages it"
    word = "on the other side" if one.kind == "side" else "another quantity"
    return f"{one.name}: {internal} open internally{whose}, {word} at the broker with {broker}"
