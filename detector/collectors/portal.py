"""The broker section from a Client Portal gateway: positions, open orders and today's trades, in our names.

Shapes: IBKR Web API, /portfolio/{account}/positions, /iserver/account/orders and trades. A closed position
stays in its list at 0.0: it is flat, and not missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from detector.collectors._broker_source import check_maintenance, describe_accounts, lock_turn
from detector.collectors._payload import extract_time
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption, strip_query
from detector.formats.errors import LINK_DOWN, UNREADABLE, ExternalError
from detector.formats.numbers import parse_decimal
from detector.settings import PORTAL_URL, Settings

if TYPE_CHECKING:
    from detector.clients.portal_api import PortalAnswer

OPTIONS = (
    SourceOption(
        "broker",
        (PORTAL_URL,),
        "the broker's positions, open orders and trades, from a Client Portal gateway that is logged in",
    ),
)
_DESCRIPTION = "contractDesc"  # its first word is the symbol: SPX SEP2026 6000 C
_CONTRACT = {
    "con_id": ("conid",), "symbol": ("ticker", "symbol", _DESCRIPTION),
    "sec_type": ("assetClass", "secType", "sec_type"), "expiry": ("expiry",), "strike": ("strike",),
    "right": ("putOrCall",), "multiplier": ("multiplier",), "currency": ("currency", "cashCcy"),
    "account": ("acctId", "account", "acct"), "model": ("model",),
}  # fmt: skip
_POSITION = {**_CONTRACT, "quantity": ("position",), "avg_price": ("avgPrice",), "avg_cost": ("avgCost",)}
_ORDER = {
    **_CONTRACT, "order_id": ("orderId",), "side": ("side",), "order_type": ("orderType",),
    "quantity": ("totalSize",), "filled": ("filledQuantity",), "remaining": ("remainingQuantity",),
    "status": ("status",), "order_ccp_status": ("order_ccp_status",), "parent_id": ("parentId",),
    "order_ref": ("order_ref",),
}  # fmt: skip
_TRADE = {
    **_CONTRACT, "exec_id": ("execution_id",), "order_id": ("order_id",), "side": ("side",),
    "quantity": ("size",), "price": ("price",), "order_ref": ("order_ref",),
    "liquidation": ("liquidation_trade",),
}  # fmt: skip
_NUMBERS = ("strike", "multiplier", "quantity", "filled", "remaining", "price", "avg_price", "avg_cost")
_CONTRACT_PARTS = ("symbol", "sec_type", "expiry", "strike", "right", "multiplier", "currency")
_ZERO_IS_NONE = ("strike", "multiplier", "con_id", "parent_id")  # a share has a strike and a multiplier of 0
_DONE = ("filled", "cancelled")


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the gateway, where its address is named."""
    if settings[PORTAL_URL]:
        yield ConfiguredSource("broker", PORTAL_URL, strip_query(settings[PORTAL_URL]), _read_broker)


def _read_broker(context: SourceContext) -> Answer:
    """Read the gateway; raises ExternalError."""
    as_of = check_maintenance(context)
    from detector.clients.portal_api import Portal

    url = context.settings[PORTAL_URL]
    with lock_turn(context, f"portal {url}"):
        try:
            answer = Portal(context.network, url).read()
        except ExternalError as error:
            if error.reason != LINK_DOWN:
                raise
            return Answer({"as_of": as_of.isoformat(), "connected": False}, as_of, str(error))
    note = (
        "its positions come from its cache, and are no proof of what is held now"
        if answer.is_cached
        else None
    )
    return Answer({"as_of": as_of.isoformat(), **build_section(answer)}, as_of, note)


def build_section(answer: PortalAnswer) -> dict[str, Any]:
    """Return the section's content; of several accounts, whose orders and trades are listed is not known."""
    scope = "all" if len(answer.accounts) == 1 else "client"
    positions = [_convert_row(row, _POSITION) for row in answer.positions]
    contracts = {str(row["con_id"]): row for row in positions if "con_id" in row}
    orders = [_describe_contract(_convert_row(row, _ORDER), contracts) for row in answer.orders]
    return {
        "connected": True,
        **describe_accounts(answer.accounts),
        "positions": positions,
        **({"positions_scope": "cache"} if answer.is_cached else {}),
        "open_orders": [row for row in orders if str(row.get("status")).lower() not in _DONE],
        "open_orders_scope": scope,
        "executions": [_describe_contract(_build_execution(row), contracts) for row in answer.trades],
        "executions_scope": scope,
    }


def _describe_contract(row: dict[str, Any], contracts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the row with expiry, strike and right of its contract, which only a position's row names."""
    contract = contracts.get(str(row.get("con_id")), {})
    return {**{key: contract[key] for key in _CONTRACT_PARTS if key in contract}, **row}


def _build_execution(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one execution; its time is the one in milliseconds, for the text has no known form."""
    at = extract_time(row, ("trade_time_r",))
    if at is None:
        raise ExternalError("a trade has no time in milliseconds", reason=UNREADABLE)
    return {**_convert_row(row, _TRADE), "at": at.isoformat()}


def _convert_row(row: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Return the row under our names; a number written as text is a number, and what is null is absent."""
    converted: dict[str, Any] = {}
    for name, keys in names.items():
        value = next((row[key] for key in keys if row.get(key) not in (None, "")), None)
        if name in _NUMBERS and isinstance(value, str):
            decimal = parse_decimal(value)
            value = float(decimal) if decimal is not None else value
        if name == "symbol" and isinstance(value, str) and value == row.get(_DESCRIPTION):
            value = value.split()[0]
        if value is None or (name in _ZERO_IS_NONE and value in (0, "0")):
            continue
        converted[name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return converted
