"""May this close order be sent? What the broker itself shows decides, and nothing is allowed on a guess. Pure.

Three answers: *allow* only where the broker's own rows, read in full and young enough, prove that the order closes;
*refuse* where they prove that it does not; *cannot tell* in every other case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext

from detector.domain.broker_rows import BrokerPosition
from detector.domain.facts import Facts
from detector.domain.instrument import format_quantity, get_instrument_name, normalize, to_exact_decimal
from detector.formats.plural import format_count
from detector.reconciliation.close_check.close_order import (
    ALLOW,
    BUY,
    CANNOT_TELL,
    REFUSE,
    SELL,
    CloseOrder,
    CloseVerdict,
    EarlyVerdict,
    match_instrument,
)
from detector.reconciliation.close_check.order_activity import check_no_execution_since, list_working_exits
from detector.reconciliation.position_pairs import can_be_in_account

_DISTINGUISHING_PARTS: tuple[Callable[[BrokerPosition], object], ...] = (
    lambda row: normalize(row).sec_type,
    lambda row: row.con_id,
    lambda row: normalize(row).multiplier,
    lambda row: row.currency,
    lambda row: row.trading_class,
)
_EXACT_DIGITS = 60  # quantities have at most 27, and no list has so many that their sum needed this


def decide_close(close: CloseOrder, facts: Facts, requires_runtime: bool) -> CloseVerdict:
    """Return the verdict on an order, by facts of a broker section that was read in full and is young enough.

    `asks_runtime` says that the runtime's own orders have to be seen too, because something is there to say them.
    """
    with localcontext(prec=_EXACT_DIGITS):
        return _decide(close, facts, requires_runtime)


def _decide(close: CloseOrder, facts: Facts, requires_runtime: bool) -> CloseVerdict:
    verdict = CloseVerdict(CANNOT_TELL, "", "")
    try:
        account = _find_account(close, facts)
        position = _find_position(close, facts, account)
        verdict = replace(verdict, position=position)
        side = _find_closing_side(close, position)
        verdict = replace(verdict, side=side)
        check_no_execution_since(close, facts, account)
        exits = list_working_exits(close, facts, account, position, requires_runtime)
    except EarlyVerdict as early:
        return replace(early.verdict, position=verdict.position, side=verdict.side)
    working = sum((left for _, left in exits), Decimal(0))
    verdict = replace(verdict, working=working, exits=tuple(order.title for order, _ in exits))
    held, order = (
        f"{format_quantity(abs(position))} {close.name}",
        f"{side} {format_quantity(close.quantity)}",
    )
    if working + close.quantity > abs(position):
        text = (
            f"{format_count(len(exits), 'exit order')} ({', '.join(verdict.exits)}) for {format_quantity(working)} of {held} already"
            f" {'works' if len(exits) == 1 else 'work'}: with it, {order} would open the other side"
        )
        return replace(verdict, decision=REFUSE, reason="exit_working", summary=f"{text}.")
    return replace(
        verdict, decision=ALLOW, reason="closes", summary=f"{order} closes, of {held} at the broker."
    )


def _find_account(close: CloseOrder, facts: Facts) -> str | None:
    """Return the account that the order is for, None where the broker's rows name none."""
    rows = facts.broker_positions or ()
    named = {row.account for row in rows} | {facts.broker_account}
    accounts = sorted(account for account in named if account is not None)
    if close.account is None and len(accounts) > 1:
        raise EarlyVerdict(
            CANNOT_TELL,
            "account",
            f"The broker shows {len(accounts)} accounts; say which one with --account.",
        )
    if close.account is not None and close.account not in accounts:
        raise EarlyVerdict(
            CANNOT_TELL, "account", f"The broker's rows say nothing of account {close.account}."
        )
    return close.account or (accounts[0] if accounts else None)


def _find_position(close: CloseOrder, facts: Facts, account: str | None) -> Decimal:
    """Return what the broker holds of the instrument, signed; lots of one instrument add up, no row is flat."""
    rows = [row for row in facts.broker_positions or () if can_be_in_account(row.account, account)]
    fits = [(row, _match_row(close, row, account)) for row in rows]
    doubtful = [row for row, fit in fits if fit is None]
    if doubtful and all(row.quantity == 0 for row, fit in fits if fit is not False):
        return Decimal(0)  # whichever of them it is, it is flat
    if doubtful:
        names = sorted({get_instrument_name(row) for row in doubtful})
        raise EarlyVerdict(
            CANNOT_TELL, "instrument", f"{close.name} may be any of these at the broker: {', '.join(names)}."
        )
    matches = [row for row, fit in fits if fit]
    # Lots of one contract say the same of it; rows of which only some say a part may be two contracts.
    if any(len({get_part(row) for row in matches}) > 1 for get_part in _DISTINGUISHING_PARTS):
        raise EarlyVerdict(
            CANNOT_TELL, "instrument", f"{close.name} may be more than one contract at the broker."
        )
    return _compute_position(close, matches)


def _match_row(close: CloseOrder, row: BrokerPosition, account: str | None) -> bool | None:
    fit = match_instrument(close.instrument, row)
    return None if fit and row.account != account else fit


def _compute_position(close: CloseOrder, rows: Sequence[BrokerPosition]) -> Decimal:
    quantities = [to_exact_decimal(row.quantity) for row in rows]
    known_quantities = [quantity for quantity in quantities if quantity is not None]
    if len(known_quantities) < len(quantities):
        raise EarlyVerdict(
            CANNOT_TELL, "unread", f"How much of {close.name} the broker holds could not be read."
        )
    if len({(quantity > 0) - (quantity < 0) for quantity in known_quantities}) > 1:
        text = ", ".join(format_quantity(quantity) for quantity in known_quantities)
        raise EarlyVerdict(
            CANNOT_TELL, "contradiction", f"The broker's rows of {close.name} contradict each other: {text}."
        )
    return sum(known_quantities, Decimal(0))


def _find_closing_side(close: CloseOrder, position: Decimal) -> str:
    """Return the side that closes the position; ends with a refusal where the order would not close it."""
    quantity = format_quantity(close.quantity)
    if not position:
        opens = {SELL: "a short position", BUY: "a long position"}.get(close.side or "", "a new position")
        order = f"{close.side} {quantity}" if close.side else f"an order for {quantity}"
        raise EarlyVerdict(
            REFUSE, "flat", f"The broker shows {close.name} flat: {order} would open {opens} of {quantity}."
        )
    side, held = (SELL, "long") if position > 0 else (BUY, "short")
    if close.side not in (None, side):
        raise EarlyVerdict(
            REFUSE,
            "other_side",
            f"The broker is {held} {format_quantity(abs(position))} {close.name}: {close.side} {quantity} would add to it.",
        )
    if close.quantity > abs(position):
        excess, opposite = (
            format_quantity(close.quantity - abs(position)),
            "short" if position > 0 else "long",
        )
        raise EarlyVerdict(
            REFUSE,
            "too_much",
            f"The broker is {held} only {format_quantity(abs(position))} {close.name}: {side} {quantity} would go through flat"
            f" and open a {opposite} position of {excess}.",
        )
    return side
