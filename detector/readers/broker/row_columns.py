"""The names of the broker's columns: those of TWS and ib_async, ibapi, the Client Portal, Flex and DESIGN.

Names are compared without case and punctuation; of several the first that a row has counts. Sources: TWS API
reference (Contract, Order, Execution, CommissionReport), ib_async objects, IBKR Web API, Flex Query
reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from detector.domain.broker_rows import AccountValue, BrokerOrder, BrokerPosition, Execution
from detector.domain.columns import get_columns
from detector.domain.shape import CELL, OBJECT, Key, Need, Shape, build_needs
from detector.domain.sides import SIDE_COLUMNS
from detector.domain.vendor_keys import IB_KEYS
from detector.formats.similar_names import normalize_key
from detector.readers.broker.layouts import ACCOUNT_VALUE, EXECUTION, ORDER, PARTS, POSITION
from detector.readers.broker.list_shapes import RowShape

_INSTRUMENT = {
    "symbol": ("underlyingsymbol", "undsym", "symbol", "ticker"),
    "local_symbol": ("localsymbol", "occsymbol"),
    "con_id": ("conid",),
    "sec_type": ("sectype", "assetclass", "assetcategory", "securitytype", "instrumenttype", "assettype"),
    "expiry": ("expiry", "lasttradedateorcontractmonth", "lasttradedate", "expiration", "expirationdate",
               "contractmonth"),
    "strike": ("strike", "strikeprice"),
    "right": ("right", "putcall", "putorcall", "optiontype"),
    "multiplier": ("multiplier",),
    "account": ("account", "accountid", "acctid", "acct", "acctnumber", "acctcode", "accountcode",
                "accountnumber", "accountname", "clientaccountid", "accountorgroup"),
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
    "leg_ratios": ("legratios",),
    "client_id": ("clientid",),
    "group": ("fagroup", "faprofile"),
    "model": ("modelcode", "model"),
    "status_at": ("statusat",),
    "why_held": ("whyheld",),
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
    "client_id": ("clientid",),
    "model": ("modelcode", "model"),
    "liquidation": ("liquidation", "liquidationtrade"),
}
_ACCOUNT_VALUE = {
    "account": _INSTRUMENT["account"],
    "tag": ("tag", "key"),
    "value": ("value", "val", "amount"),
    "currency": ("currency",),
}
_INSTRUMENT_NEED = Need(("symbol", "con_id", "local_symbol", "leg_con_ids"), "text")
_NAMED_BY = ("symbol", "local_symbol", "con_id", "order_id", "perm_id", "exec_id", "leg_con_ids")
COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    POSITION: _POSITION,
    ORDER: _ORDER,
    EXECUTION: _EXECUTION,
    ACCOUNT_VALUE: _ACCOUNT_VALUE,
}
"""By kind of row and by our column: the names that it may have."""
_ROWS = {
    POSITION: BrokerPosition, ORDER: BrokerOrder, EXECUTION: Execution, ACCOUNT_VALUE: AccountValue
}  # fmt: skip


@cache
def get_row_shape(kind: str) -> RowShape:
    """Return the columns that a row of that kind may have, and those that name it, without punctuation."""
    columns = frozenset(name for names in COLUMNS[kind].values() for name in names)
    named_by = frozenset(
        name for column, names in COLUMNS[kind].items() if column in (*_NAMED_BY, "tag") for name in names
    )
    return RowShape(kind, columns, named_by)


def build_row_shape(kind: str) -> Shape:
    """Return the known keys of a row of that kind, and of the objects in it."""
    needs = build_needs(get_columns(_ROWS[kind]))
    plain = {name: Key(CELL, column) for column, names in COLUMNS[kind].items() for name in names}
    foreign = IB_KEYS - _list_names(column for need in needs for column in need.groups)
    if kind == ACCOUNT_VALUE:
        return Shape(plain, foreign, vendor=True, named_by=("tag",), needs=needs, normalize=normalize_key)
    needs += (_INSTRUMENT_NEED,)
    if kind == POSITION:
        needs += (Need(SIDE_COLUMNS, "sign"),)
    plain = {"underlyingsymbol": Key(CELL, "symbol"), **dict.fromkeys(SIDE_COLUMNS, Key(CELL)), **plain}
    inner = Shape(plain, foreign, vendor=True, normalize=normalize_key)
    nested = {normalize_key(name): Key(OBJECT, inner=inner) for name in PARTS}
    return Shape(
        {**nested, **plain}, foreign, vendor=True, named_by=_NAMED_BY, needs=needs, normalize=normalize_key
    )


def _list_names(columns: Iterable[str]) -> frozenset[str]:
    """Return the names of columns in rows of any kind: what a position lacks may be a fill's `shares`."""
    return frozenset(
        name for column in columns for names in COLUMNS.values() for name in names.get(column, ())
    )
