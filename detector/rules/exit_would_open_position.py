"""Exit safety: an exit closes a position of the broker and opens none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from decimal import Decimal
from functools import partial

from detector.domain.broker_rows import BrokerOrder, compute_remaining
from detector.domain.facts import Facts
from detector.domain.instrument import get_instrument_name
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.domain.runtime_rows import Order
from detector.domain.sides import get_sign
from detector.formats.numbers import format_quantity
from detector.reconciliation.account_index import ComboIndex
from detector.reconciliation.identity import is_combo
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.position_book import PositionBook
from detector.reconciliation.position_comparison import Comparison, compare_with_broker, merge_by_subject
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.working_orders import CHANGE_FACTS, ChangesSince, WorkingOrders, get_account
from detector.settings import FOREIGN_POSITIONS


@rule(
    STATE,
    "critical",
    sees=["broker_positions"],
    any_of=["orders", "broker_orders"],
    severity_inputs=["store_positions", "open_positions", "broker_account", *CHANGE_FACTS],
    limits=[FOREIGN_POSITIONS],
    money=True,
    escalates=NOW,
    signal="exit_safety",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A working exit order would open a position, because the broker does not hold what it closes."""
    book, orders, changes = build_broker_book(facts), WorkingOrders(facts), ChangesSince(facts)
    if "broker_orders" in facts.provenance.partial:
        yield Undecided("the orders of other clients at the broker were not seen")
    findings: dict[str, Finding] = {}  # by order, so that an order in both lists counts once
    exits = [(order, leg) for order in orders.iter_exits() for leg in orders.list_legs(order)]
    held_combos = book.list_held_combos(ComboIndex((leg, leg) for _, leg in exits if is_combo(leg)))
    for order, leg in exits:
        subject = book.get_subject(get_instrument_name(order), get_account(order))
        explain = partial(_explain_unjudged, leg, changes, is_held_combo=id(leg) in held_combos)
        for result in _judge_leg(leg, orders, facts, explain, subject):
            if isinstance(result, Finding):
                findings.setdefault(order.identity, result)
            else:
                yield result
    merged_findings = merge_by_subject(findings.values())
    yield from merged_findings
    reported = {finding.subject for finding in merged_findings}
    yield from _find_next_exits(compare_with_broker(facts, limits[FOREIGN_POSITIONS]), book, reported)
    for order in orders.iter_unclassified():
        name = get_instrument_name(order)
        yield Undecided(f"what order {order.title} is for was not seen", book.list_subjects([name]))


def _judge_leg(
    order: Order, orders: WorkingOrders, facts: Facts, explain: Callable[[], str | None], subject: str
) -> RuleResults:
    """Yield the finding of an exit, or of one leg of a combo, and what of it is unknown.

    `explain` returns why it cannot be judged: of very many recent changes that takes long.
    """
    _, broker_quantity = build_broker_book(facts).find_broker_position(order, get_account(order))
    is_read = "broker_positions" not in facts.provenance.partial and bool(order.symbol or order.con_id)
    if not is_read or broker_quantity is None:
        yield Undecided(f"what order {order.title} would close was not seen")
        return
    reason = explain()
    result = Undecided(reason, [subject]) if reason else _judge_exit(order, orders, broker_quantity, subject)
    if result is not None:
        yield result
    if isinstance(result, Finding) and order.is_vague:
        yield Undecided("the instrument of the order is not named in full")


def _find_next_exits(
    comparison: Comparison | None, book: PositionBook, reported: Set[str | None]
) -> Iterator[Undecided]:
    """Yield the instruments whose next exit would open a position, though none is at work now.

    An engine that sends its exit again every few seconds has none at work in between; that is no end.
    """
    for difference in comparison.differences if comparison else ():
        names = book.list_subjects([difference.name])
        if difference.internal * (difference.internal - difference.broker) > 0 and reported.isdisjoint(names):
            yield Undecided(f"the runtime may send an exit of {difference.name} next", names)


def _explain_unjudged(order: Order, changes: ChangesSince, *, is_held_combo: bool) -> str | None:
    """Return why the exit cannot be held against the broker's rows, None where it can.

    A combo whose legs are not known closes something only where the broker holds what may be one.
    """
    if is_held_combo:
        return f"order {order.title} trades several contracts"
    if isinstance(order, BrokerOrder) and order.is_for_group:
        return f"order {order.title} is for a group of accounts"
    if changes.can_precede(order):
        return f"what order {order.title} closes may be newer than the broker's rows"
    return None


def _judge_exit(
    order: Order, orders: WorkingOrders, broker_quantity: Decimal, subject: str
) -> Finding | Undecided | None:
    """Return the finding of an exit that would open a position, or why that is unknown."""
    is_waiting = order.is_resting or (isinstance(order, BrokerOrder) and bool(order.parent_id))
    entry_quantity = orders.get_entries_against(order) if is_waiting else Decimal(0)
    problem = _explain_exit(order, broker_quantity, entry_quantity)
    if problem == "":
        return Undecided(f"the side or quantity of order {order.title} was not seen", [subject])
    if problem is None:
        return None
    summary = f"Exit order {order.title} {problem}."
    return Finding(CRITICAL, summary, subject=subject, observed=format_quantity(broker_quantity))


def _explain_exit(order: Order, broker_quantity: Decimal, entry_quantity: Decimal) -> str | None:
    """Return the problem of the exit: None is no problem, an empty text an unknown side or quantity."""
    sign, remaining = get_sign(order.side), compute_remaining(order)
    if remaining == 0:
        return None if order.quantity else ""
    if broker_quantity == 0 and not entry_quantity:
        return "is working while the broker is flat, so that it would open a position"
    if sign is None or remaining is None:
        return ""
    closable = -broker_quantity * sign
    if closable < 0:
        return (
            f"{_describe_side(sign)} where the broker holds {describe_held(broker_quantity)},"
            " so that it would add to the position"
        )
    if remaining > closable + entry_quantity:
        return (
            f"{_describe_side(sign)} {format_quantity(remaining)} where the broker holds"
            f" {describe_held(broker_quantity)}, so that it would open the other side"
        )
    return None


def _describe_side(sign: int) -> str:
    return "buys" if sign > 0 else "sells"
