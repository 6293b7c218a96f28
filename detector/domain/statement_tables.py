"""From the text of a statement of IBKR's, XML or CSV, to its tables of trades and of positions.

Columns have Flex's names without case and punctuation. Shapes: Flex Query reference, Trades, Trade
Confirmations and Open Positions; in CSV a section begins with its header row, which is repeated for every
account, and with "headers and trailers" the first cell is the row's type, EOS holds a section's number of
rows and EOF the statement's end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from detector.formats.errors import UNREADABLE, ExternalError
from detector.formats.patterns import build_pattern
from detector.formats.similar_names import normalize_key

if TYPE_CHECKING:
    from xml.etree import ElementTree

TRADES, POSITIONS = "trades", "open positions"
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
_INSTRUMENTS, _QUANTITIES = {"symbol", "conid"}, {"quantity", "position"}
_NUMBERS = {
    "multiplier", "strike", "quantity", "position", "tradeprice", "price", "fifopnlrealized",
    "costbasisprice", "openprice", "avgcost",
}  # fmt: skip
_NULLS = {"", "-", "--", "N/A", "MULTI"}
_GROUPED = build_pattern(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)  # 1,234 and 1,234.5; not 39,00
_MARKS = ("BOF", "BOA", "BOS", "EOS", "EOA", "EOF")
_ACCOUNT = "clientaccountid"
_GENERATED_CELL = 6  # of a BOF record
_DELIMITERS = (",", ";", "|", "\t")  # Flex Query reference, delivery configuration; the first where equal
_HEADER_LINES = 10
Cells = Mapping[str, str]


class StatementTable(Struct):
    """Sections of one kind: their rows, and how many rows did not fit their header; "" is any other kind."""

    kind: str
    rows: list[Cells] = field(default_factory=list)
    misfits: int = 0


class StatementTables(Struct):
    """The tables of a statement, and when it was generated, as it writes that."""

    tables: list[StatementTable] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    def find(self, kind: str) -> list[StatementTable]:
        """Return the tables of that kind."""
        return [table for table in self.tables if table.kind == kind]


def read_tables(body: bytes) -> StatementTables:
    """Return the tables of a statement; raises ExternalError where it cannot be read or broke off."""
    import csv  # noqa: PLC0415 - only a statement pays for it

    from detector.domain.activity_statement import (  # noqa: PLC0415 - it builds the tables of this module
        is_activity_statement,
        read_activity_statement,
    )

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


def parse_flex_xml(data: bytes) -> ElementTree.Element:
    """Return the root element; raises ExternalError, also for a document type: it may define entities."""
    from xml.etree import ElementTree  # noqa: PLC0415 - only a statement pays for it

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExternalError("its XML is not UTF-8", reason=UNREADABLE) from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ExternalError("its XML has a document type, which is not read", reason=UNREADABLE)
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - no document type, so that no entity is defined
    except ElementTree.ParseError:
        raise ExternalError("its XML cannot be read: it may have broken off", reason=UNREADABLE) from None


def strip_cells(cells: Iterable[tuple[str, str]]) -> Cells:
    """Return the cells that hold something, by the plain names of their columns."""
    return {normalize_key(name): cell for name, cell in cells if cell.strip().upper() not in _NULLS}


def _strip_thousands(read: StatementTables) -> StatementTables:
    """Return the tables with their numbers without the commas of thousands, where all are such."""
    rows = [row for table in read.tables for row in table.rows]
    if all(
        _GROUPED.fullmatch(row[name]) for row in rows for name in _NUMBERS & row.keys() if "," in row[name]
    ):
        for table in read.tables:
            table.rows = [
                {name: text.replace(",", "") if name in _NUMBERS else text for name, text in row.items()}
                for row in table.rows
            ]
    return read


def find_missing(rows: Sequence[Mapping[str, object]], kind: str) -> list[str]:
    """Return what no row has and each must have: the query lacks it, or its column has another name."""
    needed = {"quantity": _QUANTITIES, **({"datetime": {"datetime"}} if kind == TRADES else {})}
    return [name for name, names in needed.items() if rows and not any(map(names.intersection, rows))]


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
    is_of_instruments = bool(_INSTRUMENTS & columns and _QUANTITIES & columns)
    if _EXECUTION_COLUMNS & columns or (is_of_instruments and "tradeid" in columns):
        return TRADES
    is_held = is_of_instruments and (_POSITION_COLUMNS & columns or columns <= _COMMON_COLUMNS)
    return POSITIONS if is_held else ""
