"""The broker section from TWS or IB Gateway: positions, all clients' open orders, executions, account values.

Columns keep ib_async's names, which the reader of the section knows. What ib_async fills in by itself (no
filled quantity, a realized P&L of 0, the host's zone for a time) is left out: it is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from detector.collectors._broker_source import check_maintenance, describe_accounts, lock_turn
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption
from detector.collectors.gateway import read_port_state
from detector.formats.errors import CLOSE_WAIT, LINK_DOWN, UNREADABLE, ExternalError
from detector.formats.numbers import parse_decimal
from detector.settings import TWS_ADDRESS, TWS_CLIENT_ID, Settings
from detector.settings.setting import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from detector.clients.tws_api import Tws, TwsAnswer

OPTIONS = (
    SourceOption(
        "broker",
        (TWS_ADDRESS, TWS_CLIENT_ID),
        "the broker's positions, all open orders and today's executions, from TWS or IB Gateway",
    ),
)
_UNSET = 1.0e307  # ib_async's UNSET_DOUBLE is 1.797e308
_UNSET_INTEGER = 2**31 - 1
_CONTRACT_KEYS = (
    "conId", "symbol", "secType", "lastTradeDateOrContractMonth", "strike", "right", "multiplier", "currency",
    "localSymbol", "tradingClass",
)  # fmt: skip
_ORDER_KEYS = (
    "orderId", "permId", "clientId", "action", "orderType", "totalQuantity", "account", "parentId",
    "ocaGroup", "orderRef", "tif", "modelCode", "faGroup", "lmtPrice", "auxPrice",
)  # fmt: skip
_EXECUTION_KEYS = (
    "execId", "permId", "orderId", "clientId", "side", "shares", "price", "acctNumber", "orderRef",
    "modelCode", "liquidation",
)  # fmt: skip
# What TWS writes where an instrument has no such part, as a right of "0" or "?" for a share.
_NO_PART = ("", "0", "?", 0, 0.0)
_VALUE_TAG = "GrossPositionValue"  # the one value that is judged: it contradicts an empty list


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the gateway, where its address is named."""
    if settings[TWS_ADDRESS]:
        yield ConfiguredSource("broker", TWS_ADDRESS, settings[TWS_ADDRESS], _read_broker)


def _read_broker(context: SourceContext) -> Answer:
    """Read the gateway; raises ExternalError, and asks nothing during IBKR's reset or within PAUSE_SEC."""
    as_of = check_maintenance(context)
    address = context.settings[TWS_ADDRESS]
    host, _, port = address.rpartition(":")
    envelope = {"as_of": as_of.isoformat(), "port": int(port)}
    with lock_turn(context, f"tws {address}"):
        try:
            answer = _open_gateway(host.strip("[]"), int(port), context).read()
        except ExternalError as error:
            if error.reason != LINK_DOWN:
                raise
            return Answer({**envelope, "connected": False}, as_of, str(error))
    return Answer({**envelope, **build_section(answer)}, as_of)


def _open_gateway(host: str, port: int, context: SourceContext) -> Tws:
    """Return the gateway to be read; raises ExternalError where the kernel shows stuck connections to it."""
    from detector.clients.tws_api import Tws

    if host in LOOPBACK_HOSTS and (stuck := read_port_state(port, context).close_wait):
        raise ExternalError(
            f"the gateway has {stuck} stuck connections (CLOSE_WAIT), so it is not asked", reason=CLOSE_WAIT
        )
    return Tws(context.network, host, port, context.settings[TWS_CLIENT_ID])


def build_section(answer: TwsAnswer) -> dict[str, Any]:
    """Return the section's content: an account only where there is one, executions of which clients.

    Raises ExternalError where the positions contradict the account values.
    """
    _check_account_values(answer)
    others_are_listed = any(
        fill.execution.clientId != answer.client_id for fill in answer.fills if fill.execution.clientId
    )
    return {
        "connected": True,
        **describe_accounts(answer.accounts),
        "positions": [_build_position(row) for row in answer.positions],
        "open_orders": [_build_order(trade, answer) for trade in answer.orders],
        "open_orders_scope": "all",
        "executions": [_build_execution(fill, answer.execution_times) for fill in answer.fills],
        "executions_scope": "all" if others_are_listed else "client",
    }


def _check_account_values(answer: TwsAnswer) -> None:
    """Raise ExternalError where an account has a position value and no position: the list is not whole."""
    held = {row.account for row in answer.positions if row.position}
    for row in answer.account_values:
        if row.tag == _VALUE_TAG and not row.modelCode and row.account not in held and _is_nonzero(row.value):
            raise ExternalError(
                f"it lists no position of {row.account}, whose {_VALUE_TAG} is {row.value}", reason=UNREADABLE
            )


def _is_nonzero(text: str) -> bool:
    number = parse_decimal(text)
    return number is None or number != 0


def _build_position(row: Any) -> dict[str, Any]:
    return {
        **_pick(row.contract, _CONTRACT_KEYS),
        "account": row.account,
        **_pick_numbers(row, "position", "avgCost"),
    }


def _build_order(trade: Any, answer: TwsAnswer) -> dict[str, Any]:
    order, status = trade.order, trade.orderStatus
    row = {**_pick(trade.contract, _CONTRACT_KEYS), **_pick(order, _ORDER_KEYS), "status": status.status}
    if (str(order.permId), str(order.clientId), str(order.orderId)) in answer.statuses:
        row |= _pick_numbers(status, "filled", "remaining")
        row |= {"whyHeld": status.whyHeld} if status.whyHeld else {}
    if trade.contract.comboLegs:
        row["comboLegs"] = [_pick(leg, ("conId", "ratio", "action")) for leg in trade.contract.comboLegs]
    return row


def _build_execution(fill: Any, times: Mapping[str, str]) -> dict[str, Any]:
    """Return one execution; a realized P&L of 0 is what ib_async writes for an unknown one."""
    row = {**_pick(fill.contract, _CONTRACT_KEYS), **_pick(fill.execution, _EXECUTION_KEYS)}
    row["time"] = times[fill.execution.execId]
    if fill.commissionReport.execId:
        row |= _pick(fill.commissionReport, ("realizedPNL", "commission"))
    return row


def _pick(source: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    values = {key: _convert_value(key, getattr(source, key)) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


def _pick_numbers(source: Any, *keys: str) -> dict[str, Any]:
    """Return the numbers, 0 too, without one that is unset or not finite."""
    values = {key: _to_number(getattr(source, key)) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


def _to_number(value: float) -> float | None:
    """Return a whole number as an integer, a fraction as it is, None for one that is unset or not finite."""
    if abs(value) > _UNSET or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else value


def _convert_value(key: str, value: Any) -> Any:
    """Return the value, None where it is one of the API's words for none; a multiplier as a number."""
    if value in _NO_PART or value == _UNSET_INTEGER or (key == "orderId" and value < 0):
        return None  # an order that a person entered in TWS has an id below 0, which is no name
    if isinstance(value, float):
        return _to_number(value)
    if key == "multiplier":
        try:
            return _to_number(float(value))
        except ValueError:
            return value
    return value
