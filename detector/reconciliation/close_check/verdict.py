"""Decides for `can-close`, by the broker's own rows, whether a close order may be sent. Pure.

*Allow* only where these rows, read in full and young enough, prove that the order closes; *refuse* where they
prove that it does not; *cannot tell* in every other case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext

from msgspec.structs import replace

from detector.domain.broker_rows import BrokerPosition
from detector.domain.facts import Facts
from detector.domain.instrument import get_instrument_name, normalize
from detector.formats.numbers import format_count, format_quantity, to_exact_decimal
from detector.reconciliation.close_check.close_order import (
    ALLOW,
    BUY,
    REFUSE,
    SELL,
    CloseOrder,
    CloseVerdict,
    build_unknown_verdict,
    match_instrument,
)
from detector.reconciliation.close_check.order_activity import (
    WorkingExit,
    explain_later_execution,
    list_working_exits,
)
from detector.reconciliation.position_pairs import can_be_in_account

_DISTINGUISHING_PARTS: tuple[Callable[[BrokerPosition], object], ...] = (
    lambda row: normalize(row).sec_type,
    lambda row: row.con_id,
    lambda row: normalize(row).multiplier,
    lambda row: row.currency,
    lambda row: row.trading_class,
)
_EXACT_DIGITS = 60  # a quantity has at most 27, and no list is long enough for its sum to need more


def decide_close(close: CloseOrder, facts: Facts, requires_runtime: bool) -> CloseVerdict:
    """Return the verdict on an order, by facts of a broker section that was read in full and is young enough.

    `requires_runtime`: the snapshot has a runtime, so that its orders must have been read too.
    """
    with localcontext(prec=_EXACT_DIGITS):
        return _decide(close, facts, requires_runtime)


def _decide(close: CloseOrder, facts: Facts, requires_runtime: bool) -> CloseVerdict:
    account = _find_account(close, facts)
    if isinstance(account, CloseVerdict):
        return account
    position = _find_position(close, facts, account)
    if isinstance(position, CloseVerdict):
        return position
    side = _find_closing_side(close, position)
    if isinstance(side, CloseVerdict):
        return replace(side, position=position)
    moved = explain_later_execution(close, facts, account)
    if moved is not None:
        return replace(build_unknown_verdict("moved", moved), position=position, side=side)
    exits = list_working_exits(close, facts, account, position, requires_runtime)
    verdict = exits if isinstance(exits, CloseVerdict) else _compare_with_exits(close, side, position, exits)
    return replace(verdict, position=position, side=side)


def _compare_with_exits(
    close: CloseOrder, side: str, position: Decimal, exits: Sequence[WorkingExit]
) -> CloseVerdict:
    """Return whether the order still closes after every working exit has filled."""
    working, titles = sum((left for _, left in exits), Decimal(0)), tuple(order.title for order, _ in exits)
    held = f"{format_quantity(abs(position))} {close.name}"
    order = f"{side} {format_quantity(close.quantity)}"
    if working + close.quantity > abs(position):
        text = (
            f"{format_count(len(exits), 'exit order')} ({', '.join(titles)})"
            f" for {format_quantity(working)} of {held} already"
            f" {'works' if len(exits) == 1 else 'work'}: with it, {order} would open the other side"
        )
        return CloseVerdict(REFUSE, "exit_working", f"{text}.", working=working, exits=titles)
    summary = f"{order} closes, of {held} at the broker."
    return CloseVerdict(ALLOW, "closes", summary, working=working, exits=titles)


def _find_account(close: CloseOrder, facts: Facts) -> str | CloseVerdict | None:
    """Return the account of the order, None where the broker's rows name none, or a verdict."""
    rows = facts.broker_positions or ()
    named = {row.account for row in rows} | {facts.broker_account}
    accounts = sorted(account for account in named if account is not None)
    if close.account is None and len(accounts) > 1:
        summary = f"The broker shows {len(accounts)} accounts; say which one with --account."
        return build_unknown_verdict("account", summary)
    if close.account is not None and close.account not in accounts:
        return build_unknown_verdict("account", f"The broker's rows say nothing of account {close.account}.")
    return close.account or (accounts[0] if accounts else None)


def _find_position(close: CloseOrder, facts: Facts, account: str | None) -> Decimal | CloseVerdict:
    """Return the broker's signed quantity of the instrument, or a verdict; lots add up, no row is flat."""
    rows = [row for row in facts.broker_positions or () if can_be_in_account(row.account, account)]
    fits = [(row, _match_row(close, row, account)) for row in rows]
    doubtful = [row for row, fit in fits if fit is None]
    if doubtful and all(row.quantity == 0 for row, fit in fits if fit is not False):
        return Decimal(0)  # whichever of them it is, it is flat
    if doubtful:
        names = sorted({get_instrument_name(row) for row in doubtful})
        summary = f"{close.name} may be any of these at the broker: {', '.join(names)}."
        return build_unknown_verdict("instrument", summary)
    matches = [row for row, fit in fits if fit]
    # Lots of one contract agree in every part; where only some rows have a part, they may be two contracts.
    if any(len({get_part(row) for row in matches}) > 1 for get_part in _DISTINGUISHING_PARTS):
        summary = f"{close.name} may be more than one contract at the broker."
        return build_unknown_verdict("instrument", summary)
    return _compute_position(close, matches)


def _match_row(close: CloseOrder, row: BrokerPosition, account: str | None) -> bool | None:
    fit = match_instrument(close.instrument, row)
    return None if fit and row.account != account else fit


def _compute_position(close: CloseOrder, rows: Sequence[BrokerPosition]) -> Decimal | CloseVerdict:
    quantities = [to_exact_decimal(row.quantity) for row in rows]
    known_quantities = [quantity for quantity in quantities if quantity is not None]
    if len(known_quantities) < len(quantities):
        summary = f"How much of {close.name} the broker holds could not be read."
        return build_unknown_verdict("unread", summary)
    if len({(quantity > 0) - (quantity < 0) for quantity in known_quantities}) > 1:
        text = ", ".join(format_quantity(quantity) for quantity in known_quantities)
        summary = f"The broker's rows of {close.name} contradict each other: {text}."
        return build_unknown_verdict("contradiction", summary)
    return sum(known_quantities, Decimal(0))


def _find_closing_side(close: CloseOrder, position: Decimal) -> str | CloseVerdict:
    """Return the side that closes the position, or a refusal where the order would not close it."""
    quantity = format_quantity(close.quantity)
    if not position:
        opens = {SELL: "a short position", BUY: "a long position"}.get(close.side or "", "a new position")
        order = f"{close.side} {quantity}" if close.side else f"an order for {quantity}"
        summary = f"The broker shows {close.name} flat: {order} would open {opens} of {quantity}."
        return CloseVerdict(REFUSE, "flat", summary)
    side, held = (SELL, "long") if position > 0 else (BUY, "short")
    if close.side not in (None, side):
        return CloseVerdict(
            REFUSE,
            "other_side",
            f"The broker is {held} {format_quantity(abs(position))} {close.name}:"
            f" {close.side} {quantity} would add to it.",
        )
    if close.quantity > abs(position):
        excess = format_quantity(close.quantity - abs(position))
        return CloseVerdict(
            REFUSE,
            "too_much",
            f"The broker is {held} only {format_quantity(abs(position))} {close.name}:"
            f" {side} {quantity} would go through flat"
            f" and open a {'short' if position > 0 else 'long'} position of {excess}.",
        )
    return side
