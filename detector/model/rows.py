"""Rows of the payloads and of AWS and Docker answers; every column may be unseen (None).

A column is declared with the kind of its value and, where two payloads list the same row, the
direction that is worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from detector.model.times import whole


def _column(kind: str, worse: str = "first", doc: str = "") -> Any:
    return field(default=None, metadata={"kind": kind, "worse": worse, "doc": doc})


DONE = ("Filled", "Cancelled", "ApiCancelled", "Inactive")  # ib_async OrderStatus.DoneStates
_STOP_TYPES = ("STP", "STOP", "TRAIL", "MIT", "LIT")


@dataclass(frozen=True, slots=True)
class Order:
    """A working order as the runtime lists it."""

    order_id: str | None = _column("id")
    perm_id: str | None = _column("id")
    symbol: str | None = _column("id")
    con_id: str | None = _column("id")
    sec_type: str | None = _column("text")
    expiry: str | None = _column("id")
    strike: float | None = _column("number")
    right: str | None = _column("text")
    multiplier: float | None = _column("number")
    side: str | None = _column("text")
    kind: str | None = _column("text", doc="entry or exit")
    order_type: str | None = _column("text")
    status: str | None = _column("text", "working")
    parked: bool | None = _column("flag")
    filled: float | None = _column("number", "larger")
    quantity: float | None = _column("number", "larger")
    submitted_at: datetime | None = _column("time", "older")

    @property
    def identity(self) -> str:
        """Return the order's one identity: its order id, else its permanent id, else what it trades."""
        return self.order_id or self.perm_id or f"{self.side or 'order'} {instrument_of(self)}"

    @property
    def is_named(self) -> bool:
        """Whether the row says which order it is."""
        return bool(self.order_id or self.perm_id)

    @property
    def title(self) -> str:
        """Return the order for a person: its number and what it trades."""
        known = self.order_id or self.perm_id
        return f"#{known} ({instrument_of(self)})" if known else instrument_of(self)

    @property
    def is_working(self) -> bool:
        """Whether it still can fill; an order without a status is listed because it works."""
        return self.status not in DONE

    @property
    def rests(self) -> bool:
        """Whether it waits on purpose: parked, or a stop or target that is not triggered yet."""
        stop = (self.order_type or "").upper().startswith(_STOP_TYPES)
        return bool(self.parked) or (self.status == "PreSubmitted" and (stop or self.kind == "exit"))

    def submitted(self, moment: datetime) -> Order:
        """Return the order with that time of submission."""
        return self if moment == self.submitted_at else replace(self, submitted_at=moment)


@dataclass(frozen=True, slots=True)
class Position:
    """An open position as the runtime lists it; `quantity` is signed."""

    symbol: str | None = _column("id")
    con_id: str | None = _column("id")
    sec_type: str | None = _column("text")
    expiry: str | None = _column("id")
    strike: float | None = _column("number")
    right: str | None = _column("text")
    multiplier: float | None = _column("number")
    quantity: float | None = _column("number", "larger")
    avg_price: float | None = _column("number")
    tags: tuple[str, ...] | None = _column("texts", "united")
    exit_attempt_count: int | None = _column("count", "larger")
    trade_id: str | None = _column("id")
    signal_id: str | None = _column("id")
    position_id: str | None = _column("id")

    @property
    def is_named(self) -> bool:
        """Whether the row says which instrument it is."""
        return bool(self.symbol or self.con_id)

    @property
    def identity(self) -> str:
        """Return the instrument: the symbol, and expiry, strike and right for an option."""
        return instrument_of(self)


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as the runtime lists it among its recent ones."""

    trade_id: str | None = _column("id")
    symbol: str | None = _column("id")
    opened_at: datetime | None = _column("time")
    closed_at: datetime | None = _column("time")
    quantity: float | None = _column("number")
    entry_price: float | None = _column("number")
    exit_price: float | None = _column("number")
    multiplier: float | None = _column("number")
    fees: float | None = _column("number")
    realized_pnl: float | None = _column("number")
    exit_reason: str | None = _column("text")
    pnl_unknown: bool | None = _column("flag", "true")

    @property
    def identity(self) -> str:
        """Return the trade id, else what was traded and when it was closed."""
        closed = f" {self.closed_at:%Y-%m-%dT%H.%M.%SZ}" if self.closed_at else ""
        return self.trade_id or f"{self.symbol or 'trade'}{closed}"

    @property
    def is_named(self) -> bool:
        """Whether the row says which trade it is."""
        return bool(self.trade_id)

    @property
    def title(self) -> str:
        """Return the trade for a person: its number and its symbol."""
        return f"#{self.trade_id} ({self.symbol})" if self.trade_id and self.symbol else self.identity


@dataclass(frozen=True, slots=True)
class Tick:
    """The last price that the runtime saw of an instrument."""

    symbol: str | None = _column("id")
    price: float | None = _column("number")
    at: datetime | None = _column("time", "older")

    @property
    def is_named(self) -> bool:
        """Whether the row says which instrument it is."""
        return bool(self.symbol)

    @property
    def identity(self) -> str:
        """Return the symbol."""
        return self.symbol or "instrument"


@dataclass(frozen=True, slots=True)
class Service:
    """The ECS service; `found` is False where AWS answered and did not know it."""

    found: bool
    name: str
    why_missing: str | None = None
    status: str | None = None
    desired: int | None = None
    running: int | None = None
    pending: int | None = None
    replacing_since: datetime | None = None
    start_failures_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaskContainer:
    """One container of an ECS task; without a name it may be any of them."""

    name: str | None
    last_status: str | None = None
    health: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One ECS task; `of_service` is None where AWS did not say to which group it belongs."""

    task_id: str
    of_service: bool | None = None
    last_status: str | None = None
    desired_status: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    containers: tuple[TaskContainer, ...] | None = None

    @property
    def short_id(self) -> str:
        """Return enough of the id for a person to tell tasks apart."""
        return self.task_id[:8]

    @property
    def all_named(self) -> bool:
        """Whether every container was seen with its name, so that one that is not among them is absent."""
        return self.containers is not None and all(one.name for one in self.containers)

    def container(self, name: str) -> TaskContainer | None:
        """Return the container of that name, or None where the task has none."""
        return next((one for one in self.containers or () if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Container:
    """One container of the standby host, by its Docker name and state."""

    name: str
    state: str | None = None


def instrument_of(row: Order | Position) -> str:
    """Return an instrument's one name: `SPY`, or `SPY 2026-05-06 727C` for an option."""
    symbol = row.symbol or (f"conid {row.con_id}" if row.con_id else "unknown instrument")
    if row.strike is None and row.right is None:
        return symbol
    strike = "" if row.strike is None else str(whole(row.strike))
    return " ".join(
        part for part in (symbol, _day(row.expiry), f"{strike}{(row.right or '')[:1].upper()}") if part
    )


def _day(expiry: str | None) -> str:
    if expiry and len(expiry) == len("YYYYMMDD") and expiry.isdigit():
        return f"{expiry[:4]}-{expiry[4:6]}-{expiry[6:]}"
    return expiry or ""


def columns_of(row: type[Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the declared columns of a row type: name to kind and worse direction."""
    return {spec.name: spec.metadata for spec in fields(row) if "kind" in spec.metadata}
