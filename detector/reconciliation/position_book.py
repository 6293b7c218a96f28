"""Positions of both sides by instrument, their exact differences, and what cannot be compared.

Rows that are the same are one position. Positions that may be the same are one group: a difference in it is
certain only where the sums of both sides differ. The most detailed rows come first, so that neither the order
of rows nor the splitting of a position into lots changes the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.instrument import COMBO, Instrument, normalize
from detector.domain.instrument_names import STOCK
from detector.reconciliation.identity import (
    DIFFERENT,
    SAME,
    UNCLEAR,
    compare_accounts,
    compare_combo,
    compare_parts,
    get_days,
    get_names,
)
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_pairs import (
    BROKER,
    FLAT,
    INTERNAL,
    Difference,
    DifferenceKind,
    Lot,
    PositionPair,
    Side,
    classify_difference,
    compute_totals,
    has_common,
    list_titles,
)

_CASH = "CASH"
_DOUBLED = "a row is listed twice, or is the sum of the models beside it"
_UNKNOWN_QUANTITY = "the quantity of a row is unknown"


_OF_INSTRUMENTS = "their contract ids in both places"
_OF_ACCOUNTS = "their account in both places"
_REMEDIES = {_DOUBLED: "each row once", _UNKNOWN_QUANTITY: "its quantity and side"}


class PositionBook(Struct):
    """The positions of both sides, by account.

    `account` is that of the runtime: rows of another account are another runtime's. `combos` are internal
    lots of several contracts, which the broker lists by leg: their legs are not compared.
    """

    account: str | None = None
    positions: list[PositionPair] = field(default_factory=list)
    combos: list[Lot] = field(default_factory=list)
    _indexes: dict[str | None, InstrumentIndex[PositionPair]] = field(default_factory=dict)

    def find(self, instrument: Instrument, account: str | None = None) -> list[PositionPair]:
        """Return the positions that may be of the instrument; several where it lacks a deciding part."""
        named = normalize(instrument)
        matches = list(self._iter_matches(named, account or self.account))
        same = [position for position, answer in matches if answer == SAME]
        positions = same if len(same) == 1 else [position for position, _ in matches]
        if len(positions) > 1 and named.con_id is None and named.is_symbol_only:
            return [
                position for position in positions if position.instrument.sec_type in (STOCK, None)
            ] or positions
        return positions

    def _iter_matches(self, named: Instrument, account: str | None) -> Iterator[tuple[PositionPair, str]]:
        for owner, index in self._indexes.items():
            if compare_accounts(owner, account) != DIFFERENT:
                yield from index.find(named)

    def is_in_combo(self, instrument: Instrument) -> bool:
        """Whether the runtime holds a combo of which it may be a leg."""
        return any(
            compare_combo(lot.instrument, instrument) != DIFFERENT
            for lot in self.combos
            if lot.quantity != FLAT
        )

    def add_lots(self, lots: Sequence[Lot], side: Side) -> None:
        """Add lots of one instrument and account to the position that they are of, else to a new one."""
        first = lots[0]
        if side == INTERNAL and first.instrument.sec_type == COMBO:
            self.combos.extend(lots)
            return
        index = self._indexes.setdefault(first.account, InstrumentIndex())
        same = index.find_same(first.instrument, certain=True)
        position = same[0] if len(same) == 1 else PositionPair(first.instrument, first.account)
        if len(same) != 1:
            self.positions.append(position)
        position.add_lots(lots, side)
        index.add(position.instrument, position)

    def list_groups(self) -> list[list[PositionPair]]:
        """Return the positions in groups: those that may be the same are in one."""
        groups = _Groups()
        joined: set[tuple[str | None, Instrument]] = (
            set()
        )  # a mere id may be any of its kind, and so may the next
        for position in self.positions:
            is_named = bool(get_names(position.instrument))
            kind = replace(position.instrument, con_id=None)
            for owner, index in self._indexes.items():
                if compare_accounts(owner, position.account) == DIFFERENT:
                    continue
                matches = (
                    index.find_named(position.instrument)
                    if is_named
                    else index.find_of_kind(position.instrument)
                )
                for other, _ in matches if is_named or (owner, kind) not in joined else matches[:1]:
                    if not _is_settled(position, other):
                        groups.join(id(position), id(other))
                joined.add((owner, kind))
        by_root: dict[int, list[PositionPair]] = {}
        for position in self.positions:
            by_root.setdefault(groups.find_root(id(position)), []).append(position)
        return list(by_root.values())


class _Groups:
    """Keys joined into groups."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def find_root(self, key: int) -> int:
        """Return the key that stands for the group of a key."""
        while (parent := self._parents.setdefault(key, key)) != key:
            self._parents[key] = self._parents[parent]
            key = parent
        return key

    def join(self, first: int, second: int) -> None:
        """Make the groups of two keys one."""
        self._parents[self.find_root(first)] = self.find_root(second)


def _is_settled(first: PositionPair, second: PositionPair) -> bool:
    """Whether two positions that may be the same are not: an exact pair has what it needs."""
    if not (first.is_balanced or second.is_balanced):
        return False
    pair, other = (first, second) if first.is_balanced else (second, first)
    is_other_day = bool(get_days(first.instrument)) and not get_days(first.instrument) & get_days(
        second.instrument
    )
    is_option_of_bare = pair.instrument.is_option and other.instrument.is_symbol_only
    return is_option_of_bare or (is_other_day and bool(get_days(second.instrument)))


def build_position_book(
    internal: Iterable[Lot], broker: Iterable[Lot], account: str | None = None
) -> PositionBook:
    """Return the positions of both sides; lots of another account than the runtime's are left out.

    Lots without an account are of the only one that there is.
    """
    sides: tuple[tuple[Side, list[Lot]], ...] = ((BROKER, list(broker)), (INTERNAL, list(internal)))
    accounts = {account} - {None} or {lot.account for _, lots in sides for lot in lots if lot.account}
    book = PositionBook(account)
    groups: dict[tuple[Instrument, str | None, Side], list[Lot]] = {}
    for side, lots in sides:
        for lot in lots:
            owner = next(iter(accounts)) if lot.account is None and len(accounts) == 1 else lot.account
            if account is None or owner == account:
                own_lot = lot if owner == lot.account else replace(lot, account=owner)
                groups.setdefault((lot.instrument, owner, side), []).append(own_lot)
    for (_, _, side), group in sorted(groups.items(), key=lambda pair: (pair[1][0].detail, pair[0][2])):
        book.add_lots(group, side)
    return book


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


def compare_positions(book: PositionBook) -> ComparedPositions:
    """Return what certainly differs and what is unclear."""
    differences: list[Difference] = []
    unclear: list[UnclearGroup] = []
    for group in book.list_groups():
        legs = [position for position in group if book.is_in_combo(position.instrument)]
        names = tuple(sorted({position.name for position in group}))
        if legs:
            unclear.append(UnclearGroup(names, "the runtime holds it, or may, in a combo", is_paired=True))
            continue
        results, why = _compare_group(group)
        differences += results
        if why:
            is_paired = _is_held(group) if why == _UNKNOWN_QUANTITY else _is_paired(group)
            has_nameless = not all(get_names(position.instrument) for position in group)
            remedy = _REMEDIES.get(why, _OF_ACCOUNTS if len(_list_accounts(group)) > 1 else _OF_INSTRUMENTS)
            unclear.append(UnclearGroup(names, why, is_paired, has_nameless, _is_held(group), remedy))
    differences.sort(key=lambda difference: (difference.name, difference.account or ""))
    return ComparedPositions(tuple(differences), tuple(unclear))


def _is_held(group: Sequence[PositionPair]) -> bool:
    """Whether the broker may hold any of it."""
    return any(lot.quantity != FLAT for position in group for lot in position.lots[BROKER])


def _compare_group(group: Sequence[PositionPair]) -> tuple[list[Difference], str]:
    """Return the certain differences of positions that may be the same, and what is unclear of them."""
    totals = [
        (_compute_group_totals(group, INTERNAL, a), _compute_group_totals(group, BROKER, a))
        for a in _list_accounts(group)
    ]
    if any(None in pair for pair in totals):
        return [], _UNKNOWN_QUANTITY
    held = {side: any(lot.quantity for p in group for lot in p.lots[side]) for side in (INTERNAL, BROKER)}
    if len(group) == 1 or not all(held.values()):
        results = [difference for position in group if not _is_balance(position) for difference in
                   position.iter_differences()]  # fmt: skip
        doubled = any(
            len(compute_totals(p.lots[side]) or ()) > 1 for p in group for side in (INTERNAL, BROKER)
        )
        return results, _DOUBLED if doubled and not results else ""
    if any(has_common(mine or (), theirs or ()) for mine, theirs in totals):
        return [], "it is unclear which of their rows are the same"
    return [_merge_difference(group, totals[-1])], ""


def _is_balance(position: PositionPair) -> bool:
    """Whether it is a balance of currency at the broker, and no position of the runtime."""
    return position.instrument.sec_type == _CASH and not position.lots[INTERNAL]


def _list_accounts(group: Sequence[PositionPair]) -> list[str | None]:
    """Return the accounts that the runtime may be of, then None for all of them together."""
    accounts = sorted({position.account for position in group if position.account is not None})
    is_open = len(accounts) > 1 and any(p.lots[INTERNAL] for p in group if p.account is None)
    return [*accounts, None] if is_open else [None]


def _compute_group_totals(
    group: Sequence[PositionPair], side: Side, account: str | None
) -> frozenset[Decimal] | None:
    sums = {FLAT}
    for position in group:
        if compare_accounts(position.account, account) == DIFFERENT:
            continue
        totals = compute_totals(position.lots[side])
        if totals is None:
            return None
        sums = {known + total for known in sums for total in totals} if len(totals) > 1 else {
            known + next(iter(totals)) for known in sums
        }  # fmt: skip
    return frozenset(sums)


def _merge_difference(
    group: Sequence[PositionPair], totals: tuple[frozenset[Decimal] | None, frozenset[Decimal] | None]
) -> Difference:
    """Return the difference of the sums, under the name of the least detailed position."""
    vaguest = max(
        group, key=lambda position: min(lot.detail for side in position.lots.values() for lot in side)
    )
    internal, broker = (max(total or {FLAT}, key=abs) for total in totals)
    is_side = classify_difference(internal, broker) == "side"
    titles = list_titles(lot for position in group for lot in position.lots[INTERNAL])
    kind: DifferenceKind = "side" if is_side else "quantity"
    return Difference(kind, vaguest.name, vaguest.instrument, internal, broker, None, titles, is_merged=True)


def _is_paired(group: Sequence[PositionPair]) -> bool:
    """Whether each open quantity of one side has an equal one on the other."""
    rest = [position for position in group if not position.is_balanced]
    if any(compute_totals(position.lots[side]) is None for position in group for side in (INTERNAL, BROKER)):
        return False
    mine, theirs = (
        sorted(quantity for p in rest if (quantity := p.compute_quantity(side) or FLAT))
        for side in (INTERNAL, BROKER)
    )
    return mine == theirs


def is_adjusted(instrument: Instrument) -> bool:
    """Whether its class is marked with a digit, as of an option whose terms were adjusted."""
    trading_class = instrument.trading_class or ""
    return trading_class[:1].isdigit() or trading_class[-1:].isdigit()


def is_replaced(old: Difference, new: Difference) -> bool:
    """Whether an internal-only and a broker-only holding are one under a new contract id.

    A split, a merger or a change of symbol gives a holding another contract (`X.OLD`, a class with a digit).
    """
    mine, theirs = old.instrument, new.instrument
    if new.kind != "unmanaged" or None in (mine.con_id, theirs.con_id) or mine.con_id == theirs.con_id:
        return False
    if compare_accounts(old.account, new.account) == DIFFERENT or (old.internal > 0) != (new.broker > 0):
        return False
    plain = [
        replace(row, con_id=None, multiplier=None, trading_class=None, local_symbol=None,
                symbol=(row.symbol or "").removesuffix(" OLD") or None)
        for row in (mine, theirs)
    ]  # fmt: skip
    if is_adjusted(mine) or is_adjusted(theirs):
        plain = [replace(row, strike=1.0) for row in plain]
    answer = compare_parts(*plain)
    return answer == SAME or (answer == UNCLEAR and None in (mine.symbol, theirs.symbol))
