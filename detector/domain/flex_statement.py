"""From the text of a Flex statement to rows of executions: XML attributes or CSV columns, under Flex's names.

What is held is left out: a statement is of yesterday's close. Shapes: Flex Query reference, Trades and Trade
Confirmations; with "headers and trailers", EOS holds a section's number of rows and EOF the statement's end.
A date with slashes is read where a day over 12 in the statement shows which of its parts is the month.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from detector.formats.errors import QUERY, TOO_LARGE, UNREADABLE, ExternalError
from detector.formats.patterns import build_pattern
from detector.market.session_plan import NEW_YORK

_SECTIONS = {"Trades": "Trade", "TradeConfirms": "TradeConfirm"}
_KEPT = {
    "accountid", "clientaccountid", "model", "currency", "currencyprimary", "assetcategory", "assetclass",
    "symbol", "underlyingsymbol", "conid", "multiplier", "strike", "expiry", "putcall", "tradeid",
    "origtradeid",
    "ibexecid", "execid", "iborderid", "orderid", "buysell", "quantity", "tradeprice", "price", "datetime",
    "fifopnlrealized", "opencloseindicator", "transactiontype", "levelofdetail", "notes", "code",
}  # fmt: skip
_TRADE_COLUMNS = {"ibexecid", "execid", "tradeprice"}
_NUMBERS = {"multiplier", "strike", "quantity", "tradeprice", "price", "fifopnlrealized"}
_NULLS = {"", "-", "--", "N/A", "MULTI"}
_MAX_ROWS = 10_000
_MARKS = ("BOF", "BOA", "BOS", "EOS", "EOA", "EOF")
_GENERATED_CELL = 6  # of a BOF record
_DELIMITERS = (",", ";", "|", "\t")  # Flex Query reference, delivery configuration; the first where equal
_HEADER_LINES = 10
_DATES = ("datetime", "expiry")
_ACTIVITY_STATEMENT = ["Statement", "Header", "Field Name"]  # the first cells of the one for people
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
    """Return the rows of trades and when the statement was generated, if it says so; raises ExternalError."""
    is_xml = body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    rows, times = _parse_xml(body) if is_xml else _parse_csv(body)
    if len(rows) > _MAX_ROWS:
        raise ExternalError(
            f"the statement has over {_MAX_ROWS} trades; ask for fewer days", reason=TOO_LARGE
        )
    slashed = _find_slashed_formats([*times, *(row[name] for row in rows for name in _DATES if name in row)])
    moments = [moment for text in times if (moment := parse_flex_time(text, slashed))]
    return [_convert_dates(row, slashed) for row in rows], min(moments, default=None)


def build_statement(text: str) -> dict[str, Any]:
    """Return the section of a statement that was given as its text; its `error` where it cannot be read."""
    try:
        rows, generated_at = parse_statement(text.encode())
    except ExternalError as error:
        return {"error": str(error)}
    return {"as_of": generated_at.isoformat() if generated_at else None, "executions": rows}


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


def find_delimiter(lines: Sequence[str]) -> str:
    """Return what separates the cells of a statement: the one of which a line of its beginning has most."""
    return max(
        _DELIMITERS, key=lambda mark: max((line.count(mark) for line in lines[:_HEADER_LINES]), default=0)
    )


def parse_flex_xml(data: bytes) -> ElementTree.Element:
    """Return the root element; raises ExternalError, also for a document type: it may define entities."""
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


def _parse_xml(body: bytes) -> tuple[list[dict[str, Any]], list[str]]:
    root = parse_flex_xml(body)
    statements = list(root.iter("FlexStatement"))
    holders = [holder for statement in statements for tag in _SECTIONS for holder in statement.findall(tag)]
    if not statements:
        raise ExternalError("the statement is empty", reason=UNREADABLE)
    if not holders:
        raise ExternalError("the query has no section of trades", reason=QUERY)
    rows = [_keep_cells(row.attrib) for holder in holders for row in holder.findall(_SECTIONS[holder.tag])]
    return rows, [statement.get("whenGenerated", "") for statement in statements]


def _parse_csv(body: bytes) -> tuple[list[dict[str, Any]], list[str]]:
    try:
        lines = body.decode("utf-8-sig").splitlines()
        records = list(csv.reader(lines, strict=True, delimiter=find_delimiter(lines)))
    except (UnicodeDecodeError, csv.Error):
        raise ExternalError("the statement is neither XML nor CSV", reason=UNREADABLE) from None
    if [cell.strip() for cell in next(iter(records), [])[:3]] == _ACTIVITY_STATEMENT:
        raise ExternalError(
            "it looks like the activity statement, which has no execution ids: give a Flex query's",
            reason=QUERY,
        )
    marks = [record[0] for record in records if record]
    if "BOF" in marks and marks.count("BOF") != marks.count("EOF"):
        raise ExternalError("the statement broke off before its end (EOF)", reason=UNREADABLE)
    rows, has_trades = [], False
    for header, cells in _iter_csv_rows(records):
        if _TRADE_COLUMNS & set(header):
            has_trades = True
            rows += [] if cells is None else [_keep_cells(dict(zip(header, cells, strict=True)))]
    if not has_trades:
        raise ExternalError("the query has no section of trades", reason=QUERY)
    generated = [record[_GENERATED_CELL:] for record in records if record[:1] == ["BOF"]]
    return rows, [cells[0] for cells in generated if cells]


def _iter_csv_rows(records: Iterable[list[str]]) -> Iterator[tuple[list[str], list[str] | None]]:
    """Yield each header with None, each row with its header; raises ExternalError for a row that was cut."""
    header: list[str] = []
    count = 0
    for record in records:
        mark = record[0].strip().upper() if record else ""
        if mark == "BOS" or "BOS" in record[:2]:
            count = 0
        elif mark == "EOS":
            _check_count(record, count)
        elif not record or mark in _MARKS:
            continue
        else:
            cells = record[2:] if mark in ("HEADER", "DATA") else record
            names = [_normalize(cell) for cell in cells]
            if mark == "HEADER" or (mark != "DATA" and "clientaccountid" in names):
                header = names
                yield header, None
                continue
            count += 1
            if len(cells) != len(header):
                raise ExternalError("the statement has a row that does not fit its header", reason=UNREADABLE)
            yield header, cells


def _check_count(record: list[str], count: int) -> None:
    """Raise ExternalError where an EOS record counts other rows than were there."""
    counted = next((cell.strip() for cell in record[2:3]), "")
    if counted.isdigit() and int(counted) != count:
        raise ExternalError(f"a section of the statement has {count} rows of {counted}", reason=UNREADABLE)


def _keep_cells(row: Mapping[str, str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, cell in row.items():
        name, text = _normalize(key), cell.strip()
        if name in _KEPT and text.upper() not in _NULLS:
            kept[name] = text.replace(",", "") if name in _NUMBERS else text
    return kept


def _normalize(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
