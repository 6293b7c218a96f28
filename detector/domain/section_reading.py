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
from detector.domain.instrument import to_exact_decimal
from detector.domain.runtime_rows import get_columns
from detector.formats.exported_numbers import is_unset, parse_decimal
from detector.formats.strict_json import describe_kind
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
        self.read_paths: set[str] = set()
        self._skew = timedelta(seconds=skew_sec)
        self._zone = zone
        self.is_export = False
        self.has_integer_flags = False

    def add_fault(self, path: str, problem: str) -> None:
        """Note that the value at `path` was there and could not be read."""
        self.invalid.append(Fault(path, problem))

    def read_value(self, kind: str, path: str, raw: object) -> Any:
        """Return the value of that kind, or None where it is null or cannot be read."""
        if raw is None or (self.is_export and is_unset(raw)):
            return None
        faults = len(self.invalid) + len(self.skewed)
        value = _COERCE[kind](self, path, raw)
        if len(self.invalid) + len(self.skewed) == faults:
            self.read_paths.add(path)
        return value

    def has_valid_as_of(self, raw: Mapping[str, Any]) -> bool:
        """Whether the section says when it was true, or nothing of it: a time that cannot be read proves nothing."""
        path = f"{self.section}.as_of"
        faulty = {fault.path for fault in self.invalid} | {faulty_path for faulty_path, _ in self.skewed}
        if raw.get("as_of") is not None and path not in self.read_paths | faulty:
            self.read_value("time", path, raw["as_of"])
        return raw.get("as_of") is None or path in self.read_paths

    @property
    def most_rows(self) -> int:
        """Return how many rows of one list are read."""
        return _MOST_ROWS

    def read_csv(self, path: str, raw: object) -> str | None:
        """Read a table as text, whole."""
        return raw if isinstance(raw, str) else self._record_mismatch(path, raw, "text")

    def read_flag(self, path: str, raw: object) -> bool | None:
        """Read true or false; 0 and 1 are not flags."""
        if isinstance(raw, bool):
            return raw
        if self.has_integer_flags and isinstance(raw, int) and raw in (0, 1):
            return bool(raw)
        return self._record_mismatch(path, raw, "true or false")

    def read_count(self, path: str, raw: object) -> int | None:
        """Read a whole number of 0 or more; 3.0 is one, true and "3" are not."""
        if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
            return raw
        if isinstance(raw, float) and raw >= 0 and raw.is_integer():
            return int(raw)
        return self._record_mismatch(path, raw, "a count")

    def read_number(self, path: str, raw: object) -> float | None:
        """Read any finite number; in an export also as text."""
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return raw
        decimal = parse_decimal(raw) if self.is_export else None
        return float(decimal) if decimal is not None else self._record_mismatch(path, raw, "a number")

    def read_quantity(self, path: str, raw: object) -> Decimal | float | None:
        """Read a number that an account can hold, exactly as it was written."""
        number = self.read_number(path, raw)
        if number is None or to_exact_decimal(number) is None:
            return None if number is None else self._record_mismatch(path, raw, "a quantity")
        decimal = parse_decimal(raw)
        return (to_exact_decimal(number) if decimal is None else decimal) if self.is_export else number

    def read_text(self, path: str, raw: object) -> str | None:
        """Read text; what is longer than a person reads is cut."""
        return raw[:_LONGEST_TEXT] if isinstance(raw, str) else self._record_mismatch(path, raw, "text")

    def read_identifier(self, path: str, raw: object) -> str | None:
        """Read an id, which may be text or a whole number; empty text is no id."""
        if isinstance(raw, str):
            return raw.strip()[:_LONGEST_ID] or None
        if isinstance(raw, float) and raw.is_integer():
            raw = int(raw)
        if isinstance(raw, int) and not isinstance(raw, bool):
            return str(raw)[:_LONGEST_ID]
        return self._record_mismatch(path, raw, "an id")

    def read_texts(self, path: str, raw: object) -> tuple[str, ...] | None:
        """Read a list of texts."""
        if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
            return tuple(raw)
        return self._record_mismatch(path, raw, "a list of texts")

    def read_length(self, path: str, raw: object) -> int | None:
        """Read a count, or a list of which the length counts."""
        return len(raw) if isinstance(raw, list) else self.read_count(path, raw)

    def read_flag_or_count(self, path: str, raw: object) -> int | None:
        """Read a count, or a flag as 1 or 0."""
        return int(raw) if isinstance(raw, bool) else self.read_count(path, raw)

    def read_time(self, path: str, raw: object) -> datetime | None:
        """Read RFC 3339, epoch seconds or epoch milliseconds; a time too far ahead is not seen."""
        try:
            if isinstance(raw, str):
                moment = parse_rfc3339(raw.strip(), self._zone)
            elif isinstance(raw, int | float) and not isinstance(raw, bool):
                moment = parse_epoch(raw)
            else:
                return self._record_mismatch(path, raw, "a time")
        except TimeError as error:
            self.add_fault(path, str(error))
            return None
        if moment.year < _FIRST_YEAR:
            return self._record_mismatch(path, raw, "a time of this runtime")
        return self.limit_to_taken_at(path, moment)

    def read_age(self, path: str, raw: object) -> datetime | None:
        """Read an age in seconds, counted back from when the section was true, as a time."""
        seconds = self.read_number(path, raw)
        if seconds is None:
            return None
        try:
            return self.limit_to_taken_at(path, self.as_of - timedelta(seconds=seconds))
        except OverflowError:
            return self._record_mismatch(path, raw, "an age")

    def limit_to_taken_at(self, path: str, moment: datetime) -> datetime | None:
        """Return the time; now where it is a little ahead, None and a skew where it is too far ahead."""
        if moment <= self.taken_at:
            return moment
        if moment - self.taken_at <= self._skew:
            return self.taken_at
        self.skewed.append((path, (moment - self.taken_at).total_seconds()))
        return None

    def read_objects(self, path: str, raw: object, fact: str) -> list[Mapping[str, Any]] | None:
        """Read a list of objects; one that is no object, or one too many, is left out: the fact is partial."""
        if raw is None:
            return None
        if not isinstance(raw, list):
            return self._record_mismatch(path, raw, "a list")
        items: list[Mapping[str, Any]] = [item for item in raw[:_MOST_ROWS] if isinstance(item, dict)]
        if len(items) == len(raw):
            self.read_paths.add(path)
            return items
        is_too_long = len(raw) > _MOST_ROWS
        self.add_fault(
            path, f"has over {_MOST_ROWS} entries" if is_too_long else "has an entry that is not an object"
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

        A row that does not say what it is about makes the fact partial: it may be any of them.
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
        kinds = _list_kinds(row_type)
        return row_type(
            **{name: self.read_value(kind, f"{path}.{name}", get(item, name)) for name, kind in kinds}
        )

    def _record_mismatch(self, path: str, raw: object, expected: str) -> T | None:
        """Note the fault and return None, the value of what was not seen."""
        number = "" if isinstance(raw, bool) or not isinstance(raw, int | float) else str(raw)
        actual = number if 0 < len(number) <= _LONGEST_NUMBER else describe_kind(raw)
        self.add_fault(path, f"is {actual}, not {expected}")
        return None


@cache
def _list_kinds(row_type: type[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, spec["kind"]) for name, spec in get_columns(row_type).items())


_COERCE: Mapping[str, Callable[[Reading, str, Any], Any]] = {
    "flag": Reading.read_flag,
    "count": Reading.read_count,
    "number": Reading.read_number,
    "quantity": Reading.read_quantity,
    "text": Reading.read_text,
    "id": Reading.read_identifier,
    "texts": Reading.read_texts,
    "csv": Reading.read_csv,
    "count or list": Reading.read_length,
    "flag or count": Reading.read_flag_or_count,
    "time": Reading.read_time,
    "age": Reading.read_age,
}
