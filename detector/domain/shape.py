"""The known keys of a section's objects: those that are read, and those of its vendor that are not.

Readers declare the shape of their section; the account of the reading compares every key with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct, field

from detector.domain.vendor_keys import ALSO_COLUMNS
from detector.formats.numbers import is_unset
from detector.formats.similar_names import normalize_key

OBJECT, LIST, ANY, CELL = "object", "list", "any", "cell"  # a cell is anything but an object
_MOST_ROWS, _FEWEST_COLUMNS = 500, 2  # of a list, by which a row is recognised
OWN_TIMES = ("as_of", "generated_at")  # of a section: when its content was true


class Key(Struct, frozen=True, eq=False):
    """A key that is read: the kind of its value, and the shape of the objects in it.

    Keys of one `group` give the same thing, so that one of them is enough; `fact` is the fact that a list
    fills.
    """

    kind: str = ANY
    group: str = ""
    inner: Shape | None = None
    fact: str | None = None


class Need(Struct, frozen=True):
    """The groups of which an object must have one, the usual one first, and the kind of their value.

    With `beside`, only an object that has one of those groups. `always`: an object without a value is a fault
    even where no strange key could be it.
    """

    groups: tuple[str, ...]
    kind: str
    beside: tuple[str, ...] = ()
    always: bool = False

    def is_met_by(self, groups: Collection[str]) -> bool:
        """Return whether an object with these groups lacks nothing."""
        is_due = not self.beside or any(group in groups for group in self.beside)
        return not is_due or any(group in groups for group in self.groups)


def _keep_name(name: str) -> str:
    return name


class Shape(Struct, frozen=True, eq=False):
    """The keys of one object.

    `foreign` are known keys that are not read. In an `envelope`, which is this program's own, an unknown key
    with rows is a fault. `named_by` are the groups of which a row needs one to say what it is about, `needs`
    what it must have besides: where that is absent, a strange key that could be it is a fault.
    `normalize` is how names are compared (a broker's rows: without case and punctuation). `vendor`: the keys
    are those of one vendor's model, so that one edit of a missing short key is a misspelling too. `times` are
    keys that only date the object. A row of which `is_other` holds has keys of its own, which the reader
    reads.
    """

    reads: Mapping[str, Key]
    foreign: frozenset[str] = frozenset()
    envelope: bool = False
    vendor: bool = False
    named_by: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    times: tuple[str, ...] = OWN_TIMES
    normalize: Callable[[str], str] = field(default=_keep_name)
    is_other: Callable[[Mapping[str, Any]], bool] | None = None

    @property
    def is_payload(self) -> bool:
        """Whether it is an object of somebody's own payload: no envelope, no vendor's model, no row."""
        return not (self.envelope or self.vendor or self.named_by)

    def get_group(self, name: str) -> str:
        """Return the group of a key that is read."""
        return self.reads[name].group or name

    def find_shape(self, keys: Iterable[str]) -> Shape | None:
        """Return the shape of the object at a path of keys; None where there is none."""
        shape: Shape | None = self
        for key in keys:
            spec = None if shape is None else shape.reads.get(shape.normalize(key))
            shape = None if spec is None else spec.inner
        return shape

    def find_fact(self, keys: Sequence[str]) -> str | None:
        """Return the fact that the value at a path of keys feeds; None where it feeds none."""
        shape: Shape | None = self
        for key in keys:
            spec = None if shape is None else shape.reads.get(shape.normalize(key))
            if spec is None or spec.fact:
                return None if spec is None else spec.fact
            shape = spec.inner
        return None

    def iter_given(self, item: Mapping[str, Any]) -> Iterator[str]:
        """Yield the groups that have a value in the object or in an object of it; unset is none."""
        for key, value in item.items():
            name = self.normalize(key)
            if name not in self.reads:
                continue
            spec = self.reads[name]
            if not (value is None or is_unset(value)):
                yield spec.group or name
            if spec.inner is not None and isinstance(value, dict):
                yield from spec.inner.iter_given(value)

    def has_rows(self, value: Any) -> bool:
        """Return whether a value holds rows of this shape, in a list or by their keys: two columns in one.

        A column has our own name, or one that other bots give it.
        """
        return any(len(self._find_columns(row)) >= _FEWEST_COLUMNS for row in _iter_rows(value))

    def _find_columns(self, row: Mapping[str, Any]) -> set[str]:
        """Return the columns in a row and in the objects of it."""
        names = (self.normalize(ALSO_COLUMNS.get(normalize_key(key), key)) for key in row)
        inner = (self._find_columns(part) for part in row.values() if isinstance(part, dict))
        return {self.get_group(name) for name in names if name in self.reads}.union(*inner)

    def is_named(self, row: Mapping[str, Any], named_by: tuple[str, ...]) -> bool:
        """Return whether one of the groups that name the row has a value, in it or in an object of it."""
        for key, value in row.items():
            spec = self.reads.get(self.normalize(key))
            if spec is None or value is None or (spec.kind != ANY and is_unset(value)):
                continue  # the text of a log's event may be any, an empty line too
            group = self.get_group(self.normalize(key))
            if group in named_by and not (group in _ZERO_IS_NONE and value in (0, "0")):
                return True
            is_object = spec.kind == OBJECT and isinstance(value, dict)
            if is_object and spec.inner is not None and spec.inner.is_named(value, named_by):
                return True
        return False


_ZERO_IS_NONE = ("con_id", "order_id", "perm_id")


def _iter_rows(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in a list or an object, and those of the lists in them."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in islice(parts, _MOST_ROWS):
        if isinstance(part, dict):
            yield part
        if isinstance(value, dict) and isinstance(part, list | dict):
            yield from _iter_rows(part)


TIME_KEYS: Mapping[str, Key] = {name: Key("time", "as_of") for name in OWN_TIMES}


def build_keys(kinds: Mapping[str, str]) -> dict[str, Key]:
    """Return the keys of plain values: name to kind."""
    return {name: Key(kind) for name, kind in kinds.items()}


def build_needs(columns: Mapping[str, Mapping[str, Any]]) -> tuple[Need, ...]:
    """Return what a row must have by its declared columns."""
    return tuple(
        Need(spec["needed"], spec["kind"], spec["beside"], spec["always"])
        for spec in columns.values()
        if spec["needed"]
    )


def build_columns(
    kinds: Iterable[tuple[str, str]], names: Mapping[str, Iterable[str]] | None = None
) -> dict[str, Key]:
    """Return the keys of a row's declared columns, each under all the names that it may have."""
    aliases = names or {}
    return {name: Key(kind, column) for column, kind in kinds for name in aliases.get(column, (column,))}
