"""Real ib_async objects of every kind of contract, and the ways in which people write them as JSON."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import ib_async
import pandas
from ib_async import util

from detector.formats.strict_json import parse_value

ACCOUNT = "DU1234567"
AT = datetime(2026, 5, 6, 14, 49, tzinfo=UTC)
CONTRACTS: Mapping[str, Any] = {
    "stock": ib_async.Stock(
        "SPY", "SMART", "USD", conId=756733, localSymbol="SPY", tradingClass="SPY", primaryExchange="ARCA"
    ),
    "option": ib_async.Option(
        "SPY", "20260619", 727.0, "C", "SMART", "100", "USD", conId=811, tradingClass="SPY",
        localSymbol="SPY   260619C00727000",
    ),
    "future": ib_async.Future(
        "ES", "20260619", "CME", "ESM6", "50", "USD", conId=812, tradingClass="ES"
    ),
    "FX": ib_async.Forex("EURUSD", conId=12087792, localSymbol="EUR.USD", tradingClass="EUR.USD"),
    "crypto": ib_async.Crypto(
        "BTC", "PAXOS", "USD", conId=479624278, localSymbol="BTC.USD", tradingClass="BTC"
    ),
    "combo": ib_async.Bag(
        symbol="SPY", currency="USD", exchange="SMART", conId=28812380,
        comboLegs=[ib_async.ComboLeg(811, 1, "BUY", "SMART"), ib_async.ComboLeg(813, 1, "SELL", "SMART")],
    ),
    "bond": ib_async.Bond(
        symbol="IBCID81", conId=81, exchange="SMART", currency="USD", localSymbol="IBCID81",
        tradingClass="UBOND", secIdType="CUSIP", secId="912828C57",
    ),
}  # fmt: skip
QUANTITIES = {"crypto": 0.25, "FX": 25000.0}


def build_position(kind: str) -> Any:
    """Return a Position as `ib.positions()` lists it."""
    return ib_async.Position(ACCOUNT, CONTRACTS[kind], QUANTITIES.get(kind, 39.0), 550.0)


def build_item(kind: str) -> Any:
    """Return a PortfolioItem as `ib.portfolio()` lists it."""
    return ib_async.PortfolioItem(
        CONTRACTS[kind], QUANTITIES.get(kind, 39.0), 17.54, 1754.0, 550.0, 120.5, 7.25, ACCOUNT
    )


def build_trade(kind: str) -> Any:
    """Return a Trade as `ib.openTrades()` lists it: an order to sell that has filled in part."""
    quantity = QUANTITIES.get(kind, 39.0)
    order = ib_async.LimitOrder(
        "SELL", quantity, 5.5, orderId=5, clientId=7, permId=990011, account=ACCOUNT, ocaGroup="oca-1",
        parentId=4, modelCode="growth", faGroup="family",
    )  # fmt: skip
    status = ib_async.OrderStatus(5, "Submitted", quantity / 4, quantity * 3 / 4, 5.5, 990011, 4, 5.5, 7)
    log = [
        ib_async.TradeLogEntry(AT, "PendingSubmit"),
        ib_async.TradeLogEntry(AT.replace(second=1), "Submitted"),
        ib_async.TradeLogEntry(AT.replace(second=2), "Submitted", "Modify"),
    ]
    return ib_async.Trade(CONTRACTS[kind], order, status, [], log)


def build_fill(kind: str) -> Any:
    """Return a Fill as `ib.fills()` lists it."""
    execution = ib_async.Execution(
        "0000e0d5.69fb5dd0.01.01", AT, ACCOUNT, "CBOE", "BOT", QUANTITIES.get(kind, 39.0), 5.5, 990011, 7, 5,
        cumQty=39.0, avgPrice=5.5, modelCode="growth",
    )  # fmt: skip
    report = ib_async.CommissionReport(execution.execId, 1.25, "USD", 7.25)
    return ib_async.Fill(CONTRACTS[kind], execution, report, AT)


BUILDERS: Mapping[str, Callable[[str], Any]] = {
    "positions": build_position,
    "portfolio": build_item,
    "openTrades": build_trade,
    "fills": build_fill,
}


def _as_dict(item: Any) -> Any:
    """`_asdict()` and `dataclasses.asdict`, as far down as the objects go."""
    if hasattr(item, "_asdict"):
        return {key: _as_dict(value) for key, value in item._asdict().items()}
    if dataclasses.is_dataclass(item):
        return {key: _as_dict(getattr(item, key)) for key in (one.name for one in dataclasses.fields(item))}
    return [_as_dict(one) for one in item] if isinstance(item, list | tuple) else item


def _get_vars(item: Any) -> Any:
    return getattr(item, "__dict__", None) or str(item)


def _load(text: str) -> Any:
    return parse_value(text.encode())


def _frame(items: list[Any]) -> Any:
    return util.df(items)


def _to_json(items: list[Any], **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _load(_frame(items).to_json(**options))


def _dump(value: Any, default: Any = str) -> Any:
    return _load(json.dumps(value, default=default))


WAYS: Mapping[str, Callable[[list[Any]], Any]] = {
    "`dataclasses.asdict`, `_asdict`": lambda items: _dump([_as_dict(item) for item in items]),
    "`json.dumps(…, default=vars)`": lambda items: _dump(
        [item._asdict() if hasattr(item, "_asdict") else vars(item) for item in items], _get_vars
    ),
    "`json.dumps(…, default=vars)` of the named tuples": lambda items: _dump(items, _get_vars),
    "`json.dumps(…, default=str)`": _dump,
    "`util.tree`": lambda items: _dump(util.tree(items)),
    "`util.df(…).to_dict()`": lambda items: _dump(_frame(items).to_dict()),
    "`util.df(…).to_dict('records')`": lambda items: _dump(_frame(items).to_dict("records")),
    "`util.df(…).to_dict('list')`": lambda items: _dump(_frame(items).to_dict("list")),
    "`util.df(…).to_dict('split')`": lambda items: _dump(_frame(items).to_dict("split")),
    "`util.df(…).to_json()`": _to_json,
    "`util.df(…).to_json(orient='index')`": lambda items: _to_json(items, orient="index"),
    "`util.df(…).to_json(orient='table')`": lambda items: _to_json(items, orient="table"),
    "`pandas.json_normalize`": lambda items: _dump(
        pandas.json_normalize([_as_dict(item) for item in items]).to_dict("records")
    ),
}
"""By the name of the way: from a list of ib_async's objects to what stands in the JSON."""
