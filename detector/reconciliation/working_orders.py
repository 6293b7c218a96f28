"""Working orders by their purpose and the quantity they close, and the changes since the broker was read.

A trade that was opened since explains a position that the broker does not show yet, one that was closed since
a position that it still shows. A close never explains a phantom: a repair by hand that is undone stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from detector.domain.broker_rows import BrokerOrder, compute_remaining
from detector.domain.facts import Facts
from detector.domain.instrument import COMBO, Instrument, normalize
from detector.domain.instrument_names import get_sign
from detector.domain.runtime_rows import ENTRY, EXIT, Order
from detector.reconciliation.comparison import iter_internal_lots
from detector.reconciliation.fills import list_trades
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_pairs import Difference, merge_by_instrument

CHANGE_FACTS = ("broker_as_of", "broker_executions", "store_trades", "recent_trades")
"""The facts that `ChangesSince` reads, besides the orders of both sides."""


class WorkingOrders:
    """Every working order of the runtime and of the broker; an order in both lists is here twice.

    TWS has no purpose of an order. An exit is an order that the runtime marks as one (found by its id), a
    child of another order, an order against the runtime's own position, or a stop that sells and has no other
    mark. Orders of another account than the runtime's are left out.
    """

    def __init__(self, facts: Facts) -> None:
        listed: Iterable[Order] = (*(facts.orders or ()), *(facts.broker_orders or ()))
        own_account = facts.broker_account
        self._orders = [
            order
            for order in listed
            if order.is_working and (own_account is None or get_account(order) in (None, own_account))
        ]
        self._by_instrument = InstrumentIndex((normalize(order), order) for order in self._orders)
        self._purposes = {
            key: order.purpose for order in facts.orders or () if order.purpose for key in _list_ids(order)
        }
        self._held = InstrumentIndex(
            (lot.instrument, lot.quantity)
            for lot in merge_by_instrument(iter_internal_lots(facts))
            if lot.quantity
        )
        self._entries: dict[tuple[Instrument, int | None, str | None], Decimal] = {}

    def has(self, instrument: Instrument) -> bool:
        """Whether an order for that instrument is working."""
        return self._by_instrument.has(normalize(instrument))

    def iter_exits(self) -> Iterator[Order]:
        """Yield every working order that is an exit."""
        return (order for order in self._orders if self._find_purpose(order) == EXIT)

    def iter_unclassified(self) -> Iterator[Order]:
        """Yield every working order whose purpose is unknown."""
        return (order for order in self._orders if self._find_purpose(order) is None)

    def _find_purpose(self, order: Order) -> str | None:
        purpose = order.purpose or next(
            (self._purposes[key] for key in _list_ids(order) if key in self._purposes), None
        )
        return EXIT if purpose is None and self._is_closing(order) else purpose

    def _is_closing(self, order: Order) -> bool:
        if isinstance(order, BrokerOrder) and order.parent_id:
            return True
        sign = get_sign(order.side)
        if order.is_stop and sign == -1:
            return True
        return sign is not None and any(
            quantity * sign < 0 for quantity in self._held.find_same(normalize(order))
        )

    def get_entries_against(self, order: Order) -> Decimal:
        """Return the quantity that working orders on the other side of the instrument may still open."""
        key = normalize(order), get_sign(order.side), get_account(order)
        if key not in self._entries:
            self._entries[key] = self._compute_opposite(*key)
        return self._entries[key]

    def _compute_opposite(self, instrument: Instrument, sign: int | None, account: str | None) -> Decimal:
        remaining: dict[str, Decimal] = {}
        for number, order in enumerate(self._by_instrument.find_same(instrument)):
            is_same_account = account is None or get_account(order) in (None, account)
            if (
                is_same_account
                and sign is not None
                and get_sign(order.side) == -sign
                and order.purpose != EXIT
            ):
                remaining[(_list_ids(order) or [f"row {number}"])[0]] = compute_remaining(order) or Decimal(0)
        return sum(remaining.values(), Decimal(0))


def get_account(order: Order) -> str | None:
    """Return the account of an order; the runtime's own list has none."""
    return order.account if isinstance(order, BrokerOrder) else None


def is_combo(row: Instrument) -> bool:
    """Whether the row is a combo of several contracts, whose side is not the side of its legs."""
    return normalize(row).sec_type == COMBO or bool(isinstance(row, BrokerOrder) and row.leg_con_ids)


def _list_ids(order: Order) -> list[str]:
    return [
        f"{kind} {number}" for kind, number in (("perm", order.perm_id), ("order", order.order_id)) if number
    ]


class ProtectiveOrders:
    """The stops, targets and other orders at the broker that would close a position."""

    def __init__(self, orders: Iterable[BrokerOrder]) -> None:
        working = [order for order in orders if order.is_working]
        self._orders = InstrumentIndex((normalize(order), order) for order in working if not is_combo(order))
        self._combos = [normalize(order) for order in working if is_combo(order)]

    def compute_protected(
        self, instrument: Instrument, held: Decimal, account: str | None = None
    ) -> Decimal | None:
        """Return the quantity of a position that its orders would close; None where that is unknown.

        Of an OCA group only the largest order counts. A combo on the symbol may close the position.
        """
        if any(combo.symbol in (None, instrument.symbol) for combo in self._combos):
            return None
        groups: dict[str, Decimal] = {}
        for number, order in enumerate(self._orders.find_same(normalize(instrument))):
            if None not in (account, order.account) and order.account != account:
                continue
            sign, remaining = get_sign(order.side), compute_remaining(order)
            if sign is None or remaining is None:
                return None
            if sign * held < 0:
                key = order.oca_group or f"order {number}"
                groups[key] = max(groups.get(key, Decimal(0)), remaining)
        return sum(groups.values(), Decimal(0))


def list_orders(facts: Facts) -> Sequence[Order]:
    """Return every order of both lists, working or final."""
    return (*(facts.orders or ()), *(facts.broker_orders or ()))


class ChangesSince:
    """The instruments of trades opened or closed, orders sent and fills since the broker was read."""

    def __init__(self, facts: Facts) -> None:
        self._since = facts.broker_as_of
        self._opened = _build_index(self._iter_changed(facts, ENTRY))
        self._closed = _build_index(self._iter_changed(facts, EXIT))

    def can_explain(self, difference: Difference) -> bool:
        """Whether a difference may only come from the time between the two readings."""
        opened, closed = self._opened.has(difference.instrument), self._closed.has(difference.instrument)
        if difference.kind == "phantom":
            return opened
        return closed if difference.kind == "unmanaged" else opened or closed

    def is_newer(self, order: Order) -> bool:
        """Whether an exit, or the position it closes, is newer than the broker's positions."""
        return self._is_after(order.submitted_at) or self._opened.has(normalize(order))

    def _iter_changed(self, facts: Facts, purpose: str) -> Iterator[Instrument]:
        for trade in list_trades(facts):
            if self._is_after(trade.opened_at if purpose == ENTRY else trade.closed_at):
                yield trade
        for order in list_orders(facts):
            if order.purpose in (purpose, None) and self._is_after(order.submitted_at):
                yield order
        for fill in facts.broker_executions or ():
            if self._is_after(fill.at):
                yield fill

    def _is_after(self, at: datetime | None) -> bool:
        return self._since is not None and at is not None and at > self._since


def _build_index(instruments: Iterable[Instrument]) -> InstrumentIndex[Instrument]:
    return InstrumentIndex((normalize(instrument), instrument) for instrument in instruments)
