"""Under which names the columns of the runtime's own stores stand there, as a profile's [stores] says.

[stores.trades]
trade_id = "id"                                  # our column = the store's own
realized_pnl = ["realized_pnl", "pnl_dollars"]   # of several names the first that a row has counts
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.columns import get_columns
from detector.domain.runtime_rows import Trade
from detector.domain.store_rows import POSITION_STATE, TRADES, StoredPosition

StoreColumns = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By store and by our column: the names under which it may stand there."""

_ROW_TYPES: Mapping[str, type[Any]] = {POSITION_STATE: StoredPosition, TRADES: Trade}


class StoreColumnError(ValueError):
    """An entry of [stores] that cannot be used; the message names it and what is wrong."""


def parse_store_columns(document: Mapping[str, Any]) -> StoreColumns:
    """Read [stores]; a column that is not named stands under our own name. Raises StoreColumnError."""
    return {store: _parse_table_columns(store, table) for store, table in document.items()}


def _parse_table_columns(store: str, table: object) -> Mapping[str, tuple[str, ...]]:
    if store not in _ROW_TYPES:
        raise StoreColumnError(f"[stores.{store}]: no such store (there are: {', '.join(_ROW_TYPES)})")
    if not isinstance(table, dict):
        raise StoreColumnError(f"[stores.{store}]: must be a table")
    unknown = table.keys() - get_columns(_ROW_TYPES[store]).keys()
    if unknown:
        raise StoreColumnError(f"[stores.{store}] {min(unknown)}: no such column")
    return {column: _parse_names(names, f"[stores.{store}] {column}") for column, names in table.items()}


def _parse_names(value: object, location: str) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise StoreColumnError(f"{location}: must be the name of a column, or a list of such names")
    return tuple(names)
