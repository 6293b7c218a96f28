"""Rows of the broker's own answers: positions, working orders and executions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from detector.domain.columns import OPENING, build_column
from detector.domain.instrument import Instrument, describe_order
from detector.domain.runtime_rows import Order, list_order_ids
from detector.domain.sides import get_sign
from detector.formats.numbers import to_exact_decimal
from detector.formats.patterns import build_pattern

_ALL_ACCOUNTS = re.compile(r"ALL|D?F\d+A|(?:live|paper)-\d+A", re.IGNORECASE)  # also behind its alias
ALL_ACCOUNTS = "All"
"""What TWS writes instead of an account where a row is of several."""
_CORRECTED_PART = 3  # an execution's id has four parts; a correction changes the last one


def is_all_accounts(account: str | None) -> bool:
    """Whether it stands for all accounts of an advisor, as TWS and the Client Portal write it."""
    return _ALL_ACCOUNTS.fullmatch(account or "") is not None


class BrokerPosition(Instrument, frozen=True):
    """A position at the broker; `quantity` is signed, 0 is flat.

    `avg_price` is the price of one unit; `avg_cost` is IBKR's, which for an option includes the multiplier.
    """

    account: str | None = build_column("id", needed=("account",))
    quantity: Decimal | None = build_column("quantity", needed=("quantity",), always=True)
    avg_price: float | None = build_column("number")
    avg_cost: float | None = build_column("number")
    realized_pnl: float | None = build_column("number")
    model: str | None = build_column("id", doc="the model portfolio of an advisor that holds it")

    def is_in_account(self, account: str | None) -> bool:
        """Whether it may be held in that account, as far as both are known."""
        return account is None or self.account in (None, account)

    @property
    def price(self) -> float | None:
        """Return the average price of one unit, the multiplier taken out of the cost; None where unknown."""
        if self.avg_price is not None or self.avg_cost is None:
            return self.avg_price
        if self.multiplier:
            return self.avg_cost / self.multiplier
        return None if self.is_option else self.avg_cost


_RATIO = build_pattern(r"-?[1-9]\d{0,5}", re.ASCII)


class BrokerOrder(Order, frozen=True):
    """A working order at the broker; a child waits for its parent, a fill in an OCA group cancels the others.

    A combo names its legs by their contract ids alone, and how many it trades of each.
    """

    account: str | None = build_column("id", needed=("account",))
    remaining: Decimal | None = build_column("quantity")
    parent_id: str | None = build_column("id")
    oca_group: str | None = build_column("text")
    client_id: str | None = build_column("id", doc="the API client whose order number it is")
    group: str | None = build_column("text", doc="the advisor's group or profile of accounts that it is for")
    model: str | None = build_column("id", doc="the model portfolio of an advisor that it is for")
    status_at: datetime | None = build_column("time", doc="since when it has its status")
    why_held: str | None = build_column("text", doc="why it waits: locate, for shares to borrow")
    leg_con_ids: tuple[str, ...] | None = build_column("texts", "united")
    leg_ratios: tuple[str, ...] | None = build_column(
        "texts", "united", doc="how many of each leg one combo buys: 5=1, or sells: 6=-2"
    )

    @property
    def ratios(self) -> dict[str, Decimal]:
        """How many of each leg one combo buys, below 0 where it sells them; empty where one is unknown."""
        pairs = [text.partition("=")[::2] for text in self.leg_ratios or ()]
        ratios = {con_id: Decimal(ratio) for con_id, ratio in pairs if _RATIO.fullmatch(ratio)}
        return ratios if len(ratios) == len(pairs) and {*ratios} == {*(self.leg_con_ids or ())} else {}

    @property
    def is_working(self) -> bool:
        """Whether it still can fill; an inactive one that is held for a reason waits."""
        return super().is_working or (self.is_inactive and bool(self.why_held))

    @property
    def is_for_group(self) -> bool:
        """Whether it is for several accounts: an advisor's group, its profile, or all of them."""
        return bool(self.group) or is_all_accounts(self.account)


ACCOUNT_TAGS = frozenset(["cushion", "lookaheadexcessliquidity"])
"""Values of an account that are read; TWS lists some hundred others."""


class AccountValue(Struct, frozen=True):
    """One value of an account, as TWS names it; `Cushion` is excess liquidity as a share of the net value."""

    tag: str | None = build_column("id")
    value: float | None = build_column("number", needed=("value",))
    account: str | None = build_column("id", needed=("account",))
    currency: str | None = build_column("text")

    @property
    def is_named(self) -> bool:
        """Whether the row says which value it is."""
        return bool(self.tag)


_NO = ("0", "n", "no", "f", "false", "none", "n/a", "na", "-", "--")


class Execution(Instrument, frozen=True):
    """One execution at the broker; `quantity` is positive, `side` says which way."""

    exec_id: str | None = build_column("id", needed=("exec_id",))
    perm_id: str | None = build_column("id", needed=("perm_id", "order_id"))
    order_id: str | None = build_column("id")
    account: str | None = build_column("id", needed=("account",))
    side: str | None = build_column("side", needed=("side",), always=True)
    quantity: Decimal | None = build_column("quantity", needed=("quantity",), always=True)
    price: float | None = build_column("number", needed=("price",))
    at: datetime | None = build_column("time", needed=("at",), always=True)
    realized_pnl: float | None = build_column("number")
    opens: str | None = build_column(OPENING, doc="O where it opens and C where it closes, in Flex")
    notes: str | None = build_column("text", doc="Flex's codes: A assignment, Ex exercise, Ep expired, …")
    client_id: str | None = build_column("id", doc="the API client whose order it filled")
    model: str | None = build_column("id", doc="the model portfolio of an advisor that it is for")
    liquidation: str | None = build_column("id", doc="1 where IBKR closed the position by itself")

    @property
    def is_liquidation(self) -> bool:
        """Whether IBKR marks it as its own, for want of margin: by its flag, or by Flex's code L."""
        return (self.liquidation or "0").lower() not in _NO or "L" in re.split(r"[;, ]+", self.notes or "")

    @property
    def is_named(self) -> bool:
        """Whether the row says which execution it is."""
        return bool(self.exec_id)

    @property
    def signed_quantity(self) -> Decimal | None:
        """Return the quantity with the sign of its side; None where either was not seen."""
        quantity, sign = to_exact_decimal(self.quantity), get_sign(self.side)
        return None if quantity is None or sign is None else abs(quantity) * sign

    @property
    def order_ref(self) -> str | None:
        """Return the id of the order that it fills: the permanent id where it is known."""
        return next(iter(list_order_ids(self.perm_id, self.order_id)), None)

    @property
    def title(self) -> str:
        """Return the execution for a person: its id and its instrument."""
        return describe_order(self.exec_id, self).removeprefix("#")


def compute_remaining(order: Order) -> Decimal | None:
    """Return an order's remaining quantity: its own, else quantity less fills; None where unknown.

    A working order without a number of fills has none.
    """
    if isinstance(order, BrokerOrder) and order.remaining is not None:
        return to_exact_decimal(order.remaining)
    quantity = to_exact_decimal(order.quantity)
    return None if quantity is None else abs(quantity) - abs(to_exact_decimal(order.filled) or Decimal(0))


def get_original_id(exec_id: str) -> str:
    """Return the id of an execution before any correction: that changes only the last part, from 1 on."""
    root, _, last = exec_id.rpartition(".")
    is_versioned = root.count(".") >= _CORRECTED_PART - 1 and last.isdecimal()
    return f"{root}.{1:0{len(last)}d}" if is_versioned else exec_id


def keep_latest_versions(executions: Iterable[Execution]) -> tuple[Execution, ...]:
    """Return each execution in its latest version."""
    latest: dict[str, Execution] = {}
    for number, execution in enumerate(executions):
        exec_id = execution.exec_id or ""
        key = get_original_id(exec_id) or f"row {number}"
        newest = latest.get(key)
        if newest is None or exec_id >= (newest.exec_id or ""):
            latest[key] = execution
    return tuple(latest.values())
