"""Whether two rows name one instrument, for an order that must not be sent on a guess: yes, no, or not to be told.

`holdings` takes rows for one where nothing that both say differs, which is right for a comparison; here a part that
one of them does not say leaves it open, and so does a kind of security in words that are not IBKR's.
"""

from __future__ import annotations

import re

from detector.domain.broker_rows import BrokerOrder
from detector.domain.instrument import OPTION, STOCK, Instrument, normalize, has_different_type

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PARTS = ("symbol", "strike", "right")
_COMBO = "BAG"
_UNSAID_MULTIPLIER = 1  # what a store keeps of an option whose multiplier it never asked for


def alike(asked: Instrument, row: Instrument) -> bool | None:
    """Return whether the row is of what is asked; None where it may be, and a part that would tell is missing."""
    mine, theirs = normalize(asked), normalize(row)
    if is_combo(asked) or is_combo(row):
        return None if _may_be_leg(asked, row) else False
    multipliers = {mine.multiplier, theirs.multiplier} - {None}
    apart = (
        any(_differ(mine, theirs, part) for part in _PARTS)
        or _other_day(mine.expiry, theirs.expiry)
        or has_different_type(mine, theirs)
        or (len(multipliers) > 1 and _UNSAID_MULTIPLIER not in multipliers)
    )
    if mine.con_id is not None and theirs.con_id is not None:
        if mine.con_id != theirs.con_id:
            return False
        return None if apart else True  # one contract under two names: a contradiction
    if apart:
        return False
    known = (
        mine.con_id is None and len(multipliers) <= 1 and _is_kind(mine, theirs) and _says_all(mine, theirs)
    )
    return True if known else None


def is_combo(row: Instrument) -> bool:
    """Whether it is an order of several contracts at once, whose own side says nothing of its legs."""
    return normalize(row).sec_type == _COMBO or bool(isinstance(row, BrokerOrder) and row.leg_con_ids)


def _may_be_leg(one: Instrument, other: Instrument) -> bool:
    """Whether one may be a leg of the other: by the legs' ids, else by the symbols, of which a combo may have several."""
    ids = {row.con_id for row in (one, other)}
    if any(isinstance(row, BrokerOrder) and ids & set(row.leg_con_ids or ()) for row in (one, other)):
        return True
    mine, theirs = _symbols(one), _symbols(other)
    return not mine or not theirs or bool(mine & theirs)


def _symbols(row: Instrument) -> set[str]:
    symbol = normalize(row).symbol
    return set() if symbol is None else {symbol, *(part.strip() for part in re.split(r"[,./ ]", symbol))}


def _is_kind(mine: Instrument, theirs: Instrument) -> bool:
    """Whether the kinds are one: the same word, or the usual one that the other leaves out."""
    said = {mine.sec_type, theirs.sec_type}
    return len(said) == 1 or said == {None, OPTION if mine.is_option or theirs.is_option else STOCK}


def _differ(mine: Instrument, theirs: Instrument, part: str) -> bool:
    said = getattr(mine, part), getattr(theirs, part)
    return None not in said and said[0] != said[1]


def _other_day(mine: str | None, theirs: str | None) -> bool:
    """Whether both are days and not the same; a month, or a day in other words, may be any of its days."""
    return mine != theirs and bool(_DAY.fullmatch(mine or "") and _DAY.fullmatch(theirs or ""))


def _says_all(mine: Instrument, theirs: Instrument) -> bool:
    """Whether two that do not differ say all that there is to say, their kind apart."""
    if mine.symbol is None or theirs.symbol is None or mine.expiry != theirs.expiry:
        return False
    if mine.is_option or theirs.is_option:
        return None not in (mine.expiry, mine.strike, theirs.strike, mine.right, theirs.right)
    return True
