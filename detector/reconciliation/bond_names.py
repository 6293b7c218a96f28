"""The kinds of name that a bond, or a share named by a code, bears: a code says nothing of another kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from detector.domain.instrument import Instrument
from detector.domain.instrument_names import STOCK, TYPES
from detector.formats.patterns import build_pattern

BONDS: Final = ("BOND", "BILL", "FIXED")
_WITH_CODES = (STOCK, "FUND")
# The first that fits counts. IBCID and a number is IBKR's own code of a bond.
_CODES: Final = {
    "ibcid": build_pattern(r"IBCID\d+", re.ASCII),
    "figi": build_pattern(r"BBG[A-Z0-9]{9}", re.ASCII),
    "isin": build_pattern(r"[A-Z]{2}[A-Z0-9]{9}\d", re.ASCII),
    "cusip": build_pattern(r"[A-Z0-9]{8}\d", re.ASCII),
}
_ISSUER, _TEXT = "issuer", "text"
_ISSUER_SYMBOL = build_pattern(r"[A-Z]{1,6}", re.ASCII)
_ISIN_OF_CUSIP = ("US", "CA")  # their ISIN is the country, the CUSIP and a check digit


@lru_cache(maxsize=16384)
def list_bond_names(row: Instrument) -> Mapping[str, frozenset[str]]:
    """Return the names of a normalized bond by kind, a code's first; empty where it is, or has, none.

    Of a share, or of what has no known type, a code is such a name too.
    """
    kinds: dict[str, set[str]] = {}
    for text in (row.symbol, row.local_symbol):
        name = re.sub(r"[^A-Z0-9]", "", text or "")
        kind = next((kind for kind, code in _CODES.items() if code.fullmatch(name)), None)
        if kind == "cusip" and row.sec_type not in BONDS and (name != text or not _has_check_digit(name)):
            kind = None  # ES 202606
        if name:
            kinds.setdefault(kind or (_ISSUER if _ISSUER_SYMBOL.fullmatch(name) else _TEXT), set()).add(name)
        if kind == "isin" and name.startswith(_ISIN_OF_CUSIP):
            kinds.setdefault("cusip", set()).add(name[2:-1])
    has_code = bool(kinds.keys() & _CODES.keys()) and (
        row.sec_type in _WITH_CODES or row.sec_type not in TYPES
    )
    if row.sec_type not in BONDS and not has_code:
        return {}
    return {kind: frozenset(kinds[kind]) for kind in (*_CODES, _TEXT, _ISSUER) if kind in kinds}


def _has_check_digit(cusip: str) -> bool:
    """Whether its last digit is that of the eight before it. Source: ANSI X9.6."""
    values = [int(letter, 36) * (1 + at % 2) for at, letter in enumerate(cusip[:-1])]
    return (sum(value // 10 + value % 10 for value in values) + int(cusip[-1])) % 10 == 0


def has_common_bond_name(first: Instrument, second: Instrument) -> bool | None:
    """Whether two bonds share a name; None where no name of theirs is of one kind, or only their issuer's."""
    mine, theirs = list_bond_names(first), list_bond_names(second)
    kind = next((kind for kind in mine if kind in theirs), None)
    if kind is None:
        return None
    is_shared = bool(mine[kind] & theirs[kind])
    return None if is_shared and kind == _ISSUER and len(mine) > 1 < len(theirs) else is_shared


def list_codes(row: Instrument) -> frozenset[str]:
    """Return the kinds of code that alone name a normalized row of no bond; none where it has a symbol."""
    names = list_bond_names(row)
    is_undated = not (row.is_option or row.expiry)
    is_code = bool(names) and is_undated and row.sec_type not in BONDS and not names.keys() & {_ISSUER, _TEXT}
    return frozenset(names) if is_code else frozenset()
