"""Broker truth: the runtime's positions are the broker's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, describe_apart, normalize
from detector.domain.rule import (
    AS_DECLARED,
    CRITICAL,
    NOW,
    STATE,
    WARNING,
    Finding,
    Lasts,
    Limits,
    RuleResults,
    Undecided,
    lasts,
    rule,
)
from detector.formats.grouping import group_pairs
from detector.formats.numbers import format_list
from detector.reconciliation.expiry import LIVE, get_expiry_state
from detector.reconciliation.fills import list_trades
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_comparison import Comparison, compare_with_broker, merge_by_subject
from detector.reconciliation.position_pairs import Difference, describe_held
from detector.reconciliation.working_orders import CHANGE_FACTS, WorkingOrders
from detector.settings import FOREIGN_POSITIONS, SOURCE_STALE_SEC

_MAY_BE_LAG = ("quantity", "unmanaged")  # an order in flight explains these once, the other kinds never
_ONCE_CRITICAL = Lasts(observations=NOW.observations, at=CRITICAL)


@rule(
    STATE,
    "critical; a quantity or unmanaged difference with an order at work is a warning at first",
    sees=["broker_positions"],
    any_of=["store_positions", "open_positions"],
    severity_inputs=["orders", "broker_orders", "broker_account", *CHANGE_FACTS],
    limits=[SOURCE_STALE_SEC, FOREIGN_POSITIONS],
    money=True,
    escalates=NOW,
    signal="reconciliation",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Broker and internal positions differ in an instrument."""
    comparison = compare_with_broker(facts, limits[FOREIGN_POSITIONS])
    if comparison is None:
        return
    book, undecided, newer = comparison.book, comparison.list_undecided(), comparison.list_newer()
    differences = comparison.differences
    findings = merge_by_subject(_build_findings(facts, comparison))
    yield from findings
    reported = {*undecided, *newer, *(difference.name for difference in differences)}
    yield from _find_own_list_phantoms(facts, comparison, reported, limits)
    if not (comparison.is_broker_complete and comparison.is_internal_complete):
        yield Undecided("a row of the positions could not be read")
    elif any(difference.is_vague for difference in differences):
        yield Undecided("an instrument that differs is not named in full")
    if undecided:
        yield Undecided(f"{', '.join(undecided)} could not be compared", book.list_subjects(undecided))
    if newer:
        reason = f"what the broker held is older than the last order or trade in {', '.join(newer)}"
        yield Undecided(reason, book.list_subjects(newer))
    merged_subjects = book.list_names_without_account(
        finding.subject for finding in findings if finding.subject
    )
    if merged_subjects:
        yield Undecided("it is reported by account now", merged_subjects)


def _build_findings(facts: Facts, comparison: Comparison) -> Iterator[Finding]:
    orders = WorkingOrders(facts)
    namesakes = group_pairs((position.name, position.instrument) for position in comparison.book.positions)
    for difference in comparison.differences:
        has_order = difference.kind in _MAY_BE_LAG and orders.has_producer(difference)
        note = ", while an order that would make it is working" if has_order else ""
        yield Finding(
            WARNING if has_order else CRITICAL,
            f"{_describe_difference(difference, facts, namesakes.get(difference.name, ()))}{note}.",
            subject=comparison.book.get_subject(difference.name, difference.account),
            observed=difference.kind,
            facts=comparison.facts,
            critical_after=lasts(observations=2) if has_order else AS_DECLARED,
            escalates=_ONCE_CRITICAL if has_order else AS_DECLARED,
        )


def _find_own_list_phantoms(
    facts: Facts, comparison: Comparison, reported: Set[str], limits: Limits
) -> RuleResults:
    """Yield positions that the runtime's own list has open while its store and the broker do not.

    A trade that was closed within the allowed age of a section may still be open in an older list.
    """
    closed = [trade for trade in list_trades(facts) if trade.is_effectively_open is False]
    recently_closed = [
        trade
        for trade in closed
        if trade.closed_at is None or facts.age_of(trade.closed_at) <= limits[SOURCE_STALE_SEC]
    ]
    recently_closed_index = InstrumentIndex((normalize(trade), trade) for trade in recently_closed)
    for difference in comparison.listed:
        if difference.name in reported or recently_closed_index.has(difference.instrument):
            continue
        yield Finding(
            CRITICAL,
            f"{_describe_difference(difference, facts)}; only the runtime's own list still has it.",
            subject=comparison.book.get_subject(difference.name, difference.account),
            observed=difference.kind,
            facts=("broker_positions", "open_positions"),
        )


def _describe_difference(difference: Difference, facts: Facts, namesakes: Iterable[Instrument] = ()) -> str:
    name = describe_apart(difference.instrument, () if difference.merged else namesakes)
    titles = f" as {format_list(difference.trade_titles)}" if difference.trade_titles else ""
    mine, theirs = f"{describe_held(difference.internal)} open{titles}", difference.held
    if difference.merged:
        return f"{name}: the rows that may be it add up to {mine} in the runtime and {theirs} at the broker"
    if difference.kind == "unmanaged":
        return f"{name}: the broker holds {theirs}, and nothing in the runtime manages it"
    if difference.kind != "phantom":
        relation = ", which is the other side" if difference.kind == "side" else ""
        return f"{name}: the runtime has {mine}, and the broker holds {theirs}{relation}"
    if get_expiry_state(difference.instrument, facts.taken_at) != LIVE:
        return (
            f"{name} has expired: the runtime still has {mine}, and the broker holds none of it;"
            " nothing can be traded in it any more"
        )
    opened = "short" if difference.internal > 0 else "long"
    return (
        f"{name}: the runtime has {mine}, and the broker is flat:"
        f" a close would open a new {opened} position of {abs(difference.internal).normalize():f}"
    )
