"""The two sides of a comparison out of the facts: what the runtime says it holds, and what the broker holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from detector.domain.facts import Facts, known
from detector.domain.instrument import Instrument, to_exact_decimal
from detector.domain.runtime_rows import format_other_ids
from detector.reconciliation.holdings import (
    Difference,
    Held,
    Holdings,
    Lot,
    differences,
    holdings,
    lot_of,
    undecided,
)
from detector.reconciliation.subjects import Subjects

INTERNAL_FACTS = ("store_positions", "open_positions")
"""The internal side is the store where it was read, else what the runtime lists."""
COMPARED = ("broker_positions", *INTERNAL_FACTS)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides by instrument; `internal` is the fact that the internal side was read from.

    A side that is not whole has rows that could not be read: what it does not show proves nothing.
    """

    holdings: Holdings
    internal: str
    whole_internal: bool
    whole_broker: bool

    @property
    def facts(self) -> tuple[str, str]:
        """Return the facts that were compared."""
        return "broker_positions", self.internal

    def differences(self) -> list[Difference]:
        """Return what differs for certain, whatever the rows are that could not be read."""
        return [one for one in differences(self.holdings) if self._is_certain(one)]

    def _is_certain(self, one: Difference) -> bool:
        if one.kind == "phantom":
            return self.whole_broker
        if one.kind == "unmanaged":
            return self.whole_internal
        return self.whole_broker and self.whole_internal

    def undecided(self) -> list[str]:
        """Return the names of instruments that could not be compared."""
        return undecided(self.holdings)

    @property
    def subjects(self) -> Subjects:
        """Return the subjects of what was compared."""
        return subjects_of(self.holdings)


def compared(facts: Facts) -> Comparison | None:
    """Return both sides, or None where one of them was not read."""
    internal = internal_fact(facts)
    if internal is None or facts.broker_positions is None:
        return None
    return _against_broker(facts, internal_lots(facts), internal)


def own_list(facts: Facts) -> Comparison | None:
    """Return the runtime's own list against the broker, where the store is the internal side; None where it is not.

    A runtime that goes on listing what its store has closed is a third store, and the one that its buttons show.
    """
    if None in (facts.store_positions, facts.open_positions, facts.broker_positions):
        return None
    return _against_broker(facts, _listed_lots(facts), "open_positions")


def _against_broker(facts: Facts, lots: Iterable[Lot], internal: str) -> Comparison:
    partial = facts.provenance.partial
    return Comparison(
        holdings(lots, broker_lots(facts), facts.broker_account),
        internal,
        whole_internal=internal not in partial,
        whole_broker="broker_positions" not in partial,
    )


def broker_side(facts: Facts) -> Holdings:
    """Return what the broker holds, alone; the broker's positions must have been read."""
    return holdings((), broker_lots(facts), facts.broker_account)


def internal_fact(facts: Facts) -> str | None:
    """Return the fact that the internal side is read from, or None where none was seen."""
    return next((name for name in INTERNAL_FACTS if getattr(facts, name) is not None), None)


def internal_lots(facts: Facts) -> Iterator[Lot]:
    """Yield what the runtime says it holds; nothing where no internal side was seen."""
    if facts.store_positions is not None:
        for row in facts.store_positions:
            about = _about(row.trade_id, row.signal_id, row.position_id)
            if row.is_named:
                yield lot_of(row, row.signed_quantity, row.account, about)
    else:
        yield from _listed_lots(facts)


def _listed_lots(facts: Facts) -> Iterator[Lot]:
    for one in facts.open_positions or ():
        if one.is_named:
            about = _about(one.trade_id, one.signal_id, one.position_id)
            yield lot_of(one, to_exact_decimal(one.quantity), about=about)


def broker_lots(facts: Facts) -> Iterator[Lot]:
    """Yield what the broker holds."""
    for row in known(facts.broker_positions):
        if row.is_named:
            yield lot_of(row, row.quantity, row.account)


def _about(trade_id: str | None, signal_id: str | None, position_id: str | None) -> str:
    return f"trade #{trade_id}{format_other_ids(signal_id, position_id)}" if trade_id else ""


def subjects_of(side: Holdings) -> Subjects:
    """Return the subjects of what is held."""
    return Subjects((one.name, one.account) for one in side.held)


def held_of(
    side: Holdings, instrument: Instrument, account: str | None = None
) -> tuple[Held | None, Decimal | None]:
    """Return the one position of that instrument at the broker, in that account, and its quantity: 0 where there is none.

    The quantity is None where it was not seen, or where the instrument may be one of several.
    """
    found = side.find(instrument, account)
    if not found:
        return None, Decimal(0)
    return (found[0], found[0].quantity("broker")) if len(found) == 1 else (None, None)
