"""Numbers: as exports write them, as exact decimals, and as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from functools import lru_cache

from detector.formats.patterns import build_pattern

_DECIMAL = build_pattern(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
GROUPED_NUMBER = build_pattern(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
"""A number with commas of thousands: 1,234 and 1,234.5; not 39,00."""
# What IBKR writes for "not set": the largest double and integers, of ibapi also the largest Decimal.
_UNSET, _UNSET_DIGITS, _UNSET_DOUBLE = 1.7e308, "7976931348623157", "1.7976931348623157E308"
_UNSET_NUMBERS = frozenset([2**31 - 1, 2**63 - 1, 2**127 - 1])
NO_NAMES = frozenset(["nan", "NaN", "NaT", "<NA>", "None", "null"])
"""What programs write for nothing, and what therefore is no text for a name."""
_UNSET_TEXTS = frozenset([*NO_NAMES, *map(str, _UNSET_NUMBERS)])


def parse_decimal(raw: object) -> Decimal | None:
    """Return the decimal that a text is, exactly, or None: no separators, no hexadecimal, no NaN."""
    if not isinstance(raw, str):
        return None
    text = raw.strip()
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def is_unset(raw: object) -> bool:
    """Whether an exported value is unset: empty text, no number in Python's words, IBKR's largest numbers."""
    if isinstance(raw, str):
        text = raw.strip()
        is_double = _UNSET_DIGITS in text and text.upper().replace("+", "").startswith(_UNSET_DOUBLE)
        return not text or text in _UNSET_TEXTS or is_double
    return isinstance(raw, int | float) and (raw in _UNSET_NUMBERS or raw >= _UNSET)


def format_count(count: int, singular: str, plural: str | None = None) -> str:
    """Return `1 exit` or `2 exits`; `plural` where it is not the singular with an s."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def format_list(names: Iterable[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


def format_first(texts: Sequence[str], most: int, separator: str = ", ", rest: str = " and {} more") -> str:
    """Return the first texts, and how many more there are."""
    more = len(texts) - most
    return separator.join(texts[:most]) + (rest.format(more) if more > 0 else "")


_LARGEST, _FINEST = Decimal(10) ** 12, -12
_DOUBLE = Context(prec=15)  # decimal digits that every double keeps; the sixteenth and seventeenth are noise


def to_exact_decimal(number: float | Decimal | None) -> Decimal | None:
    """Return the number as the decimal that was written, or None beyond what an account can hold.

    A double is read as its shortest text, so 0.1 is a tenth, and without the noise behind its fifteenth digit
    (57.680000000000007 is 57.68). Within 10^12 and 12 places the sum of ten
    thousand numbers is exact in the 28 digits of a decimal.
    """
    if number is None:
        return None
    return _parse_exact(str(number) if isinstance(number, Decimal) else repr(number))


@lru_cache(maxsize=4096)  # several rules ask for each quantity, and a replay at each snapshot
def _parse_exact(text: str) -> Decimal | None:
    decimal = Decimal(text)
    exponent = decimal.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST:
        decimal = _DOUBLE.plus(decimal)
        exponent = decimal.normalize().as_tuple().exponent
    fits = isinstance(exponent, int) and abs(decimal) < _LARGEST and exponent >= _FINEST
    return decimal if fits else None


def format_quantity(quantity: Decimal) -> str:
    """Return a quantity as people write it: 39, -39, 0.5."""
    return format(quantity.normalize() + 0, "f")


def normalize_number(number: float) -> float:
    """Return an integral float as an integer, so that 300.0 s reads as 300 s."""
    return int(number) if float(number).is_integer() else round(number, 3)
