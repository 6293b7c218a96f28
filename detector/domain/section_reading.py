"""One section while it is read: its facts, and its lists of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import cache
from itertools import zip_longest
from typing import Any, Protocol, TypeVar, cast

from msgspec import Struct, json

from detector.domain.coercion import ValueReader
from detector.domain.columns import get_columns
from detector.domain.row_state import SIGN, STATE, find_unknown_state, iter_problems
from detector.domain.trade_rows import Words, convert_label
from detector.formats.strict_json import redact_excerpt


class _Row(Protocol):
    """A row with an identity, or without."""

    @property
    def is_named(self) -> bool:
        """Whether the row names its subject."""


R = TypeVar("R", bound=_Row)
T = TypeVar("T")
WORDS = {
    "open": "status",
    "closed": "status",
    "long": "side",
    "short": "side",
    "entry": "kind",
    "exit": "kind",
    "ok": "market_data_status",
    "paper": "mode",
    "live": "mode",
}
"""Words that a profile may have words of its own for, and the column or the fact in which they stand."""
_WORD_COLUMNS = ("side", "status", "kind")
MAX_ROWS = 10_000  # no runtime lists more; a list of millions would keep one run busy for minutes


class KnownValue(Struct, frozen=True):
    """A raw value, what was read from it, and the paths that were read for that; nothing was at fault."""

    raw: object
    value: Any
    paths: set[str]


class Reading(ValueReader):
    """The content of one section: `values` by fact, and what the reading of its values noted.

    `partial` names facts of which a part could not be read: what they show counts, what they do not
    show proves nothing. `words` translates the runtime's own words for states and sides, `symbols` its
    own symbols.
    `content` is the section in its plain shape, where its reader normalized it. `known` are, by name, values
    of the snapshot before, `kept` those that the next one may know.
    """

    def __init__(self, section: str, taken_at: datetime, skew_sec: float, zone: tzinfo | None = None) -> None:
        super().__init__(taken_at, skew_sec, zone)
        self.section = section
        self.values: dict[str, Any] = {}
        self.partial: set[str] = set()
        self.words: Words = {}
        self.symbols: Mapping[str, str] = {}
        self.content: Any = None
        self.known: Mapping[str, KnownValue] = {}
        self.kept: dict[str, KnownValue] = {}

    def find_known(self, name: str, raw: object) -> KnownValue | None:
        """Return what was read from this very value of the snapshot before; None where it is another one."""
        known = self.known.get(name)
        if known is None or known.raw is not raw:
            return None
        self.read_paths |= known.paths
        self.kept[name] = known
        return known

    def read_new(self, name: str, raw: object, read: Callable[[], T]) -> T:
        """Return what `read` makes of the raw value, and keep it for the next snapshot.

        A value is not kept where it had a fault, and where the time of the snapshot decided.
        """
        outer = self.read_paths, self.partial, self.uses_clock
        self.read_paths, self.partial, self.uses_clock = set(), set(), False
        faults = len(self.invalid) + len(self.skewed)
        try:
            known = KnownValue(raw, read(), self.read_paths)
            has_fault = bool(self.partial) or len(self.invalid) + len(self.skewed) > faults
        finally:
            is_final = not self.uses_clock
            self.read_paths, self.partial = outer[0] | self.read_paths, outer[1] | self.partial
            self.uses_clock = outer[2] or self.uses_clock
        if is_final and not has_fault:
            self.kept[name] = known
        return cast("T", known.value)

    def has_valid_as_of(self, raw: Mapping[str, Any]) -> bool:
        """Whether `as_of` is missing or readable: an unreadable time proves nothing."""
        path = f"{self.section}.as_of"
        faulty = {fault.path for fault in self.invalid} | {faulty_path for faulty_path, _ in self.skewed}
        if raw.get("as_of") is not None and path not in self.read_paths | faulty:
            self.read_value("time", path, raw["as_of"])
        return raw.get("as_of") is None or path in self.read_paths

    def has_error(
        self, raw: Mapping[str, Any], path: str, problem: str = "says that the query failed"
    ) -> bool:
        """Whether the answer holds an error, which is a fault with its reason."""
        error = raw.get("error")
        if error:
            reason = redact_excerpt(error) if isinstance(error, str) else "an error"
            self.add_fault(f"{path}.error", f"{problem} ({reason})")
        return bool(error)

    def read_objects(self, path: str, raw: object, fact: str) -> list[Mapping[str, Any]] | None:
        """Read a list of objects; other entries and those over MAX_ROWS are left out: the fact is partial."""
        if raw is None:
            return None
        if not isinstance(raw, list):
            return self.record_mismatch(path, raw, "a list")
        items: list[Mapping[str, Any]] = [item for item in raw[:MAX_ROWS] if isinstance(item, dict)]
        if len(items) == len(raw):
            self.read_paths.add(path)
            return items
        is_too_long = len(raw) > MAX_ROWS
        self.add_fault(
            path, f"has over {MAX_ROWS} entries" if is_too_long else "has an entry that is not an object"
        )
        self.partial.add(fact)
        return items

    def read_rows(
        self,
        path: str,
        raw: object,
        fact: str,
        row_type: type[R],
        get: Callable[[Mapping[str, Any], str], object],
    ) -> tuple[R, ...] | None:
        """Read a list of rows of a declared type, column by column through `get`.

        A row without a name makes the fact partial: it may be any of the others.
        """
        items = self.read_objects(path, raw, fact)
        if items is None:
            return None
        records = tuple(self.read_row(path, item, row_type, get) for item in items)
        if not all(record.is_named for record in records):
            self.partial.add(fact)
        return records

    def read_row(
        self,
        path: str,
        item: Mapping[str, Any],
        row_type: type[R],
        get: Callable[[Mapping[str, Any], str], object],
    ) -> R:
        """Read one row of a declared type, column by column through `get`."""
        kinds = list_kinds(row_type)
        values = {name: get(item, name) for name, _ in kinds}
        for name in _WORD_COLUMNS if self.words else ():
            values[name] = convert_label(name, values.get(name), self.words)
        symbol = values.get("symbol")
        if isinstance(symbol, str) and self.symbols:
            values["symbol"] = self.symbols.get(symbol, symbol)
        row = {
            name: None if values[name] is None else self.read_value(kind, f"{path}.{name}", values[name])
            for name, kind in kinds
        }
        if ("side", SIGN) in kinds:
            for column, problem, is_reported in iter_problems(item, values, row):
                row["quantity"] = None
                if not is_reported:
                    self.add_fault(f"{path}.{column}", problem)
        elif ("status", STATE) in kinds and (unknown := find_unknown_state(row)):
            self.add_fault(f"{path}.status", unknown)
        return row_type(**row)


@cache
def list_kinds(row_type: type[Any]) -> tuple[tuple[str, str], ...]:
    """Return the declared columns of a row type: name and kind."""
    return tuple((name, spec["kind"]) for name, spec in get_columns(row_type).items())


def keep_equal_parts(new: Any, old: Any) -> Any:
    """Return the new JSON value, in which each part that the old one has in the same place is that object.

    1, 1.0 and true, 0.0 and -0.0, and objects whose keys have another order are equal in Python and not in
    JSON: where there is one of these, the new value is returned as it is.
    """
    kept = _keep_alike_parts(new, old)
    try:
        return kept if json.encode(kept) == json.encode(new) else new
    except (TypeError, ValueError, OverflowError, RecursionError):  # what cannot be written is not compared
        return new


def _keep_alike_parts(new: Any, old: Any) -> Any:
    if new == old:
        return old
    if type(new) is dict and type(old) is dict:
        return {
            key: before if value == (before := old.get(key)) else _keep_alike_parts(value, before)
            for key, value in new.items()
        }
    if type(new) is list and type(old) is list:
        return [
            before if value == before else _keep_alike_parts(value, before)
            for value, before in zip_longest(new, old[: len(new)])
        ]
    return new
