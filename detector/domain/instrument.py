"""Instruments: the columns that identify one, their one form, and its name for a person.

TWS, Flex and the runtimes write the same contract in different ways: `20260506` and `2026-05-06`, `C` and
`CALL`, `727` and `727.00`, or all of it in the option's symbol (OCC's 21 characters,
`SPY   260506C00727000`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.columns import RIGHT, SECURITY_TYPE, build_column, get_columns
from detector.domain.instrument_names import (
    COMMON_FUTURES,
    CONTINUOUS,
    FUTURE,
    OPTIONS,
    is_known_expiry,
    is_known_type,
    is_month_of,
    normalize_currency,
    normalize_expiry,
    normalize_right,
    normalize_symbol,
    normalize_type,
    parse_continuous,
    parse_future,
    split_pair,
    split_venue,
)
from detector.formats.numbers import normalize_number
from detector.formats.patterns import build_pattern

OPTION, COMBO = "OPT", "BAG"

_OCC = build_pattern(r"(?:O:)?([A-Z0-9][A-Z0-9.]{0,5}) *(\d{6})([CP])(\d{8})", re.ASCII)
_ROOT, _STRIKE = r"(?P<root>[A-Z][A-Z0-9.]{0,5})", r"(?P<strike>\d{1,6}(?:\.\d{1,4})?)"
_RIGHT = r"(?P<right>C|P|CALL|PUT)"
# An option in one text, as people and IBKR's statements write it: SPY 19JUN26 727 C, .SPY260619C727.
_OPTION_TEXTS = tuple(
    build_pattern(form, re.ASCII)
    for form in (
        rf"\.?{_ROOT} ?(?P<day>\d{{6}}){_RIGHT}{_STRIKE}",
        rf"{_ROOT}_(?P<month>\d\d)(?P<day>\d\d)(?P<year>\d\d){_RIGHT}{_STRIKE}",
        rf"{_ROOT}[ _-]+(?P<day>[0-9A-Z/'-]{{5,11}})[ _-]+{_STRIKE}[ _-]*{_RIGHT}",
        rf"{_ROOT}[ _-]+(?P<day>[0-9A-Z/'-]{{5,11}})[ _-]+{_RIGHT}[ _-]*{_STRIKE}",
    )
)
_WHOLE = ("local_symbol", "con_id")  # an option's whole name
_STRIKE_UNIT = 1000  # OCC writes a strike in thousandths


class Instrument(Struct, frozen=True):
    """The columns that identify an instrument; each may be unseen (None)."""

    symbol: str | None = build_column("id")
    con_id: str | None = build_column("contract id")
    sec_type: str | None = build_column(SECURITY_TYPE, needed=("sec_type",))
    expiry: str | None = build_column("id", needed=("expiry", *_WHOLE), beside=("strike", "right"))
    strike: float | None = build_column("contract number", needed=("strike", *_WHOLE), beside=("right",))
    right: str | None = build_column(RIGHT, needed=("right", *_WHOLE), beside=("strike",))
    multiplier: float | None = build_column("contract number")
    local_symbol: str | None = build_column("id", doc="the exchange's own symbol: ESM6, or an OCC symbol")
    trading_class: str | None = build_column("id", doc="SPX or SPXW: two contracts under one symbol")
    currency: str | None = build_column("id")

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


INSTRUMENT_COLUMNS = tuple(get_columns(Instrument))
"""The names of the columns above, in order."""
_get_parts = attrgetter(*INSTRUMENT_COLUMNS)


def normalize(row: Instrument) -> Instrument:
    """Return the instrument's columns, each in its one form."""
    return _normalize_cached(row if type(row) is Instrument else Instrument(*_get_parts(row)))


@lru_cache(maxsize=16384)
def _normalize_cached(row: Instrument) -> Instrument:
    symbol, currency = split_venue((row.symbol or "").strip().upper())
    texts = (symbol, (row.local_symbol or "").strip().upper())
    occ = next((match for match in map(_OCC.fullmatch, texts) if match), None)
    instrument = replace(
        row,
        symbol=normalize_symbol(symbol or row.local_symbol),
        sec_type=normalize_type(row.sec_type),
        expiry=normalize_expiry(row.expiry),
        strike=row.strike or None,  # TWS writes 0 for what has no strike
        right=normalize_right(row.right),
        multiplier=row.multiplier or None,
        local_symbol=normalize_symbol(row.local_symbol),
        trading_class=normalize_symbol(row.trading_class),
        currency=normalize_currency(row.currency) or currency,
    )
    if occ:
        return _merge_occ_parts(instrument, occ, is_symbol=occ.string == texts[0])
    option = _parse_option_text(texts[0])
    if option:
        return replace(instrument, **{**option, **_list_seen(instrument, option)})
    pair = split_pair(texts[0] or texts[1], instrument.sec_type)
    if pair:
        base, quote, sec_type = pair
        return replace(instrument, symbol=base, currency=quote, sec_type=sec_type)
    root = parse_continuous(texts[0]) if instrument.sec_type in (FUTURE, None) else None
    return _apply_future_symbol(replace(instrument, symbol=root, sec_type=CONTINUOUS) if root else instrument)


def _list_seen(row: Instrument, parts: Mapping[str, object]) -> dict[str, object]:
    """Return the row's own values of those parts, its symbol excepted."""
    return {name: value for name in parts if name != "symbol" and (value := getattr(row, name)) is not None}


@lru_cache(maxsize=4096)
def _parse_option_text(text: str) -> dict[str, str | float] | None:
    """Return symbol, expiry, strike and right of an option in one text; None for any other symbol."""
    for form in _OPTION_TEXTS:
        match = form.fullmatch(text)
        parts = match.groupdict() if match else {}
        day = f"{parts['year']}{parts['month']}{parts['day']}" if "year" in parts else parts.get("day")
        expiry = normalize_expiry(day)
        if match and is_known_expiry(expiry):
            return {"symbol": normalize_symbol(match["root"]) or "", "expiry": expiry or "",
                    "strike": float(match["strike"]), "right": match["right"][0]}  # fmt: skip
    return None


def _merge_occ_parts(row: Instrument, occ: re.Match[str], *, is_symbol: bool) -> Instrument:
    """Return the option with its missing parts from its OCC symbol, its root is the trading class."""
    root, day, right, strike = occ.groups()
    return replace(
        row,
        symbol=normalize_symbol(root) if is_symbol or row.symbol is None else row.symbol,
        sec_type=row.sec_type or OPTION,
        expiry=row.expiry or f"20{day[:2]}-{day[2:4]}-{day[4:]}",
        strike=row.strike or int(strike) / _STRIKE_UNIT,
        right=row.right or right,
        local_symbol=occ.string.removeprefix("O:"),
        trading_class=row.trading_class or normalize_symbol(root),
    )


def _apply_future_symbol(row: Instrument) -> Instrument:
    """Return a future with its local symbol's root and month; an expiry without a strike means a future.

    A symbol that merely looks like one (ESTX50, OMXH25) stays: its expiry disagrees, or its year has two
    digits and its root is no common one.
    """
    future = parse_future(row.symbol or "") if row.sec_type in (FUTURE, None) and not row.is_option else None
    if future is None:
        return row
    root, month = future
    is_common = root in COMMON_FUTURES
    if row.expiry is not None:
        is_future = not is_known_expiry(row.expiry) or row.expiry == month or is_month_of(row.expiry, month)
    else:
        is_future = is_common or (row.sec_type == FUTURE and not (row.symbol or "")[-2:].isdigit())
    if not is_future:
        return row
    return replace(row, symbol=root, expiry=row.expiry or month, local_symbol=row.local_symbol or row.symbol)


def get_instrument_name(row: Instrument) -> str:
    """Return an instrument's one name: `SPY`, or `SPY 2026-05-06 727C` for an option."""
    named = normalize(row)
    symbol = named.symbol or (f"conid {named.con_id}" if named.con_id else "(instrument not named)")
    if named.sec_type == FUTURE:
        return f"{symbol} {named.expiry}" if named.expiry else symbol
    if named.sec_type == "CASH" and named.currency:
        return f"{symbol}.{named.currency}"
    if named.strike is None and named.right is None:
        return symbol
    strike = "" if named.strike is None else str(normalize_number(named.strike))
    return " ".join(part for part in (symbol, named.expiry, f"{strike}{named.right or ''}") if part)
