"""Reads the lots of each side from the facts, and the broker's positions as a book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import lru_cache

from detector.domain.broker_rows import BrokerPosition
from detector.domain.facts import Facts, known
from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import Position
from detector.domain.trade_rows import StoredPosition, format_other_ids
from detector.reconciliation.expiry import LIVE, get_expiry_state
from detector.reconciliation.instrument_aliases import get_days
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_book import ContractNames, PositionBook, build_position_book
from detector.reconciliation.position_pairs import Lot

_LISTED_AFTER_END = timedelta(days=7)  # the broker lists an ended contract until it is settled
INTERNAL_FACTS = ("store_positions", "open_positions")
"""The internal side is the store where it was read, else the runtime's own list."""


@lru_cache(maxsize=2)
def build_broker_book(facts: Facts) -> PositionBook:
    """Return the broker's positions as a book without an internal side; they must have been read.

    A position without an account is of the only one that any list names. All rules share the book.
    """
    return build_book(facts, (), _list_accounts(facts))


def _list_accounts(facts: Facts) -> set[str]:
    """Return the accounts that rows beside the broker's positions name."""
    lists = (facts.broker_orders, facts.broker_executions, facts.store_positions)
    return {row.account for rows in lists for row in rows or () if row.account}


def build_book(facts: Facts, internal: Iterable[Lot], named_accounts: Iterable[str] = ()) -> PositionBook:
    """Return the broker's positions, which must have been read, beside those lots of the runtime."""
    broker, names = iter_broker_lots(facts), list_names(facts)
    return build_position_book(internal, broker, facts.broker_account, named_accounts, names)


def can_be_ended(instrument: Instrument, facts: Facts) -> bool:
    """Whether a row without a last day may be of a contract that any list names, and that has just ended."""
    named = list_names(facts).add_to(instrument)
    if get_days(named):
        return get_expiry_state(named, facts.taken_at) != LIVE
    return _list_ended(facts).has(named)


@lru_cache(maxsize=2)
def _list_ended(facts: Facts) -> InstrumentIndex[Instrument]:
    """Return the contracts of any list that have ended so lately that the broker may still have them."""
    now = facts.taken_at
    first = f"{now - _LISTED_AFTER_END:%Y%m%d}"

    def can_have_ended(row: Instrument) -> bool:
        day = max(get_days(row), default="").replace("-", "")
        if not day:
            return row.is_option and row.con_id is None  # its day may be any, as of 06/02/26
        return day >= first[: len(day)] and get_expiry_state(row, now) != LIVE

    return InstrumentIndex((row, row) for row in list_names(facts).rows if can_have_ended(row))


@lru_cache(maxsize=2)
def list_names(facts: Facts) -> ContractNames:
    """Return the names of every contract id that a row of any list gives."""
    held = (facts.broker_positions, facts.store_positions, facts.open_positions)
    others = (facts.store_trades, facts.broker_orders, facts.orders, facts.broker_executions)
    return ContractNames(
        *([normalize(row) for rows in lists for row in rows or ()] for lists in (held, others))
    )


def find_internal_fact(facts: Facts) -> str | None:
    """Return the fact that the internal side is read from, or None where none was seen."""
    return next((name for name in INTERNAL_FACTS if getattr(facts, name) is not None), None)


def iter_internal_lots(facts: Facts) -> Iterator[Lot]:
    """Yield the lots of the internal side; none where no internal side was read."""
    if facts.store_positions is None:
        yield from iter_listed_lots(facts)
    for row in facts.store_positions or ():
        if row.is_named and row.is_effectively_open is not False:
            yield _build_own_lot(row, row.account)


def iter_listed_lots(facts: Facts) -> Iterator[Lot]:
    """Yield the lots of the runtime's own list, whatever its store holds."""
    for position in facts.open_positions or ():
        if position.is_named:
            yield _build_own_lot(position)


def iter_broker_lots(facts: Facts) -> Iterator[Lot]:
    """Yield the broker's lots."""
    keys: dict[BrokerPosition, str] = {}
    for row in known(facts.broker_positions):
        if row.is_named:
            # Rows that are equal in everything may be one that was written again.
            key = f"{row.con_id} {row.model}" if row.con_id else keys.setdefault(row, f"equal to {len(keys)}")
            yield Lot(normalize(row), row.quantity, row.account, key=key, model=row.model)


def _build_own_lot(row: StoredPosition | Position, account: str | None = None) -> Lot:
    """Return the lot of a row of the runtime, titled by its trade."""
    title = f"trade #{row.trade_id}{format_other_ids(row.signal_id, row.position_id)}" if row.trade_id else ""
    return Lot(normalize(row), row.signed_quantity, account, title, row.trade_id)
