"""Which tables of the runtime's own store are read, as a profile's [store_tables] says; no statement stands in it.

[store_tables.trades]
table = "trades"                                             # its name in the store; default: ours
joined = { table = "outcomes", on = "trade_id", key = "id" } # how trades ended, where that is kept apart
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detector.domain.store_rows import POSITION_STATE, TRADES

_KEYS, _JOIN_KEYS = ("table", "joined"), ("table", "on", "key")


class StoreTableError(ValueError):
    """An entry of [store_tables] that cannot be used; the message names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class JoinedTable:
    """A second table: what a row lacks stands in the row whose column `on` is the first one's `key`."""

    table: str
    on: str
    key: str


@dataclass(frozen=True, slots=True)
class StoreTable:
    """One list of the `stores` section and the table that it is read from."""

    name: str
    table: str
    joined: JoinedTable | None = None


DEFAULT_TABLES = (StoreTable(POSITION_STATE, POSITION_STATE), StoreTable(TRADES, TRADES))


def parse_store_tables(document: Mapping[str, Any]) -> tuple[StoreTable, ...]:
    """Read [store_tables]; only the lists that it names are read, without it the usual ones. Raises StoreTableError."""
    return tuple(_parse_store_table(name, entry) for name, entry in document.items())


def _parse_store_table(name: str, entry: object) -> StoreTable:
    location = f"[store_tables.{name}]"
    allowed = [table.name for table in DEFAULT_TABLES]
    if name not in allowed:
        raise StoreTableError(f"{location}: no such list (there are: {', '.join(allowed)})")
    options = _check_keys(entry, _KEYS, location)
    joined = None
    if "joined" in options:
        parts = _check_keys(options["joined"], _JOIN_KEYS, f"{location} joined")
        joined = JoinedTable(*(_check_name(parts.get(key), f"{location} joined {key}") for key in _JOIN_KEYS))
    return StoreTable(name, _check_name(options.get("table", name), f"{location} table"), joined)


def _check_keys(entry: object, keys: tuple[str, ...], location: str) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise StoreTableError(f"{location}: must be a table")
    unknown = entry.keys() - set(keys)
    if unknown:
        raise StoreTableError(f"{location}: unknown key {min(unknown)!r} (there are: {', '.join(keys)})")
    return entry


def _check_name(value: object, location: str) -> str:
    if not isinstance(value, str) or not value:
        raise StoreTableError(f"{location}: must be a name")
    return value
