"""IBKR's activity statement as CSV, the one for people: its trades and positions under Flex's names.

Every row begins with its section and kind: `Trades,Header,…`, `Trades,Data,Order,Stocks,USD,SPY,…`, and
sums as `SubTotal` and `Total`. It has no execution ids; what an instrument is stands in a section of its own.
Times are New York's, as its notes say ("Trade execution times are displayed in Eastern Time."). Source:
Reporting Guide, Default Statement Reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from detector.domain.statement_tables import (
    POSITIONS,
    TRADES,
    StatementTable,
    StatementTables,
    strip_cells,
)
from detector.formats.errors import QUERY, UNREADABLE, ExternalError
from detector.formats.patterns import build_pattern
from detector.formats.similar_names import measure_edit_distance, normalize_key

_ACCOUNT, _INSTRUMENTS, _NOTES = (
    "Account Information",
    "Financial Instrument Information",
    "Notes/Legal Notes",
)
_SECTIONS = {
    "Trades": TRADES,
    "Open Positions": POSITIONS,
    "Long Open Positions": POSITIONS,
    "Short Open Positions": POSITIONS,
}
_REQUIRED = {TRADES: {"symbol", "quantity", "datetime"}, POSITIONS: {"symbol", "quantity"}}
_SUMS = ("subtotal", "total")
# What a row is: Flex's level of detail, of which one alone counts.
_LEVELS = {
    "order": "ORDER", "trade": "EXECUTION", "execution": "EXECUTION", "closedlot": "LOT", "lot": "LOT",
    "summary": "SUMMARY",
}  # fmt: skip
_NAMES = {
    "account": "accountid", "tprice": "tradeprice", "realizedpl": "fifopnlrealized", "mult": "multiplier",
    "costprice": "costbasisprice", "datadiscriminator": "levelofdetail",
}  # fmt: skip
_BOOKINGS, _CANCEL = {"A", "Ex", "Ep", "GEA", "AEx", "MEx"}, "Ca"
_ZONES = ("", "EST", "EDT")
_GENERATED = build_pattern(r"(\d{4}-\d\d-\d\d,? \d\d:\d\d:\d\d) ?([A-Z]*)", re.ASCII)
_OPTION = build_pattern(r"(\S+) (\d\d[A-Z]{3}\d\d) ([\d.]+) ([CP])", re.ASCII)  # SPY 19JUN26 727 C
_FUTURES = ("futures", "options on futures")
_ZONE_NOTE = "execution times are displayed in"
Row = Mapping[str, str]
Records = Sequence[Sequence[str]]


def is_activity_statement(records: Records) -> bool:
    """Whether the rows begin with a section and their kind, as those of an activity statement."""
    first = next((record for record in records if record), ())
    return [cell.lower() for cell in first[1:2]] == ["header"]


def read_activity_statement(records: Records) -> StatementTables:
    """Return the tables of trades and positions; raises ExternalError where it is not understood."""
    sections = {record[0] for record in records if record and record[0]}
    _check_sections(sections)
    if any(_ZONE_NOTE in cell and "Eastern" not in cell for record in records for cell in record):
        raise ExternalError("the times of the statement are not New York's", reason=QUERY)
    fields = {
        (record[0], record[2]): record[3] for record in records if record[4:] in ([], [""]) and record[3:]
    }
    tables = {kind: StatementTable(kind) for name, kind in _SECTIONS.items() if name in sections}
    tables.setdefault(TRADES, StatementTable(TRADES))  # a day without trades has no section of them
    instruments = _list_instruments(records)
    account = fields.get((_ACCOUNT, "Account"), "")
    account = "" if "(" in account else account  # U1234567 (Custom Consolidated): of several
    for section, cells in _iter_rows(records):
        kind = _SECTIONS.get(section)
        if kind is not None and (cells is None or not _has_level(cells)):
            tables[kind].misfits += 1
        elif kind is not None and cells is not None:
            tables[kind].rows.append(_convert_row(cells, instruments, account))
    tables[TRADES].rows = _choose_trades(tables[TRADES].rows)
    return StatementTables(
        list(tables.values()), [_find_time(fields.get(("Statement", "WhenGenerated"), ""))]
    )


def _check_sections(sections: Iterable[str]) -> None:
    """Raise ExternalError where the statement is in another language, or its trades have another name."""
    if not {_ACCOUNT, _INSTRUMENTS, *_SECTIONS} & set(sections):
        raise ExternalError(
            "it looks like an activity statement, but not an English one: choose English in Client Portal",
            reason=QUERY,
        )
    for name in set(_SECTIONS) - set(sections):
        for section in sections:
            if measure_edit_distance(section.lower(), name.lower(), 1) <= 1:
                raise ExternalError(f"its section {section!r} is none: is it {name!r}?", reason=UNREADABLE)


def _iter_rows(records: Records) -> Iterator[tuple[str, Row | None]]:
    """Yield each row of data as its section and its cells, None where it does not fit its header."""
    headers: dict[str, list[str]] = {}
    for record in records:
        section, kind, *cells = [*record, "", ""]
        cells = cells[:-2]
        if kind.lower() == "header":
            names = [normalize_key(cell) for cell in cells]
            headers[section] = [_NAMES.get(name, name) for name in names]
            missing = _REQUIRED.get(_SECTIONS.get(section, ""), set()) - set(names)
            if missing:
                raise ExternalError(
                    f"its section {section} has no column {', '.join(sorted(missing))}", reason=UNREADABLE
                )
        elif kind.lower() == "data" and section in headers:
            header = headers[section]
            if any(cell.lower().startswith(_SUMS) for cell in cells[:4]):
                continue
            fits = len(cells) >= len(header) and not any(cells[len(header) :])
            yield section, strip_cells(zip(header, cells, strict=False)) if fits else None


def _has_level(row: Row) -> bool:
    """Whether it is known what a row is: an order, an execution, a lot, a position."""
    return row.get("levelofdetail", "order").lower() in _LEVELS


def _list_instruments(records: Records) -> dict[tuple[str, str], Row | None]:
    """Return what an instrument is by its category and each of its names; None where a name is two's."""
    listed: dict[tuple[str, str], Row | None] = {}
    for section, row in _iter_rows(records):
        if section == _INSTRUMENTS and row is not None:
            names = {*row.get("symbol", "").split(", "), row.get("description", "")}
            for name in names - {""}:
                key = row.get("assetcategory", ""), name
                listed[key] = None if listed.get(key, row) != row else row
    return listed


def _convert_row(row: Row, instruments: Mapping[tuple[str, str], Row | None], account: str) -> Row:
    """Return a trade or a position under Flex's names, with what is known of its instrument."""
    category, _, _ = row.get("assetcategory", "").partition(" - ")  # "Stocks - Held with …"
    symbol = row.get("symbol", "")
    codes = {code.strip() for code in re.split("[;,]", row.get("code", ""))}
    converted = {"accountid": account, **row, "assetcategory": category}
    if level := row.get("levelofdetail"):
        converted["levelofdetail"] = _LEVELS[level.lower()]
    if "datetime" in row:
        is_sale = row.get("quantity", "").startswith("-")
        side = "SELL" if is_sale else "BUY"
        opens = next((code for code in ("O", "C") if code in codes), "")
        kind = "TradeCancel" if _CANCEL in codes else "BookTrade" if codes & _BOOKINGS else "ExchTrade"
        converted |= {"buysell": side, "opencloseindicator": opens, "transactiontype": kind}
    instrument = instruments.get((row.get("assetcategory", ""), symbol))
    converted |= _describe_instrument(category, symbol, instrument)
    return {name: cell for name, cell in converted.items() if cell}


def _describe_instrument(category: str, symbol: str, instrument: Row | None) -> Row:
    """Return the names of an instrument: those that the statement lists, else what its symbol shows."""
    option = _OPTION.fullmatch(symbol)
    if instrument is None and option:
        parts = ("underlyingsymbol", "expiry", "strike", "putcall")
        return {"symbol": "", **dict(zip(parts, option.groups(), strict=True))}
    if instrument is None or category.lower() in ("stocks", "forex"):
        plain = {"localsymbol": symbol} if category.lower() in _FUTURES else {}
        return plain if instrument is None else {**plain, "conid": instrument.get("conid", "")}
    kept = {
        name: instrument[name] for name in ("conid", "multiplier", "expiry", "strike") if name in instrument
    }
    names = {"underlyingsymbol": instrument.get("underlying", ""), "symbol": instrument.get("symbol", symbol)}
    return {**kept, **names, "putcall": instrument["type"] if instrument.get("type") in ("C", "P") else ""}


def _choose_trades(rows: Iterable[Row]) -> list[Row]:
    """Return the executions, the orders of what has none, without the cancelled trades and lots."""
    rows = [row for row in rows if row.get("levelofdetail") != "LOT"]
    executed = {_get_name(row) for row in rows if row.get("levelofdetail") == "EXECUTION"}
    cancelled = {_get_cancel_key(row) for row in rows if row.get("transactiontype") == "TradeCancel"}
    return [
        {**row, "levelofdetail": "EXECUTION"}
        for row in rows
        if (row.get("levelofdetail") == "EXECUTION" or _get_name(row) not in executed)
        and _get_cancel_key(row) not in cancelled
    ]


def _get_name(row: Row) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in ("accountid", "assetcategory", "currency", "symbol", "conid"))


def _get_cancel_key(row: Row) -> tuple[str, ...]:
    """Return what a cancelled trade and its cancellation share: a statement has no id of either."""
    return (*_get_name(row), row.get("quantity", "").lstrip("+-"), row.get("tradeprice", ""))


def _find_time(text: str) -> str:
    """Return when the statement was generated; nothing where it names a zone that is not New York's."""
    match = _GENERATED.fullmatch(text.strip())
    return match[1] if match and match[2] in _ZONES else ""
