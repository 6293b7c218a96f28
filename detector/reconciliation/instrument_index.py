"""An index by instrument that also finds what may be the same, without comparing every entry."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import chain, islice
from typing import Generic, TypeVar

from msgspec.structs import replace

from detector.domain.instrument import Instrument, normalize
from detector.domain.instrument_names import FUTURE
from detector.reconciliation.bond_names import list_bond_names, list_codes
from detector.reconciliation.identity import (
    DIFFERENT,
    SAME,
    UNCLEAR,
    Answer,
    compare,
    compare_accounts,
    get_days,
    get_roots,
    is_nameless,
    is_plain_account,
    read_as_future,
)

T = TypeVar("T")
_Bucket = float | int | None
_Matches = dict[int, tuple[T, Answer]]
_OF_ANY_NAME = ""
_MereKind = tuple[bool, frozenset[str], Instrument]
_BondKind = tuple[frozenset[str], frozenset[str], bool, Instrument]


class InstrumentIndex(Generic[T]):
    """Entries by normal instrument: by contract id, by each name and strike, and those of a mere id.

    A lookup of a mere id is computed once for each kind of such an instrument: thousands may be of any share.
    """

    def __init__(self, entries: Iterable[tuple[Instrument, T]] = ()) -> None:
        self._entries: dict[Instrument, dict[int, T]] = {}
        self._by_root: dict[str, dict[_Bucket, dict[Instrument, None]]] = {}
        self._by_id: dict[str, dict[Instrument, None]] = {}
        self._nameless: dict[_MereKind, dict[Instrument, None]] = {}
        self._of_any: dict[object, _Matches[T]] = {}
        self._bonds: dict[str | None, dict[_BondKind, dict[Instrument, None]]] = {}
        for instrument, entry in entries:
            self.add(instrument, entry)

    def add(self, instrument: Instrument, entry: T) -> None:
        """Add an entry under an instrument in its normal form; it may be added again with more parts."""
        self._entries.setdefault(instrument, {})[id(entry)] = entry
        for root in get_roots(instrument):
            for bucket in _list_buckets(instrument):
                self._by_root.setdefault(root, {}).setdefault(bucket, {})[instrument] = None
        if instrument.con_id is not None:
            self._by_id.setdefault(instrument.con_id, {})[instrument] = None
        if is_nameless(instrument):
            self._nameless.setdefault(get_mere_kind(instrument), {})[instrument] = None
        if bond := get_bond_kind(instrument):
            for day in get_days(instrument) or (None,):
                self._bonds.setdefault(day, {}).setdefault(bond, {})[instrument] = None
        self._of_any.clear()

    def find(self, instrument: Instrument) -> Sequence[tuple[T, Answer]]:
        """Return every entry that is or may be the instrument, each once, with the answer.

        Of entries with a mere id that may be it, two stand for all, and so of bonds named in another way.
        """
        named = self.find_named(instrument)
        if is_nameless(instrument):
            others = dict(self._list_of_kind(instrument))
        else:
            matches = (*self._iter_nameless(instrument), *self.find_bonds(instrument)[:2])
            others = {id(match[0]): match for match in matches}
        for entry, _ in named:
            others.pop(id(entry), None)
        return [*named, *others.values()]

    def iter_all(self, instrument: Instrument) -> Iterator[T]:
        """Yield every entry that is or may be the instrument, those with its id or a name of it first."""
        yield from (entry for entry, _ in self.find_named(instrument))
        if is_nameless(instrument):
            yield from (entry for entry, _ in self.find_of_kind(instrument))
            return
        own_codes, has_id = list_codes(instrument), instrument.con_id is not None
        own_kinds = frozenset(() if (bond := get_bond_kind(instrument)) is None else bond[0])
        kinds = [
            rows for (other, codes, kind), rows in self._nameless.items()
            if not (has_id and other) and not codes & own_codes and compare(kind, instrument) != DIFFERENT
        ]  # fmt: skip
        bonds = (
            rows for by_kind in self._bonds.values() for kind, rows in by_kind.items()
            if own_kinds and not kind[0] & own_kinds
        )  # fmt: skip
        for row in chain.from_iterable((*kinds, *bonds)):
            if compare(row, instrument) != DIFFERENT:
                yield from self._entries[row].values()

    def find_named(self, instrument: Instrument) -> list[tuple[T, Answer]]:
        """Return the entries of the same id, and those with a name that are or may be the instrument."""
        candidates = dict.fromkeys(self._iter_candidates(instrument))
        matches = self._collect((candidate, compare(candidate, instrument)) for candidate in candidates)
        return list(matches.values())

    def find_of_kind(self, instrument: Instrument) -> Collection[tuple[T, Answer]]:
        """Return the entries that it may be without a name and by no id: the same for all of its kind."""
        return self._list_of_kind(instrument).values()

    def _list_of_kind(self, instrument: Instrument) -> _Matches[T]:
        key = has_id, codes, kind = get_mere_kind(instrument)
        if key not in self._of_any:
            rows = (
                row for row in self._entries
                if (row.con_id is None or not has_id) and not codes & list_codes(row)
            )  # fmt: skip
            self._of_any[key] = self._collect((row, compare(row, kind)) for row in rows)
        return self._of_any[key]

    def get_key(self, instrument: Instrument) -> object:
        """Return what decides what a lookup finds: its kind, of a nameless one whose id no entry has."""
        is_open = is_nameless(instrument) and not self.find_named(instrument)
        return get_mere_kind(instrument) if is_open else instrument

    def find_bonds(self, instrument: Instrument) -> Sequence[tuple[T, Answer]]:
        """Return the bonds without a name of any kind of this one's that may be it: two of each kind."""
        kind = get_bond_kind(instrument)
        if kind is None:
            return []
        if kind not in self._of_any:
            days = _list_days_beside(kind[1]) or tuple(self._bonds)
            self._of_any[kind] = self._collect(
                (row, compare(row, instrument))
                for day in days
                for other, rows in self._bonds.get(day, {}).items()
                if not other[0] & kind[0]
                for row in islice(rows, 2)
            )
        return list(self._of_any[kind].values())

    def find_same(self, instrument: Instrument, *, certain: bool = False) -> list[T]:
        """Return every entry that is or may be the instrument, or with `certain` only those that are."""
        matches = self.find_named(instrument) if certain else self.find(instrument)
        return [entry for entry, answer in matches if answer == SAME or not certain]

    def has(self, instrument: Instrument) -> bool:
        """Whether any entry is or may be the instrument."""
        return bool(self.find(instrument))

    def _collect(self, matches: Iterable[tuple[Instrument, Answer]]) -> _Matches[T]:
        entries: dict[int, tuple[T, Answer]] = {}
        for row, answer in matches:
            if answer == DIFFERENT:
                continue
            for key, entry in self._entries[row].items():
                if key not in entries or answer == SAME:
                    entries[key] = entry, answer
        return entries

    def _iter_nameless(self, instrument: Instrument) -> Iterator[tuple[T, Answer]]:
        own_codes = list_codes(instrument)
        for (has_id, codes, kind), rows in self._nameless.items():
            is_other = (has_id and instrument.con_id) or codes & own_codes
            if not is_other and compare(kind, instrument) != DIFFERENT:
                yield from self._collect((row, UNCLEAR) for row in islice(rows, 2)).values()

    def _iter_candidates(self, instrument: Instrument) -> Iterator[Instrument]:
        yield from self._by_id.get(instrument.con_id or "", ())
        wanted = {near for bucket in _list_buckets(instrument) for near in _list_near(bucket)}
        for root in get_roots(instrument):
            buckets = self._by_root.get(root, {})
            for bucket in buckets if None in wanted else (*wanted, None):
                yield from buckets.get(bucket, ())


class AccountIndex(Generic[T]):
    """Entries by account and instrument; a lookup asks only the accounts that may be the same."""

    def __init__(self, entries: Iterable[tuple[str | None, Instrument, T]] = ()) -> None:
        self._indexes: dict[str | None, InstrumentIndex[T]] = {}
        self._odd: list[str | None] = [None]
        self._owners: dict[str, dict[str | None, None]] = {}
        for account, instrument, entry in entries:
            self.add(account, instrument, entry)

    def add(self, account: str | None, instrument: Instrument, entry: T) -> None:
        """Add an entry of an account under an instrument in its normal form."""
        self.get_index(account).add(instrument, entry)
        for key in _list_keys(instrument) or (_OF_ANY_NAME,):
            self._owners.setdefault(key, {})[account] = None

    def get_index(self, account: str | None) -> InstrumentIndex[T]:
        """Return the index of an account as it is written; a new one where there is none yet."""
        if account not in self._indexes:
            self._indexes[account] = InstrumentIndex()
            self._odd += [account] if account is not None and not is_plain_account(account) else []
        return self._indexes[account]

    def iter_indexes(
        self, account: str | None, instrument: Instrument
    ) -> Iterator[tuple[str | None, InstrumentIndex[T]]]:
        """Yield each account that is or may be that one and may have the instrument, with its index."""
        is_plain = account is not None and is_plain_account(account)
        keys = _list_keys(instrument)
        if is_plain:
            owners: Iterable[str | None] = dict.fromkeys((account, *self._odd))
        elif keys:
            lists = (self._owners.get(key, {}) for key in (*keys, _OF_ANY_NAME))
            owners = dict.fromkeys(owner for some in lists for owner in some)
        else:
            owners = tuple(self._indexes)
        for owner in owners:
            if owner in self._indexes and compare_accounts(owner, account) != DIFFERENT:
                yield owner, self._indexes[owner]

    def find(self, instrument: Instrument, account: str | None) -> list[tuple[T, Answer]]:
        """Return every entry that is or may be of the account and the instrument, with the answer."""
        return [
            match for _, index in self.iter_indexes(account, instrument) for match in index.find(instrument)
        ]


MOST_ROWS = 20
"""A lookup of rows returns no more: of what may be so many, nothing is known."""


class RowIndex(Generic[T]):
    """The rows of a list by account and instrument, in the list's order."""

    def __init__(self, rows: Iterable[tuple[str | None, Instrument, T]]) -> None:
        self._index = AccountIndex(
            (account, normalize(instrument), (number, row))
            for number, (account, instrument, row) in enumerate(rows)
        )

    def find(self, instrument: Instrument, account: str | None) -> list[T]:
        """Return the rows that are or may be of the account and the instrument, or the first `MOST_ROWS`."""
        named, entries = normalize(instrument), dict[int, T]()
        for _, index in self._index.iter_indexes(account, named):
            for number, row in index.iter_all(named):
                entries[number] = row
                if len(entries) == MOST_ROWS:
                    return [entries[key] for key in sorted(entries)]
        return [entries[key] for key in sorted(entries)]


def _list_keys(instrument: Instrument) -> tuple[str, ...]:
    """Return its roots and its id: what may be it has one of them; none where it may be of any name."""
    if is_nameless(instrument) or list_bond_names(instrument):
        return ()
    has_id = instrument.con_id is not None
    return (*sorted(get_roots(instrument)), *((f"id {instrument.con_id}",) if has_id else ()))


def get_mere_kind(instrument: Instrument) -> _MereKind:
    """Return what decides what a nameless instrument may be: whether it has an id, its codes, the rest."""
    rest = replace(read_as_future(instrument), con_id=None, symbol=None, local_symbol=None)
    return instrument.con_id is not None, list_codes(instrument), rest


def get_bond_kind(instrument: Instrument) -> _BondKind | None:
    """Return all that decides which bonds of other names it may be: its kinds of name, and its parts."""
    names = list_bond_names(instrument)
    if not names or is_nameless(instrument):
        return None
    parts = replace(instrument, con_id=None, symbol=None, local_symbol=None)
    return frozenset(names), get_days(instrument), instrument.con_id is not None, parts


def _list_days_beside(days: Collection[str]) -> set[str | None]:
    """Return the days, those beside them, the months that they may be of, and None; nothing for a month."""
    near: set[str | None] = {None} if days else set()
    for text in days:
        try:
            day = date.fromisoformat(text)
            near |= {(day + timedelta(days=step)).isoformat() for step in (0, -1, 1)}
        except (ValueError, OverflowError):
            return set()
        near |= {f"{day:%Y%m}", f"{day.replace(day=1) + timedelta(days=32):%Y%m}"}
    return near


def _list_buckets(instrument: Instrument) -> list[_Bucket]:
    """Return what divides the instruments of one name: the strike, or a future's months.

    None is beside all of them, as of a future that bears a strike.
    """
    if instrument.sec_type != FUTURE:
        return [instrument.strike]
    days = get_days(instrument) if instrument.strike is None else ()
    return [int(day[:4]) * 12 + int(day[-5:-3] if "-" in day else day[4:]) for day in days] or [None]


def _list_near(bucket: _Bucket) -> tuple[_Bucket, ...]:
    """Return the buckets of what may be the same: a future may expire in a month beside its name's."""
    return (bucket - 1, bucket, bucket + 1) if isinstance(bucket, int) else (bucket,)
