"""Matches the broker's fills with the runtime's trades, whole or in parts, without comparing every pair."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, islice
from typing import TypeVar

from msgspec import Struct

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.trade_rows import Trade
from detector.formats.grouping import group_pairs
from detector.reconciliation.fills import (
    MATCH_TOLERANCE,
    Fill,
    Leg,
    get_leg_ids,
    has_closed,
    is_fill,
    iter_legs,
    list_fills,
    list_trades,
    match_leg,
)
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, Answer, can_be_in_account
from detector.reconciliation.instrument_aliases import is_nameless
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.lots import iter_internal_lots
from detector.reconciliation.position_pairs import Lot, merge_by_instrument

T = TypeVar("T")
_ZERO = Decimal(0)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
LISTED_FOR = timedelta(hours=24)
"""A store of trades is expected to hold at least its last day."""
_PRICE_TOLERANCE = 1e-4  # a statement rounds the average price of an order


def find_unmatched(fills: Sequence[Fill], trades: Sequence[Trade], lots: Iterable[Lot]) -> list[Fill]:
    """Return the fills that the runtime does not account for: each leg of a trade is of one fill.

    The ids decide first, then instrument, quantity and time, then what lacks a part of these. At last an open
    position accounts for the fills on its side, as far as no trade accounts for it.
    """
    lots = list(lots)
    legs = list(_iter_legs(trades, lots))
    by_id = {leg_id: leg for leg in legs for leg_id in leg.ids}
    used: set[int] = set()
    rest: list[Fill] = []
    for fill in fills:
        named = ((fill_id, by_id[fill_id]) for fill_id in fill.get_ids() if fill_id in by_id)
        own = {id(leg) for fill_id, leg in named if not _is_of_other_order(fill, leg, fill_id)}
        used |= own
        rest += [] if own else [fill]
    unused = [leg for leg in legs if id(leg) not in used]
    answers: tuple[Answer, ...] = (SAME, UNCLEAR)
    for wanted in answers:
        open_legs = _OpenLegs(unused)
        rest = [fill for fill in rest if not open_legs.remove_match(fill, wanted)]
        unused = open_legs.list_rest()
    positions = _HeldQuantities(lots, trades)
    return [fill for fill in rest if not positions.remove_match(fill)]


def _is_of_other_order(fill: Fill, leg: Leg, fill_id: str) -> bool:
    """Whether the number that both bear is two clients': another permanent id, and not the same fill either.

    IBKR may give an order a second permanent id, so that this alone proves nothing.
    """
    perms = [{leg_id for leg_id in ids if leg_id.startswith("perm ")} for ids in (fill.get_ids(), leg.ids)]
    is_open = fill_id.startswith("order ") and all(perms) and not perms[0] & perms[1]
    return is_open and match_leg(fill, leg) == DIFFERENT


def _iter_legs(trades: Sequence[Trade], lots: Iterable[Lot]) -> Iterator[Leg]:
    """Yield the legs of every trade.

    A trade whose row does not say whether it is open is open as far as a position holds its quantity, the
    newest first: then it has no closing leg that a fill could be.
    """
    held = _HeldQuantities(lots, [trade for trade in trades if trade.is_effectively_open])
    unclear = [trade for trade in trades if trade.is_effectively_open is None]
    unclear.sort(key=lambda trade: trade.opened_at or _LONG_AGO, reverse=True)
    open_ids = {
        id(trade)
        for trade in unclear
        if (quantity := trade.signed_quantity) and held.remove_certain(normalize(trade), quantity)
    }
    for trade in trades:
        yield from islice(iter_legs(trade), 1 if id(trade) in open_ids else None)


class StatementFills:
    """The fills of a statement without execution ids: `new` to the executions, or perhaps among them.

    An execution is the same by instrument, account, side, quantity, price and time, or all of an order are,
    or all that are so near; each stands for one fill.
    """

    def __init__(self, fills: Iterable[Execution], executions: Sequence[Execution]) -> None:
        self.new: list[Fill] = []
        self.unclear: list[Fill] = []
        self._used: set[int] = set()
        self._by_minute: dict[int | None, InstrumentIndex[Execution]] = defaultdict(InstrumentIndex)
        for row in executions:
            minute = None if row.at is None else _to_minute(row.at)
            self._by_minute[minute].add(normalize(row), row)
        self._by_order = group_pairs(((row.account, row.order_ref), row) for row in executions)
        for row in sorted(filter(is_fill, fills), key=lambda row: abs(row.signed_quantity or _ZERO)):
            self._add(row)

    def _add(self, fill: Execution) -> None:
        indexes = _list_near(self._by_minute, [] if fill.at is None else [fill.at])
        near = [
            (row, answer)
            for _, index in indexes
            for row, answer in index.find(normalize(fill))
            if id(row) not in self._used and _is_candidate(row, fill)
        ]
        same = next((rows for rows in self._iter_groups(near) if _has_sum(fill, rows)), None)
        if same is not None:
            self._used.update(id(row) for row in same)
        elif near:
            self.unclear.append(Fill((fill,)))
        else:
            self.new.append(Fill((fill,)))

    def _iter_groups(self, near: Sequence[tuple[Execution, Answer]]) -> Iterator[Sequence[Execution]]:
        """Yield what may be the fill: an execution, those of one order, or all that are so near."""
        sure = [row for row, answer in near if answer == SAME]
        yield from ([row] for row in sure)
        for key in dict.fromkeys((row.account, row.order_ref) for row in sure if row.order_ref):
            yield [row for row in self._by_order[key] if id(row) not in self._used]
        yield sure


def find_unclear_fills(facts: Facts) -> list[Fill]:
    """Return a statement's fills of the last day that may be listed executions, where no trade is theirs."""
    executions = facts.broker_executions or ()
    unclear = StatementFills(facts.statement_fills or (), executions).unclear
    since = facts.taken_at - LISTED_FOR
    recent = [fill for fill in unclear if fill.at is None or fill.at >= since]
    fills = [*list_fills(facts), *recent]
    missing = find_unmatched(fills, list_trades(facts), iter_internal_lots(facts)) if recent else []
    return [fill for fill in recent if any(fill is other for other in missing)]


def _is_candidate(row: Execution, fill: Execution) -> bool:
    """Whether an execution may be the fill or a part of it, by account, side and time."""
    quantities = (row.signed_quantity, fill.signed_quantity)
    is_near = row.at is None or fill.at is None or abs(row.at - fill.at) <= MATCH_TOLERANCE
    is_same_side = None in quantities or (quantities[0] or _ZERO) * (quantities[1] or _ZERO) > 0
    return is_near and is_same_side and can_be_in_account(row.account, fill.account)


def _has_sum(fill: Execution, rows: Sequence[Execution]) -> bool:
    """Whether executions make up the fill: its quantity, at its average price."""
    if not rows or fill.at is None or fill.price is None or any(row.at is None for row in rows):
        return False
    whole = Fill(tuple(rows))
    if not whole.quantity or whole.quantity != fill.signed_quantity:
        return False
    average = whole.compute_average()
    return average is not None and math.isclose(average, fill.price, rel_tol=_PRICE_TOLERANCE)


class _OpenLegs:
    """Legs that no fill has taken yet, by minute and instrument; those without a time by instrument."""

    def __init__(self, legs: Iterable[Leg]) -> None:
        self._indexes: dict[int | None, InstrumentIndex[dict[Decimal | None, list[Leg]]]]
        self._indexes = defaultdict(InstrumentIndex)
        groups: dict[tuple[int | None, Instrument], dict[Decimal | None, list[Leg]]] = {}
        for leg in legs:
            minute = None if leg.at is None else _to_minute(leg.at)
            groups.setdefault((minute, leg.instrument), {}).setdefault(leg.quantity, []).append(leg)
        for (minute, instrument), group in groups.items():
            self._indexes[minute].add(instrument, group)
        self._groups = list(groups.values())
        self._found: dict[tuple[object, ...], list[dict[Decimal | None, list[Leg]]]] = {}

    def list_rest(self) -> list[Leg]:
        """Return the legs that are left."""
        return [leg for group in self._groups for rows in group.values() for leg in rows]

    def remove_match(self, fill: Fill, wanted: Answer) -> bool:
        """Take a leg that matches the fill with that certainty; return whether there was one."""
        if wanted == SAME and is_nameless(fill.instrument):
            return False  # a mere id may be any leg of its time
        quantity = fill.quantity
        for groups in self._iter_groups(fill):
            for position, group in enumerate(groups):
                for amount in group if quantity is None else (quantity, None):
                    rows = group.get(amount, [])
                    leg = next((leg for leg in rows if match_leg(fill, leg) == wanted), None)
                    if leg is not None:
                        rows.remove(leg)
                        if not any(group.values()):
                            del groups[position]
                        return True
        return False

    def _iter_groups(self, fill: Fill) -> Iterator[list[dict[Decimal | None, list[Leg]]]]:
        """Yield the groups of its minutes that may be the instrument; a mere id shares those of its kind."""
        instrument, quantity = fill.instrument, fill.quantity
        for minute, index in _list_near(self._indexes, fill.times):
            for part, find in index.list_lookups(instrument):
                key = minute, part, quantity
                if key not in self._found:
                    groups = (group for group, _ in find(instrument))
                    self._found[key] = [
                        row for row in groups if quantity is None or quantity in row or None in row
                    ]
                yield self._found[key]


class _HeldQuantities:
    """What is held of each instrument beyond the trades that are open in it."""

    def __init__(self, lots: Iterable[Lot], trades: Iterable[Trade]) -> None:
        merged = merge_by_instrument(lots)
        self._index = InstrumentIndex((lot.instrument, [lot.quantity]) for lot in merged)
        self._has_unknown = any(lot.quantity is None for lot in merged)
        self._on_side: dict[tuple[object, bool], list[list[Decimal | None]]] = {}
        open_quantities: dict[tuple[object, bool], tuple[Instrument, Decimal]] = {}
        for trade in trades:
            quantity, instrument = trade.signed_quantity, normalize(trade)
            if trade.is_effectively_open is not False and trade.opened_at is not None and quantity:
                key = self._index.list_lookups(instrument)[0][0], quantity > 0
                _, total = open_quantities.get(key, (instrument, _ZERO))
                open_quantities[key] = instrument, total + quantity
        for instrument, total in open_quantities.values():
            own = self._index.find_same(instrument, certain=True) if is_nameless(instrument) else []
            for left in own or self._index.find_same(instrument):
                _apply_quantity(left, total)

    def remove_certain(self, instrument: Instrument, quantity: Decimal) -> bool:
        """Take the quantity; return whether a position is known to have as much left."""
        for part, find in self._index.list_lookups(instrument):
            key = part, quantity > 0
            if key not in self._on_side:  # a share may be in many accounts
                lefts = (left for left, _ in find(instrument))
                self._on_side[key] = [left for left in lefts if left[0] and left[0] * quantity > 0]
            rows = self._on_side[key]
            for position, left in enumerate(rows):
                if left[0] and abs(left[0]) >= abs(quantity):
                    _apply_quantity(left, quantity)
                    if not left[0]:
                        del rows[position]
                    return True
        return False

    def remove_match(self, fill: Fill) -> bool:
        """Take the quantity of the fill; return whether a position on its side has or may have as much."""
        quantity = fill.quantity
        if quantity is None:
            return self._index.has(fill.instrument)
        matches = self._index.iter_matches(fill.instrument) if self._has_unknown else ()
        return any(left[0] is None for left, _ in matches) or self.remove_certain(fill.instrument, quantity)


def _apply_quantity(left: list[Decimal | None], quantity: Decimal) -> None:
    """Take a quantity off what is left, down to nothing."""
    if left[0] is not None and left[0] * quantity > 0:
        left[0] -= min(left[0], quantity, key=abs)


class ClosingFills:
    """An index of the broker's fills by the trade that a fill closed."""

    def __init__(self, fills: Sequence[Fill]) -> None:
        self._by_id = {fill_id: fill for fill in fills for fill_id in fill.get_ids()}
        self._by_minute: Mapping[int | None, list[Fill]] = group_pairs(
            (minute, fill) for fill in fills for minute in {_to_minute(at) for at in fill.times}
        )

    def find(self, trade: Trade) -> Fill | None:
        """Return the fill that closed the trade, or None where no fill certainly did."""
        leg_ids = sorted(get_leg_ids(trade, opening=False))
        by_id = (self._by_id[leg_id] for leg_id in leg_ids if leg_id in self._by_id)
        lists = _list_near(self._by_minute, [trade.closed_at]) if trade.closed_at else []
        near = (fill for _, fills in lists for fill in fills)
        return next((fill for fill in (*by_id, *near) if has_closed(fill, trade)), None)


def _to_minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _list_near(by_minute: Mapping[int | None, T], times: Sequence[datetime]) -> list[tuple[int | None, T]]:
    """Return what is listed without a minute, and in those around the times; without a time all."""
    if not times:
        return list(by_minute.items())
    minutes = (None, *range(_to_minute(min(times)) - 1, _to_minute(max(times)) + 2))
    return [(minute, by_minute[minute]) for minute in minutes if minute in by_minute]


class _LegPart(Struct, frozen=True):
    """The signed quantity that fills of several orders must add up to between two times; None is no bound."""

    quantity: Decimal
    since: datetime | None
    until: datetime | None
    min_fills: int = 2  # a single fill of the whole leg is the leg itself, or another trade's


class _FillSeries:
    """The fills of one instrument and side, oldest first, with running sums: any span is one subtraction."""

    def __init__(self, fills: Iterable[Fill], sign: int) -> None:
        dated = [
            (fill.at, fill.quantity, fill)
            for fill in fills
            if fill.at is not None and fill.quantity is not None and fill.quantity * sign > 0
        ]
        dated.sort(key=lambda entry: entry[0])
        self._times = [at for at, _, _ in dated]
        self._sums = list(accumulate((quantity for _, quantity, _ in dated), initial=_ZERO))
        self._fills = [fill for _, _, fill in dated]

    def find_exact(self, part: _LegPart) -> Sequence[Fill]:
        """Return the fills in the span of the part where they add up to it exactly, else none."""
        start = 0 if part.since is None else bisect_left(self._times, part.since)
        end = len(self._times) if part.until is None else bisect_right(self._times, part.until)
        exact = end - start >= part.min_fills and self._sums[end] - self._sums[start] == part.quantity
        return self._fills[start:end] if exact else ()


def find_partial_fills(fills: Iterable[Fill], trades: Sequence[Trade], held: Iterable[Lot]) -> set[int]:
    """Return the Python ids of fills that add up exactly to one leg of a trade: none of them is missed."""
    by_instrument = InstrumentIndex((fill.instrument, fill) for fill in fills)
    lots = InstrumentIndex((lot.instrument, lot) for lot in merge_by_instrument(held))
    series: dict[tuple[object, bool], _FillSeries] = {}
    fill_ids: set[int] = set()
    for trade in trades:
        instrument = normalize(trade)
        parts = list(_iter_leg_parts(trade, lots))
        for key, find in by_instrument.list_lookups(instrument) if parts else ():
            for part in parts:
                side = key, part.quantity > 0
                if side not in series:
                    near = (fill for fill, _ in find(instrument))
                    series[side] = _FillSeries(near, 1 if part.quantity > 0 else -1)
                fill_ids.update(id(fill) for fill in series[side].find_exact(part))
    return fill_ids


def _iter_leg_parts(trade: Trade, lots: InstrumentIndex[Lot]) -> Iterator[_LegPart]:
    """Yield the leg that opened the trade, and the part of it that is closed so far."""
    quantity, opened = trade.signed_quantity, trade.opened_at
    if quantity is None:
        return
    until = None if trade.closed_at is None else trade.closed_at + MATCH_TOLERANCE
    yield _LegPart(quantity, None if opened is None else opened - MATCH_TOLERANCE, until)
    held = list(islice(lots.iter_matches(normalize(trade)), 2))
    remaining = held[0][0].quantity if len(held) == 1 else None
    remaining = _ZERO if trade.is_effectively_open is False else remaining
    if remaining is not None and quantity != remaining:
        yield _LegPart(remaining - quantity, opened, until, min_fills=1 if remaining else 2)
