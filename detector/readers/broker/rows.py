"""Reads the broker's rows under the column names of TWS, ib_async, Flex and DESIGN.

A nested object counts as part of its row. Names are compared without case and punctuation. Sources: TWS API
reference (Contract, Order, Execution, CommissionReport), ib_async objects, Flex Query reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from detector.domain.broker_rows import BrokerOrder, BrokerPosition, Execution
from detector.domain.instrument_names import get_sign
from detector.domain.section_reading import Reading
from detector.domain.shape import ANY, OBJECT, Key, Shape
from detector.domain.vendor_keys import IB_KEYS
from detector.formats.numbers import format_quantity, parse_decimal, to_exact_decimal
from detector.formats.strict_json import redact_excerpt
from detector.readers.broker.cells import normalize_broker_time, normalize_name

_NESTED = ("contract", "order", "orderStatus", "order_status", "orderState", "execution", "commissionReport",
           "commission_report")  # fmt: skip
_INSTRUMENT = {
    "symbol": ("underlyingsymbol", "undsym", "symbol", "ticker"),
    "local_symbol": ("localsymbol", "occsymbol"),
    "con_id": ("conid",),
    "sec_type": ("sectype", "assetclass", "assetcategory"),
    "expiry": ("expiry", "lasttradedateorcontractmonth", "lasttradedate", "expiration", "expirationdate",
               "contractmonth"),
    "strike": ("strike", "strikeprice"),
    "right": ("right", "putcall", "putorcall"),
    "multiplier": ("multiplier",),
    "account": ("account", "accountid", "acctid", "acct", "acctnumber", "acctcode", "accountcode",
                "accountnumber", "accountname", "clientaccountid"),
    "currency": ("currency", "currencyprimary"),
    "trading_class": ("tradingclass",),
}  # fmt: skip
_POSITION = {
    **_INSTRUMENT,
    "model": ("model", "modelcode"),
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
    "quantity": ("quantity", "totalquantity", "totalsize", "qty"),
    "submitted_at": ("submittedat", "submittime", "ordertime"),
    "parent_id": ("parentid",),
    "oca_group": ("ocagroup",),
    "leg_con_ids": ("legconids", "combolegs"),
    "client_id": ("clientid",),
    "group": ("fagroup", "faprofile"),
}
_EXECUTION = {
    **_INSTRUMENT,
    "exec_id": ("execid", "ibexecid", "executionid"),
    "perm_id": ("permid",),
    "order_id": ("orderid", "iborderid"),
    "side": ("side", "buysell", "action"),
    "quantity": ("quantity", "shares", "size", "qty"),
    "price": ("price", "tradeprice"),
    "at": ("at", "time", "datetime", "executiontime", "tradetimer", "tradetime"),
    "realized_pnl": ("realizedpnl", "fifopnlrealized", "realizedprofit"),
    "opens": ("opens", "opencloseindicator", "openclose"),
    "notes": ("notes", "notescodes", "code"),
}
_SIDES = ("side", "longshort", "positionside", "positiontype")
_TIMES = ("submitted_at", "at")
_NAMED_BY = ("symbol", "con_id", "order_id", "perm_id", "exec_id", "leg_con_ids")
_ZERO_IS_NONE = ("order_id", "perm_id", "parent_id", "con_id")  # TWS writes 0 for a missing id


def build_row_shape(kind: str) -> Shape:
    """Return the known keys of a row (`position`, `order` or `execution`) and of the objects in it."""
    columns: Mapping[str, tuple[str, ...]] = {
        "position": _POSITION,
        "order": _ORDER,
        "execution": _EXECUTION,
    }[kind]
    plain = {name: Key(ANY, column) for column, names in columns.items() for name in names}
    plain |= {"underlyingsymbol": Key(ANY, "symbol"), **{name: Key() for name in _SIDES}}
    inner = Shape(plain, IB_KEYS, vendor=True, normalize=normalize_name, unwrap=strip_class)
    nested = {normalize_name(name): Key(OBJECT, inner=inner) for name in _NESTED}
    return Shape(
        {**nested, **plain},
        IB_KEYS,
        vendor=True,
        named_by=_NAMED_BY,
        normalize=normalize_name,
        unwrap=strip_class,
    )


def read_position(item: Mapping[str, Any], reading: Reading) -> BrokerPosition:
    """Return one position of the broker; its quantity is None where the row contradicts itself."""
    row = _convert_columns(item, _POSITION, reading)
    problem = _find_contradiction(_merge_nested(item))
    if problem:
        reading.add_fault("broker.positions.quantity", problem)
        row["quantity"] = None
    return reading.read_row("broker.positions", row, BrokerPosition, _get_column)


def _find_contradiction(flat: Mapping[str, Any]) -> str | None:
    """Return how a position's columns contradict each other (two quantities, side and sign), or None."""
    numbers = [
        number for key in _POSITION["quantity"] if (number := _parse_number(flat.get(key))) is not None
    ]
    if len(set(numbers)) > 1:
        return f"is {format_quantity(numbers[0])} and {format_quantity(numbers[1])} in one row"
    side = next((flat[key] for key in _SIDES if isinstance(flat.get(key), str) and flat[key].strip()), "")
    sign = get_sign(side)
    is_unknown = sign is None and side.strip() not in ("", "-", "?") and any(number > 0 for number in numbers)
    if is_unknown or (sign is not None and any(number * sign < 0 for number in numbers)):
        return f"is {format_quantity(numbers[0])} on the side {redact_excerpt(side)}"
    return None


def _parse_number(raw: Any) -> Decimal | None:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return to_exact_decimal(raw)
    return parse_decimal(raw)


def read_order(item: Mapping[str, Any], reading: Reading) -> BrokerOrder:
    """Return one working order of the broker."""
    return reading.read_row(
        "broker.open_orders", _convert_columns(item, _ORDER, reading), BrokerOrder, _get_column
    )


def read_execution(item: Mapping[str, Any], reading: Reading) -> Execution:
    """Return one execution; Flex writes the quantity of a sale with a minus."""
    return reading.read_row(
        "broker.executions", _convert_columns(item, _EXECUTION, reading), Execution, _get_column
    )


def _get_column(item: Mapping[str, Any], column: str) -> object:
    return item.get(column)


def _convert_columns(
    item: Mapping[str, Any], names: Mapping[str, tuple[str, ...]], reading: Reading
) -> dict[str, Any]:
    """Return the row under our names; its own keys come before those of nested objects."""
    flat = _merge_nested(item)
    row = {column: _find_first(flat, keys) for column, keys in names.items()}
    for column in _ZERO_IS_NONE:
        if row.get(column) in (0, "0"):
            row[column] = None
    for column in _TIMES:
        row[column] = normalize_broker_time(row.get(column))
    if row["account"] is None:
        row["account"] = reading.values.get("broker_account")
    if row.get("leg_con_ids") is not None:
        row["leg_con_ids"] = _parse_legs(row["leg_con_ids"])
    if row["symbol"] is None:
        row["symbol"] = row["local_symbol"]
    elif row["symbol"] != flat.get("symbol") is not None:
        is_option = row["strike"] or row["right"]
        row["local_symbol"] = row["local_symbol"] or flat["symbol"]
        row["symbol"] = (
            row["symbol"] if is_option else flat["symbol"]
        )  # of an option Flex has the underlying's
    return row


def _parse_legs(listed: Any) -> Any:
    """Return the contract ids of a combo's legs; any other value stays as it is, for the reader to refuse."""
    if not isinstance(listed, list):
        return listed
    ids = [_merge_nested(leg).get("conid") if isinstance(leg, dict) else leg for leg in listed]
    return [
        str(con_id) if isinstance(con_id, int) and not isinstance(con_id, bool) else con_id for con_id in ids
    ]


def strip_class(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object that ib_async's `util.tree` wraps in the name of its class: `{"Stock": {...}}`."""
    if len(item) == 1:
        name, inner = next(iter(item.items()))
        if name[:1].isupper() and isinstance(inner, dict):
            return inner
    return item


def _merge_nested(item: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    item = strip_class(item)
    parts = (strip_class(item[key]) for key in _NESTED if isinstance(item.get(key), dict))
    for part in (item, *parts):
        for key, value in part.items():
            if value is not None and not isinstance(value, dict):
                flat.setdefault(normalize_name(key), value)
    return flat


def _find_first(flat: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((flat[key] for key in keys if key in flat and flat[key] != ""), None)
