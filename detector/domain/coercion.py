"""Three-valued coercion of a section's values: a value, not seen (None), or a fault that is noted.

A value that is missing or null is not seen. A value that cannot be read is not seen either,
and its path is noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, TypeVar

from detector.domain.columns import KEPT, find_term
from detector.domain.provenance import Fault
from detector.domain.sides import get_sign
from detector.formats.errors import InputError
from detector.formats.numbers import NO_NAMES, is_unset, parse_decimal, to_exact_decimal
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import describe_kind, redact_excerpt
from detector.formats.times import parse_epoch, parse_rfc3339

T = TypeVar("T")
_LARGEST = 10**15  # nobody holds or owes as much
_LONGEST_ID, _LONGEST_TEXT, _LONGEST_NUMBER = 120, 500, 24
_CONTRACT_ID = build_pattern(r"0*([0-9]+)(?:\.0+)?(?:@[A-Z0-9.]*)?", re.ASCII)
_DAY = build_pattern(r"(?:19|20|21)\d\d(-?)\d\d\1\d\d", re.ASCII)
_UNKNOWN_SIDE = "?"
_NO_SIDE = ("", "-", _UNKNOWN_SIDE)  # in a column that has nothing to say
# Programs write year 1 or 1900 for a time that was never set, exports also 0 or the first day of the epoch.
_FIRST_YEAR, _FIRST_DAY_OF_EXPORTS = 1970, datetime(1970, 1, 2, tzinfo=UTC)


class ValueReader:
    """Reads one section's values: `invalid` paths, `skewed` times, and `read_paths` without a fault.

    In an export (`is_export`) numbers may be text, empty text is not seen and IBKR's largest double is unset;
    with `has_integer_flags`, as in SQLite, 0 and 1 are flags; with `has_text_numbers` a payload writes its
    numbers as text. `uses_clock` is True once something was read by the time of the snapshot.
    """

    def __init__(self, taken_at: datetime, skew_sec: float, zone: tzinfo | None = None) -> None:
        self._taken_at = self._as_of = taken_at
        self.uses_clock = False
        self.invalid: list[Fault] = []
        self.skewed: list[tuple[str, float]] = []
        self.read_paths: set[str] = set()
        self._skew = timedelta(seconds=skew_sec)
        self._zone = zone
        self.is_export = False
        self.has_integer_flags = False
        self.has_text_numbers = False

    @property
    def taken_at(self) -> datetime:
        """When the snapshot was taken; what is read by it can be another value in the next snapshot."""
        self.uses_clock = True
        return self._taken_at

    @property
    def as_of(self) -> datetime:
        """When the section was true; what is read by it can be another value in the next snapshot."""
        self.uses_clock = True
        return self._as_of

    @as_of.setter
    def as_of(self, moment: datetime) -> None:
        self._as_of = moment

    def build_trial(self) -> ValueReader:
        """Return a reader of the same kind that has noted nothing."""
        trial = ValueReader(self._taken_at, self._skew.total_seconds(), self._zone)
        trial.is_export, trial.has_integer_flags = self.is_export, self.has_integer_flags
        trial.has_text_numbers = self.has_text_numbers
        return trial

    def add_fault(self, path: str, problem: str) -> None:
        """Note that the value at `path` was there and could not be read."""
        self.invalid.append(Fault(path, problem))

    def read_value(self, kind: str, path: str, raw: object) -> Any:
        """Return the value of that kind, or None where it is null or cannot be read."""
        if raw is None or (self.is_export and is_unset(raw)):
            return None
        if self.has_text_numbers and kind in _NUMBERS and isinstance(raw, str):
            decimal = parse_decimal(raw)
            raw = raw if decimal is None else int(decimal) if decimal == int(decimal) else float(decimal)
        faults = len(self.invalid) + len(self.skewed)
        read = _COERCE.get(kind)
        value = self.read_term(kind, path, raw) if read is None else read(self, path, raw)
        if len(self.invalid) + len(self.skewed) == faults:
            self.read_paths.add(path)
        return value

    def read_csv(self, path: str, raw: object) -> str | None:
        """Read a table as text, whole."""
        return raw if isinstance(raw, str) else self.record_mismatch(path, raw, "text")

    def read_flag(self, path: str, raw: object) -> bool | None:
        """Read true or false; 0 and 1 are not flags."""
        if isinstance(raw, bool):
            return raw
        if self.has_integer_flags and isinstance(raw, int) and raw in (0, 1):
            return bool(raw)
        return self.record_mismatch(path, raw, "true or false")

    def read_count(self, path: str, raw: object) -> int | None:
        """Read a whole number of 0 or more; 3.0 is one, true and "3" are not."""
        if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
            return raw
        if isinstance(raw, float) and raw >= 0 and raw.is_integer():
            return int(raw)
        return self.record_mismatch(path, raw, "a count")

    def read_exit_code(self, path: str, raw: object) -> int | None:
        """Read a whole number; the exit code of a program that a signal ended is negative."""
        if isinstance(raw, int) and not isinstance(raw, bool):
            return raw
        if isinstance(raw, float) and raw.is_integer():
            return int(raw)
        return self.record_mismatch(path, raw, "an exit code")

    def read_number(self, path: str, raw: object) -> float | None:
        """Read any finite number; in an export also as text."""
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return raw
        decimal = parse_decimal(raw) if self.is_export else None
        return float(decimal) if decimal is not None else self.record_mismatch(path, raw, "a number")

    def read_amount(self, path: str, raw: object) -> float | None:
        """Read a price, an amount of money or a level; what is larger than any of these is none."""
        number = self.read_number(path, raw)
        is_none = number is not None and abs(number) >= _LARGEST
        return self.record_mismatch(path, raw, "an amount") if is_none else number

    def read_contract_number(self, path: str, raw: object) -> float | None:
        """Read a strike or a multiplier, which IBKR itself writes as text; empty text is not seen."""
        decimal = parse_decimal(raw)
        if decimal is None and isinstance(raw, str) and not raw.strip():
            return None
        number = self.read_amount(path, raw if decimal is None else float(decimal))
        return self.record_mismatch(path, raw, "0 or more") if number is not None and number < 0 else number

    def read_quantity(self, path: str, raw: object) -> Decimal | float | None:
        """Read a number that an account can hold, exactly as it was written."""
        number = self.read_number(path, raw)
        if number is None or to_exact_decimal(number) is None:
            return None if number is None else self.record_mismatch(path, raw, "a quantity")
        decimal = parse_decimal(raw)
        return (to_exact_decimal(number) if decimal is None else decimal) if self.is_export else number

    def read_text(self, path: str, raw: object) -> str | None:
        """Read text; what is longer than a person reads is cut."""
        return raw[:_LONGEST_TEXT] if isinstance(raw, str) else self.record_mismatch(path, raw, "text")

    def read_identifier(self, path: str, raw: object) -> str | None:
        """Read an id, which may be text or a whole number; empty text is no id."""
        if isinstance(raw, str):
            text = raw.strip()[:_LONGEST_ID]
            return self.record_mismatch(path, raw, "an id") if text in NO_NAMES else text or None
        if isinstance(raw, float) and raw.is_integer():
            raw = int(raw)
        if isinstance(raw, int) and not isinstance(raw, bool):
            return str(raw)[:_LONGEST_ID]
        return self.record_mismatch(path, raw, "an id")

    def read_contract_id(self, path: str, raw: object) -> str | None:
        """Read IBKR's number of a contract, also as `811.0` (pandas) and `811@SMART` (Client Portal)."""
        text = self.read_identifier(path, raw)
        number = _CONTRACT_ID.fullmatch(text or "")
        if text is not None and number is None:
            self.add_fault(path, f"is {redact_excerpt(text)}, which is no contract id")
        return text if number is None else number[1] if number[1] != "0" else None

    def read_side(self, path: str, raw: object) -> str | None:
        """Read a side as text, or as 1 and -1; an unknown one stays, so that no sign is taken for it."""
        is_sign = raw in (1, -1) and not isinstance(raw, bool)
        side = f"{raw:.0f}" if is_sign else raw
        if isinstance(side, str) and (side.strip() in _NO_SIDE or get_sign(side) is not None):
            return side[:_LONGEST_TEXT]
        self.add_fault(path, f"is {redact_excerpt(str(raw))}, which is no known side")
        return side[:_LONGEST_TEXT] if isinstance(side, str) else _UNKNOWN_SIDE

    def read_label(self, path: str, raw: object) -> str | None:
        """Read a word as text, and a number or a flag that stands for a word as the text of it."""
        if isinstance(raw, bool):
            return str(raw).lower()
        return self.read_text(path, f"{raw:g}" if isinstance(raw, int | float) else raw)

    def read_term(self, kind: str, path: str, raw: object) -> str | None:
        """Read a word of that kind in its usual form; an unknown one is noted and, but for some, None."""
        text = self.read_text(path, raw)
        word = None if text is None else find_term(kind, text)
        if text is None or word is not None:
            return word
        self.add_fault(path, f"is {redact_excerpt(text)}, which is no known {kind}")
        return text if kind in KEPT else None

    def read_texts(self, path: str, raw: object) -> tuple[str, ...] | None:
        """Read a list of texts."""
        if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
            return tuple(raw)
        return self.record_mismatch(path, raw, "a list of texts")

    def read_length(self, path: str, raw: object) -> int | None:
        """Read a count, or a list of which the length counts."""
        return len(raw) if isinstance(raw, list) else self.read_count(path, raw)

    def read_flag_or_count(self, path: str, raw: object) -> int | None:
        """Read a count, or a flag as 1 or 0."""
        return int(raw) if isinstance(raw, bool) else self.read_count(path, raw)

    def read_time(self, path: str, raw: object) -> datetime | None:
        """Read RFC 3339, epoch seconds or epoch milliseconds; a time too far ahead is not seen.

        In an export 0 is none, and neither is the first day of the epoch a time of this runtime.
        """
        if self.is_export and raw == 0 and not isinstance(raw, bool):
            return None
        try:
            if isinstance(raw, str):
                moment = parse_rfc3339(raw.strip(), self._zone)
            elif isinstance(raw, int | float) and not isinstance(raw, bool):
                moment = parse_epoch(raw)
            else:
                return self.record_mismatch(path, raw, "a time")
        except InputError as error:
            self.add_fault(path, str(error))
            return None
        if moment.year < _FIRST_YEAR or (self.is_export and moment < _FIRST_DAY_OF_EXPORTS):
            return self.record_mismatch(path, raw, "a time of this runtime")
        return self.limit_to_taken_at(path, moment)

    def read_day_or_time(self, path: str, raw: object) -> datetime | None:
        """Read a time, or a day as its first moment, by which rows are ordered; without a zone it is UTC."""
        text = str(raw).strip()
        try:
            if _DAY.fullmatch(text):
                return datetime.fromisoformat(text).replace(tzinfo=UTC)
            number = None if isinstance(raw, bool) else parse_decimal(text)
            return parse_rfc3339(text, self._zone or UTC) if number is None else parse_epoch(float(number))
        except (InputError, ValueError):
            return self.record_mismatch(path, raw, "a day or a time")

    def read_age(self, path: str, raw: object) -> datetime | None:
        """Read an age in seconds, counted back from when the section was true, as a time."""
        seconds = self.read_number(path, raw)
        if seconds is None:
            return None
        try:
            return self.limit_to_taken_at(path, self.as_of - timedelta(seconds=seconds))
        except OverflowError:
            return self.record_mismatch(path, raw, "an age")

    def limit_to_taken_at(self, path: str, moment: datetime) -> datetime | None:
        """Return the time; now where it is a little ahead, None and a skew where it is too far ahead."""
        if moment <= self._taken_at:  # and not after that of any later snapshot
            return moment
        if moment - self.taken_at <= self._skew:
            return self.taken_at
        self.skewed.append((path, (moment - self.taken_at).total_seconds()))
        return None

    def record_mismatch(self, path: str, raw: object, expected: str) -> T | None:
        """Note the fault and return None, the value of what was not seen."""
        number = "" if isinstance(raw, bool) or not isinstance(raw, int | float) else str(raw)
        actual = number if 0 < len(number) <= _LONGEST_NUMBER else describe_kind(raw)
        self.add_fault(path, f"is {actual}, not {expected}")
        return None


_NUMBERS = ("count", "number", "quantity", "age", "count or list", "flag or count")
_COERCE: Mapping[str, Callable[[ValueReader, str, Any], Any]] = {
    "flag": ValueReader.read_flag,
    "count": ValueReader.read_count,
    "exit code": ValueReader.read_exit_code,
    "number": ValueReader.read_amount,
    "contract number": ValueReader.read_contract_number,
    "quantity": ValueReader.read_quantity,
    "text": ValueReader.read_text,
    "id": ValueReader.read_identifier,
    "contract id": ValueReader.read_contract_id,
    "side": ValueReader.read_side,
    "sign": ValueReader.read_label,
    "state": ValueReader.read_label,
    "texts": ValueReader.read_texts,
    "csv": ValueReader.read_csv,
    "count or list": ValueReader.read_length,
    "flag or count": ValueReader.read_flag_or_count,
    "time": ValueReader.read_time,
    "day or time": ValueReader.read_day_or_time,
    "age": ValueReader.read_age,
}
