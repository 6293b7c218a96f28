"""Instruments: the columns that identify one, their one form, and its name for a person.

TWS, Flex and the runtimes write the same contract in different ways: `20260506` and `2026-05-06`, `C` and
`CALL`, `727` and `727.00`, or all of it in the option's symbol (OCC's 21 characters,
`SPY   260506C00727000`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.columns import RIGHT, SECURITY_TYPE, build_column, get_columns
from detector.domain.instrument_names import (
    COMMON_FUTURES,
    CONTINUOUS,
    FUTURE,
    OPTIONS,
    PERPETUAL,
    is_known_expiry,
    is_known_type,
    is_month_of,
    is_plain_name,
    normalize_currency,
    normalize_expiry,
    normalize_right,
    normalize_symbol,
    normalize_type,
    parse_continuous,
    parse_future,
    parse_future_option,
    parse_perpetual,
    parse_spaced_future,
    split_notes,
    split_pair,
    to_capitals,
)
from detector.formats.numbers import normalize_number
from detector.formats.patterns import build_pattern

OPTION, COMBO = "OPT", "BAG"

_OCC = build_pattern(
    r"(?:O:)?([A-Z0-9][A-Z0-9.]{0,5}) *(\d{6})([CP])(\d{8})(?: US)?(?: EQUITY| INDEX)?", re.ASCII
)
_ROOT, _STRIKE = r"[.+-]?(?P<root>[A-Z][A-Z0-9.]{0,5})", r"(?P<strike>\d{1,6}(?:\.\d{1,4})?)"
_RIGHT, _DASH, _GAP = r"(?P<right>C|P|CALL|PUT)", r"[ :|_-]*", r"[ :|_-]+"
_DAY = (
    r"(?P<day>\d{6}(?:\d\d)?|\d{4}-\d\d-\d\d|\d\d?/\d\d?/(?:20)?\d\d"
    r"|\d{1,2}[ -]?[A-Z]{3,9}[ -]?'?(?:20)?\d\d|[A-Z]{3,9} ?(?:\d{1,2}(?:,? |,|(?=')))?'?(?:20)?\d\d)"
)
_END = r"(?: (?:US|SMART|EQUITY|INDEX|CBOE))*"
# An option in one text, as people and IBKR's statements write it: SPY 19JUN26 727 C, .SPY260619C727.
_OPTION_TEXTS = tuple(
    build_pattern(form, re.ASCII)
    for form in (
        rf"{_ROOT}_(?P<month>\d\d)(?P<day>\d\d)(?P<year>\d\d){_RIGHT}{_STRIKE}",
        rf"{_ROOT}{_DASH}(?:(?:US|OPT|OPTION){_GAP})?{_DAY}{_DASH}{_RIGHT}{_DASH}{_STRIKE}{_END}",
        rf"{_ROOT}{_DASH}(?:(?:US|OPT|OPTION){_GAP})?{_DAY}{_GAP}{_STRIKE}{_DASH}{_RIGHT}{_END}",
    )
)
_DAY_OR_YEAR = build_pattern(r"[A-Z]{3} ?([0-3]\d)", re.ASCII)  # TWS writes Jun19 for a day of this year
_DAY_OR_MONTH = build_pattern(
    r"(?:0?[1-9]|1[0-2])/(?:0?[1-9]|1[0-2])/(?:20)?\d\d", re.ASCII
)  # 06/02/26 is June at Bloomberg, and may be February
_WHOLE = ("local_symbol", "con_id")  # an option's whole name
_STRIKE_UNIT = 1000  # OCC writes a strike in thousandths


class Instrument(Struct, frozen=True, cache_hash=True):
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
    def is_named(self) -> bool:
        """Whether the row says which instrument it is."""
        return bool(self.symbol or self.local_symbol or self.con_id)

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
    text = to_capitals(row.symbol)
    symbol, noted_type, currency = split_notes(text)
    texts = (symbol, to_capitals(row.local_symbol))
    occ = next((match for text in texts if not is_plain_name(text) and (match := _OCC.fullmatch(text))), None)
    instrument = replace(
        row,
        symbol=normalize_symbol(symbol or row.local_symbol),
        sec_type=normalize_type(row.sec_type) or noted_type,
        expiry=normalize_expiry(row.expiry),
        strike=row.strike or None,  # TWS writes 0 for what has no strike
        right=normalize_right(row.right),
        multiplier=row.multiplier or None,
        local_symbol=normalize_symbol(row.local_symbol),
        trading_class=normalize_symbol(row.trading_class),
        currency=normalize_currency(row.currency) or currency,
    )
    if occ:
        instrument = replace(instrument, sec_type=normalize_type(row.sec_type))
        return _merge_occ_parts(instrument, occ, is_symbol=occ.string == texts[0] or not symbol)
    option = _parse_option_text(text)
    if option:
        given = replace(instrument, sec_type=normalize_type(row.sec_type))
        return replace(given, **{**option, **_list_seen(given, option)})
    of_future = _parse_future_option(instrument, *texts)
    if of_future:
        return replace(instrument, **of_future)
    coin = parse_perpetual(texts[0])
    if coin:
        return replace(instrument, symbol=coin, sec_type=instrument.sec_type or PERPETUAL)
    pair = split_pair(texts[0] or texts[1], instrument.sec_type)
    if pair:
        base, quote, sec_type = pair
        return replace(instrument, symbol=base, currency=quote, sec_type=sec_type)
    root = parse_continuous(texts[0].removeprefix("/")) if instrument.sec_type in (FUTURE, None) else None
    return _apply_future_symbol(replace(instrument, symbol=root, sec_type=CONTINUOUS) if root else instrument)


def _list_seen(row: Instrument, parts: Mapping[str, object]) -> dict[str, object]:
    """Return the row's own values of those parts, its symbol excepted."""
    return {name: value for name in parts if name != "symbol" and (value := getattr(row, name)) is not None}


def _parse_future_option(row: Instrument, *texts: str) -> dict[str, object]:
    """Return the parts of an option on a future that its local symbol gives, and the row's own ones."""
    parts = next((parts for text in texts if (parts := parse_future_option(text))), None)
    if parts is None or row.sec_type not in (None, "FOP"):
        return {}
    is_symbol = parse_future_option(texts[0]) is not None or not texts[0]
    return {**parts, **_list_seen(row, parts), **({} if is_symbol else {"symbol": row.symbol})}


@lru_cache(maxsize=4096)
def _parse_option_text(text: str) -> dict[str, str | float | None] | None:
    """Return symbol, expiry, strike and right of an option in one text; None for any other symbol."""
    for form in () if is_plain_name(text) else _OPTION_TEXTS:
        match = form.fullmatch(text)
        parts = match.groupdict() if match else {}
        day = f"{parts['year']}{parts['month']}{parts['day']}" if "year" in parts else parts.get("day")
        expiry = normalize_expiry(day)
        is_known = is_known_expiry(expiry) and not _DAY_OR_YEAR.fullmatch(day or "")
        if match and (is_known_expiry(expiry) or _DAY_OR_MONTH.fullmatch(day or "")):
            return {"symbol": normalize_symbol(match["root"]) or "", "expiry": expiry if is_known else None,
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
        local_symbol=occ[0][occ.start(1) : occ.end(4)],
        trading_class=row.trading_class or normalize_symbol(root),
    )


def _apply_future_symbol(row: Instrument) -> Instrument:
    """Return a future with its local symbol's root and month; an expiry without a strike means a future.

    A symbol that merely looks like one (ESTX50, OMXH25) stays: its expiry disagrees, or its year has two
    digits and its root is no common one.
    """
    if row.sec_type not in (FUTURE, None) or row.is_option or row.symbol is None:
        return row
    if row.expiry is None and (spaced := parse_spaced_future(row.symbol)):
        return replace(row, symbol=spaced[0], expiry=spaced[1], local_symbol=row.local_symbol or row.symbol)
    future = parse_future(row.symbol)
    if future is None:
        return row
    root, month = future
    is_common = root in COMMON_FUTURES
    if row.expiry is not None:
        is_future = not is_known_expiry(row.expiry) or row.expiry == month or is_month_of(row.expiry, month)
    else:
        is_future = is_common or (row.sec_type == FUTURE and not row.symbol[-2:].isdigit())
    if not is_future:
        return row
    return replace(row, symbol=root, expiry=row.expiry or month, local_symbol=row.local_symbol or row.symbol)


_UNNAMED = "(instrument not named)"


def get_instrument_name(row: Instrument) -> str:
    """Return an instrument's one name: `SPY`, or `SPY 2026-05-06 727C` for an option."""
    return _format_name(normalize(row))


@lru_cache(maxsize=16384)
def _format_name(named: Instrument) -> str:
    symbol = named.symbol or (f"conid {named.con_id}" if named.con_id else _UNNAMED)
    if named.sec_type == FUTURE:
        return f"{symbol} {named.expiry}" if named.expiry else symbol
    if named.sec_type == "CASH" and named.currency:
        return f"{symbol}.{named.currency}"
    if named.strike is None and named.right is None:
        return symbol
    strike = "" if named.strike is None else str(normalize_number(named.strike))
    return " ".join(part for part in (symbol, named.expiry, f"{strike}{named.right or ''}") if part)


def describe_order(number: str | None, row: Instrument) -> str:
    """Return an order or an execution for a person: its number, and its instrument in brackets."""
    name = get_instrument_name(row)
    return f"#{number} {name if name == _UNNAMED else f'({name})'}" if number else name


_MOST_NAMESAKES = 20
_PARTS_BESIDE_NAME = {"sec_type": "", "currency": "", "multiplier": "times ", "trading_class": "class ",
                      "con_id": "conid "}  # fmt: skip


def describe_apart(row: Instrument, namesakes: Iterable[Instrument]) -> str:
    """Return an instrument's one name, and the parts in which another of that name differs: `SHOP (CAD)`."""
    named, others = normalize(row), [normalize(other) for other in islice(namesakes, _MOST_NAMESAKES)]
    values = {part: {getattr(other, part) for other in others} - {None} for part in _PARTS_BESIDE_NAME}
    texts = [
        f"{title}{value:g}" if isinstance(value, float) else f"{title}{value}"
        for part, title in _PARTS_BESIDE_NAME.items()
        if (value := getattr(named, part)) is not None and values[part] - {value}
    ]
    return f"{get_instrument_name(row)} ({', '.join(texts)})" if texts else get_instrument_name(row)
