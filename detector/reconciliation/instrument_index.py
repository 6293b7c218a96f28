"""An index by instrument that also finds what may be the same, without comparing every entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import chain, islice, product
from typing import Generic, TypeVar

from msgspec.structs import replace

from detector.domain.instrument import Instrument
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, Answer, compare
from detector.reconciliation.instrument_aliases import (
    get_days,
    get_roots,
    is_nameless,
    list_bond_names,
    list_codes,
    read_as_future,
)

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
N = TypeVar("N", bound=Hashable)
_Matches = dict[int, tuple[T, Answer]]
_Key = tuple[str | None, float | str | None]
Kind = tuple[bool, frozenset[str], frozenset[str], Instrument]
"""What decides which rows of other names one may be: has it an id, its kinds of name, its days, its parts."""
_EVERY, _NAMELESS, _BOND = "every", "nameless", "bond"  # beside the names, which are capitals
_ANY, _BOTH = "any", (False, True)
_FEW = 8


class _Shelf(Generic[K]):
    """What bears one name, by days and strike: what is of another day or strike is not the same.

    A lookup asks the keys of what may be the same; while there are few, all are.
    """

    def __init__(self) -> None:
        self._items: dict[K, Instrument] = {}
        self._by_key: dict[_Key, dict[K, None]] = {}

    def add(self, item: K, instrument: Instrument) -> None:
        """Add an item that is of an instrument."""
        self._items[item] = instrument
        if self._by_key:
            self._add_keys(item, instrument)

    def find_near(self, instrument: Instrument) -> Collection[K]:
        """Return the items that may be of the instrument by its days and its strike."""
        if len(self._items) <= _FEW:
            return self._items
        if not self._by_key:
            for item, own in self._items.items():
                self._add_keys(item, own)
        keys = _list_keys_beside(get_days(instrument), instrument.strike)
        near = [self._by_key[key] for key in keys if key in self._by_key]
        return near[0] if len(near) == 1 else dict.fromkeys(chain.from_iterable(near))

    def _add_keys(self, item: K, instrument: Instrument) -> None:
        days = get_days(instrument)
        months = {day[: len("2026-06-")] for day in days if "-" in day}
        for key in product((*(days or (None,)), *months, _ANY), (instrument.strike, _ANY)):
            self._by_key.setdefault(key, {})[item] = None


class InstrumentIndex(Generic[T]):
    """Entries by normal instrument: by contract id, by each name, and those of a mere id.

    A lookup of a mere id is computed once for each kind of such an instrument: thousands may be of any share.
    """

    def __init__(self, entries: Iterable[tuple[Instrument, T]] = ()) -> None:
        self._entries: dict[Instrument, dict[int, T]] = {}
        self._by_id: dict[str, dict[Instrument, None]] = {}
        self._shelves: dict[tuple[str, bool], _Shelf[Instrument]] = defaultdict(_Shelf)
        self._every: dict[tuple[str, bool], _Shelf[Instrument]] = defaultdict(_Shelf)
        self._kind_shelves: dict[tuple[tuple[str, frozenset[str]], bool], _Shelf[Kind]] = defaultdict(_Shelf)
        self._of_kind: dict[Kind, dict[Instrument, None]] = {}
        self._of_any: dict[object, _Matches[T]] = {}
        for instrument, entry in entries:
            self.add(instrument, entry)

    def add(self, instrument: Instrument, entry: T) -> None:
        """Add an entry under an instrument in its normal form; it may be added again with more parts."""
        self._of_any.clear()
        entries = self._entries.setdefault(instrument, {})
        is_new = not entries
        entries[id(entry)] = entry
        if not is_new:
            return
        has_id = instrument.con_id is not None
        for root in get_roots(instrument):
            self._shelves[root, has_id].add(instrument, instrument)
        self._every.clear()
        if instrument.con_id is not None:
            self._by_id.setdefault(instrument.con_id, {})[instrument] = None
        mere = get_mere_kind(instrument) if is_nameless(instrument) else None
        for group, kind in ((_NAMELESS, mere), (_BOND, get_bond_kind(instrument))):
            if kind is not None:
                row = kind[3] if group == _NAMELESS else instrument
                self._kind_shelves[(group, kind[1]), has_id].add(kind, row)
                self._of_kind.setdefault(kind, {})[instrument] = None

    def find(self, instrument: Instrument) -> Sequence[tuple[T, Answer]]:
        """Return every entry that is or may be the instrument, each once, with the answer.

        Of entries with a mere id that may be it, two stand for all, and so of bonds named in another way.
        """
        return list(self.iter_matches(instrument))

    def iter_matches(self, instrument: Instrument) -> Iterator[tuple[T, Answer]]:
        """Return what `find` returns one after another: of very many often the first is enough."""
        named = self.find_named(instrument)
        return chain(named, self.iter_others(instrument, named))

    def iter_others(
        self, instrument: Instrument, named: Collection[tuple[T, Answer]]
    ) -> Iterator[tuple[T, Answer]]:
        """Yield what `find` returns beside what `find_named` found."""
        ids = {id(entry) for entry, _ in named}
        if is_nameless(instrument):
            others: Iterable[tuple[T, Answer]] = self.find_of_kind(instrument)
        else:
            nameless = self._collect_two(self._iter_kinds(_NAMELESS, list_codes(instrument), instrument))
            matches = chain(nameless.values(), islice(self.find_bonds(instrument), 2))
            others = {id(match[0]): match for match in matches}.values()
        return (match for match in others if id(match[0]) not in ids)

    def iter_all(self, instrument: Instrument) -> Iterator[T]:
        """Yield every entry that is or may be the instrument, those with its id or a name of it first.

        An entry that is listed under several instruments may come again.
        """
        for row in self._find_candidates(instrument):
            if compare(row, instrument) != DIFFERENT:
                yield from self._entries[row].values()
        if is_nameless(instrument):
            yield from (entry for entry, _ in self.find_of_kind(instrument))
            return
        bond = get_bond_kind(instrument)
        kinds = self._iter_kinds(_NAMELESS, list_codes(instrument), instrument)
        for kind in chain(kinds, self._iter_kinds(_BOND, bond[1], instrument) if bond else ()):
            for row in self._of_kind[kind]:  # what one of them may be, all may
                yield from self._entries[row].values()

    def find_named(self, instrument: Instrument) -> Collection[tuple[T, Answer]]:
        """Return the entries of the same id, and those with a name that are or may be the instrument."""
        return self._collect(self._find_candidates(instrument), instrument).values()

    def find_of_kind(self, instrument: Instrument) -> Collection[tuple[T, Answer]]:
        """Return the entries that it may be without a name and by no id: the same for all of its kind."""
        key = has_id, codes, _, kind = get_mere_kind(instrument)
        if key not in self._of_any:
            for row in () if self._every else self._entries:
                self._every[_EVERY, row.con_id is not None].add(row, row)
            rows = self._iter_near(self._every, _EVERY, kind, has_id=has_id)
            self._of_any[key] = self._collect((row for row in rows if not codes & list_codes(row)), kind)
        return self._of_any[key].values()

    def list_lookups(
        self, instrument: Instrument
    ) -> Sequence[tuple[object, Callable[[Instrument], Collection[tuple[T, Answer]]]]]:
        """Return the lookups that together find what `find` does, each with the key of its result.

        The last one of a nameless instrument finds the same for all of its kind.
        """
        if not is_nameless(instrument):
            return ((instrument, self.find),)
        of_kind = get_mere_kind(instrument), self.find_of_kind
        return ((instrument, self.find_named), of_kind) if self.find_named(instrument) else (of_kind,)

    def find_bonds(self, instrument: Instrument) -> Collection[tuple[T, Answer]]:
        """Return the bonds without a name of any kind of this one's that may be it: two of each kind."""
        key = get_bond_kind(instrument)
        if key is None:
            return ()
        if key not in self._of_any:
            self._of_any[key] = self._collect_two(self._iter_kinds(_BOND, key[1], instrument))
        return self._of_any[key].values()

    def find_same(self, instrument: Instrument, *, certain: bool = False) -> list[T]:
        """Return every entry that is or may be the instrument, or with `certain` only those that are."""
        matches = self.find_named(instrument) if certain else self.find(instrument)
        return [entry for entry, answer in matches if answer == SAME or not certain]

    def has(self, instrument: Instrument) -> bool:
        """Whether any entry is or may be the instrument."""
        return next(self.iter_matches(instrument), None) is not None

    def _collect(self, rows: Iterable[Instrument], wanted: Instrument | None) -> _Matches[T]:
        """Return the entries of rows that are or may be the wanted instrument; without it all may be."""
        entries: dict[int, tuple[T, Answer]] = {}
        for row in rows:
            answer = UNCLEAR if wanted is None else compare(row, wanted)
            if answer == DIFFERENT:
                continue
            for key, entry in self._entries[row].items():
                if key not in entries or answer == SAME:
                    entries[key] = entry, answer
        return entries

    def _collect_two(self, kinds: Iterable[Kind]) -> _Matches[T]:
        """Return two of each kind that may be an instrument: they stand for all."""
        return self._collect((row for kind in kinds for row in islice(self._of_kind[kind], 2)), None)

    def _iter_kinds(self, group: str, own_names: frozenset[str], instrument: Instrument) -> Iterator[Kind]:
        """Yield the kinds of a group that it may be of, and that have no kind of name in common with it."""
        has_id = instrument.con_id is not None
        for key in dict.fromkeys(key for key, _ in self._kind_shelves):
            if key[0] == group and not key[1] & own_names:
                for kind in self._iter_near(self._kind_shelves, key, instrument, has_id=has_id):
                    row = kind[3] if group == _NAMELESS else next(iter(self._of_kind[kind]))
                    if compare(row, instrument) != DIFFERENT:
                        yield kind

    def _find_candidates(self, instrument: Instrument) -> Mapping[Instrument, None]:
        """Return what bears its id, and what bears a name of it and may be of its days and its strike."""
        candidates = dict.fromkeys(self._by_id.get(instrument.con_id or "", ()))
        for root in sorted(get_roots(instrument)):
            for with_id in _BOTH if instrument.con_id is None else (False,):
                if shelf := self._shelves.get((root, with_id)):
                    candidates.update(dict.fromkeys(shelf.find_near(instrument)))
        return candidates

    @staticmethod
    def _iter_near(
        shelves: Mapping[tuple[N, bool], _Shelf[K]], name: N, instrument: Instrument, *, has_id: bool
    ) -> Iterator[K]:
        """Yield what may be the instrument by name, days and strike; two ids are compared by id alone."""
        for with_id in (False,) if has_id else _BOTH:
            if shelf := shelves.get((name, with_id)):
                yield from shelf.find_near(instrument)


@lru_cache(maxsize=16384)
def get_mere_kind(instrument: Instrument) -> Kind:
    """Return what decides what a nameless instrument may be; its kinds of name are those of its codes."""
    row, days = read_as_future(instrument), get_days(read_as_future(instrument))
    expiry = next(iter(days)) if len(days) == 1 else row.expiry
    rest = replace(row, con_id=None, symbol=None, local_symbol=None, expiry=expiry)
    return instrument.con_id is not None, list_codes(instrument), frozenset(), rest


@lru_cache(maxsize=16384)
def get_bond_kind(instrument: Instrument) -> Kind | None:
    """Return what decides which bonds of other names it may be; None where it is none."""
    names = list_bond_names(instrument)
    if not names or is_nameless(instrument):
        return None
    parts = replace(instrument, con_id=None, symbol=None, local_symbol=None)
    return instrument.con_id is not None, frozenset(names), get_days(instrument), parts


@lru_cache(maxsize=16384)
def _list_keys_beside(days: frozenset[str], strike: float | None) -> Sequence[_Key]:
    """Return the keys of a shelf under which what has these days and this strike, or may have, is listed."""
    return tuple(product(_list_days_beside(days), (_ANY,) if strike is None else (strike, None)))


@lru_cache(maxsize=4096)
def _list_days_beside(days: frozenset[str]) -> Collection[str | None]:
    """Return these days first, then what the same is listed under where it is written with other days.

    Beside a day are its neighbours (an Asian zone), the months that it may be of, and None; beside a month
    the days of it and of the month before.
    """
    near: dict[str | None, None] = dict.fromkeys((*sorted(days), None) if days else (_ANY,))
    for text in days:
        try:
            day = date.fromisoformat(text if "-" in text else f"{text[:4]}-{text[4:]}-01")
            before, after = (day + timedelta(days=step) for step in (-1, 1))
            next_month = day.replace(day=1) + timedelta(days=32)
        except (ValueError, OverflowError):
            return (_ANY,)
        of_day = (f"{before:%Y-%m-%d}", f"{after:%Y-%m-%d}", f"{day:%Y%m}", f"{next_month:%Y%m}")
        of_month = (f"{day:%Y-%m-}", f"{before:%Y-%m-}")
        near.update(dict.fromkeys(of_day if "-" in text else of_month))
    return near
