"""Statements of IBKR's: the `statement` of the `broker` section, and the text of a Flex query in its `flex`.

Shape of the first: `{"as_of", "executions": [...]}` with rows under Flex's names, or `{"as_of",
"trades_csv": "..."}`; a statement that is given as its text is in the first of them before it comes here. It
adds fills to those that the broker listed by itself, and says nothing of what is held: what a statement does
not show may have happened since, so that the executions are never complete by it.

A statement lists a position as SUMMARY and again as its LOTs, and once for each day where the query breaks
out by day. Source: Flex Query reference, Trades and Open Positions (LevelOfDetail, ReportDate).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.broker_rows import keep_latest_versions
from detector.domain.instrument_names import is_known_expiry, normalize_expiry
from detector.domain.section_reading import MAX_ROWS, Reading
from detector.domain.statement_tables import TRADES, find_missing
from detector.formats.errors import ExternalError
from detector.formats.similar_names import normalize_key
from detector.readers.broker.rows import read_execution

_FACT = "broker_executions"
_CANCELS = "(CA.)"  # at the end of Buy/Sell
_CANCEL_TYPES = ("TRADECANCEL", "FRACSHARECANCEL")
_BOOK_TYPE = "BOOKTRADE"  # an exercise, an assignment or an expiry: a booking without an execution
_EXEC_IDS = ("ibexecid", "execid", "executionid")
_KINDS = (_FACT, "broker_bookings", "statement_fills")
_EXECUTION, _SUMMARY, _LOT = "EXECUTION", "SUMMARY", "LOT"
_LEVEL, _DATE = "levelofdetail", "reportdate"
Rows = list[Mapping[str, Any]]


def read_statement(raw: Mapping[str, Any], reading: Reading) -> None:
    """Read the executions of a statement; without its time it is not read."""
    if reading.has_error(raw, "broker.statement", "says that it could not be read"):
        return
    if raw.get("as_of") is None or not reading.has_valid_as_of(raw):
        reading.add_fault("broker.statement.as_of", "does not say when the statement was made")
        return
    text = reading.read_value("csv", "broker.statement.trades_csv", raw.get("trades_csv"))
    if text is not None:
        rows = read_table(text, "broker.statement.trades_csv", TRADES, _FACT, reading)
    else:
        rows = reading.read_objects("broker.statement.executions", raw.get("executions"), _FACT)
    if rows is None:
        return
    listed = _drop_cancelled(filter_executions(rows))
    kinds = {row_kind: [row for row in listed if _find_kind(row) == row_kind] for row_kind in _KINDS}
    for name, kind_rows in kinds.items():
        reading.values[name] = tuple(read_execution(row, reading) for row in kind_rows)
    reading.values[_FACT] = keep_latest_versions(reading.values[_FACT])
    reading.partial.add(_FACT)


def read_table(text: str, path: str, kind: str, fact: str, reading: Reading) -> Rows | None:
    """Return the rows of a statement's sections of that kind; None where it has none, or cannot be read."""
    from detector.domain.flex_statement import read_tables  # noqa: PLC0415 - only a statement pays for it

    try:
        tables = read_tables(text.encode()).find(kind)
    except ExternalError as error:
        reading.add_fault(path, f"cannot be read: {error}")
        return None
    if not tables:
        reading.add_fault(path, f"has no section of {kind}")
        return None
    rows = [row for table in tables for row in table.rows]
    for name in find_missing(rows, kind):
        reading.add_fault(f"{path}.{name}", "is in no row")
        reading.partial.add(fact)
    if any(table.misfits for table in tables):
        reading.add_fault(path, "has a row that does not fit its header")
        reading.partial.add(fact)
    if len(rows) > MAX_ROWS:
        reading.add_fault(path, f"has over {MAX_ROWS} rows")
        reading.partial.add(fact)
    return [_mark_quantity(row) for row in rows[:MAX_ROWS]]


def _mark_quantity(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row with its quantity, None where its cell is empty or has another name."""
    return row if {"quantity", "position"} & row.keys() else {**row, "quantity": None}


def filter_held_now(rows: Rows, reading: Reading, path: str) -> Rows:
    """Return the rows of the newest day, without the single lots where there are summaries."""
    levels = {_get_text(row, _LEVEL) for row in rows}
    kept = [row for row in rows if _get_text(row, _LEVEL) != _LOT] if _SUMMARY in levels else rows
    return _filter_newest_day(kept, reading, path)


def filter_executions(rows: Rows) -> Rows:
    """Return the executions, without the orders, lots and summaries of the same trades."""
    return [row for row in rows if _get_text(row, _LEVEL) in ("", _EXECUTION)]


def _filter_newest_day(rows: Rows, reading: Reading, path: str) -> Rows:
    days = [_get_text(row, _DATE) for row in rows]
    if len(set(days)) <= 1:
        return rows
    forms = [normalize_expiry(day) for day in days]
    dates = [form for form in forms if form is not None and is_known_expiry(form)]
    if len(dates) < len(forms):
        reading.add_fault(path, "has a report date that cannot be read beside others")
        reading.partial.add("broker_positions")
        return rows
    return [row for row, form in zip(rows, forms, strict=True) if form == max(dates)]


def _find_kind(row: Mapping[str, Any]) -> str:
    """Return the fact that a row is of: an execution, a booking, or a fill without an id."""
    if _get_exec_id(row):
        return _FACT
    return "broker_bookings" if _get_text(row, "transactiontype") == _BOOK_TYPE else "statement_fills"


def _drop_cancelled(rows: Rows) -> Rows:
    """Return the rows without the cancellations and the trades that they cancel, by trade or execution id."""
    cancels = [row for row in rows if _is_cancel(row)]
    trade_ids = {_get_text(row, "origtradeid") for row in cancels} - {""}
    exec_ids = {_get_exec_id(row) for row in cancels} - {""}
    return [
        row
        for row in rows
        if not _is_cancel(row)
        and _get_text(row, "tradeid") not in trade_ids
        and _get_exec_id(row) not in exec_ids
    ]


def _is_cancel(row: Mapping[str, Any]) -> bool:
    return _get_text(row, "buysell").endswith(_CANCELS) or _get_text(row, "transactiontype") in _CANCEL_TYPES


def _get_exec_id(row: Mapping[str, Any]) -> str:
    return next((text for name in _EXEC_IDS if (text := _get_text(row, name))), "")


def _get_text(row: Mapping[str, Any], name: str) -> str:
    cell = next((value for key, value in row.items() if normalize_key(key) == name and value is not None), "")
    return str(cell).strip().upper()
