"""Whether two rows name one instrument, for an order that must not be sent on a guess: yes, no, or not to be told.

`holdings` takes rows for one where nothing that both say differs, which is right for a comparison; here a part that
one of them does not say leaves it open, and so does a kind of security in words that are not IBKR's.
"""

from __future__ import annotations

import re

from detector.domain.broker_rows import BrokerOrder
from detector.domain.instrument import OPTION, STOCK, Instrument, has_different_type, normalize

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PARTS = ("symbol", "strike", "right")
_COMBO = "BAG"
_DEFAULT_MULTIPLIER = 1  # what a store keeps of an option whose multiplier it never asked for


def match_instrument(instrument: Instrument, row: Instrument) -> bool | None:
    """Return whether the row is of what is asked; None where it may be, and a part that would tell is missing."""
    target, candidate = normalize(instrument), normalize(row)
    if is_combo_row(instrument) or is_combo_row(row):
        return None if _can_be_leg(instrument, row) else False
    multipliers = {target.multiplier, candidate.multiplier} - {None}
    is_different = (
        any(_has_different_part(target, candidate, part) for part in _PARTS)
        or _is_other_day(target.expiry, candidate.expiry)
        or has_different_type(target, candidate)
        or (len(multipliers) > 1 and _DEFAULT_MULTIPLIER not in multipliers)
    )
    if target.con_id is not None and candidate.con_id is not None:
        if target.con_id != candidate.con_id:
            return False
        return None if is_different else True  # one contract under two names: a contradiction
    if is_different:
        return False
    is_certain = (
        target.con_id is None
        and len(multipliers) <= 1
        and _is_same_type(target, candidate)
        and _has_all_parts(target, candidate)
    )
    return True if is_certain else None


def is_combo_row(row: Instrument) -> bool:
    """Whether it is an order of several contracts at once, whose own side says nothing of its legs."""
    return normalize(row).sec_type == _COMBO or bool(isinstance(row, BrokerOrder) and row.leg_con_ids)


def _can_be_leg(first: Instrument, second: Instrument) -> bool:
    """Whether one may be a leg of the other: by the legs' ids, else by the symbols, of which a combo may have several."""
    ids = {row.con_id for row in (first, second)}
    if any(isinstance(row, BrokerOrder) and ids & set(row.leg_con_ids or ()) for row in (first, second)):
        return True
    first_symbols, second_symbols = _get_symbols(first), _get_symbols(second)
    return not first_symbols or not second_symbols or bool(first_symbols & second_symbols)


def _get_symbols(row: Instrument) -> set[str]:
    symbol = normalize(row).symbol
    return set() if symbol is None else {symbol, *(part.strip() for part in re.split(r"[,./ ]", symbol))}


def _is_same_type(target: Instrument, candidate: Instrument) -> bool:
    """Whether the kinds are one: the same word, or the usual one that the other leaves out."""
    types = {target.sec_type, candidate.sec_type}
    return len(types) == 1 or types == {None, OPTION if target.is_option or candidate.is_option else STOCK}


def _has_different_part(target: Instrument, candidate: Instrument, part: str) -> bool:
    values = getattr(target, part), getattr(candidate, part)
    return None not in values and values[0] != values[1]


def _is_other_day(target: str | None, candidate: str | None) -> bool:
    """Whether both are days and not the same; a month, or a day in other words, may be any of its days."""
    return target != candidate and bool(_DAY.fullmatch(target or "") and _DAY.fullmatch(candidate or ""))


def _has_all_parts(target: Instrument, candidate: Instrument) -> bool:
    """Whether two that do not differ say all that there is to say, their kind apart."""
    if target.symbol is None or candidate.symbol is None or target.expiry != candidate.expiry:
        return False
    if target.is_option or candidate.is_option:
        return None not in (target.expiry, target.strike, candidate.strike, target.right, candidate.right)
    return True
