"""One section while it is read: three-valued coercion of each value, with every fault noted.

A value that is missing or null is not seen (None). A value that is there and cannot be read is not seen
either, and its path is noted; everything else is still read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any, Protocol, TypeVar

from detector.domain.facts import Fault
from detector.domain.instrument import exact
from detector.domain.runtime_rows import columns_of
from detector.formats.exported_numbers import is_unset, written
from detector.formats.strict_json import kind_of
from detector.formats.times import TimeError, parse_epoch, parse_rfc3339


class _Row(Protocol):
    """A row that knows whether it says what it is about."""

    @property
    def is_named(self) -> bool:
        """Whether the row names what it is about."""


R = TypeVar("R", bound=_Row)
T = TypeVar("T")
_LONGEST_ID, _LONGEST_TEXT, _LONGEST_NUMBER = 120, 500, 24
_FIRST_YEAR = 1970  # programs write year 1 or 1900 for a time that was never set
_MOST_ROWS = 10_000  # no runtime lists more; a list of millions would keep one run busy for minutes


class Reading:
    """What one section yielded: `values` by fact, `invalid` paths, `skewed` times, `read` paths.

    `partial` names facts of which a part could not be read: what they show counts, what they do not
    show proves nothing. In an export (`is_export`) numbers may be text, empty text is not seen and IBKR's
    largest double is unset; where `knows_no_flags`, as in SQLite, 0 and 1 are flags.
    """

    def __init__(self, section: str, taken_at: datetime, skew_sec: float, zone: tzinfo | None = None) -> None:
        self.section = section
        self.taken_at = taken_at
        self.as_of = taken_at
        self.values: dict[str, Any] = {}
        self.invalid: list[Fault] = []
        self.skewed: list[tuple[str, float]] = []
        self.partial: set[str] = set()
        self.read: set[str] = set()
        self._skew = timedelta(seconds=skew_sec)
        self._zone = zone
        self.is_export = False
        self.knows_no_flags = False

    def fault(self, path: str, problem: str) -> None:
        """Note that the value at `path` was there and could not be read."""
        self.invalid.append(Fault(path, problem))

    def value(self, kind: str, path: str, raw: object) -> Any:
        """Return the value of that kind, or None where it is null or cannot be read."""
        if raw is None or (self.is_export and is_unset(raw)):
            return None
        faults = len(self.invalid) + len(self.skewed)
        made = _COERCE[kind](self, path, raw)
        if len(self.invalid) + len(self.skewed) == faults:
            self.read.add(path)
        return made

    def dates(self, raw: Mapping[str, Any]) -> bool:
        """Whether the section says when it was true, or nothing of it: a time that cannot be read proves nothing."""
        path = f"{self.section}.as_of"
        faulty = {fault.path for fault in self.invalid} | {where for where, _ in self.skewed}
        if raw.get("as_of") is not None and path not in self.read | faulty:
            self.value("time", path, raw["as_of"])
        return raw.get("as_of") is None or path in self.read

    @property
    def most_rows(self) -> int:
        """Return how many rows of one list are read."""
        return _MOST_ROWS

    def csv(self, path: str, raw: object) -> str | None:
        """Read a table as text, whole."""
        return raw if isinstance(raw, str) else self._refused(path, raw, "text")

    def flag(self, path: str, raw: object) -> bool | None:
        """Read true or false; 0 and 1 are not flags."""
        if isinstance(raw, bool):
            return raw
        if self.knows_no_flags and isinstance(raw, int) and raw in (0, 1):
            return bool(raw)
        return self._refused(path, raw, "true or false")

    def count(self, path: str, raw: object) -> int | None:
        """Read a whole number of 0 or more; 3.0 is one, true and "3" are not."""
        if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
            return raw
        if isinstance(raw, float) and raw >= 0 and raw.is_integer():
            return int(raw)
        return self._refused(path, raw, "a count")

    def number(self, path: str, raw: object) -> float | None:
        """Read any finite number; in an export also as text."""
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return raw
        decimal = written(raw) if self.is_export else None
        return float(decimal) if decimal is not None else self._refused(path, raw, "a number")

    def quantity(self, path: str, raw: object) -> Decimal | float | None:
        """Read a number that an account can hold, exactly as it was written."""
        number = self.number(path, raw)
        if number is None or exact(number) is None:
            return None if number is None else self._refused(path, raw, "a quantity")
        decimal = written(raw)
        return (exact(number) if decimal is None else decimal) if self.is_export else number

    def text(self, path: str, raw: object) -> str | None:
        """Read text; what is longer than a person reads is cut."""
        return raw[:_LONGEST_TEXT] if isinstance(raw, str) else self._refused(path, raw, "text")

    def identifier(self, path: str, raw: object) -> str | None:
        """Read an id, which may be text or a whole number; empty text is no id."""
        if isinstance(raw, str):
            return raw.strip()[:_LONGEST_ID] or None
        if isinstance(raw, float) and raw.is_integer():
            raw = int(raw)
        if isinstance(raw, int) and not isinstance(raw, bool):
            return str(raw)[:_LONGEST_ID]
        return self._refused(path, raw, "an id")

    def texts(self, path: str, raw: object) -> tuple[str, ...] | None:
        """Read a list of texts."""
        if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
            return tuple(raw)
        return self._refused(path, raw, "a list of texts")

    def length(self, path: str, raw: object) -> int | None:
        """Read a count, or a list of which the length counts."""
        return len(raw) if isinstance(raw, list) else self.count(path, raw)

    def flag_or_count(self, path: str, raw: object) -> int | None:
        """Read a count, or a flag as 1 or 0."""
        return int(raw) if isinstance(raw, bool) else self.count(path, raw)

    def time(self, path: str, raw: object) -> datetime | None:
        """Read RFC 3339, epoch seconds or epoch milliseconds; a time too far ahead is not seen."""
        try:
            if isinstance(raw, str):
                moment = parse_rfc3339(raw.strip(), self._zone)
            elif isinstance(raw, int | float) and not isinstance(raw, bool):
                moment = parse_epoch(raw)
            else:
                return self._refused(path, raw, "a time")
        except TimeError as error:
            self.fault(path, str(error))
            return None
        if moment.year < _FIRST_YEAR:
            return self._refused(path, raw, "a time of this runtime")
        return self.not_ahead(path, moment)

    def age(self, path: str, raw: object) -> datetime | None:
        """Read an age in seconds, counted back from when the section was true, as a time."""
        seconds = self.number(path, raw)
        if seconds is None:
            return None
        try:
            return self.not_ahead(path, self.as_of - timedelta(seconds=seconds))
        except OverflowError:
            return self._refused(path, raw, "an age")

    def not_ahead(self, path: str, moment: datetime) -> datetime | None:
        """Return the time; now where it is a little ahead, None and a skew where it is too far ahead."""
        if moment <= self.taken_at:
            return moment
        if moment - self.taken_at <= self._skew:
            return self.taken_at
        self.skewed.append((path, (moment - self.taken_at).total_seconds()))
        return None

    def objects(self, path: str, raw: object, fact: str) -> list[Mapping[str, Any]] | None:
        """Read a list of objects; one that is no object, or one too many, is left out: the fact is partial."""
        if raw is None:
            return None
        if not isinstance(raw, list):
            return self._refused(path, raw, "a list")
        found: list[Mapping[str, Any]] = [item for item in raw[:_MOST_ROWS] if isinstance(item, dict)]
        if len(found) == len(raw):
            self.read.add(path)
            return found
        many = len(raw) > _MOST_ROWS
        self.fault(path, f"has over {_MOST_ROWS} entries" if many else "has an entry that is not an object")
        self.partial.add(fact)
        return found

    def rows(
        self, path: str, raw: object, fact: str, row: type[R], get: Callable[[Mapping[str, Any], str], object]
    ) -> tuple[R, ...] | None:
        """Read a list of rows of a declared type, column by column through `get`.

        A row that does not say what it is about makes the fact partial: it may be any of them.
        """
        found = self.objects(path, raw, fact)
        if found is None:
            return None
        made = tuple(self.row(path, item, row, get) for item in found)
        if not all(one.is_named for one in made):
            self.partial.add(fact)
        return made

    def row(
        self,
        path: str,
        item: Mapping[str, Any],
        row: type[R],
        get: Callable[[Mapping[str, Any], str], object],
    ) -> R:
        """Read one row of a declared type, column by column through `get`."""
        kinds = _kinds(row)
        return row(**{name: self.value(kind, f"{path}.{name}", get(item, name)) for name, kind in kinds})

    def _refused(self, path: str, raw: object, wanted: str) -> T | None:
        """Note the fault and return None, the value of what was not seen."""
        number = "" if isinstance(raw, bool) or not isinstance(raw, int | float) else str(raw)
        shown = number if 0 < len(number) <= _LONGEST_NUMBER else kind_of(raw)
        self.fault(path, f"is {shown}, not {wanted}")
        return None


@cache
def _kinds(row: type[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, spec["kind"]) for name, spec in columns_of(row).items())


_COERCE: Mapping[str, Callable[[Reading, str, Any], Any]] = {
    "flag": Reading.flag,
    "count": Reading.count,
    "number": Reading.number,
    "quantity": Reading.quantity,
    "text": Reading.text,
    "id": Reading.identifier,
    "texts": Reading.texts,
    "csv": Reading.csv,
    "count or list": Reading.length,
    "flag or count": Reading.flag_or_count,
    "time": Reading.time,
    "age": Reading.age,
}
