"""Exit safety: a position is protected at the broker while nothing else can close it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detector.domain.facts import Facts, known
from detector.domain.instrument import format_quantity
from detector.domain.rule import CRITICAL, NOW, RTH, STATE, Undecided, Finding, Limits, RuleResults, rule
from detector.reconciliation.comparison import broker_side, subjects_of
from detector.reconciliation.working_orders import Protection

_DOWN = {"heartbeat_stale": "the engine is silent", "broker_disconnected": "its broker link is down"}
_SAYS = {
    "heartbeat_stale": ("heartbeat_at",),
    "broker_disconnected": ("broker_connected", "connection_error"),
}


@rule(
    STATE,
    "critical",
    sees=["broker_positions", "broker_orders"],
    severity_inputs=["heartbeat_at", "broker_connected", "connection_error", "broker_account"],
    during=RTH,
    given=list(_DOWN),
    money=True,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits, given: Mapping[str, list[Finding]]) -> RuleResults:
    """A broker position has no stops and targets for all of it, while the engine or its broker link is down."""
    down = [name for name in _DOWN if given[name]]
    if not down and any(_is_unseen(name, facts) for name in _SAYS):
        yield Undecided("whether the engine and its broker link are up was not seen")
    elif down and facts.provenance.partial & {"broker_positions", "broker_orders"}:
        yield Undecided("a row of the broker could not be read")
    elif down:
        yield from _unprotected(facts, down)


def _is_unseen(name: str, facts: Facts) -> bool:
    return all(getattr(facts, one) is None for one in _SAYS[name])


def _unprotected(facts: Facts, down: Sequence[str]) -> RuleResults:
    shown = tuple(one for name in down for one in _SAYS[name] if getattr(facts, one) is not None)
    protection = Protection(known(facts.broker_orders))
    side = broker_side(facts)
    subjects = subjects_of(side)
    for held in side.held:
        subject = subjects.of(held.name, held.account)
        quantity = held.quantity("broker")
        if quantity == 0:
            continue
        cover = None if quantity is None else protection.of(held.instrument, quantity, held.account)
        if quantity is None or cover is None:
            yield Undecided(f"how much of {held.name} is covered was not seen", [subject])
        elif cover < abs(quantity):
            yield Finding(
                CRITICAL,
                f"Position {held.name} of {format_quantity(quantity)} has stops and targets for {format_quantity(cover)} at the broker, while "
                f"{' and '.join(_DOWN[name] for name in down)}.",
                subject=subject,
                observed=format_quantity(cover),
                facts=("broker_positions", "broker_orders", *shown),
            )
            if held.instrument.is_vague:
                yield Undecided("the instrument is not named in full")
