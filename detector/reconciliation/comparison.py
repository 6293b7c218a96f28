"""Compares the runtime's positions with the broker's, and names the subjects of the findings about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.facts import Facts, known
from detector.domain.instrument import Instrument
from detector.domain.rule import RANK, Finding
from detector.domain.trade_rows import format_other_ids
from detector.formats.numbers import to_exact_decimal
from detector.reconciliation.position_book import (
    PositionBook,
    build_position_book,
    list_differences,
    list_undecided,
)
from detector.reconciliation.position_pairs import Difference, Lot, PositionPair, build_lot


class Subjects:
    """The accounts that hold each instrument name, so that two accounts never share a subject."""

    def __init__(self, positions: Iterable[tuple[str, str | None]]) -> None:
        self._accounts: dict[str, set[str]] = {}
        for name, account in positions:
            self._accounts.setdefault(name, set()).update({account} if account else ())

    def get_subject(self, name: str, account: str | None) -> str:
        """Return the subject: the name, and the account where several hold an instrument of that name."""
        return (
            _format_with_account(name, account) if account and len(self._accounts.get(name, ())) > 1 else name
        )

    def list_possible(self, names: Iterable[str]) -> list[str]:
        """Return every subject under which a finding about these names may have been reported."""
        return [subject for name in names for subject in (name, *self._iter_with_account(name))]

    def list_names_without_account(self, subjects: Iterable[str]) -> list[str]:
        """Return the names reported with an account only; their older findings have the bare name."""
        reported = set(subjects)
        return [
            name
            for name in self._accounts
            if name not in reported and reported & set(self._iter_with_account(name))
        ]

    def _iter_with_account(self, name: str) -> Iterator[str]:
        return (_format_with_account(name, account) for account in sorted(self._accounts.get(name, ())))


def _format_with_account(name: str, account: str) -> str:
    return f"{name} in {account}"


def merge_by_subject(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each subject: the most severe, with the summaries of all of them."""
    groups: dict[str | None, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.subject, []).append(finding)
    return [group[0] if len(group) == 1 else _merge_findings(group) for group in groups.values()]


def _merge_findings(group: list[Finding]) -> Finding:
    worst = max(group, key=lambda finding: RANK[finding.severity])
    summaries = dict.fromkeys(finding.summary.rstrip(".") for finding in (worst, *group))
    observed = dict.fromkeys(str(finding.observed) for finding in (worst, *group))
    return replace(worst, summary=f"{', and '.join(summaries)}.", observed=" and ".join(observed))


INTERNAL_FACTS = ("store_positions", "open_positions")
"""The internal side is the store where it was read, else the runtime's own list."""
COMPARED_FACTS = ("broker_positions", *INTERNAL_FACTS)


class Comparison(Struct, frozen=True):
    """Both sides by instrument; `internal_fact` is the fact that the internal side was read from.

    An incomplete side has rows that could not be read: an instrument that it lacks proves nothing.
    """

    book: PositionBook
    internal_fact: str
    is_internal_complete: bool
    is_broker_complete: bool

    @property
    def facts(self) -> tuple[str, str]:
        """The names of the facts that were compared."""
        return "broker_positions", self.internal_fact

    def list_differences(self) -> list[Difference]:
        """Return the differences that hold whatever the unreadable rows contain."""
        return [difference for difference in list_differences(self.book) if self._is_certain(difference)]

    def _is_certain(self, difference: Difference) -> bool:
        if difference.kind == "phantom":
            return self.is_broker_complete
        if difference.kind == "unmanaged":
            return self.is_internal_complete
        return self.is_broker_complete and self.is_internal_complete

    def list_undecided(self) -> list[str]:
        """Return the names of instruments that could not be compared."""
        return list_undecided(self.book)

    @property
    def subjects(self) -> Subjects:
        """The subjects of the compared positions."""
        return build_subjects(self.book)


def compare_with_broker(facts: Facts) -> Comparison | None:
    """Return both sides, or None where one of them was not read."""
    internal = find_internal_fact(facts)
    if internal is None or facts.broker_positions is None:
        return None
    return _build_comparison(facts, iter_internal_lots(facts), internal)


def compare_runtime_list(facts: Facts) -> Comparison | None:
    """Compare the runtime's own list with the broker; None where that list is already the internal side.

    A runtime that still lists a position which its store has closed is a third store, and its screen shows
    it.
    """
    if None in (facts.store_positions, facts.open_positions, facts.broker_positions):
        return None
    return _build_comparison(facts, _iter_listed_lots(facts), "open_positions")


def _build_comparison(facts: Facts, lots: Iterable[Lot], internal: str) -> Comparison:
    partial = facts.provenance.partial
    return Comparison(
        build_position_book(lots, iter_broker_lots(facts), facts.broker_account),
        internal,
        is_internal_complete=internal not in partial,
        is_broker_complete="broker_positions" not in partial,
    )


def build_broker_book(facts: Facts) -> PositionBook:
    """Return the broker's positions as a book without an internal side; they must have been read."""
    return build_position_book((), iter_broker_lots(facts), facts.broker_account)


def find_internal_fact(facts: Facts) -> str | None:
    """Return the fact that the internal side is read from, or None where none was seen."""
    return next((name for name in INTERNAL_FACTS if getattr(facts, name) is not None), None)


def iter_internal_lots(facts: Facts) -> Iterator[Lot]:
    """Yield the lots of the internal side; none where no internal side was read."""
    if facts.store_positions is not None:
        for row in facts.store_positions:
            trade_title = _build_trade_title(row.trade_id, row.signal_id, row.position_id)
            if row.is_named:
                yield build_lot(row, row.signed_quantity, row.account, trade_title)
    else:
        yield from _iter_listed_lots(facts)


def _iter_listed_lots(facts: Facts) -> Iterator[Lot]:
    for position in facts.open_positions or ():
        if position.is_named:
            trade_title = _build_trade_title(position.trade_id, position.signal_id, position.position_id)
            yield build_lot(position, to_exact_decimal(position.quantity), trade_title=trade_title)


def iter_broker_lots(facts: Facts) -> Iterator[Lot]:
    """Yield the broker's lots."""
    for row in known(facts.broker_positions):
        if row.is_named:
            yield build_lot(row, row.quantity, row.account)


def _build_trade_title(trade_id: str | None, signal_id: str | None, position_id: str | None) -> str:
    return f"trade #{trade_id}{format_other_ids(signal_id, position_id)}" if trade_id else ""


def build_subjects(book: PositionBook) -> Subjects:
    """Return the subjects of the positions."""
    return Subjects((position.name, position.account) for position in book.positions)


def find_broker_position(
    book: PositionBook, instrument: Instrument, account: str | None = None
) -> tuple[PositionPair | None, Decimal | None]:
    """Return the broker's position of an instrument and its signed quantity: 0 where there is no position.

    The quantity is None where it is unknown, or where the instrument may be one of several positions.
    """
    positions = book.find(instrument, account)
    if not positions:
        return None, Decimal(0)
    return (positions[0], positions[0].compute_quantity("broker")) if len(positions) == 1 else (None, None)
