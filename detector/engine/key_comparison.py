"""The keys of one section against its shape: what is recognised, what is foreign, what is not understood."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any

from msgspec import Struct, field

from detector.domain.columns import COUNT, VOCABULARIES, is_sign_of
from detector.domain.instrument_names import is_known_expiry, normalize_expiry
from detector.domain.lane_memory import SectionKeys
from detector.domain.provenance import Fault
from detector.domain.runtime_rows import is_import_tag
from detector.domain.shape import ANY, CELL, LIST, OBJECT, Key, Need, Shape
from detector.domain.sides import get_sign
from detector.domain.trade_rows import Words, convert_label
from detector.domain.vendor_keys import list_troubles
from detector.formats.numbers import is_unset
from detector.formats.redaction import get_account_kind
from detector.formats.similar_names import (
    FAINTLY_ALIKE,
    find_nearest_name,
    is_mistyped,
    is_nearly,
    is_wrapped,
    split_parts,
)
from detector.formats.strict_json import redact_excerpt

_ERROR = "error"
_MOST_ROWS = 10_000  # as many as the readers read
_MOST_KEYS = 500  # of one object that are compared with known names
MOST_NAMES = 10  # of keys that are not understood, by name
_EARLIEST_EPOCH = 1e9  # seconds: September 2001
_MOST_CANDIDATES = 3  # keys that may be a missing one, by name
_SHORTEST_SIDE = 3  # letters: B and S are many things
_TEXTS = ("text", "id")  # any value fits: `account_type` is no account
_MODES = ("paper", "live")
# Of a key that holds a whole number and is no count.
_NO_COUNT = frozenset(
    ["ms", "us", "ns", "sec", "secs", "seconds", "latency", "rtt", "age", "uptime", "id", "version", "bytes",
     "mb"]
)  # fmt: skip
_DELIMITERS, _STARTS, _LONGEST_LINES = (",", ";", "\t", "|"), ("<?xml", "<Flex", "[{", "[["), 4_000
_NEVER = "last_reconcile_at"  # the fact for which null is a value
Fits = Callable[[str, Any], bool]


def _is_expiry(value: Any) -> bool:
    form = normalize_expiry(str(value))
    return form is not None and is_known_expiry(form)


def _is_side(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _SHORTEST_SIDE and get_sign(value) is not None


def _is_account(value: Any) -> bool:
    return isinstance(value, str) and get_account_kind(value) is not None


def _has_import_tag(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(tag, str) and is_import_tag(tag) for tag in value)


# Columns whose kind any text fits, and whose meaning few.
_SIGNS: Mapping[str, Callable[[Any], bool]] = {
    "expiry": _is_expiry, "side": _is_side, "account": _is_account, "tags": _has_import_tag
}  # fmt: skip


class _Keys(Struct, frozen=True):
    """The keys of one object: with objects in them, without, of nobody, and the groups that were read.

    `named` are the keys that are read, with their groups.
    """

    nested: tuple[tuple[str, Key], ...]
    cells: tuple[str, ...]
    strange: tuple[str, ...]
    groups: frozenset[str]
    named: tuple[tuple[str, str], ...]


class KeyComparison(Struct):
    """The keys of one section against its shape.

    `fits` returns whether a value can be of a kind. Of `faults`, each path has one; `partial` are the facts
    whose lists have rows that were not understood. `strange` are the values of a payload's own keys that
    nobody knows, rows excepted, `troubled` the facts with which such a key, or a foreign one, says that all
    is not well; `words` are the runtime's own for states and sides.
    """

    section: str
    fits: Fits
    foreign_names: frozenset[str] = frozenset()
    recognised: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    faults: dict[str, Fault] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    strange: dict[str, Any] = field(default_factory=dict)
    troubled: dict[str, tuple[str, ...]] = field(default_factory=dict)
    words: Words = {}
    seen: SectionKeys = field(default_factory=SectionKeys)
    unnamed: int = 0
    _sorted: dict[tuple[str, tuple[str, ...]], _Keys] = field(default_factory=dict)
    _near: dict[tuple[Any, ...], Mapping[str, list[str]]] = field(default_factory=dict)

    def compare(self, raw: Any, shape: Shape) -> None:
        """Compare every key of the section with its shape."""
        if isinstance(raw, list):
            self._compare_rows(self.section, raw, Key(LIST, inner=shape, fact=self.section))
            return
        self._compare_object(self.section, raw, shape)
        has_content = any(_has_content(value) for key, value in raw.items() if key not in shape.times)
        if has_content and not self.faults and not self._has_fact_key(raw, shape):
            self._add_fault(self.section, "holds nothing that is recognised")

    def is_alike(self, new: Any, old: Any, shape: Shape | None) -> bool:
        """Return whether the comparison of `old`, whose equal parts `new` shares, is that of `new` too.

        It is where the same keys have values, and nothing else changed than values of known keys.
        """
        if new is old or type(new) is not type(old):
            return new is old
        if isinstance(new, list):
            return len(new) == len(old) and all(map(self.is_alike, new, old, repeat(shape)))
        if not isinstance(new, dict):
            return not (is_unset(new) or is_unset(old))
        if shape is None:
            return bool(new) is bool(old)
        if list(new) != list(old):
            return False
        pairs = zip(new.items(), old.values(), strict=True)
        changed = [(key, value, before) for (key, value), before in pairs if value is not before]
        return all(self._is_value_alike(key, value, before, shape) for key, value, before in changed)

    def _is_value_alike(self, key: str, new: Any, old: Any, shape: Shape) -> bool:
        name = shape.normalize(key)
        if name in shape.reads:
            # A strike of 0 is none.
            return shape.get_group(name) != "strike" and self.is_alike(new, old, shape.reads[name].inner)
        if not self._is_left_out(key, name, shape) or _has_content(new) is not _has_content(old):
            return False
        return not shape.is_payload or list_troubles(key, new) == list_troubles(key, old)

    def _has_fact_key(self, raw: Mapping[str, Any], shape: Shape) -> bool:
        names = (shape.normalize(key) for key in raw if key not in shape.times)
        return any(name in shape.reads for name in names)

    def _compare_rows(self, path: str, rows: Sequence[Any], key: Key) -> None:
        shape = key.inner
        if shape is None:
            return
        for row in rows[:_MOST_ROWS]:
            if not isinstance(row, dict) or (shape.is_other is not None and shape.is_other(row)):
                continue
            is_known = self._compare_object(path, row, shape)
            is_named = not shape.named_by or shape.is_named(row, shape.named_by)
            if not is_known or not is_named:
                self.unnamed += 1
                self._add_fault(path, _describe_row(shape, is_known))
                if key.fact and not is_known:  # of a row without a name the reader decides what it hides
                    self.partial.add(key.fact)

    def _compare_object(self, path: str, item: Mapping[str, Any], shape: Shape) -> bool:
        """Examine the keys of one object; return whether it has a key that is read."""
        keys = self._sort_keys(path, tuple(item), shape)
        self.seen.add_object(path, item, keys.named)
        for key, spec in keys.nested:
            self._compare_value(f"{path}.{key}", item[key], spec)
        for key in keys.cells:
            if isinstance(item[key], dict):
                self._add_fault(f"{path}.{key}", "is an object, not a value")
        if keys.strange:
            self._compare_strange_keys(path, item, shape, keys)
        if shape.is_payload:
            self._keep_troubles(path, item, shape)
        if shape.needs and (keys.strange or keys.nested or any(need.always for need in shape.needs)):
            self._compare_needs(path, item, shape)
        return bool(keys.groups)

    def _keep_troubles(self, path: str, item: Mapping[str, Any], shape: Shape) -> None:
        """Keep the keys that nobody reads and that say that all is not well; not the operator's foreign."""
        for key, value in islice(item.items(), _MOST_KEYS):
            is_ours = shape.normalize(key) in shape.reads or key in self.foreign_names
            if not is_ours and (troubles := list_troubles(key, value)):
                self.troubled[f"{path}.{redact_excerpt(key)}"] = troubles

    def _compare_needs(self, path: str, item: Mapping[str, Any], shape: Shape) -> None:
        """Examine whether an object lacks what it must have: always, or while a strange key could be it."""
        groups, strange = self._list_parts(path, item, shape)
        given = set(shape.iter_given(item))
        for need in shape.needs:
            is_met = need.is_met_by(given if need.always else groups)
            candidates = () if is_met else self._list_candidates(need, strange)
            if candidates:
                self._add_fault(f"{path}.{need.groups[0]}", _describe_candidates(candidates))
            elif need.always and not is_met:
                self._add_fault(f"{path}.{need.groups[0]}", "is not given")

    def _list_candidates(self, need: Need, strange: Iterable[tuple[str, Any]]) -> tuple[str, ...]:
        """Return the names of strange keys whose value could be what is missing."""
        names = tuple(place.rpartition(".")[2] for place, value in strange if self.can_be(need, value))
        return tuple(name for name in names if need.kind != COUNT or _NO_COUNT.isdisjoint(split_parts(name)))

    def _list_parts(
        self, path: str, item: Mapping[str, Any], shape: Shape
    ) -> tuple[set[str], list[tuple[str, Any]]]:
        """Return the groups of an object and of the objects in it, and the paths of strange keys with values.

        A strange key that is nearly a known one counts as that one.
        """
        keys = self._sort_keys(path, tuple(item), shape)
        groups, strange = set(keys.groups), []
        for key in keys.strange:
            place = f"{path}.{redact_excerpt(key)}"
            meant = self.faults[place].meant if place in self.faults else None
            if meant is not None:
                groups.add(shape.get_group(meant.rpartition(".")[2]))
            elif item[key] is not None:
                strange.append((place, item[key]))
        for key, inner in _iter_inner_objects(item, keys):
            inner_groups, inner_strange = self._list_parts(f"{path}.{key}", item[key], inner)
            groups |= inner_groups
            strange += inner_strange
        return groups, strange

    def can_be(self, need: Need, value: Any) -> bool:
        """Return whether the value could be what is missing; a small number is no time."""
        if need.kind == ANY:
            return True
        if need.groups[0] in _SIGNS:
            return _SIGNS[need.groups[0]](value)
        if need.kind in VOCABULARIES:
            return isinstance(value, str) and is_sign_of(need.kind, value)
        if need.kind == LIST:
            return isinstance(value, list) and (not value or any(isinstance(row, dict) for row in value))
        is_small = isinstance(value, int | float) and value < _EARLIEST_EPOCH
        return self.fits(need.kind, value) and not (need.kind == "time" and is_small)

    def _sort_keys(self, path: str, keys: tuple[str, ...], shape: Shape) -> _Keys:
        """Sort the keys of an object into read, foreign and strange ones; most rows have the same keys."""
        known = (path, keys)
        if known not in self._sorted:
            self._sorted[known] = self._build_keys(path, keys, shape)
        return self._sorted[known]

    def _build_keys(self, path: str, keys: tuple[str, ...], shape: Shape) -> _Keys:
        nested: list[tuple[str, Key]] = []
        cells: list[str] = []
        strange: list[str] = []
        groups: dict[str, str] = {}
        for key in keys:
            name = shape.normalize(key)
            if name in shape.reads:
                spec = shape.reads[name]
                groups[key] = spec.group or name
                self.recognised.add(f"{path}.{key}")
                if spec.kind == CELL:
                    cells.append(key)
                elif spec.inner is not None:
                    nested.append((key, spec))
            elif self._is_left_out(key, name, shape):
                self.foreign.add(f"{path}.{key}")
            elif len(strange) < _MOST_KEYS:
                strange.append(key)
        named = frozenset(groups.values())
        return _Keys(tuple(nested), tuple(cells), tuple(strange), named, tuple(groups.items()))

    def _is_left_out(self, key: str, name: str, shape: Shape) -> bool:
        """Return whether a key is foreign, and not the plural of a known one of our own envelope."""
        is_plural = shape.envelope and name.endswith("s") and name[:-1] in shape.reads
        return not is_plural and self._is_foreign(key, name, shape)

    def _is_foreign(self, key: str, name: str, shape: Shape) -> bool:
        return name in shape.foreign or key in shape.foreign or key in self.foreign_names

    def _compare_value(self, path: str, value: Any, key: Key) -> None:
        if key.inner is None:
            return
        if isinstance(value, dict) and key.kind in (ANY, OBJECT):
            self._compare_object(path, value, key.inner)
        elif isinstance(value, list) and key.kind == LIST:
            self._compare_rows(path, value, key)

    def _compare_strange_keys(self, path: str, item: Mapping[str, Any], shape: Shape, keys: _Keys) -> None:
        present = self._list_present(path, item, shape, keys)
        near = self._find_near(keys.strange, shape, frozenset(present))
        for key in keys.strange:
            place = f"{path}.{redact_excerpt(key)}"
            value = item[key]
            names = near.get(key) or _list_by_value(key, value, shape, present)
            meant = next((name for name in names if self._can_take(shape.reads[name], name, value)), None)
            if meant is not None:
                self.faults.setdefault(
                    place, Fault(place, f"is nearly {meant}, which is not there", f"{path}.{meant}")
                )
            elif self._is_foreign(key, shape.normalize(key), shape):
                self.foreign.add(f"{path}.{key}")
            elif shape.is_payload and (name := _find_unreadable(key, value, near.get(key, ()), shape)):
                self._add_fault(place, f"is nearly {name}, which is not there, and cannot be read as it")
            elif shape.envelope and _is_envelope_fault(key, value):
                nearest = find_nearest_name(key, shape.reads, FAINTLY_ALIKE)
                hint = f"; the nearest known key is {nearest}" if nearest else ""
                self._add_fault(place, f"is no known key{hint}")
                if key.lower() == _ERROR:  # what is beside it may be a part of the answer
                    self.partial |= {spec.fact for spec in shape.reads.values() if spec.fact}
            else:
                self.unknown.add(f"{path}.{key}")
                if shape.is_payload:
                    self.strange[place] = value

    def _list_present(self, path: str, item: Mapping[str, Any], shape: Shape, keys: _Keys) -> set[str]:
        """Return the groups that have a value in the object or in an object of it; null is none."""
        names = (shape.normalize(key) for key, value in item.items() if value is not None)
        present = {shape.get_group(name) for name in names if name in shape.reads}
        for key, inner in _iter_inner_objects(item, keys):
            inner_keys = self._sort_keys(f"{path}.{key}", tuple(item[key]), inner)
            present |= self._list_present(f"{path}.{key}", item[key], inner, inner_keys)
        return present

    def _find_near(
        self, strange: tuple[str, ...], shape: Shape, present: frozenset[str]
    ) -> Mapping[str, list[str]]:
        known = (strange, present, id(shape))
        if known not in self._near:
            absent = [name for name in shape.reads if shape.get_group(name) not in present]
            is_strict = shape.is_payload
            self._near[known] = dict(_iter_near(strange, absent, shape, is_strict))
        return self._near[known]

    def _can_take(self, key: Key, meant: str, value: Any) -> bool:
        """Return whether the fact could take the value; null is a value for one fact only."""
        if value is None:
            return meant.rpartition(".")[2] == _NEVER
        if key.kind == CELL:
            return not isinstance(value, dict)
        if key.kind in (ANY, LIST, OBJECT):
            kinds = {ANY: object, LIST: list, OBJECT: dict}
            return isinstance(value, kinds[key.kind])
        return self.fits(key.kind, convert_label(key.group or meant, value, self.words))

    def _add_fault(self, path: str, problem: str) -> None:
        self.faults.setdefault(path, Fault(path, problem))


def _iter_inner_objects(item: Mapping[str, Any], keys: _Keys) -> Iterator[tuple[str, Shape]]:
    """Yield the keys of an object's own objects that are read, each with its shape."""
    for key, spec in keys.nested:
        if spec.kind in (ANY, OBJECT) and spec.inner is not None and isinstance(item[key], dict):
            yield key, spec.inner


def _describe_candidates(names: Sequence[str]) -> str:
    """Return what is said of a missing fact that one of these keys may be."""
    return f"is not there, and {', '.join(names[:_MOST_CANDIDATES])} may be it"


def _find_unreadable(key: str, value: Any, names: Iterable[str], shape: Shape) -> str | None:
    """Return the missing name that a key is nearly, whose text or number the fact cannot be."""
    is_value = isinstance(value, str | int | float) and value != "" and not isinstance(value, bool)
    plain = [name for name in names if is_value and shape.reads[name].inner is None]
    return next((name for name in plain if is_nearly(shape.normalize(key), name)), None)


def _list_by_value(key: str, value: Any, shape: Shape, present: Collection[str]) -> list[str]:
    """Return missing short keys that the value shows to be meant: rows, an object's keys, paper and live."""
    if shape.envelope or shape.vendor or not (isinstance(value, list | dict) or value in _MODES):
        return []
    name = shape.normalize(key)
    return [
        known
        for known, spec in shape.reads.items()
        if _has_value_of(spec, value) and shape.get_group(known) not in present and is_mistyped(name, known)
    ]


def _has_value_of(spec: Key, value: Any) -> bool:
    """Return whether the value could be that key's: rows, a mode, an object with one of its keys."""
    if isinstance(value, dict):
        inner = spec.inner if spec.kind == OBJECT else None
        return inner is not None and any(inner.normalize(key) in inner.reads for key in value)
    return spec.kind == LIST if isinstance(value, list) else spec.fact == "mode"


def _iter_near(
    strange: Sequence[str], absent: Sequence[str], shape: Shape, is_strict: bool
) -> Iterator[tuple[str, list[str]]]:
    for key in strange:
        name = shape.normalize(key)
        names = [known for known in absent if is_nearly(name, known, strict=is_strict)]
        if not (shape.vendor or shape.named_by):
            names += [
                known
                for known in absent
                if is_wrapped(key, known, strict=is_strict or shape.reads[known].kind in _TEXTS)
            ]
        if names:
            yield key, names


def _has_content(value: Any) -> bool:
    return value not in (None, "", [], {})


def _describe_row(shape: Shape, is_known: bool) -> str:
    if not is_known:
        return "has a row of which nothing is recognised"
    first, *others = shape.named_by
    named_by = f"none of {', '.join(shape.named_by)}" if others else f"no {first}"
    return f"has a row that names nothing ({named_by})"


def _is_envelope_fault(key: str, value: Any) -> bool:
    if key.lower() == _ERROR:
        return bool(value)
    if isinstance(value, dict):
        return any(isinstance(part, dict | list) and part for part in value.values())
    return _is_table(value) if isinstance(value, str) else isinstance(value, list) and bool(value)


def _is_table(text: str) -> bool:
    """Return whether a text holds rows: of a statement, of JSON, or two lines with several cells each."""
    stripped = text.strip()
    lines = stripped[:_LONGEST_LINES].splitlines()[:2]
    has_cells = len(lines) > 1 and any(all(line.count(mark) > 1 for line in lines) for mark in _DELIMITERS)
    return has_cells or stripped.startswith(_STARTS)
