"""Broker truth: the runtime holds what the broker holds."""

from __future__ import annotations

from collections.abc import Iterator, Set

from detector.domain.facts import Facts
from detector.domain.instrument import format_quantity, normalize
from detector.domain.rule import (
    CRITICAL,
    DECLARED,
    NOW,
    STATE,
    WARNING,
    Undecided,
    Finding,
    Lasts,
    Limits,
    RuleResults,
    lasts,
    rule,
)
from detector.reconciliation.comparison import Comparison, compared, own_list
from detector.reconciliation.fills import trades_of
from detector.reconciliation.holdings import Difference
from detector.reconciliation.in_transit import MOVES, Moved
from detector.reconciliation.instrument_index import Lookup
from detector.reconciliation.subjects import one_each
from detector.reconciliation.working_orders import WorkingOrders
from detector.settings import SOURCE_STALE_SEC

_MAY_BE_LAG = ("quantity", "unmanaged")  # an order in flight explains them once; it never explains the others
_ONCE_CRITICAL = Lasts(observations=NOW.observations, at=CRITICAL)


@rule(
    STATE,
    "critical; a quantity or unmanaged difference with an order at work is a warning at first",
    sees=["broker_positions"],
    any_of=["store_positions", "open_positions"],
    severity_inputs=["orders", "broker_orders", "broker_account", *MOVES],
    limits=[SOURCE_STALE_SEC],
    money=True,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Broker and internal positions differ in an instrument."""
    both = compared(facts)
    if both is None:
        return
    moved, subjects, names = Moved(facts), both.subjects, both.undecided()
    differing = both.differences()
    found = [one for one in differing if not moved.explains(one)]
    told = one_each(_findings(found, WorkingOrders(facts), both))
    yield from told
    yield from _listed_alone(facts, {*names, *(one.name for one in differing)}, moved, limits)
    if not (both.whole_broker and both.whole_internal):
        yield Undecided("a row of the positions could not be read")
    elif any(one.is_vague for one in found):
        yield Undecided("an instrument that differs is not named in full")
    if names:
        yield Undecided(f"{', '.join(names)} could not be compared", subjects.every(names))
    newer = sorted({one.name for one in differing} - {one.name for one in found})
    if newer:
        why = f"what the broker held is older than the last order or trade in {', '.join(newer)}"
        yield Undecided(why, subjects.every(newer))
    before = subjects.merged_in(one.subject for one in told if one.subject)
    if before:
        yield Undecided("it is told by account now", before)


def _findings(found: list[Difference], orders: WorkingOrders, both: Comparison) -> Iterator[Finding]:
    for one in found:
        waits = one.kind in _MAY_BE_LAG and orders.has(one.instrument)
        yield Finding(
            WARNING if waits else CRITICAL,
            f"{_said(one)}{', while an order for it is working' if waits else ''}.",
            subject=both.subjects.of(one.name, one.account),
            observed=one.kind,
            facts=both.facts,
            critical_after=lasts(observations=2) if waits else DECLARED,
            escalates=_ONCE_CRITICAL if waits else DECLARED,
        )


def _listed_alone(facts: Facts, spoken: Set[str], moved: Moved, limits: Limits) -> RuleResults:
    """Yield what the runtime's own list holds open while its store and the broker agree that it is not.

    A trade that was closed less than a section may be old is still open in a list of before that.
    """
    both = own_list(facts)
    phantoms = [] if both is None else [one for one in both.differences() if one.kind == "phantom"]
    ended = [trade for trade in trades_of(facts) if trade.is_effectively_open is False]
    lately = [
        trade
        for trade in ended
        if trade.closed_at is None or facts.age_of(trade.closed_at) <= limits[SOURCE_STALE_SEC]
    ]
    lately_closed = Lookup((normalize(trade), trade) for trade in lately)
    for one in phantoms:
        if both is None or one.name in spoken or moved.explains(one) or lately_closed.has(one.instrument):
            continue
        yield Finding(
            CRITICAL,
            f"{_said(one)}, and only the runtime's own list holds it.",
            subject=both.subjects.of(one.name, one.account),
            observed=one.kind,
            facts=both.facts,
        )


def _said(one: Difference) -> str:
    whose = f" as {' and '.join(one.about)}" if one.about else ""
    internal, broker = format_quantity(one.internal), format_quantity(one.broker)
    if one.kind == "phantom":
        return f"{one.name}: {internal} open internally{whose}, flat at the broker, so that a close would open {format_quantity(-one.internal)}"
    if one.kind == "unmanaged":
        return f"{one.name}: {broker} open at the broker, and nothing internally manages it"
    word = "on the other side" if one.kind == "side" else "another quantity"
    return f"{one.name}: {internal} open internally{whose}, {word} at the broker with {broker}"
