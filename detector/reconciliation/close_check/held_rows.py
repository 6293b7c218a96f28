"""The broker's rows of the contract that is to be closed, and the quantities that they may mean."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from detector.domain.broker_rows import BrokerPosition, is_all_accounts
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, describe_apart, normalize
from detector.domain.instrument_names import FUTURE, STOCK
from detector.formats.numbers import to_exact_decimal
from detector.reconciliation.close_check.close_order import (
    CloseOrder,
    CloseTarget,
    CloseVerdict,
    build_unknown_verdict,
    match_instrument,
)
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, can_be_in_account
from detector.reconciliation.instrument_aliases import PAIR_TYPES, get_days, get_names, list_codes
from detector.reconciliation.position_pairs import describe_held, merge_instruments

_DISTINGUISHING_PARTS = ("sec_type", "con_id", "multiplier", "currency", "trading_class")
_HINT_PARTS = ("sec_type", "expiry", "strike", "right", "trading_class", "currency")


def find_account(close: CloseOrder, facts: Facts) -> str | CloseVerdict | None:
    """Return the account of the order, None where the broker's rows name none, or a verdict."""
    positions = facts.broker_positions or ()
    accounts = sorted({facts.broker_account, *(row.account for row in positions)} - {None}, key=str)
    if close.account is None and len(accounts) > 1:
        summary = f"The broker shows {len(accounts)} accounts; say which one with --account."
        return build_unknown_verdict("account", summary)
    if facts.broker_account is None and any(row.account is None for row in positions):
        traded = {
            row.account for rows in (facts.broker_orders, facts.broker_executions) for row in rows or ()
        }
        if strange := sorted(traded - {None, close.account}, key=str):
            summary = f"Positions name no account, and {strange[0]} trades here: export their account too."
            return build_unknown_verdict("account", summary)
    if close.account is not None and close.account not in accounts:
        return build_unknown_verdict("account", f"The broker's rows say nothing of account {close.account}.")
    if close.account is None and any(map(is_all_accounts, accounts)):
        summary = "The broker's rows are of several accounts together; list the positions of each."
        return build_unknown_verdict("account", summary)
    return close.account or (accounts[0] if accounts else None)


def apply_only_part(close: CloseOrder, facts: Facts) -> CloseOrder:
    """Return the order with the expiry of the only future of its symbol, or the currency of the only pair."""
    wanted = normalize(close.instrument)
    is_pair = wanted.sec_type in PAIR_TYPES and wanted.currency is None
    if not is_pair and (wanted.sec_type != FUTURE or get_days(wanted)):
        return close
    part = "currency" if is_pair else "expiry"
    rows = [row for row in (*(facts.broker_positions or ()), *(facts.broker_orders or ()))
            if match_instrument(close.instrument, row) != DIFFERENT]  # fmt: skip
    values = {getattr(normalize(row), part) for row in rows}
    if len(values) != 1 or None in values:
        return close
    return replace(close, instrument=replace(wanted, **{part: next(iter(values))}))


def find_rows(
    close: CloseOrder, facts: Facts, account: str | None
) -> Sequence[BrokerPosition] | CloseVerdict:
    """Return the broker's rows of the contract, or a verdict where they may be of several."""
    rows = [row for row in facts.broker_positions or () if can_be_in_account(row.account, account)]
    fits = [(row, fit) for row in rows if (fit := match_instrument(close.instrument, row)) != DIFFERENT]
    fits = [(row, UNCLEAR if fit == SAME and row.account != account else fit) for row, fit in fits]
    exact = {row.con_id for row, fit in fits if fit == SAME}
    if len(exact) == 1 and None not in exact:  # what is the contract settles what may be and has its own id
        fits = [
            (row, fit)
            for row, fit in fits
            if row.con_id in (*exact, None) or not _is_other(normalize(close.instrument), row)
        ]
    possible = [row for row, _ in fits]
    is_doubtful = any(fit == UNCLEAR for _, fit in fits)
    if is_doubtful and all(row.quantity == 0 for row in possible):
        return ()  # whichever of them it is, it is flat
    names = sorted({describe_apart(row, possible) for row in possible})
    listed = f"{', '.join(names)}{_describe_hint(close, possible)}" if possible else ""
    if is_doubtful:
        summary = f"{close.name} may be any of these at the broker: {listed}."
        return build_unknown_verdict("instrument", summary)
    # Lots of one contract agree in every part; where only some rows have a part, they may be two contracts.
    if any(len({getattr(normalize(row), part) for row in possible}) > 1 for part in _DISTINGUISHING_PARTS):
        summary = f"{close.name} may be more than one contract at the broker: {listed}."
        return build_unknown_verdict("instrument", summary)
    if any(row.model for row in possible):
        return build_unknown_verdict(
            "account", f"The broker holds {close.name} in a model portfolio, in parts."
        )
    return possible


def _is_other(wanted: Instrument, row: BrokerPosition) -> bool:
    """Whether a row with an id of its own is not meant, where another one is certainly the contract.

    It is of another day. Where no day is asked for, it is flat, or a share with a word behind that symbol:
    AAPL RTS. A code is of one contract.
    """
    named, days = normalize(row), get_days(wanted)
    if days or wanted.is_option:
        return bool(days) and not days & get_days(named)
    is_of_root = named.sec_type == STOCK and not get_names(wanted) & get_names(named)
    return row.quantity == 0 or is_of_root or bool(list_codes(wanted))


def _describe_hint(close: CloseOrder, rows: Sequence[BrokerPosition]) -> str:
    """Return what would make it clear: one part of the only row, the rows' contract ids, or all its parts."""
    wanted, row = normalize(close.instrument), rows[0]
    named = normalize(row)
    parts = {
        part: value for part in _HINT_PARTS if (value := getattr(named, part)) and not getattr(wanted, part)
    }
    has_ids = wanted.con_id is None and all(row.con_id for row in rows)
    ids = f"; give --con-id ({', '.join(sorted({str(row.con_id) for row in rows}))})" if has_ids else ""
    if len(rows) > 1:
        return ids
    absent = [part for part in ("con_id", *_HINT_PARTS) if getattr(wanted, part) and not getattr(named, part)]
    for added in (*({part: value} for part, value in parts.items()), *(() if has_ids else (parts,))):
        if match_instrument(replace(wanted, **added), row) == SAME:
            words = (f"--{part.replace('_', '-')} {value}" for part, value in added.items())
            return f"; add {' '.join(words)}"
    return ids or (f"; its row gives no {' and no '.join(absent)}" if absent else "")


def build_target(
    close: CloseOrder, facts: Facts, account: str | None, rows: Sequence[BrokerPosition]
) -> CloseTarget:
    """Return the contract with every name that its row adds: an exit may be listed under any of them."""
    instrument = normalize(close.instrument)
    for row in rows:
        instrument = merge_instruments(instrument, normalize(row))
    may_be = (
        row for row in facts.broker_positions or () if match_instrument(close.instrument, row) != DIFFERENT
    )
    con_ids = {row.con_id for row in (instrument, *may_be) if row.con_id is not None}
    return CloseTarget(instrument, account, frozenset(con_ids), close.instrument)


def list_row_positions(close: CloseOrder, rows: Sequence[BrokerPosition]) -> list[Decimal] | CloseVerdict:
    """Return the signed quantities that the rows may mean, their sum first; no row is flat.

    Several rows of one contract in one account are lots, or one row that was written again.
    """
    quantities = [quantity for row in rows if (quantity := to_exact_decimal(row.quantity)) is not None]
    if len(quantities) < len(rows):
        summary = f"How much of {close.name} the broker holds could not be read."
        return build_unknown_verdict("unread", summary)
    if len({(quantity > 0) - (quantity < 0) for quantity in quantities}) > 1:
        text = ", ".join(describe_held(quantity) for quantity in quantities)
        summary = f"The broker's rows of {close.name} contradict each other: {text}."
        return build_unknown_verdict("contradiction", summary)
    return [sum(quantities, Decimal(0)), *(quantities if len(quantities) > 1 else ())]
