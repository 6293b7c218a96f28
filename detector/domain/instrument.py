"""Instruments: the columns that identify one, their comparison, and its name for a person.

TWS, Flex and the runtimes write the same contract in different ways: `20260506` and `2026-05-06`, `C` and
`CALL`, `727` and `727.00`, or all of it in the option's symbol (OCC's 21 characters,
`SPY   260506C00727000`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.columns import build_column
from detector.domain.instrument_names import (
    COMMON_FUTURES,
    FUTURE,
    OPTIONS,
    is_known_expiry,
    is_known_type,
    normalize_expiry,
    normalize_right,
    normalize_symbol,
    normalize_type,
    parse_future,
)
from detector.formats.numbers import normalize_number

OPTION, COMBO = "OPT", "BAG"

_OCC = re.compile(r"([A-Z][A-Z0-9.]{0,5}) *(\d{6})([CP])(\d{8})", re.ASCII)
_STRIKE_UNIT = 1000  # OCC writes a strike in thousandths
_PARTS = ("symbol", "sec_type", "expiry", "strike", "right", "multiplier")
_DEFAULT_MULTIPLIER = 1  # what a store keeps of an option whose multiplier it never asked for


class Instrument(Struct, frozen=True):
    """The columns that identify an instrument; each may be unseen (None)."""

    symbol: str | None = build_column("id")
    con_id: str | None = build_column("id")
    sec_type: str | None = build_column("text")
    expiry: str | None = build_column("id")
    strike: float | None = build_column("number")
    right: str | None = build_column("text")
    multiplier: float | None = build_column("number")

    @property
    def instrument_name(self) -> str:
        """Return the instrument's one name: `SPY`, or `SPY 2026-05-06 727C` for an option."""
        return get_instrument_name(self)

    @property
    def is_vague(self) -> bool:
        """Whether a part of its name is missing or unknown, so that it may be one of several instruments."""
        named = normalize(self)
        if named.symbol is None:
            return True
        if named.sec_type is not None and not is_known_type(named.sec_type):
            return True
        if named.expiry is not None and not is_known_expiry(named.expiry):
            return True
        return named.is_option and None in (named.expiry, named.strike, named.right)

    @property
    def is_option(self) -> bool:
        """Whether it has what only an option has."""
        return self.sec_type in OPTIONS or self.strike is not None or self.right is not None

    @property
    def is_symbol_only(self) -> bool:
        """Whether a symbol is all that names it: a share, or anything on that symbol."""
        return self.con_id is None and (self.sec_type, self.expiry, self.strike, self.right) == (None,) * 4


def normalize(row: Instrument) -> Instrument:
    """Return the instrument's columns, each in its one form."""
    return _normalize_cached(
        Instrument(row.symbol, row.con_id, row.sec_type, row.expiry, row.strike, row.right, row.multiplier)
    )


@lru_cache(maxsize=4096)
def _normalize_cached(row: Instrument) -> Instrument:
    occ = _OCC.fullmatch((row.symbol or "").strip().upper())
    instrument = replace(
        row,
        symbol=normalize_symbol(row.symbol),
        sec_type=normalize_type(row.sec_type),
        expiry=normalize_expiry(row.expiry),
        strike=row.strike or None,  # TWS writes 0 for what has no strike
        right=normalize_right(row.right),
        multiplier=row.multiplier or None,
    )
    return _merge_occ_parts(instrument, occ) if occ else _apply_future_symbol(instrument)


def _merge_occ_parts(row: Instrument, occ: re.Match[str]) -> Instrument:
    """Return the option with its missing parts from its OCC symbol."""
    root, day, right, strike = occ.groups()
    return replace(
        row,
        symbol=normalize_symbol(root),
        sec_type=row.sec_type or OPTION,
        expiry=row.expiry or f"20{day[:2]}-{day[2:4]}-{day[4:]}",
        strike=row.strike or int(strike) / _STRIKE_UNIT,
        right=row.right or right,
    )


def _apply_future_symbol(row: Instrument) -> Instrument:
    """Return a future with its local symbol's root and expiry; an expiry without a strike means a future."""
    future = parse_future(row.symbol or "") if row.sec_type in (FUTURE, None) and not row.is_option else None
    if future is None:
        return row
    is_future = row.sec_type == FUTURE or row.expiry is not None or future[0] in COMMON_FUTURES
    return replace(row, symbol=future[0], expiry=row.expiry or future[1]) if is_future else row


def is_same(first: Instrument, second: Instrument) -> bool:
    """Whether two normalized instruments agree: by contract id, else in every part that both have.

    A part in an unknown form counts as missing.
    """
    if first.con_id is not None and second.con_id is not None:
        return first.con_id == second.con_id
    if first.symbol is None or second.symbol is None or has_different_type(first, second):
        return False
    pairs = ((part, getattr(first, part), getattr(second, part)) for part in _PARTS if part != "sec_type")
    return not any(
        _is_different(part, mine, theirs)
        for part, mine, theirs in pairs
        if mine is not None and theirs is not None
    )


def has_different_type(first: Instrument, second: Instrument) -> bool:
    """Whether two normalized instruments certainly differ in type; an option may be of any option type."""
    mine, theirs = _list_types(first), _list_types(second)
    return bool(mine) and bool(theirs) and not set(mine) & set(theirs)


def _list_types(row: Instrument) -> tuple[str, ...]:
    """Return the types that it may be of; none where they are unknown."""
    if row.sec_type is not None and is_known_type(row.sec_type):
        return (row.sec_type,)
    return OPTIONS if row.is_option else ()


def _is_different(part: str, mine: Any, theirs: Any) -> bool:
    if mine == theirs:
        return False
    if part == "expiry":
        return is_known_expiry(mine) and is_known_expiry(theirs) and not _is_month_of(mine, theirs)
    return part != "multiplier" or _DEFAULT_MULTIPLIER not in (mine, theirs)


def _is_month_of(first: str, second: str) -> bool:
    """Whether one is the contract month (`202606`, TWS's form of a future's) of the other (`2026-06-19`)."""
    month, day = sorted((first, second), key=len)
    return len(month) == len("YYYYMM") and day.startswith(f"{month[:4]}-{month[4:]}-")


def get_instrument_name(row: Instrument) -> str:
    """Return an instrument's one name: `SPY`, or `SPY 2026-05-06 727C` for an option."""
    named = normalize(row)
    symbol = named.symbol or (f"conid {named.con_id}" if named.con_id else "unknown instrument")
    if named.sec_type == FUTURE:
        return f"{symbol} {named.expiry}" if named.expiry else symbol
    if named.strike is None and named.right is None:
        return symbol
    strike = "" if named.strike is None else str(normalize_number(named.strike))
    return " ".join(part for part in (symbol, named.expiry, f"{strike}{named.right or ''}") if part)
