"""Reads the runtime's own stores from its SQLite file: all tables in one transaction, read-only.

The profile's [store_tables] and [stores] name the tables and their columns; only columns that rules need are
read, and those that may decide state or side, which the reader reports where they are not mapped. Of a long
table the newest rows are read, and every row that may be open, however old: none of those is left out without
a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption
from detector.domain.columns import get_columns
from detector.domain.profile import (
    DEFAULT_TABLES,
    POSITION_STATE,
    POSITIONS,
    ROW_TYPES,
    TRADES,
    JoinedTable,
    Profile,
    StoreColumns,
    StoreTable,
)
from detector.domain.row_state import can_decide
from detector.domain.trade_rows import Words, is_closed_state
from detector.formats.errors import SCHEMA, TOO_LARGE, ExternalError
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import format_time
from detector.settings import COLLECT_TIMEOUT_SEC, PROFILE, SOURCE_TIMEOUT_SEC, STORES_DB, Settings

if TYPE_CHECKING:
    from detector.clients.sqlite import StoreConnection


OPTIONS = (
    SourceOption(
        "stores",
        (STORES_DB,),
        "what the runtime's own trades and positions say, to be compared with the broker",
    ),
)
NEWEST_ROWS = 500
MAX_ROWS = 5000
MAX_BYTES = 4 * 1024 * 1024
_MAX_NAMED = 12
_MAX_STATES = 200
# The columns that each list needs: one of every group must exist.
_REQUIRED_COLUMNS = {
    POSITION_STATE: (("symbol", "con_id", "trade_id"), ("is_open", "quantity")),
    TRADES: (("trade_id",), ("is_open", "status", "closed_at")),
}
# A time that certainly is one, of 2000 to 2099: programs write NaT, 0, 1970 or 9999 for what is not closed.
_TIME_CONDITION = (
    "CASE typeof({0}) WHEN 'text' THEN trim({0}) GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9]*' ELSE {0} BETWEEN"
    " 946684800 AND 4102444800 OR {0} BETWEEN 946684800000 AND 4102444800000 END"
)
_TableRow = dict[str, Any]
_ColumnNames = Mapping[str, Sequence[str]]


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the store, where its file is set."""
    if settings[STORES_DB]:
        yield ConfiguredSource("stores", STORES_DB, settings[STORES_DB], _read_stores)


def _read_stores(context: SourceContext) -> Answer:
    from detector.clients.sqlite import open_store

    profile: Profile = context.settings.files[PROFILE.name]
    seconds = min(context.settings[SOURCE_TIMEOUT_SEC], context.settings[COLLECT_TIMEOUT_SEC])
    as_of = context.clock()  # before the transaction: what is read is never younger than that
    with open_store(context.settings[STORES_DB], seconds) as connection:
        store = Store(connection, profile.stores, profile.words)
        section = {table.name: store.read_rows(table) for table in profile.tables or DEFAULT_TABLES}
    return Answer({"as_of": format_time(as_of), **section}, as_of, store.note)


class Store:
    """One open store: its tables by name, the size that was read so far, and the values left out."""

    def __init__(self, connection: StoreConnection, columns: StoreColumns, words: Words) -> None:
        self._connection = connection
        self._words = words
        self._column_aliases = columns
        tables = connection.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')")
        self._kinds = {name: kind for name, kind in tables if not name.startswith("sqlite_")}
        self._bytes = 0
        self._left_out: dict[str, None] = {}
        self._cut: list[str] = []

    @property
    def note(self) -> str | None:
        """The values and rows that were left out, with the reason; None where nothing was."""
        notes: list[str] = []
        if self._left_out:
            notes.append(f"left out, as no JSON holds it: {_format_names(tuple(self._left_out))}")
        if self._cut:
            rows = f"its rows that are closed, of {_format_names(self._cut)}"
            notes.append(f"left out, as it has over {MAX_ROWS} and no order: {rows}")
        return "; ".join(notes) or None

    def read_rows(self, table: StoreTable) -> list[_TableRow]:
        """Return the newest rows of one list and all that may be open, oldest first, with joined columns."""
        actual = self._list_actual_columns(table.table)
        columns = self._match_columns(table, actual)
        mapped = {alias.casefold() for aliases in columns.values() for alias in aliases}
        deciding = [name for key, name in actual.items() if key not in mapped and can_decide(name)]
        keys = (table.joined.key,) if table.joined else ()
        select_list = _format_select_list(columns, actual, (*keys, *deciding))
        if table.rows == POSITIONS:
            rows = self._read_newest(table.table, select_list, columns)
        else:  # a sum of some fills, or a reading before the last, would be another position
            rows = self._read_whole(table.table, select_list)
        if table.joined is None:
            return rows
        return _merge_joined(rows, self._read_joined(table, table.joined, rows), table.joined)

    def _read_whole(self, table: str, select_list: str) -> list[_TableRow]:
        """Return every row, in the order in which they were written; raises ExternalError for too many."""
        order = " ORDER BY _rowid_" if self._has_row_ids(table) else ""
        statement = f"SELECT {select_list} FROM {_escape_name(table)}{order} LIMIT {MAX_ROWS + 1}"
        return self._fetch_rows(table, statement, ())

    def _read_newest(self, table: str, select_list: str, columns: _ColumnNames) -> list[_TableRow]:
        start = f"SELECT {select_list} FROM {_escape_name(table)}"
        ordered = self._has_row_ids(table)
        if not ordered and not self._is_long(table):
            return self._fetch_rows(table, start, ())
        condition, values = self._build_open_filter(table, columns)
        if not ordered:
            self._cut.append(table)
            return self._fetch_rows(table, f"{start} WHERE {condition} LIMIT {MAX_ROWS + 1}", values)
        newest = f"FROM {_escape_name(table)} ORDER BY _rowid_ DESC LIMIT {NEWEST_ROWS}"
        older = f"{start} WHERE {condition} AND _rowid_ NOT IN (SELECT _rowid_ {newest})"
        return [
            *self._fetch_rows(table, f"{older} ORDER BY _rowid_ LIMIT {MAX_ROWS + 1}", values),
            *self._fetch_rows(table, f"SELECT {select_list} {newest}", ())[::-1],
        ]

    def _read_joined(
        self, table: StoreTable, joined: JoinedTable, rows: Sequence[_TableRow]
    ) -> list[_TableRow]:
        actual = self._list_actual_columns(joined.table)
        if joined.on.casefold() not in actual:
            _raise_missing_column(joined.table, [joined.on], actual)
        select_list = _format_select_list(self._find_columns(table.name, actual), actual, (joined.on,))
        keys = list(dict.fromkeys(row[joined.key] for row in rows if row.get(joined.key) is not None))
        joined_rows: list[_TableRow] = []
        for first in range(0, len(keys), NEWEST_ROWS):
            chunk = keys[first : first + NEWEST_ROWS]
            # The profile's names are quoted, here and below.
            statement = f"SELECT {select_list} FROM {_escape_name(joined.table)}"
            key_column = _escape_name(actual[joined.on.casefold()])
            condition = f"WHERE {key_column} IN ({', '.join('?' * len(chunk))}) LIMIT {MAX_ROWS + 1}"
            joined_rows += self._fetch_rows(joined.table, f"{statement} {condition}", chunk)
        return joined_rows

    def _list_actual_columns(self, table: str) -> dict[str, str]:
        """Return the table's columns by case-folded name; raises ExternalError for an unknown table."""
        if table not in self._kinds:
            tables = _format_names(sorted(self._kinds)) or "none"
            raise ExternalError(
                f"it has no table {redact_excerpt(table)!r} (there are: {tables})", reason=SCHEMA
            )
        cursor = self._connection.execute(f"SELECT * FROM {_escape_name(table)} LIMIT 0")
        return {column[0].casefold(): column[0] for column in cursor.description}

    def _match_columns(self, table: StoreTable, actual: Mapping[str, str]) -> _ColumnNames:
        """Return our columns with their names in the table; raises ExternalError without a needed column."""
        columns = self._find_columns(table.name, actual)
        for group in _REQUIRED_COLUMNS[table.name]:
            if not columns.keys() & set(group):
                aliases = self._column_aliases.get(table.name, {})
                expected = [alias for column in group for alias in aliases.get(column, (column,))]
                _raise_missing_column(table.table, expected, actual)
        if table.joined is not None and table.joined.key.casefold() not in actual:
            _raise_missing_column(table.table, [table.joined.key], actual)
        return columns

    def _find_columns(self, name: str, actual: Mapping[str, str]) -> _ColumnNames:
        aliases = self._column_aliases.get(name, {})
        columns = {
            column: [alias for alias in aliases.get(column, (column,)) if alias.casefold() in actual]
            for column in get_columns(ROW_TYPES[name])
        }
        return {column: present for column, present in columns.items() if present}

    def _has_row_ids(self, table: str) -> bool:
        """Whether its rows have an order; a view has none, nor a table WITHOUT ROWID."""
        from detector.clients.sqlite import has_row_ids

        return bool(self._kinds[table] == "table") and has_row_ids(self._connection, _escape_name(table))

    def _is_long(self, table: str) -> bool:
        rows = f"SELECT 1 FROM {_escape_name(table)} LIMIT {MAX_ROWS + 1}"
        (count,) = self._connection.execute(f"SELECT count(*) FROM ({rows})").fetchone()
        return bool(count > MAX_ROWS)

    def _build_open_filter(self, table: str, columns: _ColumnNames) -> tuple[str, list[Any]]:
        """Return the SQL condition of rows that may be open, and its values; one without a state may be."""
        column = next(name for name in ("is_open", "status", "closed_at", "quantity") if name in columns)
        quoted = [_escape_name(name) for name in columns[column]]
        cell = f"coalesce({', '.join([*quoted, 'NULL'])})"
        if column == "closed_at":
            return f"NOT {_TIME_CONDITION.format(f'ifnull({cell}, 0)')}", []
        if column != "status":
            return f"ifnull({cell}, 1) NOT IN (0, '0')", []
        states = self._connection.execute(f"SELECT DISTINCT {cell} FROM {_escape_name(table)}").fetchall()
        closed_states = [state for (state,) in states if is_closed_state(state, self._words)]
        del closed_states[_MAX_STATES:]
        marks = ", ".join("?" * len(closed_states))
        return f"({cell} IS NULL OR {cell} NOT IN ({marks}))", closed_states

    def _fetch_rows(self, table: str, statement: str, values: Sequence[Any]) -> list[_TableRow]:
        cursor = self._connection.execute(statement, values)
        names = [column[0] for column in cursor.description]
        rows: list[_TableRow] = []
        for row_values in cursor:
            rows.append(self._build_row(table, names, row_values))
            if len(rows) > MAX_ROWS:
                raise ExternalError(
                    f"its table {redact_excerpt(table)!r} has over {MAX_ROWS} rows that may be open",
                    reason=TOO_LARGE,
                )
        return rows

    def _build_row(self, table: str, names: Sequence[str], values: Sequence[Any]) -> _TableRow:
        row: _TableRow = {}
        for name, value in zip(names, values, strict=True):
            if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
                self._left_out[f"{table}.{name}"] = None
            else:
                row[name] = value
                self._bytes += len(name) + (len(value) if isinstance(value, str) else 8)
        if self._bytes > MAX_BYTES:
            raise ExternalError(f"what it holds is over {MAX_BYTES // (1024 * 1024)} MiB", reason=TOO_LARGE)
        return row


def _format_select_list(columns: _ColumnNames, actual: Mapping[str, str], extra: Sequence[str]) -> str:
    """Return the SELECT list: only the needed columns, each under the name that the reader expects."""
    names = dict.fromkeys([*(name for aliases in columns.values() for name in aliases), *extra])
    return ", ".join(f"{_escape_name(actual[name.casefold()])} AS {_escape_name(name)}" for name in names)


def _raise_missing_column(table: str, expected: Sequence[str], actual: Mapping[str, str]) -> NoReturn:
    raise ExternalError(
        f"its table {redact_excerpt(table)!r} has no column {_format_names(expected)}"
        f" (there are: {_format_names(list(actual.values()))})",
        reason=SCHEMA,
    )


def _merge_joined(
    rows: Sequence[_TableRow], joined_rows: Sequence[_TableRow], joined: JoinedTable
) -> list[_TableRow]:
    """Return each row with its missing values taken from its joined row, the latest of several."""
    latest = {joined_row.get(joined.on): joined_row for joined_row in joined_rows}
    merged = []
    for row in rows:
        joined_row = latest.get(row.get(joined.key), {})
        merged.append({**row, **{name: value for name, value in joined_row.items() if row.get(name) is None}})
    return merged


def _escape_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _format_names(names: Sequence[str]) -> str:
    text = ", ".join(redact_excerpt(name) for name in names[:_MAX_NAMED])
    return f"{text}, …" if len(names) > _MAX_NAMED else text
