"""One option position of 39 in every way in which people write a list: as text, frames, nested objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas

from tests.support.ib_objects import build_position

ROW: dict[str, Any] = {
    "account": "DU1234567", "conId": 811, "symbol": "SPY", "secType": "OPT",
    "lastTradeDateOrContractMonth": "20260619", "strike": 727.0, "right": "C", "multiplier": "100",
    "currency": "USD", "localSymbol": "SPY   260619C00727000", "tradingClass": "SPY", "position": 39.0,
    "avgCost": 550.0,
}  # fmt: skip
FLAT = {**ROW, "conId": 812, "strike": 728.0, "localSymbol": "SPY   260619C00728000", "position": 0.0}
SNAKE = {"account": "DU1234567", "con_id": 811, "symbol": "SPY", "sec_type": "OPT", "strike": 727.0, "right": "C",
         "last_trade_date_or_contract_month": "20260619", "multiplier": 100, "position": 39.0}  # fmt: skip
NAMELESS = {key: value for key, value in ROW.items() if key != "account"}
FRAME = pandas.DataFrame([ROW, FLAT])
_OBJECT = build_position("option")

WRITTEN: Mapping[str, Any] = {
    "snake case": [SNAKE],
    "Pascal case": [{key[0].upper() + key[1:]: value for key, value in ROW.items()}],
    "capitals with hyphens": [{key.replace("_", "-").upper(): value for key, value in SNAKE.items()}],
    "headings for people": [{
        "Account": "DU1234567", "Symbol": "SPY", "Security Type": "OPT", "Expiration": "19 JUN 26",
        "Strike": "727", "Right": "Call", "Position": "39", "Average Cost": "550",
    }],
    "rows under a row of names": [list(ROW), list(ROW.values()), list(FLAT.values())],
    "items of a dictionary": [["811", NAMELESS], ["812", {**FLAT, "account": None}]],
    "by account by symbol": {"DU1234567": {"SPY   260619C00727000": NAMELESS}},
    "by account by contract id": {"DU1234567": {"811": {"position": 39, "symbol": "SPY", "secType": "OPT",
        "lastTradeDateOrContractMonth": "20260619", "strike": 727, "right": "C"}}},
    "an answer in an answer": {"result": {"positions": [ROW]}},
    "an answer without an error": {"data": [ROW], "error": None},
    "by contract as text": {str(_OBJECT.contract): {"position": 39, "account": "DU1234567"}},
    "rows as JSON texts": [json.dumps(ROW)],
    "JSON as text": json.dumps([ROW]),
    "JSON lines as text": FRAME.to_json(orient="records", lines=True),
    "repr() of a list of dictionaries": repr([ROW]),
    "repr() of a list of objects": repr([_OBJECT]),
    "str() of each object": [str(_OBJECT)],
    **{f"to_json({orient!r}) as text": FRAME.to_json(orient=orient) for orient in ("split", "index", "columns", "table")},
    **{f"to_csv(sep={mark!r})": FRAME.to_csv(sep=mark) for mark in (",", ";", "|", "\t")},
    "to_csv without its index": FRAME.to_csv(index=False),
    "to_csv(decimal=',')": FRAME.to_csv(sep=";", decimal=",", index=False),
    "European numbers": [{**ROW, "position": "39,00", "strike": "727,0", "avgCost": "1.550,25"}],
    "American numbers": [{**ROW, "position": "39", "avgCost": "1,550.25"}],
    "ids as decimals": [{**ROW, "conId": "811.0"}],
    "an expiry in milliseconds": [{**ROW, "lastTradeDateOrContractMonth": 1781827200000}],
    "a side beside a signed quantity": [{**ROW, "side": "PositionSide.LONG"}],
}  # fmt: skip
"""By the way of writing: what stands under `positions`."""

UNREAD: Mapping[str, tuple[Any, str]] = {
    "to_json(orient='values')": ([list(ROW.values())], "this looks like to_json(orient='values')"),
    "print(frame)": (FRAME.to_string(), "this looks like print() of a data frame"),
    "to_html()": (FRAME.to_html(), "this looks like a page of HTML"),
    "a pickle": ("gASVKAAAAAAAAABdlH2UjAZzeW1ib2yUjANTUFmUcy4=", "this looks like a pickle in base64"),
    "a table of Markdown": (
        "| symbol | position |\n|---|---|\n| SPY | 39 |",
        "this looks like a table of Markdown",
    ),
    "quantities by symbol": ({"SPY": 39}, "this looks like quantities by a name: export the contract"),
    "the address of an object": (
        "<ib_async.objects.Position object at 0x7f>",
        "this looks like the address of an object",
    ),
    "a sentence": ("long 39 SPY, as of now", "is text, not a list of positions"),
    "a number that may be either": ([{**ROW, "position": "1,234"}], "is text, not a number"),
    "CSV that broke off": (FRAME.to_csv()[:-30], "is text, not a list of positions"),
}
"""What is not read: what stands under `positions`, and what is reported of it."""
