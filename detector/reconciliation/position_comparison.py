"""Compares the runtime's positions with the broker's: what differs, and what explains a difference."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.facts import Facts
from detector.domain.instrument import COMBO, Instrument
from detector.domain.rule import RANK, Finding
from detector.formats.grouping import group_pairs
from detector.reconciliation.expiry import EXPIRED, LIVE, UNCLEAR_END, ExpiryState, get_expiry_state
from detector.reconciliation.explanations import (
    DifferencePair,
    ForeignPosition,
    is_replaced,
    iter_assigned,
    iter_named_by_id,
    iter_pairs,
    parse_foreign_positions,
)
from detector.reconciliation.instrument_aliases import is_nameless
from detector.reconciliation.lots import (
    build_book,
    can_be_ended,
    find_internal_fact,
    iter_internal_lots,
    iter_listed_lots,
)
from detector.reconciliation.position_book import PositionBook
from detector.reconciliation.position_differences import UnclearGroup, compare_positions
from detector.reconciliation.position_pairs import FLAT, INTERNAL, Difference, PositionPair, describe_held
from detector.reconciliation.working_orders import ChangesSince

_EXPIRING = "it may have expired already, and what became of it is not known"
_MAY_BE_ID = "the symbol of one may be the contract id of the other"
_MAY_BE_ENDED = "it may be a contract that has just ended, which a list names without its id"


class Comparison(Struct, frozen=True):
    """Both sides by instrument; `internal_fact` is the fact that the internal side was read from.

    An incomplete side has rows that could not be read: an instrument that it lacks proves nothing.
    `replaced`: an internal-only and a broker-only holding that are one under a new contract. `assigned`: an
    option that is gone, or some of it, and the shares that its exercise or assignment moved. `unclear`:
    neither equal nor different. `newer`: differences that something newer than the broker's rows may have
    made. `listed`: phantoms of the runtime's own list beside its store: its screen shows what the store has
    closed.
    """

    book: PositionBook
    internal_fact: str
    is_internal_complete: bool
    is_broker_complete: bool
    differences: tuple[Difference, ...] = ()
    replaced: tuple[DifferencePair, ...] = ()
    assigned: tuple[DifferencePair, ...] = ()
    foreign: tuple[Difference, ...] = ()
    unclear: tuple[UnclearGroup, ...] = ()
    newer: tuple[Difference, ...] = ()
    listed: tuple[Difference, ...] = ()

    @property
    def facts(self) -> tuple[str, str]:
        """The names of the facts that were compared."""
        return "broker_positions", self.internal_fact

    def list_undecided(self) -> list[str]:
        """Return the names of instruments that could not be compared."""
        return sorted({name for group in self.unclear for name in group.names})

    def list_newer(self) -> list[str]:
        """Return the names of instruments whose difference may be newer than the broker's rows."""
        return sorted({row.name for row in self.newer} - {row.name for row in self.differences})


NOTHING_COMPARED = Comparison(PositionBook(), "", False, False)
"""What is compared where one of the sides was not read."""


@lru_cache(maxsize=2)
def compare_with_broker(facts: Facts, foreign: str = "") -> Comparison | None:
    """Return both sides, or None where one of them was not read.

    `foreign` is AEGIS_PT_FOREIGN_POSITIONS: what it names is no difference.
    """
    internal, partial = find_internal_fact(facts), facts.provenance.partial
    if internal is None or facts.broker_positions is None:
        return None
    book = build_book(facts, iter_internal_lots(facts))
    compared = compare_positions(book, lambda row: _can_have_ended(row, facts))
    listed = _list_own(book, facts)
    differences = (*compared.differences, *listed)
    changes = ChangesSince(facts) if differences else None
    newer = [row for row in differences if changes is not None and changes.can_explain(row)]
    bare = Comparison(
        book,
        internal,
        internal not in partial,
        "broker_positions" not in partial,
        tuple(_drop(compared.differences, newer)),
        unclear=compared.unclear,
        newer=tuple(_drop(newer, listed)),
        listed=tuple(_drop(listed, newer)),
    )
    return _classify(bare, facts, parse_foreign_positions(foreign))


def _list_own(book: PositionBook, facts: Facts) -> list[Difference]:
    """Return what the runtime's own list has open, beside its store, of what the broker is flat in."""
    pairs: dict[Instrument, PositionPair] = {}
    for lot in () if facts.store_positions is None else iter_listed_lots(facts):
        position, held = book.find_broker_position(lot.instrument)
        if held == FLAT and lot.instrument.sec_type != COMBO and not book.is_in_combo(lot.instrument):
            named = book.names.add_to(lot.instrument) if position is None else position.instrument
            pairs.setdefault(named, PositionPair(named, None)).add_lots([lot], INTERNAL)
    return [difference for pair in pairs.values() for difference in pair.iter_differences()]


def list_foreign(facts: Facts, foreign: str) -> tuple[str, ...]:
    """Return the broker's positions that were counted as the owner's, each as `long 100 SPY`."""
    comparison = compare_with_broker(facts, foreign) if foreign else None
    rows = () if comparison is None else comparison.foreign
    return tuple(f"{describe_held(row.broker)} {row.name}" for row in rows)


def _can_have_ended(row: Instrument, facts: Facts) -> bool:
    """Whether its last trading moment is past or near, or may be: a mere id may be an ended contract."""
    is_live = get_expiry_state(row, facts.taken_at) == LIVE
    return not is_live or (is_nameless(row) and can_be_ended(row, facts))


def _get_state(row: Difference, facts: Facts) -> ExpiryState:
    """Return whether what differs can be traded; the broker lists what has ended until it is settled."""
    state = get_expiry_state(row.instrument, facts.taken_at)
    is_open = state == LIVE and row.kind == "unmanaged" and _can_have_ended(row.instrument, facts)
    return UNCLEAR_END if is_open else state


def _classify(bare: Comparison, facts: Facts, foreign: tuple[ForeignPosition, ...]) -> Comparison:
    """Return the comparison with its differences, each where it belongs."""
    certain = [row for row in bare.differences if _is_certain(bare, row)]
    owned = tuple(row for row in certain if any(entry.is_all_of(row) for entry in foreign))
    differences = _drop(certain, owned)
    replaced, rest = _split(differences, iter_pairs(differences, is_replaced))
    assigned, rest = _split(rest, iter_assigned(rest, facts.taken_at))
    named_by_id, rest = _split(rest, iter_named_by_id(rest))
    by_id = (UnclearGroup((gone.name, row.name), _MAY_BE_ID, is_held=True) for gone, row in named_by_id)
    states = {id(row): _get_state(row, facts) for row in rest}
    open_ended = (row for row in rest if states[id(row)] == UNCLEAR_END)
    expiring = tuple(
        UnclearGroup((row.name,), _EXPIRING, remedy="the broker's statement")
        if row.kind == "phantom"
        else UnclearGroup((row.name,), _MAY_BE_ENDED, is_held=True)
        for row in open_ended
        if row.kind == "phantom" or is_nameless(row.instrument)
    )
    kept = (
        row
        for row in rest
        if states[id(row)] == LIVE
        or (states[id(row)] == EXPIRED and row.kind != "unmanaged")
        or row.kind in ("quantity", "side")
    )
    return replace(
        bare,
        differences=tuple(kept),
        replaced=replaced,
        assigned=assigned,
        foreign=owned,
        unclear=(*bare.unclear, *by_id, *expiring),
        listed=_list_unexplained(bare, differences, facts),
    )


def _list_unexplained(bare: Comparison, others: Iterable[Difference], facts: Facts) -> tuple[Difference, ...]:
    """Return the certain phantoms of the runtime's own list that no other difference explains."""
    listed = [row for row in bare.listed if _is_certain(bare, row) and _get_state(row, facts) != UNCLEAR_END]
    rows = [*listed, *others] if listed else []
    pairs = chain(iter_pairs(rows, is_replaced), iter_assigned(rows, facts.taken_at))
    return tuple(_drop(listed, chain.from_iterable(pairs)))


def _split(
    differences: Iterable[Difference], pairs: Iterable[DifferencePair]
) -> tuple[tuple[DifferencePair, ...], list[Difference]]:
    """Return the pairs, and the differences that are in none."""
    known = tuple(pairs)
    return known, _drop(differences, chain.from_iterable(known))


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


def merge_by_subject(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each subject: the most severe, with the summaries of all of them."""
    groups = group_pairs((finding.subject, finding) for finding in findings)
    return [group[0] if len(group) == 1 else _merge_findings(group) for group in groups.values()]


def _merge_findings(group: list[Finding]) -> Finding:
    worst = max(group, key=lambda finding: RANK[finding.severity])
    summaries = dict.fromkeys(finding.summary.rstrip(".") for finding in (worst, *group))
    observed = dict.fromkeys(str(finding.observed) for finding in (worst, *group))
    return replace(worst, summary=f"{'; '.join(summaries)}.", observed=" and ".join(observed))
