"""Exit safety: while nothing else can close a position, orders at the broker protect it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, RTH, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.formats.numbers import format_list, format_quantity
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.working_orders import ProtectiveOrders

_DOWN_RULES = {
    "heartbeat_stale": "the engine is silent",
    "broker_disconnected": "its broker link is down",
    "process_down": "a process of it is not running",
}
_DOWN_FACTS = {
    "heartbeat_stale": ("heartbeat_at",),
    "broker_disconnected": ("broker_connected", "connection_error"),
    "process_down": ("processes",),
}
_EXPECTED = ("heartbeat_stale", "broker_disconnected")  # a runtime in AWS has no processes of this machine


@rule(
    STATE,
    "critical",
    sees=["broker_positions", "broker_orders"],
    severity_inputs=["heartbeat_at", "broker_connected", "connection_error", "processes", "broker_account"],
    during=RTH,
    given=list(_DOWN_RULES),
    money=True,
    escalates=NOW,
    signal="exit_safety",
)
def check(facts: Facts, limits: Limits, findings: Mapping[str, list[Finding]]) -> RuleResults:
    """A broker position lacks stops and targets for all of it, while the engine or its link is down."""
    down = [name for name in _DOWN_RULES if findings[name]]
    if not down and any(_is_missing(name, facts) for name in _EXPECTED):
        yield Undecided("whether the engine and its broker link are up was not seen")
    elif down and facts.provenance.partial & {"broker_positions", "broker_orders"}:
        yield Undecided("a row of the broker could not be read")
    elif down:
        yield from _find_unprotected(facts, down)


def _is_missing(name: str, facts: Facts) -> bool:
    return all(getattr(facts, fact) is None for fact in _DOWN_FACTS[name])


def _find_unprotected(facts: Facts, down: Sequence[str]) -> RuleResults:
    evidence = tuple(fact for name in down for fact in _DOWN_FACTS[name] if getattr(facts, fact) is not None)
    protection = ProtectiveOrders(known(facts.broker_orders))
    side = build_broker_book(facts)
    for position in side.positions:
        subject = side.get_subject(position.name, position.account)
        quantity = position.compute_quantity("broker")
        if quantity == 0:
            continue
        covered = protection.compute_protected(position.instrument, quantity, position.account)
        if quantity is None or covered is None:
            subjects_of = None if position.instrument.is_vague else [subject]
            yield Undecided(f"how much of {position.name} is covered was not seen", subjects_of)
        elif covered < abs(quantity):
            yield Finding(
                CRITICAL,
                f"Position {position.name}, {describe_held(quantity)}, {_describe_protection(covered)}"
                f" at the broker, while {format_list(_DOWN_RULES[name] for name in down)}.",
                subject=subject,
                observed=format_quantity(covered),
                facts=("broker_positions", "broker_orders", *evidence),
            )
            if position.instrument.is_vague:
                yield Undecided("the instrument is not named in full")


def _describe_protection(covered: Decimal) -> str:
    return (
        f"has stops and targets for only {format_quantity(covered)} of it"
        if covered
        else "has no stop and no target"
    )
