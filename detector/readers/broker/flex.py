"""Flex statements as CSV: open positions and trades, several accounts and several sections in one file.

A section begins with its header row, which is repeated for every account. With "headers and trailers" on, each
row says in its first cell what it is (`HEADER`, `DATA`, and `BOF`, `BOA`, `BOS`, `EOS`, `EOA`, `EOF` around them).
Source: Flex Query reference, activity statement, Trades and Open Positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.domain.section_reading import Reading
from detector.readers.broker.names import bare

_ACCOUNT = "clientaccountid"
_MARKS = ("BOF", "BOA", "BOS", "EOS", "EOA", "EOF")
_OF_TRADES = {"tradeprice", "ibexecid", "tradeid"}
_OF_POSITIONS = {
    "markprice", "positionvalue", "costbasisprice", "costbasismoney", "openprice", "percentofnav", "fifopnlunrealized",
}  # fmt: skip
# What names an instrument and its account in every section: with nothing else, it is a list of what is held.
_OF_ANY = {
    "clientaccountid", "accountalias", "account", "accountid", "model", "currencyprimary", "currency", "assetclass",
    "sectype", "symbol", "description", "conid", "underlyingsymbol", "underlyingconid", "multiplier", "strike", "expiry",
    "putcall", "right", "quantity", "position", "side", "reportdate", "levelofdetail", "listingexchange", "avgcost",
    "tradingclass",
}  # fmt: skip
_SECTIONS = {False: "open positions", True: "trades"}
Rows = list[Mapping[str, Any]]


def open_positions(text: str, reading: Reading) -> Rows | None:
    """Return the rows of the Open Positions section; None where there is none."""
    return _section(text, reading, "positions_csv", "broker_positions", trades_wanted=False)


def trades(text: str, reading: Reading) -> Rows | None:
    """Return the rows of the Trades section; None where there is none."""
    return _section(text, reading, "trades_csv", "broker_executions", trades_wanted=True)


def _section(text: str, reading: Reading, key: str, fact: str, *, trades_wanted: bool) -> Rows | None:
    rows: Rows = []
    header: list[str] = []
    seen = False
    for cells in _records(text, reading, key):
        if _ACCOUNT in (names := [bare(cell) for cell in cells]) or (not header and "quantity" in names):
            header = names
            seen = seen or _wanted(header, trades_wanted)
        elif header and _wanted(header, trades_wanted):
            if len(cells) != len(header):
                reading.add_fault(f"broker.flex.{key}", "has a row that does not fit its header")
                reading.partial.add(fact)
            else:
                rows.append(dict(zip(header, cells, strict=True)))
    if not seen:
        reading.add_fault(f"broker.flex.{key}", f"has no section of {_SECTIONS[trades_wanted]}")
        return None
    return _at_most(rows, reading, key, fact)


def _wanted(header: list[str], trades_wanted: bool) -> bool:
    """Whether a section is the one that is read, by its columns: a quantity of a symbol stands in many of them."""
    columns = set(header)
    if not ({"symbol", "conid"} & columns and {"quantity", "position"} & columns):
        return False
    is_trades = bool(_OF_TRADES & columns)
    if trades_wanted or is_trades:
        return is_trades is trades_wanted
    return bool(_OF_POSITIONS & columns) or columns <= _OF_ANY


def _records(text: str, reading: Reading, key: str) -> Iterator[list[str]]:
    import csv  # noqa: PLC0415 - only a Flex statement pays for it

    try:
        for cells in csv.reader(text.splitlines(), strict=True):
            first = cells[0].strip().upper() if cells else ""
            if first in ("HEADER", "DATA"):
                yield [cell.strip() for cell in cells[2:]]
            elif cells and first not in _MARKS:
                yield [cell.strip() for cell in cells]
    except csv.Error as error:
        reading.add_fault(f"broker.flex.{key}", f"is not CSV ({error})")
        reading.partial.update(("broker_positions", "broker_executions"))


def _at_most(rows: Rows, reading: Reading, key: str, fact: str) -> Rows:
    if len(rows) > reading.most_rows:
        reading.add_fault(f"broker.flex.{key}", f"has over {reading.most_rows} rows")
        reading.partial.add(fact)
    return rows[: reading.most_rows]
