"""Every name that a row gives its instrument, what else that may be called, and its days.

Futures have roots of the exchange and of vendors, options classes, bonds codes of several kinds: a code says
nothing of another kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from detector.domain.instrument import COMBO, Instrument
from detector.domain.instrument_names import (
    COMMON_FUTURES,
    CONTINUOUS,
    FUTURE,
    STOCK,
    TYPES,
    is_known_expiry,
    parse_future,
    parse_local_expiry,
)
from detector.formats.patterns import build_pattern

PAIR_TYPES = ("CASH", "CRYPTO")
# SPXW, NDXP, AAPL1, 2SPY of SPX, NDX, …
_CLASS_OF = build_pattern(r"\d?([A-Z]{1,5}?)(?:W|P|Q|\d)?", re.ASCII)
# Exchange roots of futures whose symbol at IBKR is another. Source: IBKR contract search.
EXCHANGE_ROOTS = {
    "VX": "VIX", "FESX": "ESTX50", "FSXE": "ESTX50", "FDAX": "DAX", "FDXM": "DAX", "FDXS": "DAX",
    "FGBL": "GBL", "FGBM": "GBM", "FGBS": "GBS", "6E": "EUR", "6B": "GBP", "6J": "JPY", "6A": "AUD",
    "6C": "CAD", "6S": "CHF", "6N": "NZD",
}  # fmt: skip
# What vendors of data call the root of a future. Source: Bloomberg, CQG.
VENDOR_ROOTS = {
    "TY": "ZN", "FV": "ZF", "TU": "ZT", "US": "ZB", "EP": "ES", "ENQ": "NQ", "UX": "VIX", "EC": "EUR",
}  # fmt: skip
# Roots and symbols of futures at IBKR. Another one may be a vendor's name of any future of its month.
_ROOTS_AT_IBKR = (
    "EMD NKD NIY BRR BTC MBT ETHUSDRR ETH MET 6M M6E M6A M6B MXP LE HE GF GE SR1 SR3 UB TN ZQ ZC ZW ZS "
    "ZL ZM ZO ZR KE XC XW XK 10Y 2YY QM QG MNG HO RB BZ QO SIL QI HG MHG QC PL PA ALI COIL BRN WTI GOIL "
    "KC SB CC CT OJ DX VXM FDXM FDXS FSXE FGBX FBTP BTP FOAT OAT V2TX FVS FSMI SMI FESB SX7E CAC40 FCE "
    "EOE FTI IBEX MIB FTSEMIB Z R N225 N225M N225MC TOPX MNTPX HSI MHI HHI MCH SGXNK SPI AP NIFTY "
    "SOLUSD XRP"
)
KNOWN_ROOTS = COMMON_FUTURES.union(
    EXCHANGE_ROOTS, EXCHANGE_ROOTS.values(), VENDOR_ROOTS, _ROOTS_AT_IBKR.split()
)
_LAST_LISTED = "203000"  # a month beyond is no future's that a text without a type may name: HEN3 is a share
WEEKLY_ROOT = build_pattern(r"[A-Z]{2,4}\d\d", re.ASCII)  # VX23 of VX23M6, a week of the year. Source: Cboe
# Classes of the weekly options on ES and NQ: EW2, E3C, QN1, Q3C. Source: CME.
_WEEK_OF_ES = build_pattern(r"EW\d?|E\d[A-E]", re.ASCII)
_WEEK_OF_NQ = build_pattern(r"QN\d?|Q\d[A-E]", re.ASCII)
# A symbol, or two words: a share's class or venue stands behind it (BRK B, VOD L of Reuters, VOD LN).
_PLAIN_SYMBOL = build_pattern(
    r"([^ :=|_]+)(?: (?!(?:INDEX|COMDTY|CURNCY|CORP|GOVT|PFD|MUNI|MTGE)$)([A-Z0-9]+))?"
)  # a vendor's name of a future before its key may be another than the exchange's: TYM6 Comdty is ZN
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
def get_names(row: Instrument) -> frozenset[str]:
    """Return every name of a normalized instrument, letters and digits only; none where it has a mere id."""
    texts = [row.symbol, row.local_symbol]
    if row.is_option or row.sec_type == FUTURE or row.expiry:
        texts.append(row.trading_class)  # of a share it is its listing's (NMS)
    names = {get_letters(text) for text in texts if text}
    root = None if row.is_option else get_local_root(row)
    if root:
        names.add(root)
    names.update(*list_bond_names(row).values())
    if row.sec_type in PAIR_TYPES and row.symbol and row.currency:
        names = {f"{row.symbol}{row.currency}"}
    return frozenset(names | {EXCHANGE_ROOTS[name] for name in names if name in EXCHANGE_ROOTS})


@lru_cache(maxsize=16384)
def is_nameless(row: Instrument) -> bool:
    """Whether a normalized row may be of any name: a mere id, a mere code, or a text that nobody reads."""
    if list_codes(row) or not get_names(row):
        return True
    root = _get_written_root(row)
    if root is not None and root not in KNOWN_ROOTS:
        return True
    is_own = row.is_option or row.sec_type in (COMBO, *BONDS) or list_bond_names(row) or get_local_root(row)
    return not (is_own or _PLAIN_SYMBOL.fullmatch(row.symbol or row.local_symbol or ""))


def _get_written_root(row: Instrument) -> str | None:
    """Return the root of what is or may be a future and bears no id and no class, in whatever words."""
    if row.con_id or row.trading_class or row.is_option or row.sec_type not in (None, FUTURE, CONTINUOUS):
        return None
    future = parse_future(row.symbol or "")
    if future and not row.expiry:
        return future[0] if row.sec_type or future[1] < _LAST_LISTED else None
    return (get_local_root(row) or row.symbol) if row.sec_type or row.expiry else None


@lru_cache(maxsize=16384)
def read_as_future(row: Instrument) -> Instrument:
    """Return a normalized row as a future where it is a mere text in that form, of a root that IBKR lacks."""
    root = _get_written_root(row) if row.sec_type is None and row.expiry is None else None
    return row if root is None or root in KNOWN_ROOTS else replace(row, sec_type=FUTURE)


@lru_cache(maxsize=16384)
def get_roots(row: Instrument) -> frozenset[str]:
    """Return the names, and those of which they may be: SPX for SPXW, VOD for VOD.L, its contract id."""
    names = get_names(row)
    if names and row.con_id:
        names |= {row.con_id}
    if row.sec_type in PAIR_TYPES and row.symbol:
        return names | {row.symbol}
    if row.sec_type == "CFD":  # AAPLn, IBDE40
        return (
            names | {name.removesuffix("N") for name in names} | {name.removeprefix("IB") for name in names}
        )
    if row.is_option:
        matches = (_CLASS_OF.fullmatch(name) for name in names)
        weeks = {"ES": _WEEK_OF_ES, "NQ": _WEEK_OF_NQ} if row.sec_type == "FOP" else {}
        futures = {root for root, week in weeks.items() if any(map(week.fullmatch, names))}
        return names | futures | {match[1] for match in matches if match}
    words, future = _PLAIN_SYMBOL.fullmatch(row.symbol or ""), _get_written_root(row)
    roots = {words[1]} if words and words[2] else {future} if future else set()
    others = {**EXCHANGE_ROOTS, **VENDOR_ROOTS}
    numbers = {name.lstrip("0") for name in names | roots if name.isdigit()}  # 0700.HK of 700
    return names | roots | numbers | {others[root] for root in roots if root in others}


def is_adjusted(row: Instrument) -> bool:
    """Whether its class is marked with a digit, as of an option whose terms were adjusted: AAPL1, 2SPY."""
    trading_class = row.trading_class or ""
    return trading_class[:1].isdigit() or trading_class[-1:].isdigit()


def get_letters(text: str) -> str:
    """Return letters and digits only: EURUSD of EUR.USD."""
    return re.sub(r"[^A-Z0-9]", "", text)


def get_local_root(row: Instrument) -> str | None:
    """Return the root of a future's local symbol: ES of ESM6, FDXM of FDXM 20260619 M."""
    name = row.local_symbol or ""
    future = parse_future(name)
    return future[0] if future else name.partition(" ")[0] if parse_local_expiry(name) else None


@lru_cache(maxsize=16384)
def get_days(row: Instrument) -> frozenset[str]:
    """Return the days and months that a normalized row gives as its expiry: a contract may bear two."""
    days = {row.expiry} if row.expiry is not None and is_known_expiry(row.expiry) else set()
    if row.local_symbol and (row.is_option or row.sec_type == FUTURE or row.expiry):
        digits = re.search(r"(\d{6})[CP]\d{8}$", row.local_symbol, re.ASCII)
        local = f"20{digits[1][:2]}-{digits[1][2:4]}-{digits[1][4:]}" if digits else None
        local = local or (None if row.is_option else parse_local_expiry(row.local_symbol))
        days |= {local} if local else set()
    return frozenset(days)


@lru_cache(maxsize=16384)
def list_bond_names(row: Instrument) -> Mapping[str, frozenset[str]]:
    """Return the names of a normalized bond by kind, a code's first; empty where it is, or has, none.

    Of a share, or of what has no known type, a code is such a name too.
    """
    kinds: dict[str, set[str]] = {}
    for text in (row.symbol, row.local_symbol):
        name = get_letters(text or "")
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
