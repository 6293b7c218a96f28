"""A close order, the match of rows with its instrument, and the verdict whether it may be sent."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from detector.domain.broker_rows import BrokerOrder
from detector.domain.instrument import OPTION, Instrument, get_instrument_name, has_different_type, normalize
from detector.domain.instrument_names import STOCK
from detector.reconciliation.working_orders import is_combo

CloseDecision = Literal["allow", "refuse", "cannot_tell"]
ALLOW: Final = "allow"
REFUSE: Final = "refuse"
CANNOT_TELL: Final = "cannot_tell"
BUY, SELL = "BUY", "SELL"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PARTS = ("symbol", "strike", "right")
_DEFAULT_MULTIPLIER = 1  # what a store writes for an option whose multiplier it does not know


class CloseOrder(Struct, frozen=True):
    """An order to close a quantity of an instrument; `side` is None where the position decides it."""

    instrument: Instrument
    quantity: Decimal
    side: str | None = None
    account: str | None = None

    @property
    def name(self) -> str:
        """Return the instrument's one name."""
        return get_instrument_name(self.instrument)


class CloseVerdict(Struct, frozen=True):
    """The decision, its reason as a stable word and as a sentence, and the broker's figures behind it.

    `position` is signed. `working` is the quantity that working exits can still fill, `exits` names them.
    """

    decision: CloseDecision
    reason: str
    summary: str
    side: str | None = None
    position: Decimal | None = None
    working: Decimal | None = None
    exits: tuple[str, ...] = ()


def build_unknown_verdict(reason: str, summary: str) -> CloseVerdict:
    """Return the verdict `cannot_tell` with its reason."""
    return CloseVerdict(CANNOT_TELL, reason, summary)


def match_instrument(instrument: Instrument, row: Instrument) -> bool | None:
    """Return whether the row is of this instrument; None where the part that would decide it is missing.

    `domain.instrument.is_same` treats a missing part as equal, which is right for a comparison. An order must
    not be sent on a guess: here a missing part, or an unknown security type, leaves the match undecided.
    """
    target, candidate = normalize(instrument), normalize(row)
    if is_combo(instrument) or is_combo(row):
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
        return None if is_different else True  # one contract with two descriptions: a contradiction
    if is_different:
        return False
    is_certain = (
        target.con_id is None
        and len(multipliers) <= 1
        and _is_same_type(target, candidate)
        and _has_all_parts(target, candidate)
    )
    return True if is_certain else None


def _can_be_leg(first: Instrument, second: Instrument) -> bool:
    """Whether one may be a leg of the other: by the legs' ids, else by symbol; a combo may have several."""
    ids = {row.con_id for row in (first, second)}
    if any(isinstance(row, BrokerOrder) and ids & set(row.leg_con_ids or ()) for row in (first, second)):
        return True
    first_symbols, second_symbols = _get_symbols(first), _get_symbols(second)
    return not first_symbols or not second_symbols or bool(first_symbols & second_symbols)


def _get_symbols(row: Instrument) -> set[str]:
    symbol = normalize(row).symbol
    return set() if symbol is None else {symbol, *(part.strip() for part in re.split(r"[,./ ]", symbol))}


def _is_same_type(target: Instrument, candidate: Instrument) -> bool:
    """Whether the security types are the same; a missing one counts as the usual type of the instrument."""
    types = {target.sec_type, candidate.sec_type}
    return len(types) == 1 or types == {None, OPTION if target.is_option or candidate.is_option else STOCK}


def _has_different_part(target: Instrument, candidate: Instrument, part: str) -> bool:
    values = getattr(target, part), getattr(candidate, part)
    return None not in values and values[0] != values[1]


def _is_other_day(target: str | None, candidate: str | None) -> bool:
    """Whether both are days and differ; a month, or a day in an unknown format, may be any day."""
    return target != candidate and bool(_DAY.fullmatch(target or "") and _DAY.fullmatch(candidate or ""))


def _has_all_parts(target: Instrument, candidate: Instrument) -> bool:
    """Whether two instruments that do not differ both have every part, the security type apart."""
    if target.symbol is None or candidate.symbol is None or target.expiry != candidate.expiry:
        return False
    if target.is_option or candidate.is_option:
        return None not in (target.expiry, target.strike, candidate.strike, target.right, candidate.right)
    return True
