"""Rows of the runtime's payloads: orders, positions and ticks; each column may be unseen (None)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.columns import ORDER_KIND, ORDER_STATUS, ORDER_TYPE, build_column
from detector.domain.instrument import Instrument, describe_order, get_instrument_name
from detector.domain.instrument_names import normalize_label
from detector.domain.sides import apply_sign
from detector.domain.trade_rows import format_other_ids

ENTRY, EXIT = "entry", "exit"
_FILLED, _INACTIVE = "filled", "inactive"
_REJECTED = "rejected"
_REFUSED = (_REJECTED, "denied")
_UNANSWERED = ("pendingsubmit", "apipending", "pendingcancel", "pendingnew", "nottransmitted")
# IBKR's words, in any case, and those of FIX that runtimes keep.
_FINAL_STATUSES = (_FILLED, "cancelled", "canceled", "apicancelled", "apicanceled", "expired", *_REFUSED)
_ENTRY_LABELS = (ENTRY, "open", "opening", "enter", "scalein", "add")
_EXIT_LABELS = (
    EXIT, "close", "closing", "stop", "stoploss", "sl", "takeprofit", "target", "profittarget", "tp", "trail",
    "trailing", "trailingstop", "flatten", "liquidation", "liquidate", "protective", "protectivestop",
    "scaleout",
)  # fmt: skip
_STOP_TYPES = ("STP", "STOP", "TRAIL", "MIT", "LIT")


@lru_cache(maxsize=1024)  # labels are few, and several rules ask for each
def _normalize_label(label: str | None) -> str:
    """Return a label in lower case without spaces and punctuation; of an enumeration its name."""
    return "".join(letter for letter in normalize_label(label).lower() if letter.isalnum())


def is_done(status: str | None) -> bool:
    """Whether an order of that status can fill no more, in whatever case it is written."""
    return _normalize_label(status) in (*_FINAL_STATUSES, _INACTIVE)


def list_order_ids(perm_id: str | None, order_id: str | None) -> list[str]:
    """Return an order's ids, the account-wide first: `perm 5`, `order 3`; 0 names nothing."""
    numbers = (("perm", perm_id), ("order", order_id))
    return [f"{kind} {number}" for kind, number in numbers if number not in (None, "", "0")]


def is_import_tag(tag: str) -> bool:
    """Whether a position's tag says that it was imported from the broker."""
    return tag == "Broker" or tag.startswith("reconcile-import-")


class Order(Instrument, frozen=True):
    """A working order as the runtime lists it."""

    order_id: str | None = build_column("id", needed=("order_id", "perm_id"))
    perm_id: str | None = build_column("id")
    side: str | None = build_column("side", needed=("side",))
    kind: str | None = build_column(ORDER_KIND, doc="entry or exit", needed=("kind",))
    order_type: str | None = build_column(ORDER_TYPE, needed=("order_type",))
    status: str | None = build_column(ORDER_STATUS, "working", needed=("status",))
    parked: bool | None = build_column("flag")
    filled: Decimal | float | None = build_column("quantity", "larger")
    quantity: Decimal | float | None = build_column("quantity", "larger", needed=("quantity", "remaining"))
    submitted_at: datetime | None = build_column("time", "older", needed=("submitted_at",))

    @property
    def ids(self) -> list[str]:
        """The order's ids as `list_order_ids` has them."""
        return list_order_ids(self.perm_id, self.order_id)

    @property
    def identity(self) -> str:
        """Return the order's identity: its order id, else its permanent id, else its side and instrument."""
        return self.order_id or self.perm_id or f"{self.side or 'order'} {get_instrument_name(self)}"

    @property
    def is_named(self) -> bool:
        """Whether the row says which order it is."""
        return bool(self.order_id or self.perm_id)

    @property
    def title(self) -> str:
        """Return the order for a person: its number and its instrument."""
        return describe_order(self.order_id or self.perm_id, self)

    @property
    def is_working(self) -> bool:
        """Whether it still can fill; an order without a status is listed because it works."""
        return not (self.is_final or self.is_inactive)

    @property
    def is_inactive(self) -> bool:
        """Whether its status leaves open that it waits: TWS calls so what is refused and what is held."""
        return _normalize_label(self.status) == _INACTIVE

    @property
    def is_unanswered(self) -> bool:
        """Whether its sending or cancelling has no answer yet, or it is inactive: it may fill, or never."""
        return self.is_inactive or _normalize_label(self.status) in _UNANSWERED

    @property
    def is_final(self) -> bool:
        """Whether it certainly fills no more.

        An inactive order may be waiting for shares to borrow (IBKR, `whyHeld`), and a parked one that was
        refused is sent again.
        """
        label = _normalize_label(self.status)
        return label in _FINAL_STATUSES and not (self.parked and label in _REFUSED)

    @property
    def is_rejected(self) -> bool:
        """Whether its status says that it was rejected; a parked one waits on purpose, and is sent again."""
        return _normalize_label(self.status) == _REJECTED and not self.parked

    @property
    def is_filled(self) -> bool:
        """Whether its status says that all of it is filled."""
        return _normalize_label(self.status) == _FILLED

    @property
    def purpose(self) -> str | None:
        """Return whether the runtime calls it an entry or an exit; None where that is unknown."""
        label = _normalize_label(self.kind)
        return ENTRY if label in _ENTRY_LABELS else EXIT if label in _EXIT_LABELS else None

    @property
    def is_stop(self) -> bool:
        """Whether it waits for a price by its type."""
        return (self.order_type or "").strip().upper().startswith(_STOP_TYPES)

    @property
    def is_resting(self) -> bool:
        """Whether it waits on purpose: parked, or a stop or target that is not triggered yet."""
        is_presubmitted = _normalize_label(self.status) == "presubmitted"
        return bool(self.parked) or (is_presubmitted and (self.is_stop or self.purpose == EXIT))

    def replace_submitted_at(self, moment: datetime) -> Order:
        """Return the order with that time of submission."""
        return self if moment == self.submitted_at else replace(self, submitted_at=moment)


class Position(Instrument, frozen=True):
    """An open position as the runtime lists it; `quantity` is signed, or has its side beside it."""

    quantity: Decimal | float | None = build_column("quantity", "larger", needed=("quantity",))
    side: str | None = build_column(
        "sign", doc="LONG or SHORT, where the quantity bears no sign", needed=("side",)
    )
    avg_price: float | None = build_column("number")
    tags: tuple[str, ...] | None = build_column("texts", "united", needed=("tags",))
    exit_attempt_count: int | None = build_column("count", "larger")
    trade_id: str | None = build_column("id")
    signal_id: str | None = build_column("id")
    position_id: str | None = build_column("id")

    @property
    def signed_quantity(self) -> Decimal | None:
        """Return the quantity with its sign, or None where it is unknown."""
        return apply_sign(self.quantity, self.side)

    @property
    def identity(self) -> str:
        """Return the instrument: the symbol, and expiry, strike and right for an option."""
        return get_instrument_name(self)

    @property
    def import_tag(self) -> str | None:
        """Return the tag that says that the position was imported from the broker, None without one."""
        tags = self.tags or ()
        return next(filter(is_import_tag, tags), None)

    @property
    def title(self) -> str:
        """Return the position's trade for a person: its number, its other ids, and its instrument."""
        others = format_other_ids(self.signal_id, self.position_id)
        return f"#{self.trade_id}{others} in {self.identity}" if self.trade_id else self.identity


class Tick(Struct, frozen=True):
    """The last price that the runtime saw of an instrument."""

    symbol: str | None = build_column("id")
    price: float | None = build_column("number", needed=("price",))
    at: datetime | None = build_column("time", "older", needed=("at",))

    @property
    def is_named(self) -> bool:
        """Whether the row says which instrument it is."""
        return bool(self.symbol)

    @property
    def identity(self) -> str:
        """Return the symbol."""
        return self.symbol or "instrument"
