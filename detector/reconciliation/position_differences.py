"""Compares the two sides of a book: what certainly differs, and what is unclear.

Positions that may be the same are one group: a difference in it is certain only where the sums of both sides
differ.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from detector.domain.broker_rows import is_all_accounts
from detector.domain.instrument import Instrument, get_instrument_name
from detector.formats.grouping import group_pairs
from detector.reconciliation.account_index import MOST_ROWS
from detector.reconciliation.identity import DIFFERENT, can_be_in_account, compare, is_plain_account
from detector.reconciliation.instrument_aliases import is_nameless
from detector.reconciliation.position_book import PositionBook
from detector.reconciliation.position_pairs import (
    BROKER,
    FLAT,
    INTERNAL,
    Difference,
    DifferenceKind,
    PositionPair,
    Side,
    classify_difference,
    has_both_signs,
    has_common,
    is_equal,
    list_titles,
)

_CASH = "CASH"
_Totals = frozenset[Decimal] | None
_Test = Callable[[Instrument], bool]
_Row = tuple[PositionPair, Decimal]
_DOUBLED = "a row is listed twice, or is the sum of the models beside it"
_UNKNOWN_QUANTITY = "the quantity of a row is unknown"
_OF_SEVERAL = "the broker's row is of several accounts together"
_OF_INSTRUMENTS = "their contract ids in both places"
_OF_ACCOUNTS = "their account in both places"
_REMEDIES = {
    _DOUBLED: "each row once",
    _UNKNOWN_QUANTITY: "its quantity and side",
    _OF_SEVERAL: "the rows of each",
}


class UnclearGroup(Struct, frozen=True):
    """Positions of which neither a difference nor its absence is certain, by name, and why.

    `is_paired`: a reading without a difference pairs all of their rows, or a quantity was not read at all.
    `has_nameless`: a row is of a mere contract id. `is_held`: the broker may hold any of it. `remedy`
    would make it clear.
    """

    names: tuple[str, ...]
    why: str
    is_paired: bool = False
    has_nameless: bool = False
    is_held: bool = False
    remedy: str = _OF_INSTRUMENTS


class ComparedPositions(Struct, frozen=True):
    """The certain differences of a book, by name, and the groups that are unclear."""

    differences: tuple[Difference, ...]
    unclear: tuple[UnclearGroup, ...]


def compare_positions(book: PositionBook, may_have_ended: _Test = lambda _: False) -> ComparedPositions:
    """Return what certainly differs and what is unclear.

    Of a contract that `may_have_ended` the broker's row may count or not: it is listed until it is settled.
    """
    differences: list[Difference] = []
    unclear: list[UnclearGroup] = []
    for group in map(_drop_sum_of_accounts, book.list_groups()):
        legs = [position for position in group if book.is_in_combo(position.instrument)]
        names = tuple(sorted({position.name for position in group}))
        if legs:
            unclear.append(UnclearGroup(names, "the runtime holds it, or may, in a combo", is_paired=True))
            continue
        results, why = _compare_group(group, may_have_ended)
        differences += results
        if why:
            is_paired = why == _UNKNOWN_QUANTITY or _is_paired(group)
            has_nameless = any(is_nameless(position.instrument) for position in group)
            remedy = _REMEDIES.get(why, _OF_ACCOUNTS if len(_list_accounts(group)) > 1 else _OF_INSTRUMENTS)
            is_held = any(lot.quantity != FLAT for position in group for lot in position.lots[BROKER])
            unclear.append(UnclearGroup(names, why, is_paired, has_nameless, is_held, remedy))
    differences += _iter_lost_combos(book)
    differences.sort(key=lambda difference: (difference.name, difference.account or ""))
    return ComparedPositions(tuple(differences), tuple(unclear))


def _iter_lost_combos(book: PositionBook) -> Iterator[Difference]:
    """Yield the runtime's open combos of which the broker holds nothing that may be a leg."""
    held = book.list_held_combos(book.combos)
    for lot in book.combos.entries:
        if lot.quantity and id(lot) not in held:
            name, titles = get_instrument_name(lot.instrument), list_titles([lot])
            yield Difference("phantom", name, lot.instrument, lot.quantity, FLAT, lot.account, titles)


def _compare_group(group: Sequence[PositionPair], may_have_ended: _Test) -> tuple[list[Difference], str]:
    """Return the certain differences of positions that may be the same, and what is unclear of them."""
    totals = _list_group_totals(group)
    if any(None in pair for pair in totals):
        return [], _UNKNOWN_QUANTITY
    listed = [position for position in group if position.lots[BROKER]]
    if listed and all(is_all_accounts(position.account) for position in listed) and not _is_paired(group):
        return [], _OF_SEVERAL
    held = {side: any(lot.quantity for p in group for lot in p.lots[side]) for side in (INTERNAL, BROKER)}
    if len(group) > 1 and held[BROKER] and not held[INTERNAL] and FLAT in (totals[-1][1] or ()):
        return [], "the broker's rows that may be it cancel out"
    parts = _list_parts_of_sums(group)
    has_models = any(lot.model for position in group for lot in position.lots[BROKER])
    if len(group) == 1 or not (all(held.values()) or parts or has_models):
        # A balance of currency at the broker is no position, unless the runtime lists that pair.
        held_here = (p for p in group if p.instrument.sec_type != _CASH or p.lots[INTERNAL])
        results = [difference for position in held_here for difference in position.iter_differences()]
        doubled = any(len(p.get_totals(side) or ()) > 1 for p in group for side in (INTERNAL, BROKER))
        return results, _DOUBLED if doubled and not results else ""
    open_ids = parts | {id(p) for p in group if not p.lots[INTERNAL] and may_have_ended(p.instrument)}
    readings = [*totals, *(_list_group_totals(group, open_ids) if open_ids else ())]
    if any(has_common(mine or (), theirs or ()) for mine, theirs in readings):
        return [], "it is unclear which of their rows are the same"
    return [_merge_difference(group, totals[-1], readings)], ""


def _drop_sum_of_accounts(group: list[PositionPair]) -> list[PositionPair]:
    """Return the positions without those of an advisor's `All`, where they are what the others add up to."""
    listed = [p for p in group if is_all_accounts(p.account) and not p.lots[INTERNAL]]
    rest = [position for position in group if position not in listed] if listed else []
    open_ids = _list_parts_of_sums(rest)
    sums = [_add_totals(_get_readings(p, BROKER, open_ids) for p in own) or () for own in (listed, rest)]
    return rest if rest and has_common(*sums) else group


def _list_parts_of_sums(group: Sequence[PositionPair]) -> set[int]:
    """Return the Python ids of positions that others may contain: of models, or of all accounts."""
    models = [{lot.model for lot in position.lots[BROKER]} for position in group]
    has_rest = any(None in own for own in models)
    has_accounts = not all(is_all_accounts(p.account) for p in group)
    return {
        id(p)
        for p, own in zip(group, models, strict=True)
        if (has_rest and own and None not in own) or (has_accounts and is_all_accounts(p.account))
    }


def _list_accounts(group: Sequence[PositionPair]) -> list[str | None]:
    """Return the accounts that the runtime may be of, then None for all of them together."""
    accounts = sorted({position.account for position in group if position.account is not None})
    is_open = len(accounts) > 1 and any(p.lots[INTERNAL] for p in group if p.account is None)
    return [*accounts, None] if is_open else [None]


def _list_group_totals(
    group: Sequence[PositionPair], open_ids: Container[int] = ()
) -> list[tuple[_Totals, _Totals]]:
    """Return what both sides may add up to in each account that the runtime may be of.

    The broker's rows of the positions with `open_ids` may count or not.
    """
    rows = group_pairs((position.account, position) for position in group)
    sums = {
        owner: {
            side: _add_totals(_get_readings(p, side, open_ids) for p in own) for side in (INTERNAL, BROKER)
        }
        for owner, own in rows.items()
    }
    odd = [owner for owner in rows if owner is None or not is_plain_account(owner)]
    totals = []
    for account in _list_accounts(group):
        is_plain = account is not None and is_plain_account(account)
        owners = dict.fromkeys((account, *odd)) if is_plain else rows
        near = [owner for owner in owners if can_be_in_account(owner, account)]
        internal, broker = (_add_totals(sums[owner][side] for owner in near) for side in (INTERNAL, BROKER))
        totals.append((internal, broker))
    return totals


def _get_readings(position: PositionPair, side: Side, open_ids: Container[int]) -> _Totals:
    totals, is_open = position.get_totals(side), side == BROKER and id(position) in open_ids
    return totals | {FLAT} if totals is not None and is_open else totals


def _add_totals(parts: Iterable[_Totals]) -> _Totals:
    """Return what parts may add up to together; None where one is unknown."""
    sums = frozenset((FLAT,))
    for totals in parts:
        if totals is None:
            return None
        sums = frozenset(known + total for known in sums for total in totals)
    return sums


def _merge_difference(
    group: Sequence[PositionPair],
    totals: tuple[_Totals, _Totals],
    readings: Iterable[tuple[_Totals, _Totals]],
) -> Difference:
    """Return the difference of the sums, under the name of the least detailed position."""
    vaguest = max(
        group, key=lambda position: min(lot.detail for side in position.lots.values() for lot in side)
    )
    internal, broker = (max(total or {FLAT}, key=abs) for total in totals)
    titles = list_titles(lot for position in group for lot in position.lots[INTERNAL])
    is_own = any(lot.quantity for position in group for lot in position.lots[INTERNAL])
    is_side = classify_difference(internal, broker) == "side"
    kind: DifferenceKind = "side" if is_side else "quantity" if is_own else "unmanaged"  # sums may cancel out
    merged = tuple(position.instrument for position in group)
    is_either_way = has_both_signs((mine or {FLAT}, theirs or {FLAT}) for mine, theirs in readings)
    parts = vaguest.name, vaguest.instrument, internal, broker
    return Difference(kind, *parts, None, titles, merged, is_either_way)


def _is_paired(group: Sequence[PositionPair]) -> bool:
    """Whether each open quantity of one side has an equal one on the other that may be the same."""
    rest = [position for position in group if not position.is_balanced]
    if any(position.get_totals(side) is None for position in group for side in (INTERNAL, BROKER)):
        return False
    mine, theirs = (
        [(position, quantity) for position in rest if (quantity := position.compute_quantity(side) or FLAT)]
        for side in (INTERNAL, BROKER)
    )
    pairs = zip(*(sorted(quantity for _, quantity in rows) for rows in (mine, theirs)), strict=False)
    is_equal_each = len(mine) == len(theirs) and all(is_equal(*pair) for pair in pairs)
    return is_equal_each and (len(mine) > MOST_ROWS or _can_match(mine, theirs))


def _can_match(mine: Sequence[_Row], theirs: Sequence[_Row]) -> bool:
    """Whether each row of one side has one of its own on the other: equal, and not certainly another."""
    owners: dict[int, int] = {}

    def find_place(number: int, tried: set[int]) -> bool:
        position, quantity = mine[number]
        for at, (other, held) in enumerate(theirs):
            if at not in tried and is_equal(quantity, held) and _can_be(position, other):
                tried.add(at)
                if at not in owners or find_place(owners[at], tried):
                    owners[at] = number
                    return True
        return False

    return all(find_place(number, set()) for number in range(len(mine)))


def _can_be(first: PositionPair, second: PositionPair) -> bool:
    return compare(first.instrument, second.instrument) != DIFFERENT
