"""Compares the runtime's positions with the broker's, and names the subjects of the findings about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from string import digits

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts, known
from detector.domain.instrument import Instrument, normalize
from detector.domain.instrument_names import STOCK
from detector.domain.rule import RANK, Finding
from detector.domain.trade_rows import format_other_ids
from detector.formats.numbers import to_exact_decimal
from detector.reconciliation.expiry import EXPIRED, LIVE, get_expiry_state
from detector.reconciliation.identity import DIFFERENT, SAME, compare, compare_accounts
from detector.reconciliation.position_book import (
    ComparedPositions,
    PositionBook,
    UnclearGroup,
    build_position_book,
    compare_positions,
    is_adjusted,
    is_replaced,
)
from detector.reconciliation.position_pairs import Difference, Lot, PositionPair, build_lot, describe_held

_USUAL_MULTIPLIER = 100


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
DifferencePair = tuple[Difference, Difference]


class ForeignPosition(Struct, frozen=True):
    """A position that the owner holds beside the runtime: its account where several are, and what of it."""

    con_id: str
    quantity: Decimal
    account: str | None = None

    def is_all_of(self, difference: Difference) -> bool:
        """Whether it is the whole of what nothing in the runtime manages."""
        is_own = difference.kind == "unmanaged" and difference.instrument.con_id == self.con_id
        return is_own and difference.broker == self.quantity and self.account in (None, difference.account)


def parse_foreign_positions(text: str) -> tuple[ForeignPosition, ...]:
    """Return the positions that AEGIS_PT_FOREIGN_POSITIONS names: `account:con_id=quantity`, by comma."""
    entries = [entry.strip().rpartition("=") for entry in text.split(",") if entry.strip()]
    parts = [(*name.rpartition(":")[::2], quantity) for name, _, quantity in entries]
    return tuple(
        ForeignPosition(con_id, Decimal(quantity), account or None) for account, con_id, quantity in parts
    )


class Comparison(Struct, frozen=True):
    """Both sides by instrument; `internal_fact` is the fact that the internal side was read from.

    An incomplete side has rows that could not be read: an instrument that it lacks proves nothing.
    `replaced`: an internal-only and a broker-only holding that are one under a new contract. `assigned`: an
    option that is gone, and the shares that its exercise or assignment moved. `unclear`: neither equal nor
    different.
    """

    book: PositionBook
    subjects: Subjects
    internal_fact: str
    is_internal_complete: bool
    is_broker_complete: bool
    differences: tuple[Difference, ...] = ()
    replaced: tuple[DifferencePair, ...] = ()
    assigned: tuple[DifferencePair, ...] = ()
    foreign: tuple[Difference, ...] = ()
    unclear: tuple[UnclearGroup, ...] = ()

    @property
    def facts(self) -> tuple[str, str]:
        """The names of the facts that were compared."""
        return "broker_positions", self.internal_fact

    def list_undecided(self) -> list[str]:
        """Return the names of instruments that could not be compared."""
        return sorted({name for group in self.unclear for name in group.names})


def compare_with_broker(facts: Facts, foreign: str = "") -> Comparison | None:
    """Return both sides, or None where one of them was not read.

    `foreign` is AEGIS_PT_FOREIGN_POSITIONS: what it names is no difference.
    """
    return _compare_cached(_SameFacts(facts), foreign)


class _SameFacts:
    """Facts by identity: the rules of one run ask for the same comparison."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def __hash__(self) -> int:
        return id(self.facts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SameFacts) and self.facts is other.facts


@lru_cache(maxsize=2)
def _compare_cached(same: _SameFacts, foreign: str) -> Comparison | None:
    facts = same.facts
    internal = find_internal_fact(facts)
    if internal is None or facts.broker_positions is None:
        return None
    return _build_comparison(facts, iter_internal_lots(facts), internal, parse_foreign_positions(foreign))


def list_foreign(facts: Facts, foreign: str) -> tuple[str, ...]:
    """Return the broker's positions that were counted as the owner's, each as `long 100 SPY`."""
    comparison = compare_with_broker(facts, foreign) if foreign else None
    rows = () if comparison is None else comparison.foreign
    return tuple(f"{describe_held(row.broker)} {row.name}" for row in rows)


def compare_runtime_list(facts: Facts) -> Comparison | None:
    """Compare the runtime's own list with the broker; None where that list is already the internal side.

    A runtime that still lists a position which its store has closed is a third store, and its screen shows
    it.
    """
    if None in (facts.store_positions, facts.open_positions, facts.broker_positions):
        return None
    return _build_comparison(facts, iter_listed_lots(facts), "open_positions", ())


def _build_comparison(
    facts: Facts, lots: Iterable[Lot], internal: str, foreign: tuple[ForeignPosition, ...]
) -> Comparison:
    partial = facts.provenance.partial
    book = build_position_book(lots, iter_broker_lots(facts), facts.broker_account)
    is_internal_complete, is_broker_complete = internal not in partial, "broker_positions" not in partial
    bare = Comparison(book, build_subjects(book), internal, is_internal_complete, is_broker_complete)
    return _classify(bare, compare_positions(book), facts.taken_at, foreign)


def _classify(
    bare: Comparison, compared: ComparedPositions, now: datetime, foreign: tuple[ForeignPosition, ...]
) -> Comparison:
    """Return the comparison with its differences, each where it belongs."""
    certain = [difference for difference in compared.differences if _is_certain(bare, difference)]
    entries: dict[str | None, list[ForeignPosition]] = {}
    for entry in foreign:
        entries.setdefault(entry.con_id, []).append(entry)
    owned = tuple(
        difference
        for difference in certain
        if any(entry.is_all_of(difference) for entry in entries.get(difference.instrument.con_id, ()))
    )
    differences = _drop(certain, owned)
    replaced = tuple(_iter_pairs(differences, is_replaced))
    rest = _drop(differences, chain.from_iterable(replaced))
    assigned = tuple(_iter_pairs(rest, lambda gone, moved: is_assigned(gone, moved, now)))
    rest = _drop(rest, chain.from_iterable(assigned))
    states = {id(difference): get_expiry_state(difference.instrument, now) for difference in rest}
    expiring = tuple(
        UnclearGroup(
            (difference.name,),
            "it may have expired already, and what became of it is not known",
            remedy="the broker's statement",
        )
        for difference in rest
        if difference.kind == "phantom" and states[id(difference)] not in (LIVE, EXPIRED)
    )
    kept = (
        difference
        for difference in rest
        if states[id(difference)] == LIVE
        or (states[id(difference)] == EXPIRED and difference.kind != "unmanaged")
        or difference.kind in ("quantity", "side")
    )
    return replace(
        bare,
        differences=tuple(kept),
        replaced=replaced,
        assigned=assigned,
        foreign=owned,
        unclear=(*compared.unclear, *expiring),
    )


def _drop(differences: Iterable[Difference], dropped: Iterable[Difference]) -> list[Difference]:
    """Return the differences without those that were dropped from the same list."""
    out = {id(difference) for difference in dropped}
    return [difference for difference in differences if id(difference) not in out]


def _is_certain(comparison: Comparison, difference: Difference) -> bool:
    """Whether a difference holds whatever the unreadable rows contain."""
    if difference.kind == "phantom":
        return comparison.is_broker_complete
    if difference.kind == "unmanaged":
        return comparison.is_internal_complete
    return comparison.is_broker_complete and comparison.is_internal_complete


def _iter_pairs(
    differences: Sequence[Difference], is_pair: Callable[[Difference, Difference], bool]
) -> Iterator[DifferencePair]:
    """Yield each phantom with the one other difference that explains it."""
    others = _PairIndex(differences)
    for gone in differences:
        candidates = others.iter_candidates(gone) if gone.kind == "phantom" else iter(())
        match = next((other for other in candidates if is_pair(gone, other)), None)
        if match is not None:
            others.remove(match)
            yield gone, match


class _PairIndex:
    """Differences by what a pair has in common: the symbol without its marks, and the strike."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        self._entries: dict[str, dict[float | None, dict[int, Difference]]] = {}
        for difference in differences:
            by_strike = self._entries.setdefault(_get_root(difference), {})
            by_strike.setdefault(_get_strike(difference), {})[id(difference)] = difference
        self._single = differences[0] if len(differences) == 1 else None

    def iter_candidates(self, gone: Difference) -> Iterator[Difference]:
        """Yield what may explain it: of its symbol or of none, of its strike, or without a strike."""
        root, strike = _get_root(gone), _get_strike(gone)
        if not root and self._single is not None:
            yield self._single
        for name in dict.fromkeys((root, "")):
            by_strike = self._entries.get(name, {})
            for key in dict.fromkeys((strike, None)) if strike is not None else by_strike:
                yield from by_strike.get(key, {}).values()

    def remove(self, difference: Difference) -> None:
        """Remove a difference that is explained."""
        del self._entries[_get_root(difference)][_get_strike(difference)][id(difference)]
        if difference is self._single:
            self._single = None


def _get_root(difference: Difference) -> str:
    """Return the symbol without what marks an old contract or the class of an option."""
    symbol = (difference.instrument.symbol or "").removesuffix(" OLD")
    if symbol.strip(digits):
        symbol = symbol[symbol[:1].isdigit() :]
        symbol = symbol[: len(symbol) - symbol[-1:].isdigit()]
    return symbol.removesuffix("W") if difference.instrument.is_option else symbol


def _get_strike(difference: Difference) -> float | None:
    """Return the strike where it is a mark of the contract: an adjusted option may have another."""
    return None if is_adjusted(difference.instrument) else difference.instrument.strike


def is_assigned(gone: Difference, moved: Difference, now: datetime) -> bool:
    """Whether the shares that moved are those of an option that was exercised or assigned.

    The option is short, or has reached its expiry; a call brings shares to its holder, a put takes them.
    """
    option, shares = gone.instrument, moved.instrument
    if not option.is_option or shares.is_option or shares.sec_type not in (None, STOCK):
        return False
    if compare_accounts(gone.account, moved.account) == DIFFERENT:
        return False
    if gone.internal > 0 and get_expiry_state(option, now) == LIVE:
        return False
    multiplier = to_exact_decimal(option.multiplier) or Decimal(_USUAL_MULTIPLIER)
    signs = {"C": (1,), "P": (-1,)}.get(option.right or "", (1, -1))
    return moved.broker - moved.internal in [gone.internal * multiplier * sign for sign in signs]


def find_booking(facts: Facts, option: Instrument) -> Execution | None:
    """Return the booking of a statement by which the option was exercised or assigned, None without one.

    Source: Flex Query reference, Notes/Codes of a BookTrade: A is an assignment, Ex an exercise.
    """
    bookings = (
        row
        for row in facts.broker_bookings or ()
        if {"A", "Ex"} & set(re.split(r"[;, ]+", row.notes or ""))
        and compare(normalize(row), normalize(option)) == SAME
    )
    return next(bookings, None)


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
            if row.is_named and row.is_effectively_open is not False:
                title = _build_trade_title(row.trade_id, row.signal_id, row.position_id)
                yield build_lot(row, row.signed_quantity, row.account, trade_title=title, key=row.trade_id)
    else:
        yield from iter_listed_lots(facts)


def iter_listed_lots(facts: Facts) -> Iterator[Lot]:
    """Yield the lots of the runtime's own list, whatever its store holds."""
    for position in facts.open_positions or ():
        if position.is_named:
            title = _build_trade_title(position.trade_id, position.signal_id, position.position_id)
            yield build_lot(position, position.signed_quantity, trade_title=title, key=position.trade_id)


def iter_broker_lots(facts: Facts) -> Iterator[Lot]:
    """Yield the broker's lots."""
    for row in known(facts.broker_positions):
        if row.is_named:
            key = row.con_id and f"{row.con_id} {row.model}"
            yield build_lot(row, row.quantity, row.account, key=key, model=row.model)


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
