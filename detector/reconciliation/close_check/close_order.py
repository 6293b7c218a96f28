"""A close order and the contract that it would close, under all of its names; which rows are of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.broker_rows import BrokerOrder
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, get_instrument_name, normalize
from detector.domain.instrument_names import normalize_symbol
from detector.reconciliation.identity import (
    DIFFERENT,
    SAME,
    UNCLEAR,
    Answer,
    can_be_in_account,
    compare,
    compare_combo,
    compare_parts,
    is_combo,
    is_usual_class,
)
from detector.reconciliation.instrument_aliases import is_adjusted

CloseDecision = Literal["allow", "refuse", "cannot_tell"]
ALLOW: Final = "allow"
REFUSE: Final = "refuse"
CANNOT_TELL: Final = "cannot_tell"
BUY, SELL = "BUY", "SELL"


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


def match_instrument(instrument: Instrument, row: Instrument) -> Answer:
    """Compare the instrument of an order with a row; an order must not be sent on a guess.

    One id with two descriptions is unclear, and so is a row that lacks the id or currency of the order. An
    adjusted class (AAPL1, 2SPY) needs the id: its symbol, strike and expiry may be those of the plain one.
    """
    if is_combo(instrument) or is_combo(row):
        combo, leg = (row, instrument) if is_combo(row) else (instrument, row)
        return compare_combo(combo, leg)
    candidate = normalize(row)
    target = _apply_own_class(normalize(instrument), candidate)
    answer = compare(target, candidate)
    if answer == DIFFERENT:
        return UNCLEAR if _can_bear_local_symbol(instrument, candidate) else DIFFERENT
    if target.con_id is not None and candidate.con_id is not None:
        return UNCLEAR if compare_parts(target, candidate) == DIFFERENT else SAME
    # EW2 is no adjustment
    is_equity = target.is_option and "FOP" not in (target.sec_type, candidate.sec_type)
    with_class = candidate if candidate.trading_class else target
    lacks_part = target.con_id is not None or (target.currency is not None and candidate.currency is None)
    is_other_size = not (target.trading_class or target.local_symbol) and not is_usual_class(candidate)
    return UNCLEAR if lacks_part or (is_equity and is_adjusted(with_class)) or is_other_size else answer


def _apply_own_class(target: Instrument, row: Instrument) -> Instrument:
    """Return an option that is asked without its class with the class of its symbol, where the row has it."""
    is_bare = target.is_option and (target.con_id, target.local_symbol, target.trading_class) == (None,) * 3
    is_own = is_bare and target.symbol is not None and row.trading_class == target.symbol
    return replace(target, trading_class=target.symbol) if is_own else target


def _can_bear_local_symbol(wanted: Instrument, row: Instrument) -> bool:
    """Whether a contract that is named by its local symbol alone may be a row that gives none.

    SAN1 is Santander's in euros, `EW2M6 C6000` an option on ES: neither says its symbol.
    """
    local = normalize_symbol(wanted.local_symbol)
    is_named = (wanted.symbol, wanted.con_id) != (None, None) or normalize(wanted).strike is not None
    if local is None or row.local_symbol is not None or is_named:
        return False
    is_option_name = " " in local
    return row.is_option if is_option_name else bool(row.symbol) and local.startswith(row.symbol or "")


class CloseTarget(Struct, frozen=True):
    """The contract that is to be closed, with every name that the broker's row adds, and its account.

    `wanted` is the instrument as the request names it.
    """

    instrument: Instrument
    account: str | None
    con_ids: frozenset[str]
    wanted: Instrument

    def match(self, row: Instrument) -> Answer:
        """Compare with a row: different is what another id, or both the request and the held row, exclude.

        An id or a currency that only the held row adds is not asked of other rows.
        """
        named = self.instrument
        if is_combo(row):
            return match_instrument(named, row)
        if row.con_id is None and self.wanted.con_id is None:
            named = replace(named, con_id=None)
        if row.currency is None and self.wanted.currency is None:
            named = replace(named, currency=None)
        answer = match_instrument(named, row)
        if answer == DIFFERENT and None in (named.con_id, row.con_id):
            return DIFFERENT if match_instrument(self.wanted, row) == DIFFERENT else UNCLEAR
        return answer


def list_orders_of(target: CloseTarget, facts: Facts) -> list[BrokerOrder]:
    """Return the broker's orders that are of the account, or may be."""
    return [
        row
        for row in facts.broker_orders or ()
        if row.is_for_group or can_be_in_account(row.account, target.account)
    ]
