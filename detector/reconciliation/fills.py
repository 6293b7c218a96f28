"""Fills of the broker and legs of the runtime's trades, and whether a fill is a leg.

A fill is all executions of one order. It matches by execution id, else by permanent or order id, else by
instrument, side, quantity and 60 s. Where a row lacks a part that would decide, the match is unclear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache

from msgspec import Struct

from detector.domain.broker_rows import Execution, get_original_id
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import list_order_ids
from detector.domain.trade_rows import Trade
from detector.formats.numbers import format_quantity, to_exact_decimal
from detector.formats.times import format_utc
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, Answer, compare, is_combo
from detector.reconciliation.instrument_aliases import is_nameless

PRICE_DECIMALS = 4
"""Decimals of a computed price."""
MATCH_TOLERANCE = timedelta(seconds=60)
SETTLING = timedelta(seconds=60)
"""An execution so shortly before the broker's positions may or may not be in them."""


class Fill(Struct, frozen=True, dict=True):
    """The executions of one order, oldest first; at least one."""

    executions: tuple[Execution, ...]

    @property
    def first(self) -> Execution:
        """The execution that stands for the fill."""
        return self.executions[0]

    @cached_property
    def instrument(self) -> Instrument:
        """The instrument in its normal form."""
        return normalize(self.first)

    @cached_property
    def quantity(self) -> Decimal | None:
        """The signed quantity of all executions; None where one is unknown."""
        known = [row.signed_quantity for row in self.executions if row.signed_quantity is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.executions) else None

    @cached_property
    def at(self) -> datetime | None:
        """The time of the first execution; None where any time is unknown."""
        times = self.times
        return min(times) if len(times) == len(self.executions) else None

    @cached_property
    def times(self) -> list[datetime]:
        """The known times of the executions."""
        return [execution.at for execution in self.executions if execution.at is not None]

    @property
    def realized_pnl(self) -> float | None:
        """The broker's realized P&L of all executions; None where one has none."""
        known = [row.realized_pnl for row in self.executions if row.realized_pnl is not None]
        return sum(known) if len(known) == len(self.executions) else None

    @cached_property
    def price(self) -> float | None:
        """The average price, rounded where there are several; None where a price or quantity is unknown."""
        average, has_several = self.compute_average(), len({row.price for row in self.executions}) > 1
        number = None if average is None else float(average)
        return number if number is None or not has_several else round(number, PRICE_DECIMALS)

    @cached_property
    def text(self) -> str:
        """What was filled, for a person: `sold 39 at 1.25 at …`; empty where it is not known in full."""
        if self.quantity is None or self.price is None:
            return ""
        side = "bought" if self.quantity > 0 else "sold"
        when = f" at {format_utc(self.at)}" if self.at else ""
        return f"{side} {format_quantity(abs(self.quantity))} at {self.price:g}{when}"

    def compute_average(self) -> Decimal | None:
        """Return the average price weighted by quantity; None where a price or quantity is unknown."""
        parts = [(to_exact_decimal(row.quantity), to_exact_decimal(row.price)) for row in self.executions]
        priced = [(abs(q), price) for q, price in parts if q is not None and price is not None]
        total = sum((quantity for quantity, _ in priced), Decimal(0))
        if len(priced) < len(parts) or not total:
            return None
        return sum((quantity * price for quantity, price in priced), Decimal(0)) / total

    def get_ids(self) -> set[str]:
        """Return the ids of the executions and of their order."""
        ids = (_build_exec_ids(execution.exec_id) for execution in self.executions)
        return set(list_order_ids(self.first.perm_id, self.first.order_id)).union(*ids)


@lru_cache(maxsize=2)
def list_fills(facts: Facts) -> Sequence[Fill]:
    """Return the executions by order and instrument, the oldest first; one without an order is its own fill.

    A combo's own execution is none: its legs are. One that was corrected to nothing is none.
    """
    groups: dict[tuple[str, Instrument | int], list[Execution]] = {}
    for number, execution in enumerate(facts.broker_executions or ()):
        if not is_fill(execution):
            continue
        client = "" if is_account_wide(execution) else execution.client_id or ""
        reference = f"{execution.account or ''} {client} {execution.order_ref}"
        key = (reference, normalize(execution)) if execution.order_ref else ("", number)
        groups.setdefault(key, []).append(execution)
    grouped = [Fill(tuple(sorted(group, key=_get_time_key))) for group in groups.values()]
    return sorted(grouped, key=lambda fill: _get_time_key(fill.first))


def is_account_wide(execution: Execution) -> bool:
    """Whether its order is known by the id that no two clients' orders share."""
    return (execution.order_ref or "").startswith("perm ")


def is_fill(execution: Execution) -> bool:
    """Whether it filled something of one contract: no combo, and not corrected to nothing."""
    return not is_combo(execution) and execution.quantity != 0


def _get_time_key(execution: Execution) -> tuple[bool, str, str]:
    return execution.at is None, execution.at.isoformat() if execution.at else "", execution.exec_id or ""


def list_trades(facts: Facts) -> list[Trade]:
    """Return the runtime's trades, each once: from its store, else from its payload."""
    stored = facts.store_trades or ()
    ids = {trade.trade_id for trade in stored if trade.trade_id}
    return [*stored, *(trade for trade in facts.recent_trades or () if trade.trade_id not in ids)]


class Leg(Struct, frozen=True):
    """One side of a trade as a fill has it: ids, instrument, signed quantity and time; None is unknown."""

    ids: frozenset[str]
    instrument: Instrument
    quantity: Decimal | None
    at: datetime | None


def has_closed(fill: Fill, trade: Trade) -> bool:
    """Whether the fill certainly closed the trade."""
    return any(leg.ids & fill.get_ids() or match_leg(fill, leg) == SAME for leg in iter_closing_leg(trade))


def iter_legs(trade: Trade) -> Iterator[Leg]:
    """Yield the legs of a trade: the opening leg, and the closing leg where there is or may be one."""
    yield Leg(get_leg_ids(trade, opening=True), normalize(trade), trade.signed_quantity, trade.opened_at)
    yield from iter_closing_leg(trade)


def iter_closing_leg(trade: Trade) -> Iterator[Leg]:
    """Yield the closing leg of the trade; none where the trade is open."""
    ids, quantity = get_leg_ids(trade, opening=False), trade.signed_quantity
    if ids or trade.closed_at is not None or not trade.is_effectively_open:
        yield Leg(ids, normalize(trade), None if quantity is None else -quantity, trade.closed_at)


def get_leg_ids(trade: Trade, *, opening: bool) -> frozenset[str]:
    """Return the ids that the broker may have for a leg of the trade."""
    exec_id, perm_id, order_id = trade.exec_id, trade.perm_id, trade.order_id
    if not opening:
        exec_id, perm_id, order_id = trade.exit_exec_id, trade.exit_perm_id, trade.exit_order_id
    return frozenset(_build_exec_ids(exec_id)).union(list_order_ids(perm_id, order_id))


def _build_exec_ids(exec_id: str | None) -> set[str]:
    return {f"exec {get_original_id(exec_id)}"} if exec_id else set()


def match_leg(fill: Fill, leg: Leg) -> Answer:
    """Compare by instrument, side, quantity and time; an unknown part may be equal."""
    is_named = leg.instrument.symbol is not None or leg.instrument.con_id is not None
    times, quantity = fill.times, fill.quantity
    answer = compare(leg.instrument, fill.instrument) if is_named else UNCLEAR
    is_other_quantity = None not in (leg.quantity, quantity) and leg.quantity != quantity
    is_near = not (leg.at and times) or (
        min(times) - MATCH_TOLERANCE <= leg.at <= max(times) + MATCH_TOLERANCE
    )
    if answer == DIFFERENT or is_other_quantity or not is_near:
        return DIFFERENT
    is_certain = is_named and not is_nameless(fill.instrument) and bool(times)
    return SAME if is_certain and None not in (leg.quantity, quantity, leg.at) else UNCLEAR
