"""Where a profile finds the runtime's own stores: the tables to read, and the names of their columns.

[store_tables.trades]
table = "trades"                                             # its name in the store; default: our name
joined = { table = "outcomes", on = "trade_id", key = "id" } # where the ends of trades are in another table

[store_tables.position_state]
rows = "fills"                                   # each row is a fill or an order: a position is their sum
# or "history": each row is a reading, and the last one of an instrument counts

[stores.trades]
trade_id = "id"                                  # our column = the store's own
realized_pnl = ["realized_pnl", "pnl_dollars"]   # of several names, the first that a row has counts

A profile holds names only, no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from detector.domain.trade_rows import StoredPosition, Trade

POSITION_STATE, TRADES = "position_state", "trades"
ROW_TYPES: Mapping[str, type[Any]] = {POSITION_STATE: StoredPosition, TRADES: Trade}
StoreColumns = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By store and by our column: the names that it may have in the store."""


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
    rows: str = "positions"


POSITIONS, FILLS, HISTORY = "positions", "fills", "history"
"""What the rows of a table of positions are: one a position, one a fill of it, or one a reading of it."""


DEFAULT_TABLES = (StoreTable(POSITION_STATE, POSITION_STATE), StoreTable(TRADES, TRADES))


def build_store_tables(document: Mapping[str, Any]) -> tuple[StoreTable, ...]:
    """Return the tables of [store_tables]; none stands for the default ones."""
    return tuple(
        StoreTable(
            name,
            entry.get("table", name),
            JoinedTable(**entry["joined"]) if "joined" in entry else None,
            entry.get("rows", POSITIONS),
        )
        for name, entry in document.items()
    )


def build_store_columns(document: Mapping[str, Any]) -> StoreColumns:
    """Return the columns of [stores]; one that is not listed has our own name."""
    return {
        store: {column: list_names(names) for column, names in table.items()}
        for store, table in document.items()
    }


def list_names(value: str | list[str]) -> tuple[str, ...]:
    """Return a name, or a list of names, as names."""
    return (value,) if isinstance(value, str) else tuple(value)
