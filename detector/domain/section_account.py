"""The account of one section's reading: what was recognised, what is foreign, and what was not understood."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from detector.domain.key_names import is_mistyped, is_nearly
from detector.domain.provenance import Fault
from detector.domain.shape import ANY, LIST, OBJECT, Key, Shape
from detector.formats.nearest_name import FAINTLY_ALIKE, find_nearest_name
from detector.formats.strict_json import redact_excerpt
from detector.logs.events import LineCounts

_MOST_ROWS = 10_000  # as many as the readers read
_MOST_KEYS = 500  # of one object that are compared with known names
MOST_NAMES = 10  # of keys that are not understood, by name
_MODES = ("paper", "live")
_NEVER = "last_reconcile_at"  # the fact for which null is a value
Fits = Callable[[str, Any], bool]


class SectionAccount(Struct, frozen=True):
    """What a run made of one section.

    `facts` were seen, `missing` are mapped and were not. `recognised`, `foreign` and `unknown` count keys by
    their paths; `unnamed` counts rows that do not say what they are about. `unread` names keys that nobody
    knows. `age_sec` is the age of the section by its own time. `lines` counts the lines of a log.
    """

    section: str
    facts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    recognised: int = 0
    foreign: int = 0
    unknown: int = 0
    unnamed: int = 0
    unread: tuple[str, ...] = ()
    age_sec: float | None = None
    lines: LineCounts | None = None


class _Keys(Struct, frozen=True):
    """The keys of one object: with objects in them, of nobody, and the groups that were read."""

    nested: tuple[tuple[str, Key], ...]
    strange: tuple[str, ...]
    groups: frozenset[str]


class KeyComparison(Struct):
    """The keys of one section against its shape.

    `fits` returns whether a value can be of a kind. Of `faults`, each path has one; `partial` are the facts
    whose lists have rows that were not understood.
    """

    section: str
    fits: Fits
    foreign_names: frozenset[str] = frozenset()
    recognised: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    faults: dict[str, Fault] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    unnamed: int = 0
    _sorted: dict[tuple[str, tuple[str, ...]], _Keys] = field(default_factory=dict)
    _near: dict[tuple[Any, ...], Mapping[str, str]] = field(default_factory=dict)

    def compare(self, raw: Any, shape: Shape) -> None:
        """Compare every key of the section with its shape."""
        if isinstance(raw, list):
            self._compare_rows(self.section, raw, Key(LIST, inner=shape, fact=self.section))
            return
        self._compare_object(self.section, raw, shape)
        has_content = any(_has_content(value) for key, value in raw.items() if key not in shape.times)
        if has_content and not self.faults and not self._has_fact_key(raw, shape):
            self._add_fault(self.section, "holds nothing that is recognised")

    def _has_fact_key(self, raw: Mapping[str, Any], shape: Shape) -> bool:
        names = (shape.normalize(key) for key in raw if key not in shape.times)
        return any(name in shape.reads for name in names)

    def _compare_rows(self, path: str, rows: Sequence[Any], key: Key) -> None:
        shape = key.inner
        if shape is None:
            return
        for row in rows[:_MOST_ROWS]:
            if not isinstance(row, dict):
                continue
            is_known = self._compare_object(path, row, shape)
            is_named = not shape.named_by or _is_named(row, shape, shape.named_by)
            if row and (not is_known or not is_named):
                self.unnamed += 1
                self._add_fault(path, _describe_row(shape, is_known))
                if key.fact and not is_known:  # of a row without a name the reader decides what it hides
                    self.partial.add(key.fact)

    def _compare_object(self, path: str, item: Mapping[str, Any], shape: Shape) -> bool:
        """Examine the keys of one object; return whether it has a key that is read."""
        keys = self._sort_keys(path, tuple(item), shape)
        for key, spec in keys.nested:
            self._compare_value(f"{path}.{key}", item[key], spec)
        if keys.strange:
            self._compare_strange_keys(path, item, shape, keys)
        return bool(keys.groups)

    def _sort_keys(self, path: str, keys: tuple[str, ...], shape: Shape) -> _Keys:
        """Sort the keys of an object into read, foreign and strange ones; most rows have the same keys."""
        known = (path, keys)
        if known not in self._sorted:
            self._sorted[known] = self._build_keys(path, keys, shape)
        return self._sorted[known]

    def _build_keys(self, path: str, keys: tuple[str, ...], shape: Shape) -> _Keys:
        nested: list[tuple[str, Key]] = []
        strange: list[str] = []
        groups: set[str] = set()
        for key in keys:
            name = shape.normalize(key)
            if name in shape.reads:
                spec = shape.reads[name]
                groups.add(spec.group or name)
                self.recognised.add(f"{path}.{key}")
                if spec.inner is not None:
                    nested.append((key, spec))
            elif name in shape.foreign or key in shape.foreign or key in self.foreign_names:
                self.foreign.add(f"{path}.{key}")
            elif len(strange) < _MOST_KEYS:
                strange.append(key)
        return _Keys(tuple(nested), tuple(strange), frozenset(groups))

    def _compare_value(self, path: str, value: Any, key: Key) -> None:
        if key.inner is None:
            return
        if isinstance(value, dict) and key.kind in (ANY, OBJECT):
            self._compare_object(path, value, key.inner)
        elif isinstance(value, list) and key.kind == LIST:
            self._compare_rows(path, value, key)

    def _compare_strange_keys(self, path: str, item: Mapping[str, Any], shape: Shape, keys: _Keys) -> None:
        present = set(keys.groups)
        for key, spec in keys.nested:
            if spec.kind in (ANY, OBJECT) and spec.inner is not None and isinstance(item[key], dict):
                present |= self._sort_keys(f"{path}.{key}", tuple(item[key]), spec.inner).groups
        near = self._find_near(keys.strange, shape, frozenset(present))
        for key in keys.strange:
            place = f"{path}.{redact_excerpt(key)}"
            value = item[key]
            meant = near.get(key) or _find_by_value(key, value, shape, present)
            if meant is not None and self._can_take(shape.reads[meant], meant, value):
                self.faults.setdefault(
                    place, Fault(place, f"is nearly {meant}, which is not there", f"{path}.{meant}")
                )
            elif shape.envelope and _is_envelope_fault(key, value):
                nearest = find_nearest_name(key, shape.reads, FAINTLY_ALIKE)
                hint = f"; the nearest known key is {nearest}" if nearest else ""
                self._add_fault(place, f"is no known key{hint}")
            else:
                self.unknown.add(f"{path}.{key}")

    def _find_near(
        self, strange: tuple[str, ...], shape: Shape, present: frozenset[str]
    ) -> Mapping[str, str]:
        known = (strange, present, id(shape))
        if known not in self._near:
            absent = [name for name in shape.reads if shape.get_group(name) not in present]
            is_strict = not (shape.envelope or shape.vendor)
            self._near[known] = dict(_iter_near(strange, absent, shape, is_strict))
        return self._near[known]

    def _can_take(self, key: Key, meant: str, value: Any) -> bool:
        """Return whether the fact could take the value; null is a value for one fact only."""
        if value is None:
            return meant.rpartition(".")[2] == _NEVER
        if key.kind in (ANY, LIST, OBJECT):
            kinds = {ANY: object, LIST: list, OBJECT: dict}
            return isinstance(value, kinds[key.kind])
        return self.fits(key.kind, value)

    def _add_fault(self, path: str, problem: str) -> None:
        self.faults.setdefault(path, Fault(path, problem))


def _find_by_value(key: str, value: Any, shape: Shape, present: Collection[str]) -> str | None:
    """Return the missing short key that the value shows to be meant: a list of rows, or paper and live."""
    if shape.envelope or shape.vendor or not (isinstance(value, list) or value in _MODES):
        return None
    for name, spec in shape.reads.items():
        is_alike = spec.kind == LIST if isinstance(value, list) else spec.fact == "mode"
        if is_alike and shape.get_group(name) not in present and is_mistyped(shape.normalize(key), name):
            return name
    return None


def _iter_near(
    strange: Sequence[str], absent: Sequence[str], shape: Shape, is_strict: bool
) -> Iterator[tuple[str, str]]:
    for key in strange:
        name = shape.normalize(key)
        meant = next((known for known in absent if is_nearly(name, known, strict=is_strict)), None)
        if meant is not None:
            yield key, meant


def _has_content(value: Any) -> bool:
    return value not in (None, "", [], {})


def _is_named(row: Mapping[str, Any], shape: Shape, named_by: tuple[str, ...]) -> bool:
    """Return whether one of the groups that name the row has a value, in it or in an object of it."""
    for key, value in row.items():
        spec = shape.reads.get(shape.normalize(key))
        if spec is None or value in (None, ""):
            continue
        if shape.get_group(shape.normalize(key)) in named_by:
            return True
        is_object = spec.kind == OBJECT and isinstance(value, dict)
        if is_object and spec.inner is not None and _is_named(value, spec.inner, named_by):
            return True
    return False


def _describe_row(shape: Shape, is_known: bool) -> str:
    if not is_known:
        return "has a row of which nothing is recognised"
    return f"has a row that names nothing (none of {', '.join(shape.named_by)})"


def _is_envelope_fault(key: str, value: Any) -> bool:
    if key.lower() == "error":
        return bool(value)
    if isinstance(value, dict):
        return any(isinstance(part, dict | list) and part for part in value.values())
    return isinstance(value, list) and bool(value)
