"""Broker truth: every row of the broker and the stores can be matched."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import (
    AS_DECLARED,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    lasts,
    rule,
)
from detector.formats.times import format_utc
from detector.reconciliation.fill_matching import find_unclear_fills
from detector.reconciliation.position_comparison import compare_with_broker
from detector.reconciliation.working_orders import CHANGE_FACTS
from detector.settings import FOREIGN_POSITIONS

_SESSION_SEC = 23_400  # a regular session: 6.5 hours


@rule(
    STATE,
    "warning; critical once a session has passed with a held contract unclear",
    sees=["broker_positions"],
    any_of=["store_positions", "open_positions"],
    severity_inputs=["orders", "broker_orders", "broker_account", "statement_fills", *CHANGE_FACTS],
    limits=[FOREIGN_POSITIONS],
    signal="reconciliation",
    confirm=True,
    critical_after=lasts(seconds=_SESSION_SEC),
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Rows of broker and runtime may be of one contract: a difference is neither shown nor excluded."""
    for fill in find_unclear_fills(facts):
        name = fill.first.instrument_name
        time = format_utc(fill.at) if fill.at else "an unknown time"
        yield Finding(
            WARNING,
            f"A statement's fill of {name} at {time} may be an execution that the broker lists with its id,"
            " and no trade is the runtime's: a Flex query with execution ids would make it clear.",
            subject=f"fill of {name} at {time}",
            observed=name,
        )
    comparison = compare_with_broker(facts, limits[FOREIGN_POSITIONS])
    if comparison is None:
        return
    if not (comparison.is_broker_complete and comparison.is_internal_complete):
        yield Undecided("a row of the positions could not be read")
    paired = [name for group in comparison.unclear if group.is_paired for name in group.names]
    if paired:
        yield Undecided(f"whether {', '.join(paired)} are the same is not proven", paired)
    for group in comparison.unclear:
        if not group.is_paired:
            names = ", ".join(group.names)
            others = ", ".join(group.names[1:])
            yield Finding(
                WARNING,
                f"{group.names[0]}{f' (with {others})' if others else ''} cannot be compared"
                f" with the broker: {group.why}; {group.remedy} would make it clear.",
                subject=group.names[0],
                observed=names,
                facts=comparison.facts,
                critical_after=AS_DECLARED if group.is_held else None,
            )
