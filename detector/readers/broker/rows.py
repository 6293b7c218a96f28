"""The broker's rows under the names of TWS, ib_async, Flex and DESIGN; a nested object counts as part of its row.

Names are compared without case and punctuation: `con_id`, `conId` and `Conid` are one, `Put/Call` is `putcall`.
Sources: TWS API reference (Contract, Order, Execution, CommissionReport), ib_async objects, Flex Query reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from detector.model.broker_rows import BrokerOrder, Execution, Holding
from detector.model.reading import Reading
from detector.readers.broker.times import at_broker

_NESTED = ("contract", "order", "orderStatus", "order_status", "orderState", "execution", "commissionReport",
           "commission_report")  # fmt: skip
_INSTRUMENT = {
    "symbol": ("symbol", "localsymbol"),
    "con_id": ("conid",),
    "sec_type": ("sectype", "assetclass", "assetcategory"),
    "expiry": ("expiry", "lasttradedateorcontractmonth", "lasttradedate", "expiration", "expirationdate"),
    "strike": ("strike", "strikeprice"),
    "right": ("right", "putcall"),
    "multiplier": ("multiplier",),
    "account": ("account", "accountid", "acctnumber", "acctcode", "clientaccountid"),
}
_HOLDING = {
    **_INSTRUMENT,
    "quantity": ("quantity", "position", "pos", "qty"),
    "avg_price": ("avgprice", "averageprice", "costbasisprice", "openprice"),
    "avg_cost": ("avgcost", "averagecost"),
    "realized_pnl": ("realizedpnl", "realizedprofit", "fifopnlrealized"),
}
_ORDER = {
    **_INSTRUMENT,
    "order_id": ("orderid", "iborderid"),
    "perm_id": ("permid",),
    "side": ("side", "action", "buysell"),
    "kind": ("kind",),
    "order_type": ("ordertype", "type"),
    "status": ("status",),
    "parked": ("parked",),
    "filled": ("filled", "filledquantity", "cumqty"),
    "remaining": ("remaining", "remainingquantity"),
    "quantity": ("quantity", "totalquantity", "qty"),
    "submitted_at": ("submittedat", "submittime", "ordertime"),
    "parent_id": ("parentid",),
    "oca_group": ("ocagroup",),
}
_EXECUTION = {
    **_INSTRUMENT,
    "exec_id": ("execid", "ibexecid", "executionid"),
    "perm_id": ("permid",),
    "order_id": ("orderid", "iborderid"),
    "side": ("side", "buysell", "action"),
    "quantity": ("quantity", "shares", "qty"),
    "price": ("price", "tradeprice"),
    "at": ("at", "time", "datetime", "executiontime"),
    "realized_pnl": ("realizedpnl", "fifopnlrealized", "realizedprofit"),
    "opens": ("opens", "opencloseindicator", "openclose"),
}
_TIMES = ("submitted_at", "at")
_ZERO_IS_NONE = ("order_id", "perm_id", "parent_id", "con_id")  # TWS writes 0 for an id that is not there
_CORRECTED = 3  # an execution's id has four parts; a correction changes the last one


def holding(item: Mapping[str, Any], reading: Reading) -> Holding:
    """Return one position of the broker."""
    return reading.row("broker.positions", _named(item, _HOLDING, reading), Holding, _get)


def order(item: Mapping[str, Any], reading: Reading) -> BrokerOrder:
    """Return one order that works at the broker."""
    return reading.row("broker.open_orders", _named(item, _ORDER, reading), BrokerOrder, _get)


def execution(item: Mapping[str, Any], reading: Reading) -> Execution:
    """Return one execution; Flex writes the quantity of a sale with a minus."""
    return reading.row("broker.executions", _named(item, _EXECUTION, reading), Execution, _get)


def no_earlier_version(found: Iterable[Execution]) -> tuple[Execution, ...]:
    """Return each execution once, in its latest version: a correction has the id of what it corrects but its end."""
    latest: dict[str, Execution] = {}
    for number, one in enumerate(found):
        root, dot, _ = (one.exec_id or "").rpartition(".")
        key = root if dot and root.count(".") >= _CORRECTED - 1 else one.exec_id or f"row {number}"
        known = latest.get(key)
        if known is None or (one.exec_id or "") >= (known.exec_id or ""):
            latest[key] = one
    return tuple(latest.values())


def _get(item: Mapping[str, Any], column: str) -> object:
    return item.get(column)


def _named(item: Mapping[str, Any], names: Mapping[str, tuple[str, ...]], reading: Reading) -> dict[str, Any]:
    """Return the row under our names: its own keys before those of its nested objects."""
    flat = _flat(item)
    made = {column: _first(flat, keys) for column, keys in names.items()}
    for column in _ZERO_IS_NONE:
        if made.get(column) in (0, "0"):
            made[column] = None
    for column in _TIMES:
        made[column] = at_broker(made.get(column))
    if made["account"] is None:
        made["account"] = reading.values.get("broker_account")
    underlying = flat.get("underlyingsymbol")
    if underlying and (made["strike"] or made["right"]):
        made["symbol"] = underlying  # Flex gives an option its underlying's symbol apart
    return made


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for part in (item, *(item[key] for key in _NESTED if isinstance(item.get(key), dict))):
        for key, value in part.items():
            if value is not None and not isinstance(value, dict):
                flat.setdefault(bare(key), value)
    return flat


def _first(flat: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((flat[key] for key in keys if key in flat and flat[key] != ""), None)


@cache
def bare(key: str) -> str:
    """Return a name without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", key.lower())
