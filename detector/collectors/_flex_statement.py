"""From the body of a Flex statement to rows of executions: XML attributes or CSV columns, under Flex's names.

What is held is left out: a statement is of yesterday's close. Shapes: Flex Query reference, Trades and Trade
Confirmations; with "headers and trailers", EOS holds a section's number of rows and EOF the statement's end.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from detector.clients.flex_api import parse_flex_xml
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
_TIME_FORMATS = ("%Y%m%d", "%Y-%m-%d", "%d-%b-%y")
_TIME = build_pattern(
    r"(\d{8}|\d{4}-\d\d-\d\d|\d\d-[A-Za-z]{3}-\d\d)[;, ]{0,2}(\d\d):?(\d\d):?(\d\d)", re.ASCII
)


def parse_statement(body: bytes, default: datetime) -> tuple[list[dict[str, Any]], datetime]:
    """Return the rows of trades and when the statement was generated; raises ExternalError.

    `default` is its time where it names none.
    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        rows, times = _parse_xml(body)
    else:
        rows, times = _parse_csv(body)
    if len(rows) > _MAX_ROWS:
        raise ExternalError(
            f"the statement has over {_MAX_ROWS} trades; ask for fewer days", reason=TOO_LARGE
        )
    return rows, min((moment for moment in times if moment is not None), default=default)


def parse_flex_time(text: str) -> datetime | None:
    """Return a time of Flex, New York's; None where it is none, or has slashes and may be of two days."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    for form in _TIME_FORMATS:
        try:
            day = datetime.strptime(match[1], form)  # noqa: DTZ007 - the zone is New York's
            return day.replace(
                hour=int(match[2]), minute=int(match[3]), second=int(match[4]), tzinfo=ZoneInfo(NEW_YORK)
            )
        except ValueError:
            continue
    return None


def _parse_xml(body: bytes) -> tuple[list[dict[str, Any]], list[datetime | None]]:
    root = parse_flex_xml(body)
    statements = list(root.iter("FlexStatement"))
    holders = [holder for statement in statements for tag in _SECTIONS for holder in statement.findall(tag)]
    if not statements:
        raise ExternalError("the statement is empty", reason=UNREADABLE)
    if not holders:
        raise ExternalError("the query has no section of trades", reason=QUERY)
    rows = [_keep_cells(row.attrib) for holder in holders for row in holder.findall(_SECTIONS[holder.tag])]
    return rows, [parse_flex_time(statement.get("whenGenerated", "")) for statement in statements]


def _parse_csv(body: bytes) -> tuple[list[dict[str, Any]], list[datetime | None]]:
    try:
        records = list(csv.reader(body.decode("utf-8-sig").splitlines(), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise ExternalError("the statement is neither XML nor CSV", reason=UNREADABLE) from None
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
    times = [
        parse_flex_time(record[_GENERATED_CELL])
        for record in records
        if record[:1] == ["BOF"] and len(record) > _GENERATED_CELL
    ]
    return rows, times


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
    moment = parse_flex_time(kept.get("datetime", ""))
    return {**kept, "datetime": moment.isoformat()} if moment else kept


def _normalize(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
