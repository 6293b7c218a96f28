"""Whether two rows name one instrument, for an order that must not be sent on a guess: yes, no, or not to be told.

`holdings` takes rows for one where nothing that both say differs, which is right for a comparison; here a part that
one of them does not say leaves it open.
"""

from __future__ import annotations

import re

from detector.model.instrument import STOCK, Instrument, normal

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PARTS = ("symbol", "sec_type", "strike", "right", "multiplier")


def alike(asked: Instrument, row: Instrument) -> bool | None:
    """Return whether the row is of what is asked; None where it may be, and a part that would tell is missing."""
    mine, theirs = normal(asked), normal(row)
    apart = any(_differ(mine, theirs, part) for part in _PARTS) or _other_day(mine.expiry, theirs.expiry)
    if mine.con_id is not None and theirs.con_id is not None:
        if mine.con_id != theirs.con_id:
            return False
        return None if apart else True  # one contract under two names: a contradiction
    if apart:
        return False
    return True if mine.con_id is None and _says_all(mine, theirs) else None


def _differ(mine: Instrument, theirs: Instrument, part: str) -> bool:
    said = getattr(mine, part), getattr(theirs, part)
    return None not in said and said[0] != said[1]


def _other_day(mine: str | None, theirs: str | None) -> bool:
    """Whether both are days and not the same; a month, or a day in other words, may be any of its days."""
    return mine != theirs and bool(_DAY.fullmatch(mine or "") and _DAY.fullmatch(theirs or ""))


def _says_all(mine: Instrument, theirs: Instrument) -> bool:
    """Whether two that do not differ say all that there is to say."""
    if mine.symbol is None or theirs.symbol is None or mine.expiry != theirs.expiry:
        return False
    if mine.is_option or theirs.is_option:
        return None not in (mine.expiry, mine.strike, theirs.strike, mine.right, theirs.right)
    return (mine.sec_type or STOCK) == (theirs.sec_type or STOCK)
