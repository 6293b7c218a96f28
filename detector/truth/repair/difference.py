"""What a plan is made of: a trade or an instrument in which the places differ, and the rows that would have to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from detector.model.facts import Facts
from detector.model.instrument import Instrument, amount
from detector.model.store_rows import POSITION_STATE
from detector.truth.holdings import Difference
from detector.truth.repair.evidence import Evidence, evidence_of
from detector.truth.repair.trade_sayings import RUNTIME_LIST
from detector.truth.sides import compared

Column = tuple[str, str, str]
"""A column, what it says, and what it should say; the columns under our names."""


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


def nameless(facts: Facts) -> Iterator[Item]:
    """Yield what differs in an instrument as such, whether or not any row names a trade."""
    both = compared(facts)
    for one in both.differences() if both is not None else ():
        evidence = evidence_of(facts, one.instrument, None)
        place = POSITION_STATE if both is not None and both.internal == "store_positions" else RUNTIME_LIST
        said = () if one.kind == "unmanaged" else (f"{place}: open, {amount(one.internal)}",)
        question = _question(one)
        stored = place == POSITION_STATE and question is None
        column = ("quantity", amount(one.internal), amount(one.broker))
        flat = "the broker is flat" if not one.broker else f"the broker holds {amount(one.broker)}"
        yield Item(
            one.name,
            one.name,
            one.name,
            one.instrument,
            said,
            one.broker,
            evidence,
            changes=(Change(place, one.name, (column,), flat),) if stored else (),
            in_memory=place == RUNTIME_LIST and one.kind == "phantom",
            open_questions=() if question is None else (question,),
        )


def _question(one: Difference) -> str | None:
    """Return what a person has to decide, where no single row is the wrong one."""
    held = amount(one.broker)
    if one.kind == "unmanaged":
        return (
            f"whether the runtime takes the {held} over, with a row of its own in {POSITION_STATE} and the orders that"
            " protect it, or a person closes them at the broker"
        )
    if one.kind == "side":
        return f"how it came that the broker holds {held}: see its fills before any row is changed"
    return None
