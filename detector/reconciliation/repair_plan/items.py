"""What a plan is made of: a trade or an instrument in which the places differ, and the rows that would have to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, format_quantity, normalize
from detector.domain.store_rows import POSITION_STATE, StoredPosition
from detector.reconciliation.close_check.working_exits import may_be_of
from detector.reconciliation.comparison import compared
from detector.reconciliation.holdings import Difference, is_same
from detector.reconciliation.repair_plan.evidence import Evidence, evidence_of
from detector.reconciliation.repair_plan.in_flight import in_flight, waits_for
from detector.reconciliation.repair_plan.trade_claims import (
    RUNTIME_LIST,
    Column,
    is_unsigned,
    quantity_column,
)


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is wrong: where, which, and by column what it says and what would agree with the broker."""

    place: str
    row: str
    columns: tuple[Column, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Item:
    """One trade, or one instrument that no trade speaks of, in which somebody contradicts somebody.

    `name` is the trade with its other ids behind it, `short` without them, for every time but the first.

    `position` is the broker's, signed; None where it was not seen. `open_questions` is what cannot be decided.
    `account` is said where there are several.
    """

    name: str
    short: str
    instrument: str
    traded: Instrument
    said: tuple[str, ...]
    position: Decimal | None
    evidence: Evidence
    changes: tuple[Change, ...] = ()
    in_memory: bool = False
    open_questions: tuple[str, ...] = ()
    account: str | None = None

    @property
    def place(self) -> str:
        """Return the instrument for a person, and its account where there are several."""
        return in_account(self.instrument, self.account)

    def covers(self, named: Instrument, account: str | None) -> bool:
        """Whether it speaks of that instrument, in that account."""
        return may_be_of(self.account, account) and is_same(normalize(self.traded), normalize(named))


def in_account(words: str, account: str | None) -> str:
    """Return the words with the account behind them, where one has to be told from another."""
    return words if account is None else f"{words} in account {account}"


def several_accounts(facts: Facts) -> bool:
    """Whether an instrument may stand in several accounts, so that its name alone is not enough."""
    at_broker = {row.account for row in facts.broker_positions or ()}
    return len((at_broker | {row.account for row in facts.store_positions or ()}) - {None}) > 1


def nameless(facts: Facts) -> Iterator[Item]:
    """Yield what differs in an instrument as such, whether or not any row names a trade."""
    both = compared(facts)
    several = several_accounts(facts)
    place = POSITION_STATE if both is not None and both.internal == "store_positions" else RUNTIME_LIST
    for one in both.differences() if both is not None else ():
        yield _item(facts, one, place, one.account if several else None)


def _item(facts: Facts, one: Difference, place: str, account: str | None) -> Item:
    waiting = in_flight(facts, one.instrument, account)
    rows = _open_rows(facts, one, account) if place == POSITION_STATE else []
    question = _question(one, rows, waiting)
    said = () if one.kind == "unmanaged" else (f"{place}: open, {format_quantity(one.internal)}",)
    column = quantity_column(one.internal, one.broker, is_unsigned=any(is_unsigned(row) for row in rows))
    flat = "the broker is flat" if not one.broker else f"the broker holds {format_quantity(one.broker)}"
    name = in_account(one.name, account)
    change = Change(place, name, (column,), in_account(flat, account))
    return Item(
        name,
        name,
        one.name,
        one.instrument,
        said,
        one.broker,
        evidence_of(facts, one.instrument, None, account),
        changes=(change,) if place == POSITION_STATE and question is None else (),
        in_memory=place == RUNTIME_LIST and one.kind == "phantom" and not waiting,
        open_questions=() if question is None else (question,),
        account=account,
    )


def _open_rows(facts: Facts, one: Difference, account: str | None) -> list[StoredPosition]:
    return [
        row
        for row in facts.store_positions or ()
        if row.is_effectively_open is not False
        and may_be_of(row.account, account)
        and is_same(normalize(row), normalize(one.instrument))
    ]


def _question(one: Difference, rows: Sequence[StoredPosition], waiting: tuple[str, ...]) -> str | None:
    """Return what a person has to decide, where no single row is the wrong one."""
    held = format_quantity(one.broker)
    if one.kind == "unmanaged":
        return (
            f"whether the runtime takes the {held} over, with a row of its own in {POSITION_STATE} and the orders that"
            " protect it, or a person closes them at the broker"
        )
    if one.kind == "side":
        return f"how it came that the broker holds {held}: see its fills before any row is changed"
    if waiting:
        return waits_for(waiting)
    return f"which of its {len(rows)} open rows is wrong" if len(rows) > 1 else None
