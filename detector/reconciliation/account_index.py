"""Indexes of rows by account and instrument, and of combos by their legs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from detector.domain.instrument import Instrument, normalize
from detector.reconciliation.identity import (
    DIFFERENT,
    Answer,
    can_be_in_account,
    compare_combo,
    is_plain_account,
    list_leg_keys,
)
from detector.reconciliation.instrument_aliases import get_roots, is_nameless, list_bond_names
from detector.reconciliation.instrument_index import InstrumentIndex

T = TypeVar("T")
_OF_ANY_NAME = ""


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
            if owner in self._indexes and can_be_in_account(owner, account):
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
        self._found: dict[tuple[Instrument, str | None], Sequence[T]] = {}

    def find(self, instrument: Instrument, account: str | None) -> Sequence[T]:
        """Return the rows that are or may be of the account and the instrument, or the first `MOST_ROWS`."""
        key = normalize(instrument), account
        if key not in self._found:  # thousands of trades may be of one share
            entries = self._list_entries(*key)
            self._found[key] = [entries[number] for number in sorted(entries)]
        return self._found[key]

    def _list_entries(self, named: Instrument, account: str | None) -> dict[int, T]:
        """Return the rows by their place in the list."""
        entries: dict[int, T] = {}
        for _, index in self._index.iter_indexes(account, named):
            for number, row in index.iter_all(named):
                entries[number] = row
                if len(entries) == MOST_ROWS:
                    return entries
        return entries


class ComboIndex(Generic[T]):
    """Entries of combos by the ids and the names that their legs may have, in the list's order."""

    def __init__(self, entries: Iterable[tuple[Instrument, T]] = ()) -> None:
        self._entries: list[tuple[Instrument, T]] = []
        self._by_key: dict[str, list[int]] = {}
        for combo, entry in entries:
            self.add(combo, entry)

    def add(self, combo: Instrument, entry: T) -> None:
        """Add an entry of a combo."""
        for key in list_leg_keys(combo):
            self._by_key.setdefault(key, []).append(len(self._entries))
        self._entries.append((combo, entry))

    @property
    def entries(self) -> Sequence[T]:
        """Every entry, in the list's order."""
        return [entry for _, entry in self._entries]

    def iter_all(self, leg: Instrument) -> Iterator[T]:
        """Yield every entry of a combo that has the leg, or may."""
        roots = get_roots(normalize(leg))
        numbers: Iterable[int] = range(len(self._entries))
        if roots:
            keys = (*roots, f"id {leg.con_id}", _OF_ANY_NAME)
            numbers = sorted({number for key in keys for number in self._by_key.get(key, ())})
        for number in numbers:
            combo, entry = self._entries[number]
            if compare_combo(combo, leg) != DIFFERENT:
                yield entry


def _list_keys(instrument: Instrument) -> tuple[str, ...]:
    """Return its roots and its id: what may be it has one of them; none where it may be of any name."""
    if is_nameless(instrument) or list_bond_names(instrument):
        return ()
    has_id = instrument.con_id is not None
    return (*sorted(get_roots(instrument)), *((f"id {instrument.con_id}",) if has_id else ()))
