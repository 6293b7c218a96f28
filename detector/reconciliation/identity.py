"""Same, different, unclear: the comparison of two instruments, accounts or orders.

*Unclear* is neither: a difference is reported, and an order allowed, only where it holds under both readings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, Literal

from msgspec.structs import replace

from detector.domain.broker_rows import BrokerOrder
from detector.domain.instrument import COMBO, Instrument, normalize
from detector.domain.instrument_names import (
    CONTINUOUS,
    CURRENCIES,
    FUTURE,
    OPTIONS,
    STOCK,
    TYPES,
    is_known_expiry,
    is_month_of,
    parse_future,
    parse_future_option,
    parse_local_expiry,
)
from detector.domain.runtime_rows import Order
from detector.domain.sides import get_sign
from detector.formats.numbers import to_exact_decimal
from detector.formats.patterns import build_pattern
from detector.formats.redaction import get_account_kind
from detector.formats.secret_kinds import ACCOUNT
from detector.reconciliation.instrument_aliases import (
    BONDS,
    EXCHANGE_ROOTS,
    KNOWN_ROOTS,
    PAIR_TYPES,
    VENDOR_ROOTS,
    WEEKLY_ROOT,
    get_days,
    get_letters,
    get_local_root,
    get_names,
    get_roots,
    has_common_bond_name,
    is_nameless,
    list_bond_names,
    list_codes,
    read_as_future,
)

Answer = Literal["same", "different", "unclear"]
SAME: Final = "same"
DIFFERENT: Final = "different"
UNCLEAR: Final = "unclear"

# Of these the options of one day, strike and right are of two classes, AM- and PM-settled. Source: Cboe.
_TWO_CLASSES = frozenset(["SPX", "NDX", "RUT", "VIX"])
# Of these the futures of one month are of several sizes: FDAX, FDXM, FDXS. Source: Eurex.
_SEVERAL_SIZES = frozenset(["DAX"])
# These expire in the month before theirs.
_EARLY_EXPIRY = frozenset(["CL", "MCL", "QM", "NG", "QG", "MNG", "RB", "HO", "BZ", "COIL"])
_SMALL_ROOTS = frozenset(["FSXE", "FDXM", "FDXS"])
OPTION_MULTIPLIER = 100
"""Of an American option whose row gives none."""
_DAY_LENGTH = len("2026-06-19")
# vnpy writes the id as the symbol. A shorter number may be a share's code: 8314 is IBM's id too.
LEAST_CERTAIN_ID = len("265598")
_SHARE_CLASS = build_pattern(r"(?:PR?)?[A-Z]", re.ASCII)


def compare(first: Instrument, second: Instrument) -> Answer:
    """Compare two instruments in their normal form: by contract id, else in every part of their names."""
    if first.con_id is not None and second.con_id is not None:
        return SAME if first.con_id == second.con_id else DIFFERENT
    con_id, symbol = first.con_id or second.con_id, second.symbol if first.con_id else first.symbol
    is_id = con_id is not None and con_id == symbol and len(con_id) >= LEAST_CERTAIN_ID
    return SAME if is_id else compare_parts(first, second)


@lru_cache(maxsize=65536)
def compare_parts(first: Instrument, second: Instrument) -> Answer:
    """Compare two instruments by everything but their contract ids."""
    is_unclear = False
    for answer in _iter_answers(first, second):
        if answer == DIFFERENT:
            return DIFFERENT
        is_unclear |= answer == UNCLEAR
    return UNCLEAR if is_unclear and not _has_own_name(first, second) else SAME


def _has_own_name(first: Instrument, second: Instrument) -> bool:
    """Whether both bear the local symbol of a month or of an option on it, or a bond's code.

    It leaves nothing open. A row without a local symbol may have it as its symbol.
    """
    if {first.sec_type, second.sec_type} & {*BONDS} and (list_codes(first) or list_codes(second)):
        return bool(has_common_bond_name(first, second))
    names = [row.local_symbol or row.symbol or "" for row in (first, second)]
    if not names[0] or names[0] != names[1] or (first.local_symbol, second.local_symbol) == (None, None):
        return False
    is_future = FUTURE in (first.sec_type, second.sec_type) and parse_local_expiry(names[0]) is not None
    return is_future or parse_future_option(names[0]) is not None


def _iter_answers(first: Instrument, second: Instrument) -> Iterator[Answer]:
    if not get_names(first) & get_names(second):
        first, second = read_as_future(first), read_as_future(second)
    is_option = first.is_option or second.is_option
    yield _compare_names(first, second)
    yield _compare_types(first, second)
    yield _compare_days(first, second)
    if is_option:
        yield _compare_values(first.strike, second.strike)
        yield _compare_values(first.right, second.right)
        yield _compare_classes(first, second)
    else:
        yield _compare_local_symbols(first, second)
    if first.multiplier and second.multiplier and first.multiplier != second.multiplier:
        yield UNCLEAR if 1 in (first.multiplier, second.multiplier) else DIFFERENT  # 1: a store never asked
    if first.currency and second.currency and first.currency != second.currency:
        yield DIFFERENT


def _compare_values(first: object, second: object) -> Answer:
    """Compare a part that the instrument must have: where one lacks it, the answer is unclear."""
    return UNCLEAR if None in (first, second) else SAME if first == second else DIFFERENT


def _compare_names(first: Instrument, second: Instrument) -> Answer:
    if not get_names(first) or not get_names(second):
        return UNCLEAR
    if list_bond_names(first) and list_bond_names(second):
        is_shared = has_common_bond_name(first, second)
        return UNCLEAR if is_shared is None else SAME if is_shared else DIFFERENT
    if get_names(first) & get_names(second):
        return SAME
    roots = (get_roots(first) & get_roots(second)) - ({first.con_id} & {second.con_id})
    is_open = bool(roots) and not _is_other_share_class(first, second)
    return UNCLEAR if is_open or is_nameless(first) or is_nameless(second) else DIFFERENT


def _is_other_share_class(first: Instrument, second: Instrument) -> bool:
    """Whether both are classes of one share, and two: BRK A, BRK B."""
    symbols, classes = zip(*((row.symbol or "").partition(" ")[::2] for row in (first, second)), strict=True)
    is_class = all(map(_SHARE_CLASS.fullmatch, classes)) and len({*map(len, classes)}) == 1
    return is_class and len({*symbols}) == 1 < len({*classes})


def _compare_classes(first: Instrument, second: Instrument) -> Answer:
    """Compare the classes of two options; an option that has none is of its symbol's, where that is usual."""
    if first.trading_class and second.trading_class:
        return SAME if first.trading_class == second.trading_class else DIFFERENT
    if (first.trading_class or second.trading_class) and {first.symbol, second.symbol} & _TWO_CLASSES:
        return UNCLEAR
    with_class, other = (first, second) if first.trading_class else (second, first)
    return SAME if with_class.trading_class in (None, other.symbol) else UNCLEAR


def can_lack_class(row: Instrument, other: Instrument) -> bool:
    """Whether all that a normalized row lacks to be the other is its class: AAPL1 of AAPL, SPXW of SPX.

    A symbol without an id means its own class, where it has no second one.
    """
    is_open = row.is_option and row.trading_class is None
    has_several = row.con_id is not None or row.symbol in _TWO_CLASSES
    return is_open and has_several and compare(replace(row, trading_class=other.trading_class), other) == SAME


def is_usual_class(row: Instrument) -> bool:
    """Whether a normalized row's class is the one that its symbol alone means; a row without one counts.

    Of futures of one symbol some are small (SIL of SI, VXM of VIX) or weekly (VX23), and an American option
    of another multiplier than 100 is adjusted.
    """
    if row.is_option:
        is_american = row.sec_type != "FOP" and row.currency in (None, "USD")
        return bool(row.trading_class) or not is_american or row.multiplier in (None, OPTION_MULTIPLIER)
    if not _is_dated(row):
        return True
    root, trading_class = get_local_root(row) or "", row.trading_class
    is_weekly = root != trading_class and bool(WEEKLY_ROOT.fullmatch(root))
    is_main = trading_class not in _SMALL_ROOTS and row.symbol == EXCHANGE_ROOTS.get(trading_class or "")
    return not is_weekly and (trading_class in (None, row.symbol) or is_main)


def _is_dated(row: Instrument) -> bool:
    """Whether it is a future: called one, or with an expiry and no strike."""
    return row.sec_type == FUTURE or bool(row.expiry)


def _compare_future_classes(first: Instrument, second: Instrument) -> Answer:
    """Compare the classes of two futures (FDAX, FDXM); a local symbol's root is mostly its class."""
    if first.trading_class and second.trading_class:
        return SAME if first.trading_class == second.trading_class else DIFFERENT
    mine, theirs = (row.trading_class or get_local_root(row) for row in (first, second))
    if mine and theirs:
        return SAME if mine == theirs else UNCLEAR
    has_several = bool({first.symbol, second.symbol} & _SEVERAL_SIZES)
    return UNCLEAR if has_several and not (first.multiplier and second.multiplier) else SAME


def _compare_local_symbols(first: Instrument, second: Instrument) -> Answer:
    """Compare two instruments by their local symbols, two futures by their classes too; no options."""
    if _is_other_local_month(first, second):
        return DIFFERENT
    if _is_dated(first) and _is_dated(second):
        return _compare_future_classes(first, second)
    if not first.local_symbol or not second.local_symbol:
        return SAME
    if _is_other_local_future(first, second):
        return DIFFERENT
    is_equal = get_letters(first.local_symbol) == get_letters(second.local_symbol)
    return SAME if is_equal or first.expiry or second.expiry else UNCLEAR


def _is_other_local_month(first: Instrument, second: Instrument) -> bool:
    """Whether the local symbols of two futures are of one root and two months: CLN6, CLQ6.

    Such a month is the contract's own, on whatever day it ends; a symbol alone may be a local symbol. LEAN's
    code has a day, of the month in which it ends.
    """
    names = [row.local_symbol or row.symbol or "" for row in (first, second)]
    mine, theirs = map(parse_future, names)
    if mine is None or theirs is None or mine[0] != theirs[0] or mine[1] == theirs[1]:
        return False
    return not any(name[len(mine[0])].isdigit() for name in names)


def _is_other_local_future(first: Instrument, second: Instrument) -> bool:
    """Whether the local symbols of two futures are of two months, or weeks, or roots: VXM6, VX23M6."""
    mine, theirs = (parse_future(row.local_symbol or "") for row in (first, second))
    if mine is None or theirs is None or _EARLY_EXPIRY & {mine[0], theirs[0]}:
        return False
    is_plain = all(root in KNOWN_ROOTS or WEEKLY_ROOT.fullmatch(root) for root in (mine[0], theirs[0]))
    return mine[1] != theirs[1] or (
        mine[0] != theirs[0] and is_plain and not {mine[0], theirs[0]} & {*VENDOR_ROOTS}
    )


def _compare_types(first: Instrument, second: Instrument) -> Answer:
    mine, theirs = first.sec_type, second.sec_type
    if mine == theirs:
        return SAME
    if mine in TYPES and theirs in TYPES:  # a continuous future is of whichever month is the front one
        return UNCLEAR if {mine, theirs} == {FUTURE, CONTINUOUS} else DIFFERENT
    row, given = (first, theirs) if mine not in TYPES else (second, mine)
    other = second if row is first else first
    has_expiry = is_known_expiry(row.expiry)
    if given not in TYPES:
        return UNCLEAR
    if row.is_option and given not in OPTIONS:
        return DIFFERENT
    if has_expiry and given in (STOCK, *PAIR_TYPES):
        return DIFFERENT
    usual = (
        "OPT" if row.is_option or (other.is_option and given == "OPT") else FUTURE if has_expiry else STOCK
    )
    return SAME if row.sec_type is None and given == usual else UNCLEAR


def _compare_days(first: Instrument, second: Instrument) -> Answer:
    mine, theirs = get_days(first), get_days(second)
    if any(len(day) == _DAY_LENGTH for day in mine & theirs):
        return SAME
    if not mine and not theirs:
        return UNCLEAR if first.expiry or second.expiry or first.is_option else SAME
    if not mine or not theirs:
        return UNCLEAR
    days = [{day for day in given if len(day) == _DAY_LENGTH} for given in (mine, theirs)]
    is_early = bool(_EARLY_EXPIRY & get_names(first) and _EARLY_EXPIRY & get_names(second))
    nearest = days if all(days) else (mine, theirs)  # of two days the contract's months say nothing more
    is_near = any(
        _is_near(one_day, other, is_early=is_early) for one_day in nearest[0] for other in nearest[1]
    )
    if all(days) and not is_near:
        return DIFFERENT
    months = [given - own for given, own in zip((mine, theirs), days, strict=True)]
    is_of_month = any(is_month_of(one_day, other) for one_day in mine for other in theirs)
    if not months[0] & months[1] and not is_of_month:
        return UNCLEAR if is_near else DIFFERENT
    # A month of which one expires early may be its own or the next; of an option it leaves the day open.
    is_open = first.is_option or second.is_option or (not months[0] & months[1] and (is_early or all(months)))
    return UNCLEAR if is_open else SAME


@lru_cache(maxsize=16384)
def _is_near(first: str, second: str, *, is_early: bool) -> bool:
    """Whether two days are one apart (an Asian zone), or the day is in the month before the contract's."""
    month, day = sorted((first, second), key=len)
    try:
        last = date.fromisoformat(day)
        if len(month) == _DAY_LENGTH:
            return abs(date.fromisoformat(month) - last) == timedelta(days=1)
        return is_early and f"{last.replace(day=1) + timedelta(days=32):%Y%m}" == month
    except (ValueError, OverflowError):
        return False


def is_combo(row: Instrument) -> bool:
    """Whether the row is a combo of several contracts, whose side is not the side of its legs."""
    return normalize(row).sec_type == COMBO or bool(isinstance(row, BrokerOrder) and row.leg_con_ids)


def compare_combo(combo: Instrument, leg: Instrument) -> Answer:
    """Compare a combo with a contract that may be one of its legs; a combo may have several symbols."""
    legs = combo.leg_con_ids if isinstance(combo, BrokerOrder) else None
    if legs and leg.con_id is not None:
        return UNCLEAR if leg.con_id in legs else DIFFERENT
    symbols, roots = _list_symbols(combo), get_roots(normalize(leg))
    return DIFFERENT if symbols and roots and not roots & symbols else UNCLEAR


def _list_symbols(combo: Instrument) -> frozenset[str]:
    """Return what the legs of a combo may be named; none where they may have any name."""
    symbols = normalize(combo).symbol
    if symbols is None or symbols in CURRENCIES:  # USD is the symbol of several shares' combo
        return frozenset()
    return frozenset((symbols, *re.split(r"[,./ ]+", symbols)))


def list_leg_keys(combo: Instrument) -> tuple[str, ...]:
    """Return the names that a leg of the combo may have, an empty one for any, and `id 5` of each leg."""
    legs = combo.leg_con_ids if isinstance(combo, BrokerOrder) else None
    return (*(_list_symbols(combo) or ("",)), *(f"id {leg}" for leg in legs or ()))


def compare_accounts(first: str | None, second: str | None) -> Answer:
    """Compare two accounts: a row without one may be of any, and a mask or a suffix may hide the same."""
    if first == second:
        return UNCLEAR if first is None else SAME
    return UNCLEAR if first is None or second is None else _compare_spellings(first.upper(), second.upper())


@lru_cache(maxsize=1024)
def is_plain_account(account: str) -> bool:
    """Whether it is an account's number, or the alias of one: any other such is another account."""
    return bool(ACCOUNT.fullmatch(account) and account.isupper()) or get_account_kind(account) is not None


@lru_cache(maxsize=1024)
def _compare_spellings(first: str, second: str) -> Answer:
    """Compare two accounts as written: `DU123` and `DU123/MODEL`, `DU***3`, or an alias may be the same."""
    if first == second:
        return SAME
    short, long = sorted((first, second), key=len)
    has_suffix = long.startswith(short) and not long[len(short)].isalnum()
    is_masked = any(mark in first + second for mark in "*…")
    kinds = {bool(ACCOUNT.match(text) or get_account_kind(text.lower())) for text in (first, second)}
    return UNCLEAR if has_suffix or is_masked or len(kinds) > 1 else DIFFERENT


def can_be_same(first: Instrument, second: Instrument) -> bool:
    """Whether two rows, as they are written, are or may be the same instrument."""
    return compare(normalize(first), normalize(second)) != DIFFERENT


def can_be_in_account(first: str | None, second: str | None) -> bool:
    """Whether two accounts are or may be the same."""
    return compare_accounts(first, second) != DIFFERENT


def compare_orders(first: Order, second: Order) -> Answer:
    """Compare two orders: by permanent id, which is account-wide, else by number, which is a client's.

    Within one list a number without a client is two rows; across the lists it is one order where the
    quantity is the same, unless the broker names a client that nobody knows to be the runtime's.
    """
    if first.perm_id is not None and second.perm_id is not None:
        return SAME if first.perm_id == second.perm_id else DIFFERENT
    if first.order_id is None or first.order_id != second.order_id:
        return DIFFERENT if first.order_id and second.order_id else UNCLEAR
    clients = {row.client_id for row in (first, second) if isinstance(row, BrokerOrder)}
    sides = {get_sign(row.side) for row in (first, second)} - {None}
    if len(clients - {None}) > 1 or len(sides) > 1 or not can_be_same(first, second):
        return DIFFERENT
    if type(first) is type(second):
        return UNCLEAR
    if to_exact_decimal(first.quantity) != to_exact_decimal(second.quantity):
        return DIFFERENT
    return SAME if clients == {None} else UNCLEAR
