"""Flex statements as CSV: open positions and trades, several accounts and several sections in one file.

A section begins with its header row, which is repeated for every account. With "headers and trailers" on,
the first cell is the row's type (`HEADER`, `DATA`, and `BOF`, `BOA`, `BOS`, `EOS`, `EOA`, `EOF` around
them). A statement lists a position as SUMMARY and again as its LOTs, and once for each day where the query
breaks out by day. Source: Flex Query reference, activity statement, Trades and Open Positions
(LevelOfDetail, ReportDate).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.domain.instrument_names import is_known_expiry, normalize_expiry
from detector.domain.section_reading import MAX_ROWS, Reading
from detector.readers.broker.cells import normalize_name

_ACCOUNT = "clientaccountid"
_MARKS = ("BOF", "BOA", "BOS", "EOS", "EOA", "EOF")
_TRADE_COLUMNS = {"tradeprice", "ibexecid", "tradeid"}
_POSITION_COLUMNS = {
    "markprice", "positionvalue", "costbasisprice", "costbasismoney", "openprice", "percentofnav",
    "fifopnlunrealized",
}  # fmt: skip
# The columns of an instrument and its account in every section; a section with no others lists positions.
_COMMON_COLUMNS = {
    "clientaccountid", "accountalias", "account", "accountid", "model", "currencyprimary", "currency",
    "assetclass", "sectype", "symbol", "description", "conid", "underlyingsymbol", "underlyingconid",
    "multiplier", "strike", "expiry", "putcall", "right", "quantity", "position", "side", "reportdate",
    "levelofdetail", "listingexchange", "avgcost", "tradingclass",
}  # fmt: skip
_SECTIONS = {False: "open positions", True: "trades"}
_EXECUTION, _SUMMARY, _LOT = "EXECUTION", "SUMMARY", "LOT"
_LEVEL, _DATE = "levelofdetail", "reportdate"
Rows = list[Mapping[str, Any]]


def read_open_positions(text: str, reading: Reading) -> Rows | None:
    """Return the rows of the Open Positions section; None where there is none."""
    return _read_section(text, reading, "positions_csv", "broker_positions", for_trades=False)


def read_trades(text: str, reading: Reading) -> Rows | None:
    """Return the rows of the Trades section; None where there is none."""
    return _read_section(text, reading, "trades_csv", "broker_executions", for_trades=True)


def _read_section(text: str, reading: Reading, key: str, fact: str, *, for_trades: bool) -> Rows | None:
    rows: Rows = []
    header: list[str] = []
    has_section = False
    for cells in _iter_records(text, reading, key):
        if _ACCOUNT in (names := [normalize_name(cell) for cell in cells]) or (
            not header and "quantity" in names
        ):
            header = names
            has_section = has_section or _is_requested(header, for_trades)
        elif header and _is_requested(header, for_trades):
            if len(cells) != len(header):
                reading.add_fault(f"broker.flex.{key}", "has a row that does not fit its header")
                reading.partial.add(fact)
            else:
                rows.append(dict(zip(header, cells, strict=True)))
    if not has_section:
        reading.add_fault(f"broker.flex.{key}", f"has no section of {_SECTIONS[for_trades]}")
        return None
    return _limit_rows(rows, reading, key, fact)


def _is_requested(header: list[str], for_trades: bool) -> bool:
    """Whether a section is the requested one, by its columns; many sections have a quantity of a symbol."""
    columns = set(header)
    if not ({"symbol", "conid"} & columns and {"quantity", "position"} & columns):
        return False
    is_trades = bool(_TRADE_COLUMNS & columns)
    if for_trades or is_trades:
        return is_trades is for_trades
    return bool(_POSITION_COLUMNS & columns) or columns <= _COMMON_COLUMNS


def _iter_records(text: str, reading: Reading, key: str) -> Iterator[list[str]]:
    import csv  # noqa: PLC0415 - only a Flex statement pays for it

    from detector.domain.flex_statement import find_delimiter  # noqa: PLC0415 - as csv

    try:
        lines = text.removeprefix("\ufeff").splitlines()
        for cells in csv.reader(lines, strict=True, delimiter=find_delimiter(lines)):
            first = cells[0].strip().upper() if cells else ""
            if first in ("HEADER", "DATA"):
                yield [cell.strip() for cell in cells[2:]]
            elif cells and first not in _MARKS:
                yield [cell.strip() for cell in cells]
    except csv.Error as error:
        reading.add_fault(f"broker.flex.{key}", f"is not CSV ({error})")
        reading.partial.update(("broker_positions", "broker_executions"))


def _limit_rows(rows: Rows, reading: Reading, key: str, fact: str) -> Rows:
    if len(rows) > MAX_ROWS:
        reading.add_fault(f"broker.flex.{key}", f"has over {MAX_ROWS} rows")
        reading.partial.add(fact)
    return rows[:MAX_ROWS]


def filter_held_now(rows: Rows, reading: Reading, path: str) -> Rows:
    """Return the rows of the newest day, without the single lots where there are summaries."""
    levels = {_get_cell(row, _LEVEL) for row in rows}
    kept = [row for row in rows if _get_cell(row, _LEVEL) != _LOT] if _SUMMARY in levels else rows
    return _filter_newest_day(kept, reading, path)


def filter_executions(rows: Rows) -> Rows:
    """Return the executions, without the orders, lots and summaries of the same trades."""
    return [row for row in rows if _get_cell(row, _LEVEL) in ("", _EXECUTION)]


def _filter_newest_day(rows: Rows, reading: Reading, path: str) -> Rows:
    days = [_get_cell(row, _DATE) for row in rows]
    if len(set(days)) <= 1:
        return rows
    forms = [normalize_expiry(day) for day in days]
    dates = [form for form in forms if form is not None and is_known_expiry(form)]
    if len(dates) < len(forms):
        reading.add_fault(path, "has a report date that cannot be read beside others")
        reading.partial.add("broker_positions")
        return rows
    return [row for row, form in zip(rows, forms, strict=True) if form == max(dates)]


def _get_cell(row: Mapping[str, Any], name: str) -> str:
    cell = next(
        (value for key, value in row.items() if normalize_name(key) == name and value is not None), ""
    )
    return str(cell).strip().upper()
