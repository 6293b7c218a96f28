"""From the text of a statement of IBKR's, XML or CSV, to its tables; to rows of executions and its times.

Columns have Flex's names without case and punctuation. Shapes: Flex Query reference, Trades, Trade
Confirmations and Open Positions; in CSV a section begins with its header row, which is repeated for every
account, and with "headers and trailers" the first cell is the row's type, EOS holds a section's number of
rows and EOF the statement's end. A date with slashes is read where a day over 12 in the statement shows which
of its parts is the month.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from detector.domain.activity_statement import is_activity_statement, read_activity_statement
from detector.domain.statement_tables import (
    POSITIONS,
    QUANTITIES,
    TRADES,
    Cells,
    StatementTable,
    StatementTables,
    find_missing,
    parse_flex_xml,
    strip_cells,
)
from detector.formats.errors import QUERY, TOO_LARGE, UNREADABLE, ExternalError
from detector.formats.numbers import GROUPED_NUMBER
from detector.formats.patterns import build_pattern
from detector.formats.similar_names import normalize_key
from detector.market.session_plan import NEW_YORK

if TYPE_CHECKING:
    from xml.etree import ElementTree

_XML_SECTIONS = {
    "Trades": ("Trade", TRADES),
    "TradeConfirms": ("TradeConfirm", TRADES),
    "OpenPositions": ("OpenPosition", POSITIONS),
}
# What stands beside trades: their orders, lots and sums.
_XML_SUMS = {"Order", "Lot", "SymbolSummary", "AssetSummary", "WashSale"}
_EXECUTION_COLUMNS = {"ibexecid", "execid", "tradeprice"}
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
_INSTRUMENTS = {"symbol", "conid"}
_NUMBERS = {
    "multiplier", "strike", "quantity", "position", "tradeprice", "price", "fifopnlrealized",
    "costbasisprice", "openprice", "avgcost",
}  # fmt: skip
_MARKS = ("BOF", "BOA", "BOS", "EOS", "EOA", "EOF")
_ACCOUNT = "clientaccountid"
_GENERATED_CELL = 6  # of a BOF record
_DELIMITERS = (",", ";", "|", "\t")  # Flex Query reference, delivery configuration; the first where equal
_HEADER_LINES = 10
_KEPT = {
    "accountid", "clientaccountid", "model", "currency", "currencyprimary", "assetcategory", "assetclass",
    "symbol", "underlyingsymbol", "conid", "multiplier", "strike", "expiry", "putcall", "tradeid",
    "origtradeid",
    "ibexecid", "execid", "iborderid", "orderid", "buysell", "quantity", "tradeprice", "price", "datetime",
    "fifopnlrealized", "opencloseindicator", "transactiontype", "levelofdetail", "notes", "code",
    "localsymbol",
}  # fmt: skip
_MAX_ROWS = 10_000
_DATES = ("datetime", "expiry")
_TIME_FORMATS = ("%Y%m%d", "%Y-%m-%d", "%d-%b-%y")
_DAY_FIRST, _MONTH_FIRST = ("%d/%m/%Y", "%d/%m/%y"), ("%m/%d/%Y", "%m/%d/%y")
_MOST_MONTHS = 12
_SLASHED = build_pattern(r"(\d\d)/(\d\d)/(?:\d{4}|\d\d)(?!\d)", re.ASCII)
_TIME = build_pattern(
    r"(\d{8}|\d{4}-\d\d-\d\d|\d\d-[A-Za-z]{3}-\d\d|\d\d/\d\d/\d{4}|\d\d/\d\d/\d\d)"
    r"[;, ]{0,2}(\d\d):?(\d\d):?(\d\d)",
    re.ASCII,
)


def parse_statement(body: bytes) -> tuple[list[dict[str, Any]], datetime | None]:
    """Return the rows of trades and when the statement was generated, if it says so; raises ExternalError.

    What is held is left out: a statement is of yesterday's close.
    """
    read = read_tables(body)
    tables = read.find(TRADES)
    if any(table.misfits for table in read.tables):
        raise ExternalError("the statement has a row that does not fit its header", reason=UNREADABLE)
    if not tables:
        raise ExternalError("the query has no section of trades", reason=QUERY)
    rows = [{name: row[name] for name in row if name in _KEPT} for table in tables for row in table.rows]
    if missing := find_missing(rows, TRADES):
        raise ExternalError(f"no trade of the statement has a {' or a '.join(missing)}", reason=QUERY)
    if len(rows) > _MAX_ROWS:
        raise ExternalError(
            f"the statement has over {_MAX_ROWS} trades; ask for fewer days", reason=TOO_LARGE
        )
    slashed = _find_slashed_formats(
        [*read.times, *(row[name] for row in rows for name in _DATES if name in row)]
    )
    moments = [moment for text in read.times if (moment := parse_flex_time(text, slashed))]
    return [_convert_dates(row, slashed) for row in rows], min(moments, default=None)


def build_statement(text: str) -> dict[str, Any]:
    """Return the section of a statement that was given as its text; its `error` where it cannot be read."""
    try:
        rows, generated_at = parse_statement(text.encode())
    except ExternalError as error:
        return {"error": str(error)}
    return {"as_of": generated_at.isoformat() if generated_at else None, "executions": rows}


def read_tables(body: bytes) -> StatementTables:
    """Return the tables of a statement; raises ExternalError where it cannot be read or broke off."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _strip_thousands(_read_xml(parse_flex_xml(body)))
    try:
        lines = body.decode("utf-8-sig").splitlines()
        records = list(csv.reader(lines, strict=True, delimiter=_find_delimiter(lines)))
    except (UnicodeDecodeError, csv.Error):
        raise ExternalError("the statement is neither XML nor CSV", reason=UNREADABLE) from None
    rows = [[cell.strip() for cell in record] for record in records]
    read = read_activity_statement(rows) if is_activity_statement(rows) else _read_csv(rows)
    return _strip_thousands(read)


def _strip_thousands(read: StatementTables) -> StatementTables:
    """Return the tables with their numbers without the commas of thousands, where all are such."""
    rows = [row for table in read.tables for row in table.rows]
    if all(
        GROUPED_NUMBER.fullmatch(row[name])
        for row in rows
        for name in _NUMBERS & row.keys()
        if "," in row[name]
    ):
        for table in read.tables:
            table.rows = [
                {name: text.replace(",", "") if name in _NUMBERS else text for name, text in row.items()}
                for row in table.rows
            ]
    return read


def _read_xml(root: ElementTree.Element) -> StatementTables:
    statements = list(root.iter("FlexStatement"))
    if not statements:
        raise ExternalError("the statement is empty", reason=UNREADABLE)
    read = StatementTables(times=[statement.get("whenGenerated", "") for statement in statements])
    for statement in statements:
        account = statement.get("accountId", "")
        for tag, (row_tag, kind) in _XML_SECTIONS.items():
            for holder in statement.findall(tag):
                rows = [strip_cells(row.attrib.items()) for row in holder.findall(row_tag)]
                strange = 0 if rows else sum(row.tag not in _XML_SUMS for row in holder)
                read.tables.append(
                    StatementTable(kind, [_add_account(row, account) for row in rows], strange)
                )
    return read


def _add_account(row: Cells, account: str) -> Cells:
    """Return the row with the account of its statement, where it names none itself."""
    is_named = not account or any(name in row for name in ("accountid", _ACCOUNT))
    return row if is_named else {**row, "accountid": account}


def _find_delimiter(lines: Sequence[str]) -> str:
    """Return what separates the cells of a statement: the one of which a line of its beginning has most."""
    return max(
        _DELIMITERS, key=lambda mark: max((line.count(mark) for line in lines[:_HEADER_LINES]), default=0)
    )


def _read_csv(records: Sequence[list[str]]) -> StatementTables:
    marks = [record[0].upper() for record in records if record]
    if "BOF" in marks and marks.count("BOF") != marks.count("EOF"):
        raise ExternalError("the statement broke off before its end (EOF)", reason=UNREADABLE)
    tables: dict[str, StatementTable] = {}
    for header, cells in _iter_csv_rows(records):
        table = tables.setdefault(kind := _find_kind(header), StatementTable(kind))
        if cells is not None and len(cells) == len(header):
            table.rows.append(strip_cells(zip(header, cells, strict=True)))
        else:
            table.misfits += cells is not None
    generated = [record[_GENERATED_CELL] for record in records if len(record) > _GENERATED_CELL
                 and record[0].upper() == "BOF"]  # fmt: skip
    return StatementTables(list(tables.values()), generated)


def _iter_csv_rows(records: Iterable[list[str]]) -> Iterator[tuple[list[str], list[str] | None]]:
    """Yield each header with None, each row with its header; raises ExternalError where rows are missing."""
    header: list[str] = []
    count = 0
    for record in records:
        mark = record[0].upper() if record else ""
        if "BOS" in (mark, *record[1:2]):
            count = 0
        elif mark == "EOS":
            _check_count(record, count)
        elif record and mark not in _MARKS:
            cells = record[2:] if mark in ("HEADER", "DATA") else record
            names = [normalize_key(cell) for cell in cells]
            is_header = _ACCOUNT in names or (not header and "quantity" in names)
            if mark == "HEADER" or (mark != "DATA" and is_header):
                header = names
                yield header, None
            else:
                count += 1
                yield header, cells


def _check_count(record: list[str], count: int) -> None:
    """Raise ExternalError where an EOS record counts other rows than were there."""
    counted = next(iter(record[2:3]), "")
    if counted.isdigit() and int(counted) != count:
        raise ExternalError(f"a section of the statement has {count} rows of {counted}", reason=UNREADABLE)


def _find_kind(header: Iterable[str]) -> str:
    """Return what a section lists, by its columns; many sections have a quantity of a symbol."""
    columns = set(header)
    is_of_instruments = bool(_INSTRUMENTS & columns and QUANTITIES & columns)
    if _EXECUTION_COLUMNS & columns or (is_of_instruments and "tradeid" in columns):
        return TRADES
    is_held = is_of_instruments and (_POSITION_COLUMNS & columns or columns <= _COMMON_COLUMNS)
    return POSITIONS if is_held else ""


def parse_flex_time(text: str, slashed: tuple[str, ...] = ()) -> datetime | None:
    """Return a time of Flex, New York's; None where it is none, or has slashes and may be of two days.

    `slashed` are the formats of a date with slashes, where they are known.
    """
    match = _TIME.fullmatch(text.strip())
    day = match and _parse_day(match[1], (*_TIME_FORMATS, *slashed))
    if not match or not day:
        return None
    try:
        return day.replace(
            hour=int(match[2]), minute=int(match[3]), second=int(match[4]), tzinfo=ZoneInfo(NEW_YORK)
        )
    except ValueError:
        return None


def _parse_day(text: str, forms: Iterable[str]) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - a day, or in the zone of its caller
        except ValueError:
            continue
    return None


def _find_slashed_formats(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the formats of a statement's dates with slashes; none where no day decides it."""
    pairs = [match for text in texts if (match := _SLASHED.match(text.strip()))]
    is_day_first = any(int(match[1]) > _MOST_MONTHS for match in pairs)
    is_month_first = any(int(match[2]) > _MOST_MONTHS for match in pairs)
    if is_day_first == is_month_first:
        return ()
    return _DAY_FIRST if is_day_first else _MONTH_FIRST


def _convert_dates(row: dict[str, Any], slashed: tuple[str, ...]) -> dict[str, Any]:
    moment = parse_flex_time(row.get("datetime", ""), slashed)
    expiry = _parse_day(row.get("expiry", ""), slashed)
    times = {"datetime": moment.isoformat()} if moment else {}
    return {**row, **times, **({"expiry": f"{expiry:%Y%m%d}"} if expiry else {})}
