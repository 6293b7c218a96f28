"""The items of a repair plan: a trade or an instrument on which sources differ, and the rows to correct.

While an order works in the instrument, its fills may still change the correct values: no row is corrected.
While the runtime runs, it would write them again from its memory: it must be stopped before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument
from detector.domain.profile import POSITION_STATE
from detector.domain.trade_rows import StoredPosition
from detector.formats.grouping import group_pairs
from detector.formats.numbers import format_count, format_first, format_list
from detector.formats.times import format_duration
from detector.reconciliation.account_index import MOST_ROWS, RowIndex
from detector.reconciliation.between_runs import list_reopened
from detector.reconciliation.expiry import LIVE, get_expiry_state
from detector.reconciliation.identity import DIFFERENT, SAME, can_be_in_account, compare
from detector.reconciliation.position_comparison import Comparison
from detector.reconciliation.position_differences import UnclearGroup
from detector.reconciliation.position_pairs import BROKER, INTERNAL, Difference, PositionPair, describe_held
from detector.reconciliation.repair_plan.closing_evidence import Evidence, PlanRows, collect_evidence
from detector.reconciliation.repair_plan.trade_claims import (
    RUNTIME_LIST,
    Column,
    build_quantity_column,
    is_unsigned,
)

EXPIRED_QUESTION = (
    "how it ended: the contract has expired, and whether it was worthless, exercised or assigned is in the"
    " broker's statement"
)
_RUNNING = "RUNNING"
_MOST_NAMES = 10  # each of very many that may be the same has this sentence


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
    traded: Instrument
    claims: tuple[str, ...]
    position: Decimal | None
    evidence: Evidence
    changes: tuple[RowChange, ...] = ()
    in_memory: bool = False
    open_questions: tuple[str, ...] = ()
    account: str | None = None

    @property
    def instrument(self) -> str:
        """The instrument's one name."""
        return self.traded.instrument_name

    @property
    def title(self) -> str:
        """The instrument, and its account where there are several."""
        return _add_account(self.instrument, self.account)


def build_item_index(items: Iterable[PlanItem]) -> RowIndex[PlanItem]:
    """Return the items by their account and instrument."""
    return RowIndex((item.account, item.traded, item) for item in items)


def _add_account(text: str, account: str | None) -> str:
    """Return the text with the account behind it; None is no account."""
    return text if account is None else f"{text} in account {account}"


def describe_broker(quantity: Decimal | None, account: str | None) -> str:
    """Return what the broker holds, as the reason of a change."""
    held = f"the broker holds {describe_held(quantity)}" if quantity else "the broker is flat"
    return _add_account(held, account)


class ReportedDifferences:
    """The comparison as `detect` makes it: what it reports is what a plan may correct.

    `origin`: the list that the internal side was read from.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.origin = POSITION_STATE if comparison.internal_fact == "store_positions" else RUNTIME_LIST
        self._by_instrument = RowIndex((row.account, row.instrument, row) for row in comparison.differences)
        self._by_title = group_pairs(
            (title, row) for row in comparison.differences for title in row.trade_titles
        )
        lots = (lot for position in comparison.book.positions for lot in position.lots[INTERNAL])
        self._titles = {lot.key: lot.trade_title for lot in lots if lot.key and lot.quantity}
        self._replaced, self._assigned = (
            RowIndex((None, pair[0].instrument, pair[1]) for pair in pairs)
            for pairs in (comparison.replaced, comparison.assigned)
        )
        self._unclear: dict[str, UnclearGroup] = {}
        for group in filter(_is_undecided, comparison.unclear):
            for name in group.names:
                self._unclear.setdefault(name, group)

    def find_certain(self, instrument: Instrument, account: str | None, trade_id: str) -> Difference | None:
        """Return the reported difference in the open row of the trade, else in that very instrument."""
        named, title = self.comparison.book.names.add_to(instrument), self._titles.get(trade_id)
        if title is not None:
            rows = [r for r in self._by_title.get(title, []) if compare(r.instrument, named) != DIFFERENT]
        else:
            listed = self._by_instrument.find(named, account)
            rows = [row for row in listed if compare(row.instrument, named) == SAME]
        own = (row for row in rows if can_be_in_account(row.account, account))
        return next((row for row in own if not row.merged), None)

    def explain_unclear(self, instrument: Instrument) -> str | None:
        """Return why what the broker holds of the instrument is unclear, None where it is clear."""
        for new in self._replaced.find(instrument, None):
            name = f"{new.name} (conid {new.instrument.con_id})"
            return f"which contract it is now: the broker holds {describe_held(new.broker)} as {name}"
        for moved in self._assigned.find(instrument, None):
            return f"whether it was assigned or exercised: {moved.name} moved by as much"
        group = self._unclear.get(instrument.instrument_name)
        if group is None:
            return None
        names = f" ({format_first(group.names, _MOST_NAMES)})" if len(group.names) > 1 else ""
        return f"whether anything differs in it: {group.why}{names}; {group.remedy} would make it clear"


def _is_undecided(group: UnclearGroup) -> bool:
    """Whether no row of the group may be corrected: a mere id may be anything."""
    return not group.is_paired or group.has_nameless


def iter_instrument_items(rows: PlanRows, reported: ReportedDifferences) -> Iterator[PlanItem]:
    """Yield the differences by instrument, whether or not any row has a trade, then what is unclear."""
    comparison = reported.comparison
    for difference in comparison.differences:
        yield _build_item(rows, difference, reported.origin)
    for old, _ in (*comparison.replaced, *comparison.assigned):
        yield _build_unclear_item(old.instrument, reported, None)
    first: dict[str, tuple[int, PositionPair]] = {}
    for number, position in enumerate(comparison.book.positions):
        first.setdefault(position.name, (number, position))
    for group in filter(_is_undecided, comparison.unclear):
        _, position = min(first[name] for name in group.names)
        yield _build_unclear_item(position.instrument, reported, position.compute_quantity(BROKER))


def _build_unclear_item(
    instrument: Instrument, reported: ReportedDifferences, position: Decimal | None
) -> PlanItem:
    name, why = instrument.instrument_name, reported.explain_unclear(instrument)
    questions = () if why is None else (why,)
    return PlanItem(name, name, instrument, (), position or None, Evidence(), open_questions=questions)


def _build_item(plan_rows: PlanRows, difference: Difference, origin: str) -> PlanItem:
    account = difference.account if plan_rows.has_several_accounts else None
    waiting = plan_rows.list_in_flight(difference.instrument, account)
    rows = plan_rows.positions.find(difference.instrument, account) if origin == POSITION_STATE else []
    question = _build_question(difference, rows, waiting, plan_rows.facts)
    claims = (
        () if difference.kind == "unmanaged" else (f"{origin}: open, {describe_held(difference.internal)}",)
    )
    column = build_quantity_column(
        difference.internal, difference.broker, is_unsigned=any(is_unsigned(row) for row in rows)
    )
    name = _add_account(difference.name, account)
    change = RowChange(origin, name, (column,), describe_broker(difference.broker, account))
    return PlanItem(
        name,
        name,
        difference.instrument,
        claims,
        None if difference.readings else difference.broker,
        collect_evidence(plan_rows, difference.instrument, None, account),
        changes=(change,) if origin == POSITION_STATE and question is None else (),
        in_memory=origin == RUNTIME_LIST and difference.kind == "phantom" and not waiting,
        open_questions=() if question is None else (question,),
        account=account,
    )


def _build_question(
    difference: Difference, rows: Sequence[StoredPosition], waiting: tuple[str, ...], facts: Facts
) -> str | None:
    """Return the question for a person where no single row is certainly wrong."""
    quantity = difference.held
    if difference.merged:
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
        return explain_other_side(difference.broker)
    if waiting:
        return describe_waiting(waiting)
    count = f"{len(rows)}{' or more' if len(rows) == MOST_ROWS else ''}"
    which = f"which of its {count} open rows is wrong" if len(rows) > 1 else None
    doubt = f"whether the broker holds {quantity}: its rows are lots, or one that was written again"
    return doubt if difference.readings else which


def explain_other_side(held: Decimal) -> str:
    """Return what is open where the broker is on the other side."""
    return f"how it came that the broker holds {describe_held(held)}: see its fills before any row is changed"


def describe_waiting(orders: tuple[str, ...]) -> str:
    """Return the sentence why no row is corrected yet."""
    verb = "works" if len(orders) == 1 else "work"
    reason = f"order {', '.join(orders)} still {verb} in it, and what it fills changes what is right"
    return f"what its rows should say: {reason}; look again when it is filled or cancelled"


def explain_stop(facts: Facts, items: Sequence[PlanItem], stale_sec: float) -> tuple[str, ...]:
    """Return why the runtime must not run while rows are corrected; empty where none is to be corrected."""
    if not any(item.changes or item.in_memory for item in items):
        return ()
    return (*_iter_running_signs(facts, stale_sec), *_iter_stale_memory(facts, items))


def _iter_running_signs(facts: Facts, stale_sec: float) -> Iterator[str]:
    if facts.heartbeat_at is not None:
        age = facts.age_of(facts.heartbeat_at)
        is_alive = age <= stale_sec
        yield (
            f"its heartbeat is {format_duration(age)} old, so that it runs"
            if is_alive
            else f"its last heartbeat is {format_duration(age)} old;"
            " whatever starts it again would load the rows as they are"
        )
    running = sum(task.last_status == _RUNNING for task in facts.tasks or ())
    if running:
        yield f"{format_count(running, 'task')} of its service {'is' if running == 1 else 'are'} running"
    if facts.heartbeat_at is None and facts.tasks is None:
        yield "whether it runs was not seen, so that it has to be made sure of"


def _iter_stale_memory(facts: Facts, items: Sequence[PlanItem]) -> Iterator[str]:
    for item in items:
        if item.in_memory:
            yield (
                f"its own list ({RUNTIME_LIST}) still holds {item.short} open,"
                " and it writes its rows from there"
            )
    for row, stores in list_reopened(facts):
        if row.trade_id:
            yield (
                f"trade #{row.trade_id} was seen closed and is open again in {format_list(stores)}:"
                " this has undone a repair before"
            )


def list_exposed(facts: Facts, items: Sequence[PlanItem]) -> tuple[str, ...]:
    """Return the broker's other positions: while the runtime is stopped, only broker orders protect them."""
    flat = build_item_index(item for item in items if not item.position)
    rows = [row for row in facts.broker_positions or () if row.quantity and not flat.find(row, row.account)]
    return tuple(f"{describe_held(row.quantity)} {row.instrument_name}" for row in rows if row.quantity)
