"""The items of a repair plan: a trade or an instrument on which sources differ, and the rows to correct.

While an order works in the instrument, its fills may still change the correct values: no row is corrected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.profile import POSITION_STATE
from detector.domain.trade_rows import StoredPosition
from detector.reconciliation.close_check.close_order import match_instrument
from detector.reconciliation.expiry import LIVE, get_expiry_state
from detector.reconciliation.identity import DIFFERENT, SAME, can_be_in_account, can_be_same, compare
from detector.reconciliation.position_comparison import Comparison
from detector.reconciliation.position_differences import UnclearGroup
from detector.reconciliation.position_pairs import BROKER, Difference, describe_held
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
        return can_be_in_account(self.account, account) and can_be_same(self.traded, instrument)


def add_account(text: str, account: str | None) -> str:
    """Return the text with the account behind it; None is no account."""
    return text if account is None else f"{text} in account {account}"


def describe_broker(quantity: Decimal | None, account: str | None) -> str:
    """Return what the broker holds, as the reason of a change."""
    held = f"the broker holds {describe_held(quantity)}" if quantity else "the broker is flat"
    return add_account(held, account)


def has_several_accounts(facts: Facts) -> bool:
    """Whether the rows have several accounts, so that the instrument's name alone is ambiguous."""
    at_broker = {row.account for row in facts.broker_positions or ()}
    return len((at_broker | {row.account for row in facts.store_positions or ()}) - {None}) > 1


class ReportedDifferences(Struct, frozen=True):
    """The comparison as `detect` makes it: what it reports is what a plan may correct."""

    comparison: Comparison | None

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differences that `detect` reports: those that nothing newer than the broker explains."""
        return () if self.comparison is None else self.comparison.differences

    @property
    def origin(self) -> str:
        """The list that the internal side was read from."""
        is_store = self.comparison is not None and self.comparison.internal_fact == "store_positions"
        return POSITION_STATE if is_store else RUNTIME_LIST

    def find_certain(self, instrument: Instrument, account: str | None, title: str) -> Difference | None:
        """Return the reported difference in that very instrument, or in the trade of that title."""
        matches = (
            row
            for row in self.differences
            if can_be_in_account(row.account, account)
            and (title in row.trade_titles or compare(row.instrument, normalize(instrument)) == SAME)
        )
        return next((row for row in matches if not row.is_merged), None)

    def explain_unclear(self, instrument: Instrument) -> str | None:
        """Return why what the broker holds of the instrument is unclear, None where it is clear."""
        if self.comparison is None:
            return None
        for old, new in self.comparison.replaced:
            if can_be_same(old.instrument, instrument):
                held = describe_held(new.broker)
                return f"which contract it is now: the broker holds {held} as {_format_id(new)}"
        for gone, moved in self.comparison.assigned:
            if can_be_same(gone.instrument, instrument):
                return f"whether it was assigned or exercised: {moved.name} moved by as many shares"
        name = instrument.instrument_name
        groups = (group for group in self.comparison.unclear if name in group.names and _is_undecided(group))
        return next((_describe_unclear(group) for group in groups), None)


def _format_id(difference: Difference) -> str:
    return f"{difference.name} (con_id {difference.instrument.con_id})"


def _is_undecided(group: UnclearGroup) -> bool:
    """Whether no row of the group may be corrected: a mere id may be anything."""
    return not group.is_paired or group.has_nameless


def _describe_unclear(group: UnclearGroup) -> str:
    names = f" ({', '.join(group.names)})" if len(group.names) > 1 else ""
    return f"whether anything differs in it: {group.why}{names}; {group.remedy} would make it clear"


def iter_instrument_items(facts: Facts, reported: ReportedDifferences) -> Iterator[PlanItem]:
    """Yield the differences by instrument, whether or not any row has a trade, then what is unclear."""
    comparison = reported.comparison
    if comparison is None:
        return
    has_several = has_several_accounts(facts)
    for difference in reported.differences:
        yield _build_item(facts, difference, reported.origin, difference.account if has_several else None)
    for old, _ in (*comparison.replaced, *comparison.assigned):
        yield _build_unclear_item(old.instrument, reported, None)
    for group in comparison.unclear:
        rows = [position for position in comparison.book.positions if position.name in group.names]
        if rows and _is_undecided(group):
            yield _build_unclear_item(rows[0].instrument, reported, rows[0].compute_quantity(BROKER))


def _build_unclear_item(
    instrument: Instrument, reported: ReportedDifferences, position: Decimal | None
) -> PlanItem:
    name, why = instrument.instrument_name, reported.explain_unclear(instrument)
    questions = () if why is None else (why,)
    return PlanItem(name, name, name, instrument, (), position or None, Evidence(), open_questions=questions)


def _build_item(facts: Facts, difference: Difference, origin: str, account: str | None) -> PlanItem:
    waiting = list_in_flight(facts, difference.instrument, account)
    rows = _list_open_rows(facts, difference, account) if origin == POSITION_STATE else []
    question = _build_question(difference, rows, waiting, facts)
    claims = (
        () if difference.kind == "unmanaged" else (f"{origin}: open, {describe_held(difference.internal)}",)
    )
    column = build_quantity_column(
        difference.internal, difference.broker, is_unsigned=any(is_unsigned(row) for row in rows)
    )
    name = add_account(difference.name, account)
    change = RowChange(origin, name, (column,), describe_broker(difference.broker, account))
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


EXPIRED_QUESTION = (
    "how it ended: the contract has expired, and whether it was worthless, exercised or assigned is in the"
    " broker's statement"
)


def _list_open_rows(facts: Facts, difference: Difference, account: str | None) -> list[StoredPosition]:
    return [
        row
        for row in facts.store_positions or ()
        if row.is_effectively_open is not False
        and can_be_in_account(row.account, account)
        and can_be_same(row, difference.instrument)
    ]


def _build_question(
    difference: Difference, rows: Sequence[StoredPosition], waiting: tuple[str, ...], facts: Facts
) -> str | None:
    """Return the question for a person where no single row is certainly wrong."""
    quantity = describe_held(difference.broker)
    if difference.is_merged:
        internal = describe_held(difference.internal)
        return f"which of its rows are the same: the broker holds {quantity}, the runtime {internal}"
    if difference.kind == "unmanaged":
        return (
            f"whether the runtime takes the {quantity} over, with a row of its own in {POSITION_STATE}"
            " and the orders that protect it, or a person closes them at the broker"
        )
    if get_expiry_state(difference.instrument, facts.taken_at) != LIVE:
        return EXPIRED_QUESTION
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
        dict.fromkeys(order.title for order in orders if match_instrument(instrument, order) != DIFFERENT)
    )


def describe_waiting(orders: tuple[str, ...]) -> str:
    """Return the sentence why no row is corrected yet."""
    verb = "works" if len(orders) == 1 else "work"
    reason = f"order {', '.join(orders)} still {verb} in it, and what it fills changes what is right"
    return f"what its rows should say: {reason}; look again when it is filled or cancelled"
