"""The shapes in which people write the broker's rows, as tables: classes, arrays and envelopes.

Sources: ib_async 2.1 (dataclasses and named tuples; `util.tree` and the text of an object leave out what a
class or its constructor sets), ibapi (the parameters of `EWrapper`, in their order), pandas
(`DataFrame.to_json`: its orients), IBKR Web API (its answers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

POSITION, ORDER, EXECUTION, ACCOUNT_VALUE = "position", "order", "execution", "account value"
ORDER_STATUS, COMMISSION = "order status", "commission report"

# What the constructor of a class sets, and what its text and `util.tree` therefore leave out.
CLASSES: Mapping[str, Mapping[str, Any]] = {
    "Contract": {}, "Stock": {"secType": "STK"}, "Option": {"secType": "OPT"}, "Future": {"secType": "FUT"},
    "ContFuture": {"secType": "CONTFUT"}, "Forex": {"secType": "CASH"}, "Index": {"secType": "IND"},
    "CFD": {"secType": "CFD"}, "Commodity": {"secType": "CMDTY"}, "Bond": {"secType": "BOND"},
    "FuturesOption": {"secType": "FOP"}, "MutualFund": {"secType": "FUND"}, "Warrant": {"secType": "WAR"},
    "Bag": {"secType": "BAG"}, "Crypto": {"secType": "CRYPTO"},
    "Order": {"orderId": 0, "clientId": 0}, "LimitOrder": {"orderType": "LMT", "clientId": 0},
    "MarketOrder": {"orderType": "MKT", "clientId": 0}, "StopOrder": {"orderType": "STP", "clientId": 0},
    "StopLimitOrder": {"orderType": "STP LMT", "clientId": 0},
    "OrderStatus": {"filled": 0, "remaining": 0}, "OrderState": {}, "Trade": {}, "TradeLogEntry": {},
    "Execution": {"clientId": 0}, "CommissionReport": {}, "CommissionAndFeesReport": {}, "Fill": {},
    "Position": {}, "PortfolioItem": {}, "AccountValue": {}, "ComboLeg": {}, "DeltaNeutralContract": {},
    "SoftDollarTier": {}, "TagValue": {},
}  # fmt: skip

# Keys under which an object of its own stands in a row.
PARTS = ("contract", "order", "orderStatus", "order_status", "orderState", "order_state", "execution",
         "commissionReport", "commission_report", "commissionAndFeesReport")  # fmt: skip


class ArrayLayout(Struct, frozen=True):
    """A row that is an array: its fields, and where an object or an integer stands."""

    fields: tuple[str, ...]
    objects: tuple[int, ...] = ()
    integers: tuple[int, ...] = ()


ARRAYS: Mapping[str, tuple[ArrayLayout, ...]] = {
    POSITION: (
        ArrayLayout(("account", "contract", "position", "avgCost"), (1,)),  # Position
        ArrayLayout(  # PortfolioItem
            ("contract", "position", "marketPrice", "marketValue", "averageCost", "unrealizedPNL",
             "realizedPNL", "account"), (0,),
        ),
        # positionMulti
        ArrayLayout(("reqId", "account", "modelCode", "contract", "position", "avgCost"), (3,)),
    ),
    ORDER: (
        ArrayLayout(("orderId", "contract", "order", "orderState"), (1, 2, 3)),  # openOrder
        # Trade
        ArrayLayout(("contract", "order", "orderStatus", "fills", "log", "advancedError"), (0, 1, 2)),
    ),
    EXECUTION: (
        ArrayLayout(("contract", "execution", "commissionReport", "time"), (0, 1, 2)),  # Fill
        ArrayLayout(("reqId", "contract", "execution"), (1, 2)),  # execDetails
    ),
    ORDER_STATUS: (
        ArrayLayout(  # orderStatus
            ("orderId", "status", "filled", "remaining", "avgFillPrice", "permId", "parentId",
             "lastFillPrice", "clientId", "whyHeld", "mktCapPrice"),
        ),
    ),
    ACCOUNT_VALUE: (
        ArrayLayout(("reqId", "account", "tag", "value", "currency"), (), (0,)),  # accountSummary
        ArrayLayout(("account", "tag", "value", "currency", "modelCode")),  # AccountValue
        ArrayLayout(("key", "val", "currency", "accountName")),  # updateAccountValue
        ArrayLayout(("reqId", "account", "modelCode", "key", "value", "currency")),  # accountUpdateMulti
    ),
}  # fmt: skip

# Keys of a vendor's whole answer under which its rows stand, and what marks it as no answer yet.
ANSWER_ROWS = ("orders", "positions", "trades", "executions", "fills", "data", "rows", "result")
ANSWER_KEYS = frozenset(
    ["snapshot", "error", "notifications", "schema", "status", "count", "page", "pagesize", *ANSWER_ROWS]
)

# Column by which a row is known where an object has its rows under keys: digits, other text.
ROW_KEYS: Mapping[str, tuple[str, str]] = {
    POSITION: ("conId", "symbol"),
    ORDER: ("orderId", "orderId"),
    EXECUTION: ("execId", "execId"),
    ACCOUNT_VALUE: ("tag", "tag"),
    ORDER_STATUS: ("orderId", "orderId"),
    COMMISSION: ("execId", "execId"),
}
