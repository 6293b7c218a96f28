"""Working orders by their purpose and the quantity they close, and the changes since the broker was read.

A trade that was opened since explains a position that the broker does not show yet, one that was closed since
a position that it still shows. A close never explains a phantom: a repair by hand that is undone stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import or_

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.broker_rows import BrokerOrder, compute_remaining
from detector.domain.facts import Facts
from detector.domain.instrument import INSTRUMENT_COLUMNS, Instrument, normalize
from detector.domain.runtime_rows import EXIT, Order
from detector.domain.sides import get_sign
from detector.formats.grouping import group_pairs
from detector.formats.numbers import to_exact_decimal
from detector.reconciliation.account_index import AccountIndex, ComboIndex
from detector.reconciliation.fills import SETTLING, list_trades
from detector.reconciliation.identity import (
    DIFFERENT,
    SAME,
    UNCLEAR,
    can_be_in_account,
    compare_orders,
    is_combo,
)
from detector.reconciliation.instrument_aliases import is_nameless
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.lots import iter_internal_lots, iter_listed_lots, list_names
from detector.reconciliation.position_book import has_same_id
from detector.reconciliation.position_pairs import FLAT, Difference, merge_by_instrument

PURPOSE_FACTS = (
    "open_positions", "store_positions", "store_trades", "recent_trades",
    "broker_positions", "broker_account",
)  # fmt: skip
"""The facts that the purpose of an order without a mark is read from, besides the orders of both sides."""
CHANGE_FACTS = ("broker_as_of", "broker_executions", "store_trades", "recent_trades")
"""The facts that `ChangesSince` reads, besides the orders of both sides."""


class WorkingOrders:
    """Every working order of the runtime and of the broker; an order in both lists is here twice.

    TWS has no purpose of an order. An exit is an order that the runtime marks as one (found by its id), a
    child of another order, an order against the runtime's own position, or a stop that sells and has no other
    mark. Orders of another account than the runtime's are left out.
    """

    def __init__(self, facts: Facts) -> None:
        self._own_account = facts.broker_account
        self._orders = [
            order
            for order in list_orders(facts)
            if order.is_working and can_be_in_account(get_account(order), self._own_account)
        ]
        self._legs = {
            id(order): [_add_names(leg, facts) for leg in split_combo(order)] for order in self._orders
        }
        legs = (leg for rows in self._legs.values() for leg in rows)
        self._by_instrument = AccountIndex((get_account(leg), normalize(leg), leg) for leg in legs)
        marked = (order for order in facts.orders or () if order.purpose)
        self._marked = group_pairs((key, order) for order in marked for key in order.ids)
        self._held = AccountIndex(
            (lot.account, lot.instrument, lot)
            for lots in (iter_internal_lots(facts), iter_listed_lots(facts))
            for lot in merge_by_instrument(lots)
            if lot.quantity
        )
        self._entries: dict[tuple[Instrument, int | None, str | None], Decimal] = {}

    def has_producer(self, difference: Difference) -> bool:
        """Whether an order is working whose fills would make the sides differ so while one of them lags.

        Fills in either direction make another quantity; what nothing manages comes from fills on its side.
        """
        matches = self._find_named(difference.instrument, difference.account)
        signs = (get_sign(order.side) or 0 for order in matches)
        return any(sign and (difference.kind == "quantity" or sign * difference.broker > 0) for sign in signs)

    def list_legs(self, order: Order) -> Sequence[Order]:
        """Return the order, or an order for each leg of a combo whose ratios are known."""
        return self._legs[id(order)]

    def iter_exits(self) -> Iterator[Order]:
        """Yield every working order that is an exit."""
        return (order for order in self._orders if self._find_purpose(order) == EXIT)

    def is_exit(self, order: Order) -> bool:
        """Whether an order, working or final, is marked as an exit or would close what the runtime holds."""
        if not can_be_in_account(get_account(order), self._own_account):
            return False
        purpose = self._find_mark(order)
        return purpose == EXIT or (purpose is None and self._is_against_held(order))

    def iter_unclassified(self) -> Iterator[Order]:
        """Yield every working order whose purpose is unknown."""
        return (order for order in self._orders if self._find_purpose(order) is None)

    def _find_purpose(self, order: Order) -> str | None:
        purpose = self._find_mark(order)
        return EXIT if purpose is None and self._is_closing(order) else purpose

    def _find_mark(self, order: Order) -> str | None:
        marked = (row for key in order.ids for row in self._marked.get(key, ()))
        return order.purpose or next(
            (row.purpose for row in marked if compare_orders(row, order) != DIFFERENT), None
        )

    def _is_closing(self, order: Order) -> bool:
        if isinstance(order, BrokerOrder) and order.parent_id:
            return True
        is_selling_stop = order.is_stop and get_sign(order.side) == -1 and not is_combo(order)
        return is_selling_stop or self._is_against_held(order)

    def _is_against_held(self, order: Order) -> bool:
        legs = self._legs.get(id(order), ()) if is_combo(order) else ()
        if legs and not any(map(is_combo, legs)):
            return all(map(self._is_held_leg, legs))
        sign = get_sign(order.side)
        named = normalize(order)
        lots = [lot for lot, _ in self._held.find(named, get_account(order))] if sign is not None else []
        own = [lot for lot in lots if has_same_id(lot.instrument, named)] or lots
        return bool(own) and all((lot.quantity or 0) * (sign or 0) < 0 for lot in own)

    def _is_held_leg(self, leg: Order) -> bool:
        """Whether the runtime certainly holds all that the leg would close: a combo may also turn one."""
        named, sign, remaining = normalize(leg), get_sign(leg.side), compute_remaining(leg)
        matches = self._held.find(named, get_account(leg))
        held = [-(lot.quantity or FLAT) * (sign or 0) for lot, answer in matches if answer == SAME]
        return remaining is not None and FLAT < remaining <= max(held, default=FLAT)

    def get_entries_against(self, order: Order) -> Decimal:
        """Return the quantity that working orders on the other side of the instrument may still open."""
        key = normalize(order), get_sign(order.side), get_account(order)
        if key not in self._entries:
            self._entries[key] = self._compute_opposite(*key)
        return self._entries[key]

    def _find_named(self, instrument: Instrument, account: str | None) -> Iterator[Order]:
        """Yield the orders of the instrument, or that may be; a mere id only where it is the same."""
        matches = self._by_instrument.find(instrument, account)
        return (order for order, answer in matches if answer == SAME or not is_nameless(normalize(order)))

    def _compute_opposite(self, instrument: Instrument, sign: int | None, account: str | None) -> Decimal:
        entries = (
            (order, compute_remaining(order) or FLAT)
            for order in self._find_named(instrument, account)
            if sign is not None and get_sign(order.side) == -sign and order.purpose != EXIT
        )
        return count_working(entries).most


def split_combo(order: Order) -> list[Order]:
    """Return the order; of a combo whose ratios are known an order for each of its legs, by its id alone."""
    ratios, sign = order.ratios if isinstance(order, BrokerOrder) else {}, get_sign(order.side)
    if not ratios or sign is None:
        return [order]
    no_parts = dict.fromkeys((*INSTRUMENT_COLUMNS, "leg_con_ids", "leg_ratios"))
    amounts = {name: to_exact_decimal(getattr(order, name)) for name in ("quantity", "filled", "remaining")}
    legs: list[Order] = []
    for con_id, ratio in ratios.items():
        parts = {name: amount and amount * abs(ratio) for name, amount in amounts.items()}
        side = "BUY" if sign * ratio > 0 else "SELL"
        legs.append(replace(order, **{**no_parts, **parts, "con_id": con_id, "side": side}))
    return legs


def _add_names(leg: Order, facts: Facts) -> Order:
    """Return an order with the names that any list gives its contract id, where it has no other."""
    if leg.symbol or leg.local_symbol or not leg.con_id:
        return leg
    named = list_names(facts).add_to(normalize(leg))
    return replace(leg, **{name: getattr(named, name) for name in INSTRUMENT_COLUMNS})


def get_account(order: Order) -> str | None:
    """Return the account of an order; the runtime's own list has none."""
    return order.account if isinstance(order, BrokerOrder) else None


class WaitingEntries:
    """The broker's entries that have filled nothing: a child of one exits nothing yet."""

    def __init__(self, orders: Iterable[BrokerOrder]) -> None:
        waiting = (order for order in orders if not order.is_final and not order.filled)
        self._by_number = group_pairs((order.order_id, order) for order in waiting if order.order_id)

    def list_parents(self, order: Order) -> list[BrokerOrder]:
        """Return those of which it is a child: of the same client and on the other side."""
        if not isinstance(order, BrokerOrder) or order.parent_id is None:
            return []
        return [
            parent
            for parent in self._by_number.get(order.parent_id, ())
            if (parent.client_id == order.client_id or None in (parent.client_id, order.client_id))
            and (get_sign(parent.side) or 0) * (get_sign(order.side) or 0) < 0
        ]


class ProtectiveOrders:
    """The stops, targets and other orders at the broker that would close a position."""

    def __init__(self, orders: Sequence[BrokerOrder]) -> None:
        entries = WaitingEntries(orders)
        working = [order for order in orders if order.is_working and not entries.list_parents(order)]
        legs = [leg for order in working for leg in split_combo(order)]
        self._orders = AccountIndex(
            (get_account(leg), normalize(leg), leg) for leg in legs if not is_combo(leg)
        )
        self._combos = ComboIndex((leg, leg) for leg in legs if is_combo(leg))

    def compute_protected(
        self, instrument: Instrument, held: Decimal | None, account: str | None = None
    ) -> Decimal | None:
        """Return the quantity of a position that its orders would close; None where that is unknown.

        A combo on the symbol may close the position, where its legs or their ratios are not known.
        """
        if held is None or any(self._combos.iter_all(instrument)):
            return None
        exits: list[tuple[Order, Decimal]] = []
        for order, answer in self._orders.find(normalize(instrument), account):
            sign, remaining = get_sign(order.side), compute_remaining(order)
            if answer != SAME or sign is None or remaining is None:
                return None
            exits += [(order, remaining)] if sign * held < 0 else []
        covered = count_working(exits)
        return None if covered.least < abs(held) <= covered.most else covered.least


class WorkingQuantity(Struct, frozen=True):
    """What orders at work can still fill: at least `least`, at most `most`; of an OCA group the largest.

    `doubt`: why it may be less.
    """

    least: Decimal
    most: Decimal
    orders: tuple[Order, ...]
    doubt: str


def count_working(orders: Iterable[tuple[Order, Decimal]]) -> WorkingQuantity:
    """Return the quantity of orders of one side, each with what it can still fill; one in two lists once."""
    distinct = _list_distinct(orders)
    sums = [FLAT, FLAT]
    for at, entries in enumerate(([entry for entry in distinct if not entry.doubt], distinct)):
        groups: dict[object, Decimal] = {}
        for number, entry in enumerate(entries):
            order = entry.order
            group = order.oca_group if isinstance(order, BrokerOrder) else None
            owner = getattr(order, "client_id", None) if at else None  # a client may use a name of another's
            key = (group, get_sign(order.side), owner) if group else number
            groups[key] = max(groups.get(key, FLAT), entry.left)
        sums[at] = sum(groups.values(), FLAT)
    doubts = dict.fromkeys(entry.doubt for entry in distinct if entry.doubt)
    return WorkingQuantity(sums[0], sums[1], tuple(entry.order for entry in distinct), " ".join(doubts))


class _WorkingOrder(Struct, frozen=True):
    """An order, what it can still fill, and why that may be nothing of its own."""

    order: Order
    left: Decimal
    doubt: str


def _list_distinct(orders: Iterable[tuple[Order, Decimal]]) -> list[_WorkingOrder]:
    """Return each order once, with the most that it can fill: two are compared where one may be the other.

    Where two have no id of one kind, the answer is unclear: the first of those that lack it stands for all.
    """
    entries: list[_WorkingOrder] = []
    by_id: dict[str, list[int]] = {}
    first: dict[tuple[bool, bool], int] = {}
    for row, left in orders:
        lacks = not row.perm_id, not row.order_id
        near = {at for key in row.ids for at in by_id.get(key, ())}
        near |= {at for other, at in first.items() if all(map(or_, lacks, other))}
        answers = {at: compare_orders(entries[at].order, row) for at in sorted(near)}
        same = next((at for at, answer in answers.items() if answer == SAME), None)
        if same is not None:
            entries[same] = replace(entries[same], left=max(entries[same].left, left))
            continue
        twin = "Two orders have one number, and may be one or two." if UNCLEAR in answers.values() else ""
        first.setdefault(lacks, len(entries))
        for key in row.ids:
            by_id.setdefault(key, []).append(len(entries))
        entries.append(_WorkingOrder(row, left, twin or _explain_unanswered(row)))
    return entries


def _explain_unanswered(order: Order) -> str:
    """Return why an order may fill nothing: TWS calls Inactive what is refused, and what waits."""
    if not order.is_unanswered:
        return ""
    if order.is_inactive:
        return f"Order {order.title} is Inactive: refused, or held back until it can work."
    return f"Order {order.title} is {order.status}: it may still fill, or never."


def list_orders(facts: Facts) -> Sequence[Order]:
    """Return every order of both lists, working or final."""
    return (*(facts.orders or ()), *(facts.broker_orders or ()))


class ChangesSince:
    """Trades opened or closed, orders sent and fills since the broker was read, each with its direction."""

    def __init__(self, facts: Facts) -> None:
        self._since = facts.broker_as_of
        changes = list(self._iter_changes(facts))
        self._opened = _build_index(change for change, opens in changes if opens)
        self._closed = _build_index(change for change, opens in changes if not opens)

    def can_explain(self, difference: Difference) -> bool:
        """Whether a difference may only come from the time between the two readings.

        What is newer explains it only in its own direction: a sale explains no long position that the broker
        does not show. A close never explains a phantom: a repair by hand that is undone stays one.
        """
        sign = FLAT if difference.is_either_way else difference.internal - difference.broker
        rows = difference.merged or (difference.instrument,)
        opened = any(_has_sign(self._opened, row, sign) for row in rows)
        return opened or (
            difference.kind != "phantom" and any(_has_sign(self._closed, row, sign) for row in rows)
        )

    def can_precede(self, order: Order) -> bool:
        """Whether what the exit closes may have been opened since."""
        sign = -(get_sign(order.side) or 0)
        return _has_sign(self._opened, normalize(order), Decimal(sign))

    def _iter_changes(self, facts: Facts) -> Iterator[tuple[_Change, bool]]:
        """Yield each change, and whether it opens or may."""
        for trade in list_trades(facts):
            quantity = trade.signed_quantity
            if self._is_after(trade.opened_at):
                yield (trade, quantity), True
            if self._is_after(trade.closed_at):
                yield (trade, None if quantity is None else -quantity), False
        for order in list_orders(facts):
            if self._is_after(order.submitted_at):
                sign = get_sign(order.side)
                yield (order, None if sign is None else Decimal(sign)), order.purpose != EXIT
        for fill in facts.broker_executions or ():
            if self._is_after(fill.at, SETTLING):
                yield (fill, fill.signed_quantity), True

    def _is_after(self, at: datetime | None, margin: timedelta = timedelta()) -> bool:
        return self._since is not None and at is not None and at + margin > self._since


_Change = tuple[Instrument, Decimal | None]


def _build_index(changes: Iterable[_Change]) -> InstrumentIndex[_Change]:
    return InstrumentIndex((normalize(row), (row, quantity)) for row, quantity in changes)


def _has_sign(index: InstrumentIndex[_Change], instrument: Instrument, sign: Decimal) -> bool:
    """Whether a change in the instrument has that direction; a trade of an unknown quantity may have it."""
    return any(
        quantity is None or quantity * sign > 0 or not sign
        for row, quantity in index.find_same(instrument)
        if quantity is not None or not isinstance(row, Order)
    )
