"""The `stores` section: rows of the runtime's own stores; the profile maps their column names.

Shape: `{"as_of", "position_state": [...], "trades": [...]}`. `position_state` holds the open positions,
`trades` the trades and their results. SQLite has no flags: 0 and 1 are read as such here, and numbers may
be text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, TypeVar

from msgspec.structs import replace

from detector.domain.columns import get_columns
from detector.domain.instrument import Instrument
from detector.domain.profile import (
    FILLS,
    HISTORY,
    POSITION_STATE,
    POSITIONS,
    TRADES,
    ReadContext,
    StoreColumns,
)
from detector.domain.provenance import Fault
from detector.domain.row_state import STATE_COLUMNS, remove_state
from detector.domain.section_reading import Reading, list_kinds
from detector.domain.shape import LIST, TIME_KEYS, Key, Need, Shape, build_columns, build_needs
from detector.domain.sides import UNKNOWN_SIDE, apply_sign
from detector.domain.trade_rows import StoredPosition, Trade
from detector.domain.vendor_keys import DESCRIBE_ANSWER, FOREIGN
from detector.formats.grouping import group_pairs
from detector.formats.numbers import format_list, format_quantity
from detector.formats.patterns import build_pattern
from detector.formats.times import NEVER

SECTIONS = ("stores",)
_LISTS = ((POSITION_STATE, StoredPosition, "store_positions"), (TRADES, Trade, "store_trades"))
_NAMED_BY = ("trade_id", "signal_id", "position_id", "symbol", "local_symbol", "con_id")
# Of an order or a fill the state is not that of the position.
_ONLY_MAPPED = {FILLS: (*STATE_COLUMNS, "at"), HISTORY: ()}
_NAMES, _IDS = tuple(get_columns(Instrument)), ("signal_id", "position_id")
_NEEDS = {TRADES: (Need(STATE_COLUMNS, "text"), Need(STATE_COLUMNS, "flag"))}
# pysystemtrade's names of a contract; a spread has a month for each leg.
_CONTRACT = build_pattern(r"(?:[^/]+/)?([^/.]+)[/.](\d{6}(?:\d\d)?(?:_\d{6}(?:\d\d)?)*)", re.ASCII)
R = TypeVar("R", StoredPosition, Trade)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section; the profile names the columns."""
    is_usual = context.profile.position_rows == POSITIONS  # a table of fills may be that of the trades too
    lists = {
        name: Key(
            LIST,
            inner=Shape(
                build_columns(list_kinds(row), context.profile.stores.get(name)),
                FOREIGN,
                named_by=_NAMED_BY,
                needs=build_needs(get_columns(row)) + _NEEDS.get(name, ())
                if is_usual or name == POSITION_STATE
                else (),
            ),
            fact=fact,
        )
        for name, row, fact in _LISTS
    }
    return Shape({**TIME_KEYS, "error": Key(), **lists}, DESCRIBE_ANSWER, envelope=True)


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read both stores; a row's missing columns come from the other store's row of the same trade."""
    reading.is_export = reading.has_integer_flags = True
    reading.words, reading.symbols = context.profile.words, context.profile.symbols
    if reading.has_error(raw, "stores") or not reading.has_valid_as_of(raw):
        return
    stores = context.profile.stores
    trade_items = reading.read_objects(f"stores.{TRADES}", raw.get(TRADES), "store_trades")
    trades: tuple[Trade, ...] = ()
    position_items = _read_documents(raw, reading, context)
    if trade_items is not None:
        get_trade = _build_column_getter(stores, TRADES)
        trades = tuple(reading.read_row(f"stores.{TRADES}", item, Trade, get_trade) for item in trade_items)
        if not all(trade.is_named for trade in trades):
            reading.partial.add("store_trades")
    if position_items is not None:
        unread = _ONLY_MAPPED.get(context.profile.position_rows, ("at",))
        get_position = _build_column_getter(stores, POSITION_STATE, unread)
        rows = _read_positions(position_items, context.profile.position_rows, get_position, reading)
        if context.profile.position_rows == POSITIONS:
            columns = stores.get(POSITION_STATE, {}).get("quantity", ())
            rows = tuple(
                _check_quantity(*pair, columns, reading) for pair in zip(rows, position_items, strict=True)
            )
        reading.values["store_positions"], trades = _join_rows(rows, trades, reading)
    if trade_items is not None:
        reading.values["store_trades"] = trades


def _join_rows(
    rows: tuple[StoredPosition, ...], trades: tuple[Trade, ...], reading: Reading
) -> tuple[tuple[StoredPosition, ...], tuple[Trade, ...]]:
    """Return the rows of both stores, each with what the other one gives of its trade."""
    positions = _merge_rows(rows, trades, (*_NAMES, *_IDS, "side"))
    trades = _merge_rows(trades, rows, (*_NAMES, *_IDS))
    positions, trades = _mark_unknown_sides(positions, trades), _mark_unknown_sides(trades, positions)
    if any(row.is_effectively_open is not False and not row.is_named for row in positions):
        reading.partial.add("store_positions")
    if doubtful := [row.title for row in positions if row.side == UNKNOWN_SIDE]:
        problem = f"of {format_list(doubtful)} is not given, and {TRADES} has it short"
        reading.add_fault(f"stores.{POSITION_STATE}.side", problem)
    return positions, trades


def _read_documents(
    raw: Mapping[str, Any], reading: Reading, context: ReadContext
) -> list[Mapping[str, Any]] | None:
    """Return the rows of the store of positions, those of each document in it."""
    names = context.profile.stores.get(POSITION_STATE, {})
    items = reading.read_objects(f"stores.{POSITION_STATE}", raw.get(POSITION_STATE), "store_positions")
    if items is None:
        return None
    rows = [row for item in items for row in _iter_rows(item, names)]
    if context.profile.position_rows == FILLS:
        rows = [remove_state(row, {*chain.from_iterable(names.values())}) for row in rows]
    reading.content = {**raw, POSITION_STATE: rows}
    return rows


def _iter_rows(item: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows that a document holds: the entries of a series in it, and the legs of its contract."""
    quantities = names.get("quantity", ("quantity",))
    series = next((value for value in item.values() if _is_series(value, quantities)), None)
    if series is None or any(name in item for name in quantities):
        yield from _iter_legs(item, names)
    else:
        for entry in series:
            yield from _iter_legs({**item, **entry}, names)


def _is_series(value: object, quantities: Sequence[str]) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict) and any(name in entry for name in quantities) for entry in value
    )


def _iter_legs(item: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> Iterator[Mapping[str, Any]]:
    """Yield a row for each leg of a contract named `GOLD/20260800` or `strategy/GOLD/202606_202609`."""
    symbol, quantity, expiry = (
        next((name for name in names.get(column, (column,)) if name in item), "")
        for column in ("symbol", "quantity", "expiry")
    )
    contract = _CONTRACT.fullmatch(str(item.get(symbol)))
    months = contract[2].split("_") if contract else [None]
    cell = item.get(quantity)
    amounts: list[Any] = cell if isinstance(cell, list) else [cell]
    if (contract is None and cell is not amounts) or len(amounts) != len(months):
        yield item
        return
    for month, amount in zip(months, amounts, strict=True):
        named = (
            {symbol: contract[1], expiry or names.get("expiry", ("expiry",))[0]: month} if contract else {}
        )
        yield {**item, **named, quantity: amount}


def _read_positions(
    items: Sequence[Mapping[str, Any]],
    kind: str,
    get: Callable[[Mapping[str, Any], str], object],
    reading: Reading,
) -> tuple[StoredPosition, ...]:
    """Return one row for each instrument and account: the sum of its fills, or its last reading."""
    if kind == HISTORY:
        return _read_latest(items, get, reading)
    rows = [reading.read_row(f"stores.{POSITION_STATE}", item, StoredPosition, get) for item in items]
    return _add_up_fills(rows, reading) if kind == FILLS else tuple(rows)


def _check_quantity(
    row: StoredPosition, item: Mapping[str, Any], columns: Sequence[str], reading: Reading
) -> StoredPosition:
    """Return the row, without its quantity where it is open and another column has less.

    Beside what remains stands what there was once; beside a quantity less may remain, or that is old.
    """
    apart = Reading(reading.section, reading.as_of, 0)
    apart.is_export = True
    given = {name: apart.read_value("quantity", name, item.get(name)) for name in columns}
    known = {name: abs(quantity) for name, quantity in given.items() if quantity is not None}
    least = min(known.values(), default=None)
    if (
        least is None
        or row.quantity is None
        or least >= abs(row.quantity)
        or row.is_effectively_open is False
    ):
        return row
    texts = [f"{format_quantity(quantity)} by {name}" for name, quantity in known.items()]
    reading.add_fault(
        f"stores.{POSITION_STATE}.quantity", f"is {format_list(texts)} in the row of {row.title}"
    )
    return replace(row, quantity=None)


def _read_latest(
    items: Sequence[Mapping[str, Any]], get: Callable[[Mapping[str, Any], str], object], reading: Reading
) -> tuple[StoredPosition, ...]:
    """Return the last reading of each instrument and account: by its time, without any by its place.

    An older reading counts for nothing, and neither do its faults.
    """
    path = f"stores.{POSITION_STATE}"
    rows: list[tuple[StoredPosition, list[Fault]]] = []
    for item in items:
        start = len(reading.invalid)
        rows.append((reading.read_row(path, item, StoredPosition, get), reading.invalid[start:]))
        del reading.invalid[start:]
    is_dated = any(get(item, "at") is not None for item in items)
    is_ordered = not is_dated or all(row.at is not None for row, _ in rows)
    if is_dated and is_ordered:
        rows.sort(key=lambda pair: pair[0].at or NEVER)
    latest = {_get_instrument(row): (row, faults) for row, faults in rows}
    reading.invalid += [fault for _, faults in latest.values() for fault in faults]
    if is_ordered:
        return tuple(row for row, _ in latest.values())
    reading.add_fault(f"{path}.at", "is not known of every reading: which of them is the last?")
    counts = Counter(_get_instrument(row) for row, _ in rows)
    return tuple(
        row if counts[instrument] == 1 else replace(row, quantity=None)
        for instrument, (row, _) in latest.items()
    )


def _get_instrument(row: StoredPosition) -> tuple[object, ...]:
    return (*(getattr(row, name) for name in _NAMES), row.account)


def _add_up_fills(rows: Sequence[StoredPosition], reading: Reading) -> tuple[StoredPosition, ...]:
    groups = group_pairs((_get_instrument(row), row) for row in rows)
    signed = [row.signed_quantity for row in rows]
    is_one_way = all(quantity is None or quantity >= 0 for quantity in signed)
    if len(rows) > 1 and is_one_way and not any(row.side for row in rows):
        reading.add_fault(
            f"stores.{POSITION_STATE}.side", "is not given, and no fill is negative: which of them sold?"
        )
        return tuple(replace(group[0], quantity=None) for group in groups.values())
    return tuple(_merge_fills(group) for group in groups.values())


def _merge_fills(fills: list[StoredPosition]) -> StoredPosition:
    quantities = [fill.signed_quantity for fill in fills]
    known = [quantity for quantity in quantities if quantity is not None]
    total = sum(known, Decimal(0)) if len(known) == len(quantities) else None
    parts = {name: getattr(fills[0], name) for name in _NAMES}
    return StoredPosition(**parts, account=fills[0].account, quantity=total)


def _build_column_getter(
    stores: StoreColumns, store: str, only_mapped: tuple[str, ...] = ()
) -> Callable[[Mapping[str, Any], str], object]:
    """Return how a column is found; those of `only_mapped` have no name but the profile's."""
    names = {**dict.fromkeys(only_mapped, ()), **stores.get(store, {})}

    def get(item: Mapping[str, Any], column: str) -> object:
        for name in names.get(column, (column,)):  # a generator for each of very many cells takes longer
            if (value := item.get(name)) is not None:
                return value
        return None

    return get


def _merge_rows(rows: tuple[R, ...], other_rows: Iterable[Any], columns: tuple[str, ...]) -> tuple[R, ...]:
    """Return the rows with their missing columns from the other store's row of the same trade."""
    by_id = {row.trade_id: row for row in other_rows if row.trade_id}
    return tuple(_merge_row(row, by_id.get(row.trade_id), columns) for row in rows)


def _merge_row(row: R, other_row: Any, columns: tuple[str, ...]) -> R:
    if other_row is None:
        return row
    missing = {
        name: getattr(other_row, name)
        for name in columns
        if getattr(row, name) is None and getattr(other_row, name) is not None
    }
    return replace(row, **missing) if missing else row


def _mark_unknown_sides(rows: tuple[R, ...], other_rows: Iterable[Any]) -> tuple[R, ...]:
    """Return the rows, of unknown side where nothing shows a quantity to be long.

    Such a row gives no side, its list has no negative quantity, and the other store has its trade short.
    """
    bare = [row for row in rows if row.side is None and row.quantity is not None]
    if any((row.quantity or 0) < 0 for row in bare):
        return rows
    shorts = {row.trade_id for row in other_rows if row.trade_id and _is_short(row)}
    doubtful = {id(row) for row in bare if row.trade_id in shorts}
    return tuple(replace(row, side=UNKNOWN_SIDE) if id(row) in doubtful else row for row in rows)


def _is_short(row: StoredPosition | Trade) -> bool:
    return (apply_sign(row.quantity, row.side) or 0) < 0
