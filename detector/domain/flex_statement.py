"""From the text of a statement to rows of executions under Flex's names, and to its times.

What is held is left out: a statement is of yesterday's close. A date with slashes is read where a day over 12
in the statement shows which of its parts is the month.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from detector.domain.statement_tables import TRADES, find_missing, read_tables
from detector.formats.errors import QUERY, TOO_LARGE, UNREADABLE, ExternalError
from detector.formats.patterns import build_pattern
from detector.market.session_plan import NEW_YORK

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
    """Return the rows of trades and when the statement was generated, if it says so; raises ExternalError."""
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
