"""The tables of one open store: the newest rows and all that may be open, with the columns that are judged and no other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from detector.domain.columns import get_columns
from detector.domain.runtime_rows import Trade
from detector.domain.store_columns import StoreColumns
from detector.domain.store_rows import POSITION_STATE, TRADES, StoredPosition
from detector.domain.store_tables import JoinedTable, StoreTable
from detector.formats.edge_error import SCHEMA, TOO_LARGE, EdgeError
from detector.formats.strict_json import clipped

if TYPE_CHECKING:
    from detector.clients.sqlite import Connection

NEWEST_ROWS = 500
MOST_ROWS = 5000
MOST_BYTES = 4 * 1024 * 1024
_MOST_NAMED = 12
_MOST_WORDS = 200
_ROW_OF = {POSITION_STATE: StoredPosition, TRADES: Trade}
# Of each list the columns without which a row says nothing: one of every group must be there.
_NEEDED = {
    POSITION_STATE: (("symbol", "con_id", "trade_id"), ("is_open", "quantity")),
    TRADES: (("trade_id",), ("is_open", "status", "closed_at")),
}
Row = dict[str, Any]
Columns = Mapping[str, Sequence[str]]


class Store:
    """One open store: its tables by name, what was read of them so far, and what could not be."""

    def __init__(self, connection: Connection, columns: StoreColumns) -> None:
        self._connection = connection
        self._names = columns
        found = connection.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')")
        self._kinds = {name: kind for name, kind in found if not name.startswith("sqlite_")}
        self._bytes = 0
        self._left_out: dict[str, None] = {}
        self._cut: list[str] = []

    @property
    def note(self) -> str | None:
        """What was left out, as no JSON can hold it or the table has no order; None where nothing was."""
        odd = f"left out, as no JSON holds it: {_some(tuple(self._left_out))}" if self._left_out else None
        cut = f"left out, as it has over {MOST_ROWS} and no order: its rows that are closed, of {_some(self._cut)}"
        return "; ".join(one for one in (odd, cut if self._cut else None) if one) or None

    def rows(self, table: StoreTable) -> list[Row]:
        """Return the rows of one list, oldest first: the newest, and all that may be open; ends beside their trades."""
        there_are = self._there_are(table.table)
        columns = self._columns(table, there_are)
        chosen = _chosen(columns, there_are, (table.joined.key,) if table.joined else ())
        found = self._newest(table.table, chosen, columns)
        if table.joined is None:
            return found
        return _completed(found, self._others(table, table.joined, found), table.joined)

    def _newest(self, table: str, chosen: str, columns: Columns) -> list[Row]:
        start = f"SELECT {chosen} FROM {_quoted(table)}"  # noqa: S608 - names of the profile, quoted
        ordered = self._has_row_ids(table)
        if not ordered and not self._is_long(table):
            return self._made(table, start, ())
        words, values = self._may_be_open(table, columns)
        if not ordered:
            self._cut.append(table)
            return self._made(table, f"{start} WHERE {words} LIMIT {MOST_ROWS + 1}", values)
        newest = f"FROM {_quoted(table)} ORDER BY rowid DESC LIMIT {NEWEST_ROWS}"
        older = f"{start} WHERE {words} AND rowid NOT IN (SELECT rowid {newest})"
        return [
            *self._made(table, f"{older} ORDER BY rowid LIMIT {MOST_ROWS + 1}", values),
            *self._made(table, f"SELECT {chosen} {newest}", ())[::-1],
        ]

    def _others(self, table: StoreTable, joined: JoinedTable, rows: Sequence[Row]) -> list[Row]:
        there_are = self._there_are(joined.table)
        if joined.on.casefold() not in there_are:
            _missing(joined.table, [joined.on], there_are)
        chosen = _chosen(self._found(table.name, there_are), there_are, (joined.on,))
        keys = list(dict.fromkeys(row[joined.key] for row in rows if row.get(joined.key) is not None))
        made: list[Row] = []
        for first in range(0, len(keys), NEWEST_ROWS):
            part = keys[first : first + NEWEST_ROWS]
            statement = f"SELECT {chosen} FROM {_quoted(joined.table)}"  # noqa: S608 - names of the profile, quoted
            wanted = f"WHERE {_quoted(there_are[joined.on.casefold()])} IN ({', '.join('?' * len(part))})"
            made += self._made(joined.table, f"{statement} {wanted} LIMIT {MOST_ROWS + 1}", part)
        return made

    def _there_are(self, table: str) -> dict[str, str]:
        """Return the table's columns by their names without case; raises EdgeError where there is no such table."""
        if table not in self._kinds:
            there = _some(sorted(self._kinds)) or "none"
            raise EdgeError(f"it has no table {clipped(table)!r} (there are: {there})", reason=SCHEMA)
        about = self._connection.execute(f"SELECT * FROM {_quoted(table)} LIMIT 0").description  # noqa: S608 - names of the profile, quoted
        return {column[0].casefold(): column[0] for column in about}

    def _columns(self, table: StoreTable, there_are: Mapping[str, str]) -> Columns:
        """Return our columns with their names in the table; raises EdgeError where a row would say nothing."""
        found = self._found(table.name, there_are)
        for group in _NEEDED[table.name]:
            if not found.keys() & set(group):
                names = self._names.get(table.name, {})
                wanted = [one for column in group for one in names.get(column, (column,))]
                _missing(table.table, wanted, there_are)
        if table.joined is not None and table.joined.key.casefold() not in there_are:
            _missing(table.table, [table.joined.key], there_are)
        return found

    def _found(self, name: str, there_are: Mapping[str, str]) -> Columns:
        names = self._names.get(name, {})
        found = {
            column: [one for one in names.get(column, (column,)) if one.casefold() in there_are]
            for column in get_columns(_ROW_OF[name])
        }
        return {column: there for column, there in found.items() if there}

    def _has_row_ids(self, table: str) -> bool:
        """Whether its rows have an order; a view has none, nor a table that was made without."""
        from detector.clients.sqlite import has_row_ids

        return bool(self._kinds[table] == "table") and has_row_ids(self._connection, _quoted(table))

    def _is_long(self, table: str) -> bool:
        rows = f"SELECT 1 FROM {_quoted(table)} LIMIT {MOST_ROWS + 1}"  # noqa: S608 - names of the profile, quoted
        (count,) = self._connection.execute(f"SELECT count(*) FROM ({rows})").fetchone()  # noqa: S608 - names of the profile, quoted
        return bool(count > MOST_ROWS)

    def _may_be_open(self, table: str, columns: Columns) -> tuple[str, list[Any]]:
        """Return the condition under which a row may be open, and its values: what says nothing may be."""
        column = next(one for one in ("is_open", "status", "closed_at", "quantity") if one in columns)
        quoted = [_quoted(own) for own in columns[column]]
        if column == "closed_at":
            return " AND ".join(f"{one} IS NULL" for one in quoted), []
        if column != "status":
            return f"coalesce({', '.join([*quoted, 'NULL'])}, 1) NOT IN (0, '0')", []
        words = self._connection.execute(f"SELECT DISTINCT {quoted[0]} FROM {_quoted(table)}").fetchall()  # noqa: S608 - names of the profile, quoted
        over = [word for (word,) in words if isinstance(word, str) and Trade(status=word).is_effectively_open is False]
        del over[_MOST_WORDS:]
        marks = ", ".join("?" * len(over))
        return f"({quoted[0]} IS NULL OR {quoted[0]} NOT IN ({marks}))", over

    def _made(self, table: str, statement: str, values: Sequence[Any]) -> list[Row]:
        cursor = self._connection.execute(statement, values)
        names = [column[0] for column in cursor.description]
        made: list[Row] = []
        for values_of in cursor:
            made.append(self._row(table, names, values_of))
            if len(made) > MOST_ROWS:
                raise EdgeError(
                    f"its table {clipped(table)!r} has over {MOST_ROWS} rows that may be open",
                    reason=TOO_LARGE,
                )
        return made

    def _row(self, table: str, names: Sequence[str], values: Sequence[Any]) -> Row:
        row: Row = {}
        for name, value in zip(names, values, strict=True):
            if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
                self._left_out[f"{table}.{name}"] = None
            else:
                row[name] = value
                self._bytes += len(name) + (len(value) if isinstance(value, str) else 8)
        if self._bytes > MOST_BYTES:
            raise EdgeError(f"what it holds is over {MOST_BYTES // (1024 * 1024)} MiB", reason=TOO_LARGE)
        return row


def _chosen(columns: Columns, there_are: Mapping[str, str], more: Sequence[str]) -> str:
    """Return what is selected, each under the name by which the reader knows it; what nobody judges stays there."""
    names = dict.fromkeys([*(one for there in columns.values() for one in there), *more])
    return ", ".join(f"{_quoted(there_are[one.casefold()])} AS {_quoted(one)}" for one in names)


def _missing(table: str, wanted: Sequence[str], there_are: Mapping[str, str]) -> NoReturn:
    raise EdgeError(
        f"its table {clipped(table)!r} has no column {_some(wanted)} (there are: {_some(list(there_are.values()))})",
        reason=SCHEMA,
    )


def _completed(rows: Sequence[Row], others: Sequence[Row], joined: JoinedTable) -> list[Row]:
    """Return each row with what it lacks itself out of its other row, the latest one where there are several."""
    latest = {other.get(joined.on): other for other in others}
    made = []
    for row in rows:
        other = latest.get(row.get(joined.key), {})
        made.append({**row, **{name: value for name, value in other.items() if row.get(name) is None}})
    return made


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(clipped(name) for name in names[:_MOST_NAMED])
    return f"{shown}, …" if len(names) > _MOST_NAMED else shown
