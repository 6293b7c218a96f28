"""Decides for `can-close`, by the broker's own rows, whether a close order may be sent. Pure.

*Allow* only where these rows, read in full and young enough, prove that the order closes; *refuse* where they
prove that it does not; *cannot tell* in every other case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from functools import lru_cache, partial
from itertools import accumulate

from msgspec.structs import replace

from detector.domain.broker_rows import BrokerPosition
from detector.domain.facts import Facts
from detector.domain.runtime_rows import Order
from detector.formats.numbers import format_count, format_list, format_quantity
from detector.reconciliation.close_check.close_order import (
    ALLOW,
    BUY,
    CANNOT_TELL,
    REFUSE,
    SELL,
    CloseDecision,
    CloseOrder,
    CloseTarget,
    CloseVerdict,
    build_unknown_verdict,
)
from detector.reconciliation.close_check.held_rows import (
    apply_only_part,
    build_target,
    find_account,
    find_rows,
    list_row_positions,
)
from detector.reconciliation.close_check.orders_beside import (
    explain_later_execution,
    explain_unknown_orders,
    list_unsettled_fills,
    list_working_exits,
)
from detector.reconciliation.expiry import EXPIRED, LIVE, get_expiry_state, is_last_day_missing
from detector.reconciliation.instrument_aliases import get_days
from detector.reconciliation.lots import can_be_ended
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.working_orders import WorkingQuantity

_EXACT_DIGITS = 60  # a quantity has at most 27, and no list is long enough for its sum to need more


def decide_close(close: CloseOrder, facts: Facts, heartbeat_limit_sec: float | None) -> CloseVerdict:
    """Return the verdict on an order, by facts of a broker section that was read in full and is young enough.

    `heartbeat_limit_sec`: how old the runtime's last sign of life may be for its own orders to count; None
    where the snapshot has no runtime.
    """
    with localcontext(prec=_EXACT_DIGITS):
        return _decide(close, facts, heartbeat_limit_sec)


def _decide(close: CloseOrder, facts: Facts, heartbeat_limit_sec: float | None) -> CloseVerdict:
    account = find_account(close, facts)
    if isinstance(account, CloseVerdict):
        return account
    close = apply_only_part(close, facts)
    rows = find_rows(close, facts, account)
    if isinstance(rows, CloseVerdict):
        return rows
    target = build_target(close, facts, account, rows)
    close = replace(close, instrument=target.instrument)  # named as the broker's row names it
    positions = _explain_expiry(close, target, rows, facts) or list_row_positions(close, rows)
    if isinstance(positions, CloseVerdict):
        return positions
    refusal = _find_closing_side(close, positions[0])
    if isinstance(refusal, CloseVerdict) and len(set(positions)) == 1:
        return _decide_by_readings(close, target, facts, positions)
    side = refusal if isinstance(refusal, str) else None
    moved = explain_later_execution(target, facts)
    unknown = moved or explain_unknown_orders(facts, heartbeat_limit_sec)
    if unknown is not None:
        reason = "orders" if moved is None else "moved"
        return replace(build_unknown_verdict(reason, unknown), position=positions[0], side=side)
    return _decide_by_readings(close, target, facts, positions)


def _decide_by_readings(
    close: CloseOrder, target: CloseTarget, facts: Facts, positions: Sequence[Decimal]
) -> CloseVerdict:
    """Return the verdict that holds under every reading of what is unclear, else that it is not known."""
    fills = list_unsettled_fills(target, facts)
    if isinstance(fills, CloseVerdict):
        return replace(fills, position=positions[0])
    readings = dict.fromkeys(positions, "The broker lists it several times, with other quantities")
    late = f"What {format_list(title for _, title in fills)} filled may not be in the position yet"
    for sign in (1, -1):
        parts = [quantity for quantity, _ in fills if quantity * sign > 0]
        for position in dict.fromkeys(positions):
            for total in accumulate(parts):
                readings.setdefault(position + total, late)
    exits_of = lru_cache(partial(list_working_exits, target, facts))
    own = _decide_reading(close, target, positions[0], exits_of)
    for position in readings:
        verdict = _decide_reading(close, target, position, exits_of)
        if _get_outcome(verdict) != _get_outcome(own):
            text = f"{readings[position]}: it is {describe_held(positions[0])}, or {describe_held(position)}."
            reason = "contradiction" if position in positions else "moved"
            return replace(build_unknown_verdict(reason, text), position=positions[0], side=own.side)
    other = next((position for position in readings if position and not positions[0]), None)
    if other is not None:
        return replace(own, summary=f"{own.summary} {readings[other]}: it may be {describe_held(other)}.")
    return own


def _get_outcome(verdict: CloseVerdict) -> tuple[CloseDecision, str | None]:
    """Return what two readings must agree in: a refusal is one whichever side would close."""
    return verdict.decision, None if verdict.decision == REFUSE else verdict.side


def _decide_reading(
    close: CloseOrder,
    target: CloseTarget,
    position: Decimal,
    exits_of: Callable[[bool], WorkingQuantity | CloseVerdict],
) -> CloseVerdict:
    side = _find_closing_side(close, position)
    if isinstance(side, CloseVerdict):
        return replace(side, position=position)
    exits = exits_of(position > 0)
    if isinstance(exits, CloseVerdict):
        return replace(exits, position=position, side=side)
    titles = tuple(order.title for order in exits.orders)
    held, order = f"{describe_held(position)} {close.name}", f"{side} {format_quantity(close.quantity)}"
    count, is_single = format_count(len(titles), "exit order"), len(titles) == 1
    if exits.most + close.quantity > abs(position):
        numbers = _list_numbers(exits.orders)
        text = (
            f"{count} ({', '.join(titles)}) for {format_quantity(exits.most)} of {held} already"
            f" {'works' if is_single else 'work'}: with {'it' if is_single else 'them'}, {order} would open"
            f" the other side; cancel {numbers or ('it' if is_single else 'them')} (the approver decides),"
            " read again, then close"
        )
        is_certain = exits.least + close.quantity > abs(position)
        text = text if is_certain else f"{exits.doubt} {text}"
        decision: CloseDecision = REFUSE if is_certain else CANNOT_TELL
        reason = "exit_working" if is_certain else "orders"
        return CloseVerdict(decision, reason, f"{text}.", side, position, exits.most, titles)
    part = "all" if close.quantity == abs(position) else format_quantity(close.quantity)
    summary = f"{order} closes {part} of {held} at the broker{_describe_scope(target)}."
    return CloseVerdict(ALLOW, "closes", summary, side, position, exits.most, titles)


def _list_numbers(orders: Sequence[Order]) -> str:
    """Return `#5/#6`, with the client where two clients have one number."""
    ids = [row.order_id or row.perm_id for row in orders]
    clients = [getattr(row, "client_id", None) for row in orders]
    return "/".join(
        f"#{number}{f' of client {client}' if client and ids.count(number) > 1 else ''}"
        for number, client in zip(ids, clients, strict=True)
        if number
    )


def _describe_scope(target: CloseTarget) -> str:
    """Return for which contract and account the answer holds."""
    named = target.instrument
    parts = [f"conid {named.con_id}"] if named.con_id else []
    if not parts:
        parts += [f"class {named.trading_class}"] if named.trading_class else []
        parts += [f"multiplier {named.multiplier:g}"] if named.multiplier else []
        parts += [f"currency {named.currency}"] if named.currency else []
    elif (target.wanted.con_id, target.wanted.currency) == (None, None):
        parts += [f"currency {named.currency}"] if named.currency not in (None, "USD") else []
    parts += [f"account {target.account}"] if target.account else []
    return f" ({', '.join(parts)})" if parts else ""


def _explain_expiry(
    close: CloseOrder, target: CloseTarget, rows: Sequence[BrokerPosition], facts: Facts
) -> CloseVerdict | None:
    named = target.instrument
    state = get_expiry_state(named, facts.taken_at)
    if state == EXPIRED:
        summary = f"{close.name} has expired: nothing can be traded in it any more."
        return CloseVerdict(REFUSE, "expired", summary)
    is_undated = is_last_day_missing(named) and not get_days(named)
    if state == LIVE and is_undated and rows:
        text = f"{close.name} may have expired already: no list has its last day; add --expiry YYYY-MM-DD."
        return build_unknown_verdict("expired", text)
    if state == LIVE and not (rows and named.expiry is None and can_be_ended(named, facts)):
        return None
    last = "its last moment is not known" if state != LIVE else "a list names a last day that is past"
    return build_unknown_verdict("expired", f"{close.name} may have expired already: {last}.")


def _find_closing_side(close: CloseOrder, position: Decimal) -> str | CloseVerdict:
    """Return the side that closes the position, or a refusal where the order would not close it."""
    quantity = format_quantity(close.quantity)
    if not position:
        opens = {SELL: "a short position", BUY: "a long position"}.get(close.side or "", "a new position")
        order = f"{close.side} {quantity}" if close.side else f"an order for {quantity}"
        con_id = close.instrument.con_id
        name = f"{close.name} (conid {con_id})" if con_id and close.instrument.symbol else close.name
        summary = f"The broker shows {name} flat: {order} would open {opens} of {quantity}."
        return CloseVerdict(REFUSE, "flat", summary)
    side, held, other = (SELL, "long", "short") if position > 0 else (BUY, "short", "long")
    if close.side not in (None, side):
        held = describe_held(position)
        summary = f"The broker is {held} {close.name}: {close.side} {quantity} would add to it."
        return CloseVerdict(REFUSE, "other_side", summary)
    if close.quantity > abs(position):
        excess = format_quantity(close.quantity - abs(position))
        opens = f"{side} {quantity} would go through flat and open a {other} position of {excess}"
        summary = f"The broker is {held} only {format_quantity(abs(position))} {close.name}: {opens}."
        return CloseVerdict(REFUSE, "too_much", summary)
    return side
