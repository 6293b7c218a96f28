"""The items of a repair plan: a trade or an instrument on which sources differ, and the rows to correct.

While an order works in the instrument, its fills may still change the correct values: no row is corrected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, is_same, normalize
from detector.domain.store_layout import POSITION_STATE
from detector.domain.trade_rows import StoredPosition
from detector.formats.numbers import format_quantity
from detector.reconciliation.close_check.close_order import match_instrument
from detector.reconciliation.comparison import compare_with_broker
from detector.reconciliation.position_pairs import Difference, can_be_in_account
from detector.reconciliation.repair_plan.evidence import Evidence, collect_evidence
from detector.reconciliation.repair_plan.trade_claims import (
    RUNTIME_LIST,
    Column,
    build_quantity_column,
    is_unsigned,
)
from detector.reconciliation.working_orders import get_account


class RowChange(Struct, frozen=True):
    """A wrong row: its store, its name, and per column the present and the correct value."""

    store: str
    row: str
    columns: tuple[Column, ...]
    because: str


class PlanItem(Struct, frozen=True):
    """A trade, or an instrument without a trade, on which sources differ.

    `name` is the trade with its other ids behind it, `short` without them, for every mention but the first.
    `position` is the broker's, signed; None where it is unknown. `open_questions` are for a person to decide.
    `account` is None unless there are several.
    """

    name: str
    short: str
    instrument: str
    traded: Instrument
    claims: tuple[str, ...]
    position: Decimal | None
    evidence: Evidence
    changes: tuple[RowChange, ...] = ()
    in_memory: bool = False
    open_questions: tuple[str, ...] = ()
    account: str | None = None

    @property
    def title(self) -> str:
        """The instrument, and its account where there are several."""
        return add_account(self.instrument, self.account)

    def is_of(self, instrument: Instrument, account: str | None) -> bool:
        """Whether the item may be of that instrument and account."""
        return can_be_in_account(self.account, account) and is_same(
            normalize(self.traded), normalize(instrument)
        )


def add_account(text: str, account: str | None) -> str:
    """Return the text with the account behind it; None is no account."""
    return text if account is None else f"{text} in account {account}"


def has_several_accounts(facts: Facts) -> bool:
    """Whether the rows have several accounts, so that the instrument's name alone is ambiguous."""
    at_broker = {row.account for row in facts.broker_positions or ()}
    return len((at_broker | {row.account for row in facts.store_positions or ()}) - {None}) > 1


def iter_instrument_items(facts: Facts) -> Iterator[PlanItem]:
    """Yield the differences by instrument, whether or not any row has a trade."""
    comparison = compare_with_broker(facts)
    has_several = has_several_accounts(facts)
    origin = (
        POSITION_STATE
        if comparison is not None and comparison.internal_fact == "store_positions"
        else RUNTIME_LIST
    )
    for difference in comparison.list_differences() if comparison is not None else ():
        yield _build_item(facts, difference, origin, difference.account if has_several else None)


def _build_item(facts: Facts, difference: Difference, origin: str, account: str | None) -> PlanItem:
    waiting = list_in_flight(facts, difference.instrument, account)
    rows = _list_open_rows(facts, difference, account) if origin == POSITION_STATE else []
    question = _build_question(difference, rows, waiting)
    claims = (
        () if difference.kind == "unmanaged" else (f"{origin}: open, {format_quantity(difference.internal)}",)
    )
    column = build_quantity_column(
        difference.internal, difference.broker, is_unsigned=any(is_unsigned(row) for row in rows)
    )
    flat = (
        "the broker is flat"
        if not difference.broker
        else f"the broker holds {format_quantity(difference.broker)}"
    )
    name = add_account(difference.name, account)
    change = RowChange(origin, name, (column,), add_account(flat, account))
    return PlanItem(
        name,
        name,
        difference.name,
        difference.instrument,
        claims,
        difference.broker,
        collect_evidence(facts, difference.instrument, None, account),
        changes=(change,) if origin == POSITION_STATE and question is None else (),
        in_memory=origin == RUNTIME_LIST and difference.kind == "phantom" and not waiting,
        open_questions=() if question is None else (question,),
        account=account,
    )


def _list_open_rows(facts: Facts, difference: Difference, account: str | None) -> list[StoredPosition]:
    return [
        row
        for row in facts.store_positions or ()
        if row.is_effectively_open is not False
        and can_be_in_account(row.account, account)
        and is_same(normalize(row), normalize(difference.instrument))
    ]


def _build_question(
    difference: Difference, rows: Sequence[StoredPosition], waiting: tuple[str, ...]
) -> str | None:
    """Return the question for a person where no single row is certainly wrong."""
    quantity = format_quantity(difference.broker)
    if difference.kind == "unmanaged":
        return (
            f"whether the runtime takes the {quantity} over, with a row of its own in {POSITION_STATE}"
            " and the orders that protect it, or a person closes them at the broker"
        )
    if difference.kind == "side":
        return f"how it came that the broker holds {quantity}: see its fills before any row is changed"
    if waiting:
        return describe_waiting(waiting)
    return f"which of its {len(rows)} open rows is wrong" if len(rows) > 1 else None


def list_in_flight(facts: Facts, instrument: Instrument, account: str | None) -> tuple[str, ...]:
    """Return the titles of orders that work in the instrument, or may, each once."""
    rows = (*(facts.broker_orders or ()), *(facts.orders or ()))
    orders = [order for order in rows if order.is_working and can_be_in_account(get_account(order), account)]
    return tuple(
        dict.fromkeys(order.title for order in orders if match_instrument(instrument, order) is not False)
    )


def describe_waiting(orders: tuple[str, ...]) -> str:
    """Return the sentence why no row is corrected yet."""
    verb = "works" if len(orders) == 1 else "work"
    reason = f"order {', '.join(orders)} still {verb} in it, and what it fills changes what is right"
    return f"what its rows should say: {reason}; look again when it is filled or cancelled"
