"""Numbers as an export writes them: decimals as text, and what IBKR writes for nothing."""

from __future__ import annotations

import re
from decimal import Decimal

_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_UNSET = 1.7e308  # IBKR writes the largest double, 1.7976931348623157E308


def parse_decimal(raw: object) -> Decimal | None:
    """Return the decimal that a text is, exactly, or None: no separators, no hexadecimal, no NaN."""
    text = raw.strip() if isinstance(raw, str) else ""
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def is_unset(raw: object) -> bool:
    """Whether an export says nothing by it: empty text, or the double that IBKR writes for "not set"."""
    return (isinstance(raw, str) and not raw.strip()) or (isinstance(raw, float) and raw >= _UNSET)
