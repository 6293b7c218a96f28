"""Broker truth: a holding keeps its contract."""

from __future__ import annotations

import itertools

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.reconciliation.position_comparison import compare_with_broker
from detector.reconciliation.position_pairs import BROKER, INTERNAL, describe_held
from detector.reconciliation.working_orders import CHANGE_FACTS
from detector.settings import FOREIGN_POSITIONS


@rule(
    STATE,
    "critical",
    sees=["broker_positions"],
    any_of=["store_positions", "open_positions"],
    severity_inputs=["orders", "broker_orders", "broker_account", *CHANGE_FACTS],
    limits=[FOREIGN_POSITIONS],
    signal="reconciliation",
    money=True,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The broker lists a holding under a new contract: a split, a merger or a change of symbol."""
    comparison = compare_with_broker(facts, limits[FOREIGN_POSITIONS])
    if comparison is None:
        return
    if not (comparison.is_broker_complete and comparison.is_internal_complete):
        yield Undecided("a row of the positions could not be read")
    if any(
        difference.is_vague
        for difference in (*comparison.differences, *itertools.chain(*comparison.replaced))
    ):
        yield Undecided("an instrument that differs is not named in full")
    undecided = sorted({*comparison.list_undecided(), *comparison.list_newer()})
    if undecided:
        yield Undecided(f"{', '.join(undecided)} could not be compared", undecided)
    for position in comparison.book.positions:
        lots = [*position.lots[INTERNAL], *position.lots[BROKER]]
        if all(position.lots.values()) and any(lot.instrument.con_id is None for lot in lots):
            reason = f"whether {position.name} is one contract in both places is not proven"
            yield Undecided(reason, [position.name])
    for old, new in comparison.replaced:
        is_named = new.name in (old.name, f"conid {new.instrument.con_id}")
        new_name = "" if is_named else f" ({new.name})"
        yield Finding(
            CRITICAL,
            f"{old.name}: the runtime has {describe_held(old.internal)} of conid {old.instrument.con_id},"
            f" and the broker holds {describe_held(new.broker)} of conid {new.instrument.con_id}"
            f"{new_name}: the contract was replaced, and an order in the old one closes nothing.",
            subject=comparison.book.get_subject(old.name, old.account),
            observed=new.instrument.con_id,
            facts=comparison.facts,
        )
