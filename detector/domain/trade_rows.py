"""Rows of trades: as the runtime lists them, and as its stores keep trades and open positions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from detector.domain.columns import build_column
from detector.domain.instrument import Instrument, get_instrument_name
from detector.domain.instrument_names import normalize_label
from detector.domain.sides import apply_sign
from detector.formats.times import format_utc

_OPEN_STATUSES = frozenset(
    ["OPEN", "OPENED", "ACTIVE", "FILLED", "LIVE", "HELD", "ENTERED", "INPOSITION", "INTRADE", "HOLDING",
     "CLOSING",
     "EXITING", "EXITPENDING", "PENDINGEXIT", "PENDINGCLOSE", "PARTIALLYCLOSED"]
)  # fmt: skip
_CLOSED_STATUSES = frozenset(
    ["CLOSED", "CLOSE", "EXITED", "EXPIRED", "DONE", "SOLD", "FLAT", "INACTIVE", "LIQUIDATED", "ASSIGNED",
     "EXERCISED", "SETTLED", "STOPPEDOUT"]
)  # fmt: skip


class Trade(Instrument, frozen=True):
    """A trade as the runtime lists it among its recent ones, or as its store keeps it.

    `quantity` is the opened one, signed. `is_open` and `status` are the store's own statements of its state.
    """

    trade_id: str | None = build_column("id", needed=("trade_id",))
    signal_id: str | None = build_column("id")
    position_id: str | None = build_column("id")
    opened_at: datetime | None = build_column("time")
    closed_at: datetime | None = build_column("time", needed=("closed_at", "is_open", "status"))
    quantity: Decimal | float | None = build_column("quantity", needed=("quantity", "remaining"))
    entry_price: float | None = build_column("number", needed=("entry_price",))
    exit_price: float | None = build_column("number", needed=("exit_price",), beside=("closed_at",))
    fees: float | None = build_column("number")
    realized_pnl: float | None = build_column(
        "number", needed=("realized_pnl", "pnl_unknown"), beside=("closed_at",)
    )
    exit_reason: str | None = build_column("text")
    pnl_unknown: bool | None = build_column("flag", "true")
    is_open: bool | None = build_column("flag", "true", "whether it is open, in a store")
    status: str | None = build_column("state", doc="OPEN or CLOSED, in a store")
    side: str | None = build_column(
        "side", doc="LONG or SHORT, where the quantity bears no sign", needed=("side",)
    )
    remaining: Decimal | float | None = build_column("quantity", doc="how much of it is still open")
    order_id: str | None = build_column("id", doc="the order that opened it")
    perm_id: str | None = build_column("id")
    exec_id: str | None = build_column("id", doc="the execution that opened it")
    exit_order_id: str | None = build_column("id", doc="the order that closed it")
    exit_perm_id: str | None = build_column("id")
    exit_exec_id: str | None = build_column("id", doc="the execution that closed it")

    @property
    def identity(self) -> str:
        """Return the trade id, else the symbol and the time of the close."""
        closed = f" {self.closed_at:%Y-%m-%dT%H.%M.%SZ}" if self.closed_at else ""
        return self.trade_id or f"{self.symbol or 'trade'}{closed}"

    @property
    def is_named(self) -> bool:
        """Whether the row says which trade it is."""
        return bool(self.trade_id)

    @property
    def title(self) -> str:
        """Return the trade for a person: its number, its other ids, and its instrument."""
        if not self.trade_id:
            closed = f" of {format_utc(self.closed_at)}" if self.closed_at else ""
            return f"{self.instrument_name if self.symbol else 'without id or symbol'}{closed}"
        number = f"#{self.trade_id}{format_other_ids(self.signal_id, self.position_id)}"
        return f"{number} in {self.instrument_name}" if self.symbol else number

    @property
    def is_effectively_open(self) -> bool | None:
        """Return whether it is open; None where the row does not show it."""
        if self.is_open is not None:
            return self.is_open
        state = parse_status(self.status)
        return False if state is None and self.closed_at is not None else state

    @property
    def is_marked_closed(self) -> bool:
        """Whether its status is a closed one."""
        return parse_status(self.status) is False

    @property
    def signed_quantity(self) -> Decimal | None:
        """Return the quantity with its sign, or None where it was not seen."""
        return apply_sign(self.quantity, self.side)


class StoredPosition(Instrument, frozen=True):
    """A row of the store of open positions; `quantity` is signed and 0 where it is closed."""

    trade_id: str | None = build_column("id")
    signal_id: str | None = build_column("id")
    position_id: str | None = build_column("id")
    account: str | None = build_column("id", needed=("account",))
    quantity: Decimal | None = build_column("quantity", needed=("quantity",))
    side: str | None = build_column(
        "sign", doc="LONG or SHORT, where the quantity bears no sign", needed=("side",)
    )
    is_open: bool | None = build_column("flag")
    status: str | None = build_column("state", doc="OPEN or CLOSED, where there is no flag")
    closed_at: datetime | None = build_column("time")
    avg_price: float | None = build_column("number")
    at: datetime | None = build_column("day or time", doc="when it was read, in a history")

    @property
    def is_effectively_open(self) -> bool | None:
        """Return whether it is open: by its flag, status, close or quantity; None where none decides."""
        if self.is_open is not None:
            return self.is_open
        state = parse_status(self.status)
        if state is not None or self.closed_at is not None:
            return bool(state)
        if self.status is not None:
            return None
        return None if self.quantity is None else self.quantity != 0

    @property
    def signed_quantity(self) -> Decimal | None:
        """Return the open quantity with its sign: 0 where it is closed, None where it was not seen."""
        if self.is_effectively_open is False:
            return Decimal(0)
        return apply_sign(self.quantity, self.side) if self.is_effectively_open else None

    @property
    def title(self) -> str:
        """Return the trade for a person: its number, its other ids, and its instrument."""
        others = format_other_ids(self.signal_id, self.position_id)
        return (
            f"#{self.trade_id}{others} in {get_instrument_name(self)}"
            if self.trade_id
            else get_instrument_name(self)
        )


Words = Mapping[tuple[str, str], str]
"""By column and a runtime's own word in it, in lower case: the usual word."""


def convert_label(column: str, raw: object, words: Words) -> Any:
    """Return the usual word for a runtime's own, also for a number or a flag; else the value as it is."""
    own = f"{raw:g}" if isinstance(raw, int | float) and not isinstance(raw, bool) else str(raw)
    return words.get((column, own.strip().lower()), raw)


def is_closed_state(raw: object, words: Words) -> bool:
    """Whether a store's state certainly means closed, in the runtime's own words or the usual ones."""
    state = convert_label("status", raw, words)
    return isinstance(state, str) and parse_status(state) is False


def parse_status(status: str | None) -> bool | None:
    """Return whether a store's status means open; None where it is missing or unknown."""
    label = re.sub(r"[\W_]", "", normalize_label(status))
    return True if label in _OPEN_STATUSES else False if label in _CLOSED_STATUSES else None


def format_other_ids(signal_id: str | None, position_id: str | None) -> str:
    """Return a trade's other ids as a suffix of its number: ` (signal #238, position #301)`."""
    ids = (("signal", signal_id), ("position", position_id))
    joined = ", ".join(f"{label} #{number}" for label, number in ids if number)
    return f" ({joined})" if joined else ""
