"""How a position was closed: the rows that a plan asks for, the fill, its price and P&L, and their gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, chain, islice

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import Order
from detector.domain.trade_rows import StoredPosition, Trade
from detector.formats.grouping import group_pairs
from detector.formats.numbers import to_exact_decimal
from detector.market.hours import MarketUnknown, to_new_york_day
from detector.reconciliation.account_index import MOST_ROWS, ComboIndex, RowIndex
from detector.reconciliation.close_check.close_order import match_instrument
from detector.reconciliation.fill_matching import ClosingFills
from detector.reconciliation.fills import PRICE_DECIMALS, Fill, iter_legs, list_fills, list_trades, match_leg
from detector.reconciliation.identity import (
    DIFFERENT,
    OPTION_MULTIPLIER,
    can_be_in_account,
    can_be_same,
    is_combo,
    list_leg_keys,
)
from detector.reconciliation.instrument_aliases import get_roots
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.pnl import check_pnl_by_broker
from detector.reconciliation.position_book import PositionBook
from detector.reconciliation.repair_plan.trade_claims import TradeClaim, TradeRows, explain_incomplete_stores
from detector.reconciliation.working_orders import get_account

_OF_ANY_NAME, _BARE_OPTION = "", "an option without a local symbol"


class PlanRows:
    """The rows of a snapshot as the items of a plan ask for them: by trade, by account and instrument."""

    def __init__(self, facts: Facts, book: PositionBook | None) -> None:
        self.facts = facts
        self.by_trade = TradeRows(facts)
        positions, held = facts.store_positions or (), facts.broker_positions or ()
        accounts = {row.account for row in held} | {row.account for row in positions}
        self.has_several_accounts = len(accounts - {None}) > 1
        """Whether the instrument's name alone is ambiguous."""
        self.is_complete = explain_incomplete_stores(facts) is None
        self._book = None if facts.broker_positions is None else book or build_broker_book(facts)
        self.trade_accounts = {row.trade_id: row.account for row in positions if row.trade_id and row.account}
        """The account of each trade for which the store of positions has one."""
        own = self.trade_accounts
        stored: list[StoredPosition | Trade] = [*positions, *(facts.store_trades or ())]
        self.open = RowIndex(
            (own.get(row.trade_id), row, row.trade_id)
            for row in stored if row.trade_id and row.is_effectively_open
        )  # fmt: skip
        self.trades = RowIndex((own.get(row.trade_id or ""), row, row) for row in list_trades(facts))
        self.positions = RowIndex(
            (row.account, row, row) for row in positions if row.is_effectively_open is not False
        )
        fills = list_fills(facts)
        self.fills = RowIndex((fill.first.account, fill.instrument, fill) for fill in fills)
        self.closings = ClosingFills(fills)
        self.held = RowIndex((row.account, row, row) for row in held)
        listed: tuple[Order, ...] = (*(facts.broker_orders or ()), *(facts.orders or ()))
        self._working = [order for order in listed if order.is_working]
        self._combos = ComboIndex((order, order) for order in self._working if is_combo(order))
        self._orders = RowIndex(
            (get_account(order), order, order) for order in self._working if not is_combo(order)
        )
        self._by_name = group_pairs((name, order) for order in self._working for name in _list_names(order))
        self._in_flight: dict[tuple[Instrument, bool, str | None], tuple[str, ...]] = {}

    def find_quantity(self, instrument: Instrument, account: str | None) -> Decimal | None:
        """Return the broker's signed quantity in that account; None if unknown or perhaps another's."""
        if self._book is None or not (instrument.symbol or instrument.con_id):
            return None
        if not can_be_in_account(self.facts.broker_account, account):
            return None  # the broker was asked for another account
        return self._book.find_broker_position(instrument, account)[1]

    def list_in_flight(self, instrument: Instrument, account: str | None) -> tuple[str, ...]:
        """Return the titles of orders that work in the instrument, or may, each once, or the first many."""
        key = normalize(instrument), instrument.symbol is None, account
        if key not in self._in_flight:
            titles = (order.title for order in self._iter_orders_of(instrument, account))
            self._in_flight[key] = tuple(islice(dict.fromkeys(titles), MOST_ROWS))
        return self._in_flight[key]

    def _iter_orders_of(self, instrument: Instrument, account: str | None) -> Iterator[Order]:
        """Yield the orders that are or may be in the instrument; some perhaps twice."""
        local = normalize(instrument).local_symbol
        is_named, others = bool(instrument.symbol or instrument.con_id), self._combos.iter_all(instrument)
        if is_combo(instrument):
            names = list_leg_keys(instrument)
            orders = self._working if _OF_ANY_NAME in names else self._iter_by_name((*names, _OF_ANY_NAME))
            others = chain(orders, others)
        elif not (is_named or local):
            others = iter(self._working)
        else:
            yield from self._orders.find(instrument, account)
            if local and not is_named:
                others = chain(others, self._iter_by_name((*accumulate(local), _BARE_OPTION)))
        for order in others:
            is_own = can_be_in_account(get_account(order), account)
            if is_own and match_instrument(instrument, order) != DIFFERENT:
                yield order

    def _iter_by_name(self, names: Iterable[str]) -> Iterator[Order]:
        return chain.from_iterable(self._by_name.get(name, ()) for name in names)


def _list_names(order: Order) -> set[str]:
    """Return the names under which the leg of a combo, or a contract by its local symbol, finds an order."""
    named = normalize(order)
    names = set(get_roots(named)) or {_OF_ANY_NAME}
    if named.local_symbol is None:
        names |= {named.symbol or _OF_ANY_NAME} | ({_BARE_OPTION} if named.is_option else set())
    return names


class CompetingTrades(Struct, frozen=True):
    """The other trades that may be of the instrument, and the positions without a trade.

    `are_many`: there are more of them than were looked at, so that any fill may be another's.
    """

    trades: tuple[Trade, ...] = ()
    positions: tuple[StoredPosition, ...] = ()
    are_many: bool = False

    @classmethod
    def collect(
        cls, rows: PlanRows, instrument: Instrument, trade_id: str | None, account: str | None
    ) -> CompetingTrades:
        """Return all but the trade `trade_id`."""
        listed = rows.trades.find(instrument, account)
        trades = tuple(trade for trade in listed if trade.trade_id is None or trade.trade_id != trade_id)
        trade_ids = {trade.trade_id for trade in trades} | {trade_id}
        positions = rows.positions.find(instrument, account)
        others = tuple(row for row in positions if row.trade_id not in trade_ids)
        return cls(trades, others, MOST_ROWS in (len(listed), len(positions)))

    def can_own(self, fill: Fill) -> bool:
        """Whether the fill may have opened or closed one of them."""
        opposite = None if fill.quantity is None else -fill.quantity
        return (
            self.are_many
            or any(row.signed_quantity in (None, opposite) for row in self.positions)
            or any(_can_own_fill(trade, fill, opposite) for trade in self.trades)
        )


def _can_own_fill(trade: Trade, fill: Fill, opposite: Decimal | None) -> bool:
    if any(leg.ids & fill.get_ids() or match_leg(fill, leg) != DIFFERENT for leg in iter_legs(trade)):
        return True
    return trade.is_effectively_open is not False and trade.signed_quantity in (None, opposite)


def _find_closing_fill(
    rows: PlanRows, fills: Sequence[Fill], trade: Trade, competing: CompetingTrades
) -> Fill | None:
    """Return the fill that closed the trade; of a trade marked open, the only fill that could have.

    Such a fill came after the trade was opened, and no other trade may own it.
    """
    closing_fill = rows.closings.find(trade)
    if closing_fill is not None and not can_be_same(closing_fill.first, trade):
        return None
    if closing_fill is not None or trade.is_effectively_open is False or not trade.signed_quantity:
        return closing_fill
    candidates = [
        fill
        for fill in fills
        if fill.quantity == -trade.signed_quantity and _can_follow(fill, trade, competing)
    ]
    is_only = len(candidates) == 1 and len(fills) < MOST_ROWS
    return candidates[0] if is_only and not competing.can_own(candidates[0]) else None


def _can_follow(fill: Fill, trade: Trade, competing: CompetingTrades) -> bool:
    """Whether the fill came after the opening; where a time is unknown, whether there is no other trade."""
    if trade.opened_at is None or fill.at is None:
        return not (competing.trades or competing.positions)
    return fill.at >= trade.opened_at


def _is_day_sum_of(trade: Trade | None, competing: CompetingTrades, now: datetime) -> bool:
    """Whether the broker's realized P&L of today in the instrument can only be this trade's."""
    is_open = competing.are_many or bool(competing.positions)
    if is_open or any(_can_be_of_today(competitor, now) for competitor in competing.trades):
        return False
    return trade is None or _can_be_of_today(trade, now)


def _can_be_of_today(trade: Trade, now: datetime) -> bool:
    if trade.closed_at is None:
        return True
    try:
        return to_new_york_day(trade.closed_at) == to_new_york_day(now)
    except MarketUnknown:
        return True


class Evidence(Struct, frozen=True):
    """The broker's figures of an instrument: fills as sentences, the exit price, the realized P&L.

    `trade` is the stored row of the trade. `shared_pnl` may have been realized by several trades.
    """

    fills: tuple[str, ...] = ()
    exit_price: float | None = None
    realized_pnl: float | None = None
    trade: Trade | None = None
    shared_pnl: float | None = None

    @property
    def confirms_pnl(self) -> bool:
        """Whether the trade's stored P&L agrees with the broker's, but for fees."""
        if self.trade is None or self.trade.realized_pnl is None or self.realized_pnl is None:
            return False
        return check_pnl_by_broker(self.trade, self.realized_pnl) is None

    def iter_gaps(self, claim: TradeClaim) -> Iterator[str]:
        """Yield the figures of the trade's record that the evidence leaves open, as sentences."""
        if self.realized_pnl is None and self.shared_pnl is not None:
            yield (
                f"its realized P&L: the {self.shared_pnl:,.2f} that the broker realized in it"
                " may be of several trades"
            )
        elif self.realized_pnl is None:
            yield "its realized P&L: the broker shows neither a fill that closed it nor what it realized"
        if self.exit_price is None:
            computed = self._describe_computed_price(claim)
            yield f"its exit price: no fill that closed it was seen{computed}"

    def _describe_computed_price(self, claim: TradeClaim) -> str:
        """Return the exit price that follows from the P&L, where only the fees are unknown."""
        trade = self.trade
        quantity = None if trade is None else to_exact_decimal(trade.quantity)
        if trade is None or not quantity or trade.entry_price is None or self.realized_pnl is None:
            return ""
        instrument = normalize(claim.instrument)
        multiplier = instrument.multiplier or (OPTION_MULTIPLIER if instrument.is_option else 1)
        price = trade.entry_price + self.realized_pnl / (float(quantity) * multiplier)
        return (
            f"; {self.realized_pnl:,.2f} would make {round(price, PRICE_DECIMALS):g}"
            f" at a multiplier of {multiplier:g}, before fees"
        )


def collect_evidence(
    rows: PlanRows, instrument: Instrument, trade_id: str | None, account: str | None = None
) -> Evidence:
    """Return the broker's figures of an instrument, or of the trade where its closing fill is known."""
    trade = rows.by_trade.find_stored(trade_id)
    own_fills = rows.fills.find(instrument, account)
    competing = CompetingTrades.collect(rows, instrument, trade_id, account)
    closing_fill = None if trade is None else _find_closing_fill(rows, own_fills, trade, competing)
    fill_texts = tuple(fill.text for fill in own_fills if fill.text)
    if closing_fill is not None:
        return Evidence(fill_texts, closing_fill.price, closing_fill.realized_pnl, trade)
    held = rows.held.find(instrument, account)
    realized = held[0].realized_pnl if len(held) == 1 and held[0].quantity == 0 else None
    if trade_id is not None and not _is_day_sum_of(trade, competing, rows.facts.taken_at):
        return Evidence(fill_texts, None, None, trade, realized)
    return Evidence(fill_texts, None, realized, trade)
