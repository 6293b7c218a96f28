"""Rows of the payloads and of AWS and Docker answers; every column may be unseen (None).

A column is declared with the kind of its value and, where two payloads list the same row, the
direction that is worse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from detector.domain.columns import column, columns_of
from detector.domain.instrument import Instrument, instrument_of, signed_by
from detector.domain.task_rows import Container, Service, Task, TaskContainer

__all__ = [
    "ENTRY", "EXIT", "Container", "Order", "Position", "Service", "Task", "TaskContainer", "Tick", "Trade", "columns_of",
    "instrument_of", "is_done", "other_ids",
]  # fmt: skip

ENTRY, EXIT = "entry", "exit"
_DONE = (
    "filled",
    "cancelled",
    "canceled",
    "apicancelled",
    "inactive",
)  # ib_async OrderStatus.DoneStates, in any case
_ENTRIES = (ENTRY, "open", "opening", "enter", "scalein", "add")
_EXITS = (
    EXIT, "close", "closing", "stop", "stoploss", "sl", "takeprofit", "target", "profittarget", "tp", "trail",
    "trailing", "trailingstop", "flatten", "liquidation", "liquidate", "protective", "protectivestop", "scaleout",
)  # fmt: skip
_OPEN, _CLOSED = ("OPEN", "ACTIVE", "FILLED"), ("CLOSED", "CLOSE", "EXITED", "EXPIRED", "DONE")
_STOP_TYPES = ("STP", "STOP", "TRAIL", "MIT", "LIT")


def _bare(word: str | None) -> str:
    """Return a word without case, spaces and what joins words."""
    return "".join(letter for letter in (word or "").lower() if letter.isalnum())


def is_done(status: str | None) -> bool:
    """Whether an order of that status can fill no more, in whatever case it is written."""
    return _bare(status) in _DONE


@dataclass(frozen=True, slots=True)
class Order(Instrument):
    """A working order as the runtime lists it."""

    order_id: str | None = column("id")
    perm_id: str | None = column("id")
    side: str | None = column("text")
    kind: str | None = column("text", doc="entry or exit")
    order_type: str | None = column("text")
    status: str | None = column("text", "working")
    parked: bool | None = column("flag")
    filled: Decimal | float | None = column("quantity", "larger")
    quantity: Decimal | float | None = column("quantity", "larger")
    submitted_at: datetime | None = column("time", "older")

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
        return not is_done(self.status)

    @property
    def purpose(self) -> str | None:
        """Return whether it is an entry or an exit by the runtime's own word; None where that is not known."""
        word = _bare(self.kind)
        return ENTRY if word in _ENTRIES else EXIT if word in _EXITS else None

    @property
    def is_stop(self) -> bool:
        """Whether it waits for a price by its type."""
        return (self.order_type or "").strip().upper().startswith(_STOP_TYPES)

    @property
    def rests(self) -> bool:
        """Whether it waits on purpose: parked, or a stop or target that is not triggered yet."""
        waits = _bare(self.status) == "presubmitted"
        return bool(self.parked) or (waits and (self.is_stop or self.purpose == EXIT))

    def submitted(self, moment: datetime) -> Order:
        """Return the order with that time of submission."""
        return self if moment == self.submitted_at else replace(self, submitted_at=moment)


@dataclass(frozen=True, slots=True)
class Position(Instrument):
    """An open position as the runtime lists it; `quantity` is signed."""

    quantity: Decimal | float | None = column("quantity", "larger")
    avg_price: float | None = column("number")
    tags: tuple[str, ...] | None = column("texts", "united")
    exit_attempt_count: int | None = column("count", "larger")
    trade_id: str | None = column("id")
    signal_id: str | None = column("id")
    position_id: str | None = column("id")

    @property
    def is_named(self) -> bool:
        """Whether the row says which instrument it is."""
        return bool(self.symbol or self.con_id)

    @property
    def identity(self) -> str:
        """Return the instrument: the symbol, and expiry, strike and right for an option."""
        return instrument_of(self)

    @property
    def title(self) -> str:
        """Return the position's trade for a person: its number, its other ids behind it, and what it trades."""
        others = other_ids(self.signal_id, self.position_id)
        return f"#{self.trade_id}{others} in {self.identity}" if self.trade_id else self.identity


@dataclass(frozen=True, slots=True)
class Trade(Instrument):
    """A trade as the runtime lists it among its recent ones, or as its store keeps it.

    `quantity` is signed, what was opened. `is_open` and `status` say whether it is open, where nothing else does.
    """

    trade_id: str | None = column("id")
    signal_id: str | None = column("id")
    position_id: str | None = column("id")
    opened_at: datetime | None = column("time")
    closed_at: datetime | None = column("time")
    quantity: Decimal | float | None = column("quantity")
    entry_price: float | None = column("number")
    exit_price: float | None = column("number")
    fees: float | None = column("number")
    realized_pnl: float | None = column("number")
    exit_reason: str | None = column("text")
    pnl_unknown: bool | None = column("flag", "true")
    is_open: bool | None = column("flag", "true", "whether it is open, in a store")
    status: str | None = column("text", doc="OPEN or CLOSED, in a store")
    side: str | None = column("text", doc="LONG or SHORT, where the quantity bears no sign")
    order_id: str | None = column("id", doc="the order that opened it")
    perm_id: str | None = column("id")
    exec_id: str | None = column("id", doc="the execution that opened it")
    exit_order_id: str | None = column("id", doc="the order that closed it")
    exit_perm_id: str | None = column("id")
    exit_exec_id: str | None = column("id", doc="the execution that closed it")

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
        """Return the trade for a person: its number, its other ids behind it, and what it trades."""
        if not self.trade_id:
            return self.identity
        others = other_ids(self.signal_id, self.position_id)
        if others:
            return (
                f"#{self.trade_id}{others} in {self.instrument}"
                if self.symbol
                else f"#{self.trade_id}{others}"
            )
        return f"#{self.trade_id} ({self.instrument})" if self.symbol else f"#{self.trade_id}"

    @property
    def held(self) -> bool | None:
        """Return whether it is open; None where nothing in the row says so."""
        if self.is_open is not None:
            return self.is_open
        word = (self.status or "").strip().upper()
        if word in _OPEN or word in _CLOSED:
            return word in _OPEN
        return False if self.closed_at is not None else None

    @property
    def says_closed(self) -> bool:
        """Whether its own word for its state is that it was closed."""
        return (self.status or "").strip().upper() in _CLOSED

    @property
    def signed(self) -> Decimal | None:
        """Return the quantity with its sign, or None where it was not seen."""
        return signed_by(self.quantity, self.side)


def other_ids(signal_id: str | None, position_id: str | None) -> str:
    """Return a trade's other ids as they stand behind the canonical one: ` (signal #238, position #301)`."""
    named = (("signal", signal_id), ("position", position_id))
    known = ", ".join(f"{word} #{one}" for word, one in named if one)
    return f" ({known})" if known else ""


@dataclass(frozen=True, slots=True)
class Tick:
    """The last price that the runtime saw of an instrument."""

    symbol: str | None = column("id")
    price: float | None = column("number")
    at: datetime | None = column("time", "older")

    @property
    def is_named(self) -> bool:
        """Whether the row says which instrument it is."""
        return bool(self.symbol)

    @property
    def identity(self) -> str:
        """Return the symbol."""
        return self.symbol or "instrument"
