"""What is traded: the columns that name an instrument, their one form, and its name for a person.

TWS, Flex and the runtimes write the same contract in different ways: `20260506` and `2026-05-06`, `C` and `CALL`,
`727` and `727.00`, or all of it in the option's symbol (OCC's 21 characters, `SPY   260506C00727000`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from detector.model.columns import column
from detector.model.times import whole

I = TypeVar("I", bound="Instrument")  # noqa: E741 - the one letter of an instrument
_OCC = re.compile(r"([A-Z][A-Z0-9.]{0,5}) *(\d{6})([CP])(\d{8})", re.ASCII)
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_STRIKE_UNIT = 1000  # OCC writes a strike in thousandths
_PARTS = ("symbol", "sec_type", "expiry", "strike", "right", "multiplier")
STOCK = "STK"
OPTIONS = ("OPT", "FOP", "WAR")
_TYPES = {
    "STOCK": STOCK, "STOCKS": STOCK, "EQUITY": STOCK, "ETF": STOCK,
    "OPTION": "OPT", "OPTIONS": "OPT", "FUTURE": "FUT", "FUTURES": "FUT",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instrument:
    """The columns that name what is traded; every one may be unseen (None)."""

    symbol: str | None = column("id")
    con_id: str | None = column("id")
    sec_type: str | None = column("text")
    expiry: str | None = column("id")
    strike: float | None = column("number")
    right: str | None = column("text")
    multiplier: float | None = column("number")

    @property
    def instrument(self) -> str:
        """Return the instrument's one name: `SPY`, or `SPY 2026-05-06 727C` for an option."""
        return instrument_of(self)

    @property
    def is_vague(self) -> bool:
        """Whether a part of its name was not seen, so that it may be one of several instruments."""
        named = normal(self)
        if named.symbol is None:
            return True
        return named.is_option and None in (named.expiry, named.strike, named.right)

    @property
    def is_option(self) -> bool:
        """Whether it has what only an option has."""
        return self.sec_type in OPTIONS or self.strike is not None or self.right is not None

    @property
    def is_bare(self) -> bool:
        """Whether a symbol is all that names it: a share, or anything on that symbol."""
        return self.con_id is None and (self.sec_type, self.expiry, self.strike, self.right) == (None,) * 4


def normal(row: Instrument) -> Instrument:
    """Return what names the instrument, each part in its one form."""
    return _normal(
        Instrument(row.symbol, row.con_id, row.sec_type, row.expiry, row.strike, row.right, row.multiplier)
    )


@lru_cache(maxsize=4096)
def _normal(row: Instrument) -> Instrument:
    symbol = (row.symbol or "").strip().upper() or None
    made = replace(
        row,
        symbol=symbol,
        sec_type=_type(row.sec_type),
        expiry=_expiry(row.expiry),
        strike=row.strike or None,  # TWS writes 0 for what has no strike
        right=_right(row.right),
        multiplier=row.multiplier or None,
    )
    occ = _OCC.fullmatch(symbol or "")
    if occ:
        made = _filled(made, occ)
    return replace(made, sec_type="OPT") if made.sec_type is None and made.is_option else made


def _filled(row: Instrument, occ: re.Match[str]) -> Instrument:
    """Return the option with what its symbol says where nothing else says it."""
    root, day, right, strike = occ.groups()
    return replace(
        row,
        symbol=root,
        expiry=row.expiry or f"20{day[:2]}-{day[2:4]}-{day[4:]}",
        strike=row.strike or int(strike) / _STRIKE_UNIT,
        right=row.right or right,
    )


def _type(text: str | None) -> str | None:
    word = (text or "").strip().upper()
    return _TYPES.get(word, word) or None


def _right(text: str | None) -> str | None:
    letter = (text or "").strip().upper()[:1]
    return letter if letter in ("C", "P") else None  # TWS writes "" , "0" or "?" for what has none


def _expiry(text: str | None) -> str | None:
    words = (text or "").split()  # TWS may put the hour and zone of the last trade behind the day
    day = _DAY.match(words[0]) if words else None
    return "-".join(day.groups()) if day else words[0] if words else None


def is_same(one: Instrument, other: Instrument) -> bool:
    """Whether two normal instruments are one as far as both say: by contract id, else by every part both know."""
    if one.con_id is not None and other.con_id is not None:
        return one.con_id == other.con_id
    if one.symbol is None or other.symbol is None:
        return False
    pairs = ((part, getattr(one, part), getattr(other, part)) for part in _PARTS)
    return all(
        mine == theirs or (part == "expiry" and _is_month_of(mine, theirs))
        for part, mine, theirs in pairs
        if mine is not None and theirs is not None
    )


def _is_month_of(one: str, other: str) -> bool:
    """Whether one is the contract month, `202606`, of the other's day, `2026-06-19`, as TWS names a future."""
    month, day = sorted((one, other), key=len)
    return len(month) == len("YYYYMM") and day.startswith(f"{month[:4]}-{month[4:]}-")


def instrument_of(row: Instrument) -> str:
    """Return an instrument's one name: `SPY`, or `SPY 2026-05-06 727C` for an option."""
    named = normal(row)
    symbol = named.symbol or (f"conid {named.con_id}" if named.con_id else "unknown instrument")
    if named.sec_type == "FUT":
        return f"{symbol} {named.expiry}" if named.expiry else symbol
    if named.strike is None and named.right is None:
        return symbol
    strike = "" if named.strike is None else str(whole(named.strike))
    return " ".join(part for part in (symbol, named.expiry, f"{strike}{named.right or ''}") if part)


BUYS, SELLS = ("BUY", "BOT", "B", "LONG"), ("SELL", "SLD", "S", "SSHORT", "SHORT")
"""The words for a side in TWS, Flex and the runtimes' stores."""


def sign_of(side: str | None) -> int | None:
    """Return 1 for a side that buys, -1 for one that sells, None where it was not seen or is another word."""
    word = (side or "").strip().upper()
    return 1 if word in BUYS else -1 if word in SELLS else None


def signed_by(quantity: Decimal | float | None, side: str | None) -> Decimal | None:
    """Return a quantity with the sign of its side, where it bears none of its own."""
    number = exact(quantity)
    return -number if number is not None and number > 0 and sign_of(side) == -1 else number


_LARGEST, _FINEST = Decimal(10) ** 12, -12


def exact(number: float | Decimal | None) -> Decimal | None:
    """Return the number as the decimal that was written, or None beyond what an account can hold.

    A double is read as its shortest text, so 0.1 is a tenth. Within 10^12 and 12 places the sum of ten thousand is
    exact in the 28 digits of a decimal.
    """
    if number is None:
        return None
    made = number if isinstance(number, Decimal) else Decimal(repr(number))
    exponent = made.normalize().as_tuple().exponent
    fits = isinstance(exponent, int) and abs(made) < _LARGEST and exponent >= _FINEST
    return made if fits else None


def amount(quantity: Decimal) -> str:
    """Return a quantity as people write it: 39, -39, 0.5."""
    return format(quantity.normalize() + 0, "f")
