"""Where a profile finds the runtime's own stores: the tables to read, and the names of their columns.

[store_tables.trades]
table = "trades"                                             # its name in the store; default: our name
joined = { table = "outcomes", on = "trade_id", key = "id" } # where the ends of trades are in another table

[stores.trades]
trade_id = "id"                                  # our column = the store's own
realized_pnl = ["realized_pnl", "pnl_dollars"]   # of several names, the first that a row has counts

A profile holds names only, no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from detector.domain.columns import get_columns
from detector.domain.trade_rows import StoredPosition, Trade

POSITION_STATE, TRADES = "position_state", "trades"
_KEYS, _JOIN_KEYS = ("table", "joined"), ("table", "on", "key")


class StoreLayoutError(ValueError):
    """An entry of [store_tables] or [stores] that cannot be used; the message names it and what is wrong."""


class JoinedTable(Struct, frozen=True):
    """A second table with missing values: its column `on` equals the first table's column `key`."""

    table: str
    on: str
    key: str


class StoreTable(Struct, frozen=True):
    """One list of the `stores` section and the table that it is read from."""

    name: str
    table: str
    joined: JoinedTable | None = None


DEFAULT_TABLES = (StoreTable(POSITION_STATE, POSITION_STATE), StoreTable(TRADES, TRADES))


def parse_store_tables(document: Mapping[str, Any]) -> tuple[StoreTable, ...]:
    """Read [store_tables]: the tables to read, none for the default ones. Raises StoreLayoutError."""
    return tuple(_parse_store_table(name, entry) for name, entry in document.items())


def _parse_store_table(name: str, entry: object) -> StoreTable:
    location = f"[store_tables.{name}]"
    allowed = [table.name for table in DEFAULT_TABLES]
    if name not in allowed:
        raise StoreLayoutError(f"{location}: no such list (there are: {', '.join(allowed)})")
    options = _check_keys(entry, _KEYS, location)
    joined = None
    if "joined" in options:
        parts = _check_keys(options["joined"], _JOIN_KEYS, f"{location} joined")
        joined = JoinedTable(*(_check_name(parts.get(key), f"{location} joined {key}") for key in _JOIN_KEYS))
    return StoreTable(name, _check_name(options.get("table", name), f"{location} table"), joined)


def _check_keys(entry: object, keys: tuple[str, ...], location: str) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise StoreLayoutError(f"{location}: must be a table")
    unknown = entry.keys() - set(keys)
    if unknown:
        raise StoreLayoutError(f"{location}: unknown key {min(unknown)!r} (there are: {', '.join(keys)})")
    return entry


def _check_name(value: object, location: str) -> str:
    if not isinstance(value, str) or not value:
        raise StoreLayoutError(f"{location}: must be a name")
    return value


StoreColumns = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By store and by our column: the names that it may have in the store."""

_ROW_TYPES: Mapping[str, type[Any]] = {POSITION_STATE: StoredPosition, TRADES: Trade}


def parse_store_columns(document: Mapping[str, Any]) -> StoreColumns:
    """Read [stores]; a column that is not listed has our own name. Raises StoreLayoutError."""
    return {store: _parse_table_columns(store, table) for store, table in document.items()}


def _parse_table_columns(store: str, table: object) -> Mapping[str, tuple[str, ...]]:
    if store not in _ROW_TYPES:
        raise StoreLayoutError(f"[stores.{store}]: no such store (there are: {', '.join(_ROW_TYPES)})")
    if not isinstance(table, dict):
        raise StoreLayoutError(f"[stores.{store}]: must be a table")
    unknown = table.keys() - get_columns(_ROW_TYPES[store]).keys()
    if unknown:
        raise StoreLayoutError(f"[stores.{store}] {min(unknown)}: no such column")
    return {column: _parse_names(names, f"[stores.{store}] {column}") for column, names in table.items()}


def _parse_names(value: object, location: str) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise StoreLayoutError(f"{location}: must be the name of a column, or a list of such names")
    return tuple(names)
