"""Positions of both sides by instrument and account, and the groups of those that may be the same.

Rows that are the same are one position. The most detailed rows come first, so that neither the order of rows
nor the splitting of a position into lots changes the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.broker_rows import is_all_accounts
from detector.domain.instrument import COMBO, Instrument, normalize
from detector.domain.instrument_names import STOCK
from detector.formats.grouping import group_pairs
from detector.reconciliation.account_index import MOST_ROWS, AccountIndex, ComboIndex
from detector.reconciliation.identity import (
    DIFFERENT,
    SAME,
    Answer,
    can_be_in_account,
    can_lack_class,
    compare,
    compare_parts,
)
from detector.reconciliation.instrument_aliases import get_days, get_names, is_nameless
from detector.reconciliation.instrument_index import InstrumentIndex, get_bond_kind, get_mere_kind
from detector.reconciliation.position_pairs import (
    BROKER,
    FLAT,
    INTERNAL,
    Lot,
    PositionPair,
    Side,
    merge_instruments,
)

_Lookup = tuple[list[PositionPair], Decimal | None]


class ContractNames:
    """Contracts by their id, with all the names that the rows of any account give them.

    A row without a symbol gets the names of `held` only: others come and go, and its title with them.
    """

    def __init__(self, held: Iterable[Instrument], others: Iterable[Instrument] = ()) -> None:
        self._held = _merge_by_id(held)
        self._known = _merge_by_id([*held, *others])
        rows = dict.fromkeys(row for row in (*held, *others) if row.con_id not in self._known)
        self.rows = (*self._known.values(), *rows)

    @cached_property
    def index(self) -> InstrumentIndex[Instrument]:
        """The rows by their names; only what may be of two contracts is looked up in it."""
        return InstrumentIndex((row, row) for row in self.rows)

    def add_to(self, instrument: Instrument) -> Instrument:
        """Return the instrument in its normal form with every name that another row of its id gives."""
        named = normalize(instrument)
        contracts = self._known if named.symbol else self._held
        contract = contracts.get(named.con_id or "")
        is_other = contract is None or compare_parts(named, contract) == DIFFERENT
        return named if contract is None or is_other else merge_instruments(named, contract)


def _merge_by_id(rows: Iterable[Instrument]) -> dict[str, Instrument]:
    """Return each contract id with the names of its normalized rows; none where two of them contradict."""
    contracts: dict[str, Instrument] = {}
    contrary: set[str] = set()
    for row in dict.fromkeys(rows):
        if (con_id := row.con_id) is not None:
            known = contracts.setdefault(con_id, row)
            contrary |= {con_id} if compare_parts(known, row) == DIFFERENT else set()
            contracts[con_id] = merge_instruments(known, row)
    return {con_id: contract for con_id, contract in contracts.items() if con_id not in contrary}


class PositionBook(Struct, dict=True):
    """The positions of both sides, by account.

    `account` is that of the runtime: rows of another account are another runtime's. `combos` are internal
    lots of several contracts, which the broker lists by leg: their legs are not compared.
    """

    account: str | None = None
    positions: list[PositionPair] = field(default_factory=list)
    combos: ComboIndex[Lot] = field(default_factory=ComboIndex)
    names: ContractNames = field(default_factory=lambda: ContractNames(()))
    _indexes: AccountIndex[PositionPair] = field(default_factory=AccountIndex)
    _lookups: dict[tuple[Instrument, str | None], _Lookup] = field(default_factory=dict)
    _found: dict[tuple[object, str | None], list[PositionPair]] = field(default_factory=dict)

    @cached_property
    def _accounts(self) -> dict[str, list[str]]:
        """The accounts that hold each instrument name, so that two accounts never share a subject."""
        return group_pairs(sorted({(p.name, p.account) for p in self.positions if p.account}))

    def get_subject(self, name: str, account: str | None) -> str:
        """Return the subject of a finding: the name, and the account where several have such a position."""
        return f"{name} in {account}" if account and len(self._accounts.get(name, ())) > 1 else name

    def list_subjects(self, names: Iterable[str]) -> list[str]:
        """Return every subject under which a finding about these names may have been reported."""
        return [
            f"{name} in {account}" if account else name
            for name in names
            for account in ("", *self._accounts.get(name, ()))
        ]

    def list_names_without_account(self, subjects: Iterable[str]) -> list[str]:
        """Return the names reported with an account only; their older findings have the bare name."""
        reported = set(subjects)
        bare = (name for name in self._accounts if name not in reported)
        return [name for name in bare if reported & {*self.list_subjects([name])}]

    def list_held_combos(self, combos: ComboIndex[Any]) -> set[int]:
        """Return the identities of the entries of which the broker holds what may be a leg."""
        held = (position for position in self.positions if position.compute_quantity(BROKER) != FLAT)
        return {id(entry) for position in held for entry in combos.iter_all(position.instrument)}

    def find_broker_position(
        self, instrument: Instrument, account: str | None = None
    ) -> tuple[PositionPair | None, Decimal | None]:
        """Return the position of an instrument, None unless it is one, and the broker's signed quantity.

        The quantity is None where it is unknown, or where it may be any of several that are not all flat.
        """
        positions, quantity = self._find_with_quantity(instrument, account)
        return positions[0] if len(positions) == 1 else None, quantity

    def find(self, instrument: Instrument, account: str | None = None) -> list[PositionPair]:
        """Return the positions that may be of the instrument; several where it lacks a deciding part.

        Of those that a mere id or code may be, some of which are not flat are enough.
        """
        return self._find_with_quantity(instrument, account)[0]

    def _find_with_quantity(self, instrument: Instrument, account: str | None) -> _Lookup:
        key = self.names.add_to(instrument), account or self.account
        if key not in self._lookups:  # a runtime may list one instrument in many rows
            positions = self._find(*key)
            quantities = {position.compute_quantity(BROKER) for position in positions} or {FLAT}
            is_known = len(positions) == 1 or quantities == {FLAT}
            self._lookups[key] = positions, quantities.pop() if is_known else None
        return self._lookups[key]

    def _find(self, named: Instrument, account: str | None) -> list[PositionPair]:
        positions: list[PositionPair] = []
        for owner, index in self._indexes.iter_indexes(account, named):
            own = index.find_named(named)
            key = named if own or not is_nameless(named) else get_mere_kind(named), owner
            if key not in self._found:
                self._found[key] = _list_possible(named, own, index.iter_others(named, own))
            positions += self._found[key]
        return [position for position in positions if _can_be_meant(position, named)] or positions

    def is_in_combo(self, instrument: Instrument) -> bool:
        """Whether the runtime holds a combo of which it may be a leg."""
        return any(lot.quantity != FLAT for lot in self.combos.iter_all(instrument))

    def add_lots(self, lots: Sequence[Lot], side: Side) -> None:
        """Add lots of one instrument and account to the position that they are of, else to a new one."""
        first = lots[0]
        if side == INTERNAL and first.instrument.sec_type == COMBO:
            for lot in lots:
                self.combos.add(lot.instrument, lot)
            return
        index = self._indexes.get_index(first.account)
        same = [
            position
            for position in index.find_same(first.instrument, certain=True)
            if compare(position.instrument, first.instrument) == SAME
            and not _is_listed_apart(position, first, side)
            and not self._has_rival(position, first)
        ]
        position = same[0] if len(same) == 1 else PositionPair(first.instrument, first.account)
        if len(same) != 1:
            self.positions.append(position)
        position.add_lots(lots, side)
        self._indexes.add(first.account, position.instrument, position)

    def _has_rival(self, position: PositionPair, lot: Lot) -> bool:
        """Whether an instrument of any list is the same as one of them and another than the other.

        Then the one that lacks the deciding part may be either, and is joined to neither.
        """
        if has_same_id(position.instrument, lot.instrument):
            return False
        rows = {row.instrument for rows in position.lots.values() for row in rows}
        return any(
            compare(rival, other) == DIFFERENT
            for row in rows
            for this, other in ((row, lot.instrument), (lot.instrument, row))
            for rival, answer in self.names.index.find_named(this)
            if answer == SAME or can_lack_class(this, rival)
        )

    def add_open_names(self) -> None:
        """List a position that does not fit under its rows without its id too: these may be of another."""
        for position in self.positions:
            for name in _list_open_names(position):
                self._indexes.add(position.account, name, position)

    def list_groups(self) -> list[list[PositionPair]]:
        """Return the positions in groups: those that may be the same are in one."""
        groups = {id(position): [position] for position in self.positions}
        joined: set[tuple[str | None, object]] = set()  # what one of a kind may be, the next may be too
        for position in self.positions:
            named = position.instrument
            is_open = is_nameless(named)
            kind = get_mere_kind(named) if is_open else get_bond_kind(named)
            for owner, index in self._indexes.iter_indexes(position.account, named):
                for other, _ in index.find_named(named):
                    if groups[id(other)] is not groups[id(position)]:
                        _join(groups, position, other)
                for other, _ in index.find_of_kind(named) if is_open else index.find_bonds(named):
                    if _join(groups, position, other) and (owner, kind) in joined:
                        break
                joined.add((owner, kind))
        joint = group_pairs((id(groups[id(position)]), position) for position in self.positions)
        return list(joint.values())


def _list_open_names(position: PositionPair) -> Iterable[Instrument]:
    """Return the instruments of the rows without an id in a position that has one and does not fit."""
    if position.is_balanced or position.instrument.con_id is None:
        return ()
    rows = (lot.instrument for lots in position.lots.values() for lot in lots)
    return dict.fromkeys(row for row in rows if row.con_id is None)


def _list_possible(
    named: Instrument,
    own: Iterable[tuple[PositionPair, Answer]],
    others: Iterable[tuple[PositionPair, Answer]],
) -> list[PositionPair]:
    """Return the one position of an account that is the instrument, else all that may be.

    A row of a mere id beside that position may be more of it.
    """
    same = [
        position
        for position, answer in own
        if answer == SAME and compare(position.instrument, named) != DIFFERENT
    ]
    rows = [named, *(position.instrument for position in same if len(same) == 1)]
    possible: list[PositionPair] = []
    meant, is_held = 0, False
    for position, _ in chain(own, others):
        if any(compare(position.instrument, row) == DIFFERENT for row in rows):
            continue  # it has more parts than when it was added
        possible.append(position)
        if _can_be_meant(position, named) or len(possible) >= MOST_ROWS:
            meant += 1
            is_held |= position.compute_quantity(BROKER) != FLAT
        if is_held and meant > 1 and is_nameless(named):
            break  # it may be anything, and not all of it is flat
    return possible


def _can_be_meant(position: PositionPair, named: Instrument) -> bool:
    """Whether a row that names it so may mean it beside others: by a symbol alone it means the share."""
    return not named.is_symbol_only or position.instrument.sec_type in (STOCK, None)


def _is_listed_apart(position: PositionPair, lot: Lot, side: Side) -> bool:
    """Whether a side has both in other words without an id in common: lots of one contract, or two.

    The runtime has lots of one contract in other words, but not long and short ones.
    """
    if has_same_id(position.instrument, lot.instrument):
        return False
    return any(
        other.instrument != lot.instrument
        and (side == BROKER or (other.quantity or FLAT) * (lot.quantity or FLAT) < 0)
        for other in position.lots[side]
    )


def has_same_id(first: Instrument, second: Instrument) -> bool:
    """Whether both bear the same contract id."""
    return first.con_id is not None and first.con_id == second.con_id


def _join(groups: dict[int, list[PositionPair]], first: PositionPair, second: PositionPair) -> bool:
    """Join the groups of two positions where they, or a row of the second, may be one; return whether."""
    open_names = _list_open_names(second)
    if first.instrument.is_option and first.lots[INTERNAL]:  # a list that names it means no other row by it
        bare = {lot.instrument for lot in second.lots[INTERNAL] if lot.instrument.is_symbol_only}
        open_names = [name for name in open_names if name not in bare]
    names = (second.instrument, *open_names)
    is_other = all(compare(first.instrument, name) == DIFFERENT for name in names)
    is_other = is_other or _is_settled(first, second)
    small, large = sorted((groups[id(first)], groups[id(second)]), key=len)
    if not is_other and small is not large:
        large += small
        groups.update((id(position), large) for position in small)
    return not is_other


def _is_settled(first: PositionPair, second: PositionPair) -> bool:
    """Whether two positions that may be the same are not: an exact pair has what it needs.

    Of models, and of all accounts, one may be a part or the sum of the other.
    """
    pair, other = (first, second) if first.is_balanced else (second, first)
    if not pair.is_balanced or is_all_accounts(pair.account) != is_all_accounts(other.account):
        return False
    if any(lot.model for position in (pair, other) for lot in position.lots[BROKER]):
        return False
    row, other_row = pair.instrument, other.instrument
    days, other_days = get_days(row), get_days(other_row)
    if row.is_option:
        is_other = other_row.is_symbol_only
    else:
        is_other = not is_nameless(other_row) and not get_names(row) & get_names(other_row)
    return is_other or (bool(days and other_days) and not days & other_days)


def _get_rank(lot: Lot) -> tuple[bool, tuple[int, tuple[str, ...]]]:
    """Return the order of lots: what an id tells apart comes before what may be one or the other."""
    return lot.instrument.con_id is None or lot.instrument.symbol is None, lot.detail


def build_position_book(
    internal: Iterable[Lot],
    broker: Iterable[Lot],
    account: str | None = None,
    named_accounts: Iterable[str] = (),
    names: ContractNames | None = None,
) -> PositionBook:
    """Return the positions of both sides; lots of another account than the runtime's are left out.

    Lots without an account are of the only one that there is; `named_accounts` are those of other rows.
    """
    sides: tuple[tuple[Side, list[Lot]], ...] = ((BROKER, list(broker)), (INTERNAL, list(internal)))
    accounts = {account} - {None} or {lot.account for _, lots in sides for lot in lots if lot.account}
    accounts = accounts if account is not None else accounts | set(named_accounts)
    names = names or ContractNames([lot.instrument for _, lots in sides for lot in lots])
    book = PositionBook(account, names=names)
    groups: dict[tuple[Instrument, str | None, Side], list[Lot]] = {}
    for side, lots in sides:
        for lot in lots:
            owner = next(iter(accounts)) if lot.account is None and len(accounts) == 1 else lot.account
            if account is None or can_be_in_account(owner, account):
                own_lot = replace(lot, account=owner, instrument=names.add_to(lot.instrument))
                groups.setdefault((own_lot.instrument, owner, side), []).append(own_lot)
    for (_, _, side), group in sorted(groups.items(), key=lambda pair: (_get_rank(pair[1][0]), pair[0][2])):
        book.add_lots(group, side)
    book.add_open_names()
    return book
