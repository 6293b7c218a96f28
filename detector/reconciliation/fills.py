"""Executions at the broker against the runtime's trades: which trade a fill belongs to, if any.

A fill is all executions of one order. It is matched by execution id, else by permanent or order id, else by
instrument, side, quantity and 60 s. Where a row lacks what would tell, it may be the one: nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, is_same, normalize
from detector.domain.runtime_rows import Trade

Match = Literal["yes", "maybe", "no"]
NEAR = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Fill:
    """The executions of one order, oldest first; at least one."""

    executions: tuple[Execution, ...]

    @property
    def first(self) -> Execution:
        """Return the execution that names it."""
        return self.executions[0]

    @property
    def instrument(self) -> Instrument:
        """Return what was traded, in its normal form."""
        return normalize(self.first)

    @property
    def quantity(self) -> Decimal | None:
        """Return the signed quantity of all executions; None where one was not seen."""
        found = [one.signed_quantity for one in self.executions]
        known = [one for one in found if one is not None]
        return sum(known, Decimal(0)) if len(known) == len(found) else None

    @property
    def at(self) -> datetime | None:
        """Return when the first one was executed; None where a time was not seen."""
        times = self.times
        return min(times) if len(times) == len(self.executions) else None

    @property
    def times(self) -> list[datetime]:
        """Return every time that was seen."""
        return [one.at for one in self.executions if one.at is not None]

    @property
    def realized_pnl(self) -> float | None:
        """Return the broker's realized P&L of all executions; None where one does not say it."""
        found = [one.realized_pnl for one in self.executions]
        known = [one for one in found if one is not None]
        return sum(known) if len(known) == len(found) else None

    def ids(self) -> set[str]:
        """Return the ids of the executions and of their order."""
        first = self.first
        return {f"exec {one.exec_id}" for one in self.executions} | _order_ids(first.perm_id, first.order_id)


def fills(executions: Iterable[Execution]) -> list[Fill]:
    """Return the executions by order, by the time of the first; one without an order stands alone."""
    groups: dict[str, list[Execution]] = {}
    for number, one in enumerate(executions):
        account = one.account or ""
        groups.setdefault(f"{account} {one.order_ref}" if one.order_ref else f"row {number}", []).append(one)
    found = [Fill(tuple(sorted(group, key=_order))) for group in groups.values()]
    return sorted(found, key=lambda fill: _order(fill.first))


def _order(one: Execution) -> tuple[bool, str, str]:
    return one.at is None, one.at.isoformat() if one.at else "", one.exec_id or ""


def trades_of(facts: Facts) -> list[Trade]:
    """Return the runtime's trades, each once: as its store has it, else as its payload lists it."""
    stored = facts.store_trades or ()
    ids = {trade.trade_id for trade in stored if trade.trade_id}
    return [*stored, *(trade for trade in facts.recent_trades or () if trade.trade_id not in ids)]


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a trade as a fill would make it: its ids, instrument, signed quantity and time, None where unseen."""

    ids: frozenset[str]
    instrument: Instrument
    quantity: Decimal | None
    at: datetime | None


def closes(fill: Fill, trade: Trade) -> bool:
    """Whether the fill is the one that closed the trade."""
    return any(leg.ids & fill.ids() or alike(fill, leg) == "yes" for leg in closing_leg(trade))


def legs_of(trade: Trade) -> Iterator[Leg]:
    """Yield the legs of a trade: the one that opened it, and the one that closed it or may have."""
    yield Leg(leg_ids(trade, opening=True), normalize(trade), trade.signed_quantity, trade.opened_at)
    yield from closing_leg(trade)


def closing_leg(trade: Trade) -> Iterator[Leg]:
    """Yield the leg that closed the trade, or may have; none where it is open."""
    ids, quantity = leg_ids(trade, opening=False), trade.signed_quantity
    if ids or trade.closed_at is not None or not trade.is_effectively_open:
        yield Leg(ids, normalize(trade), None if quantity is None else -quantity, trade.closed_at)


def leg_ids(trade: Trade, *, opening: bool) -> frozenset[str]:
    """Return the ids under which a leg of the trade may be known at the broker."""
    opened, closed = (
        (trade.exec_id, trade.perm_id, trade.order_id),
        (trade.exit_exec_id, trade.exit_perm_id, trade.exit_order_id),
    )
    exec_id, perm_id, order_id = opened if opening else closed
    return frozenset(({f"exec {exec_id}"} if exec_id else set()) | _order_ids(perm_id, order_id))


def _order_ids(perm_id: str | None, order_id: str | None) -> set[str]:
    return {f"{word} {one}" for word, one in (("perm", perm_id), ("order", order_id)) if one}


def alike(fill: Fill, leg: Leg) -> Match:
    """Compare by instrument, side, quantity and time; what was not seen may be equal."""
    named = leg.instrument.symbol is not None or leg.instrument.con_id is not None
    times, quantity = fill.times, fill.quantity
    if named and not is_same(leg.instrument, fill.instrument):
        return "no"
    if _differs(leg.quantity, quantity) or (leg.at and times and not _is_near(leg.at, times)):
        return "no"
    sure = named and bool(times) and None not in (leg.quantity, quantity, leg.at)
    return "yes" if sure else "maybe"


def _differs(one: Decimal | None, other: Decimal | None) -> bool:
    return one is not None and other is not None and one != other


def _is_near(at: datetime, times: Sequence[datetime]) -> bool:
    return min(times) - NEAR <= at <= max(times) + NEAR
