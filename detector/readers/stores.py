"""The `stores` section: rows of the runtime's own stores under their own column names, which the profile maps.

Shape: `{"as_of", "position_state": [...], "trades": [...]}`. `position_state` says what is open, `trades` what was
traded and how it ended. SQLite has no flags: 0 and 1 are read as such here, and numbers may be text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from detector.domain.columns import get_columns
from detector.domain.instrument import Instrument
from detector.domain.read_context import ReadContext
from detector.domain.runtime_rows import Trade
from detector.domain.section_reading import Reading
from detector.domain.store_columns import StoreColumns
from detector.domain.store_rows import POSITION_STATE, TRADES, StoredPosition
from detector.formats.strict_json import clipped

SECTIONS = ("stores",)
_NAMES, _IDS = tuple(get_columns(Instrument)), ("signal_id", "position_id")
R = TypeVar("R", StoredPosition, Trade)


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read both stores; what a row does not say of its instrument, the other store's row of the trade does."""
    reading.is_export = reading.has_integer_flags = True
    error = raw.get("error")
    if error:
        said = clipped(error) if isinstance(error, str) else "an error"
        reading.add_fault("stores.error", f"says that the query failed ({said})")
    if error or not reading.has_valid_as_of(raw):
        return
    stores = context.profile.stores
    listed = reading.read_objects(f"stores.{TRADES}", raw.get(TRADES), "store_trades")
    trades: tuple[Trade, ...] = ()
    positions = reading.read_objects(f"stores.{POSITION_STATE}", raw.get(POSITION_STATE), "store_positions")
    if listed is not None:
        own = _getter(stores, TRADES)
        trades = tuple(reading.read_row(f"stores.{TRADES}", item, Trade, own) for item in listed)
        if not all(one.is_named for one in trades):
            reading.partial.add("store_trades")
    if positions is not None:
        get = _getter(stores, POSITION_STATE)
        path = f"stores.{POSITION_STATE}"
        rows = tuple(reading.read_row(path, item, StoredPosition, get) for item in positions)
        found = _completed(rows, trades, (*_NAMES, *_IDS, "side"))
        trades = _completed(trades, rows, (*_NAMES, *_IDS))
        reading.values["store_positions"] = found
        if any(one.is_effectively_open is not False and not one.is_named for one in found):
            reading.partial.add("store_positions")
    if listed is not None:
        reading.values["store_trades"] = trades


def _getter(stores: StoreColumns, store: str) -> Callable[[Mapping[str, Any], str], object]:
    names = stores.get(store, {})

    def get(item: Mapping[str, Any], column: str) -> object:
        own = names.get(column, (column,))
        return next((item[name] for name in own if item.get(name) is not None), None)

    return get


def _completed(rows: tuple[R, ...], others: Iterable[Any], columns: tuple[str, ...]) -> tuple[R, ...]:
    """Return the rows with what the other store's row of the same trade says where their own does not."""
    by_id = {one.trade_id: one for one in others if one.trade_id}
    return tuple(_filled(one, by_id.get(one.trade_id), columns) for one in rows)


def _filled(one: R, other: Any, columns: tuple[str, ...]) -> R:
    if other is None:
        return one
    missing = {
        name: getattr(other, name)
        for name in columns
        if getattr(one, name) is None and getattr(other, name) is not None
    }
    return replace(one, **missing) if missing else one
