"""What the broker's own lists show of orders without an answer, foreign clients and margin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ib_objects import AT, WAYS, build_trade
from tests.support.snapshots import given

NOW = "2026-06-02T15:00:00Z"


def broker(**lists: Any) -> dict[str, Any]:
    return {"broker": {"as_of": NOW, "connected": True, "positions": [], **lists}}


def own_events(patch: dict[str, Any], name: str, settings: dict[str, str] | None = None) -> list[str]:
    return [event for event in given(patch, settings) if f" {name}" in event]


def order(status: str, at: str | None, **more: Any) -> dict[str, Any]:
    return {"order_id": 5, "symbol": "COIN", "status": status, "submitted_at": at, **more}


@pytest.mark.parametrize(
    ("row", "events"),
    [
        pytest.param(order("PendingSubmit", "2026-06-02T14:59:00Z"), [], id="60 s is the limit itself"),
        pytest.param(order("PendingSubmit", "2026-06-02T14:58:59Z"), ["warning order_limbo:5"], id="61 s"),
        pytest.param(order("ApiPending", "2026-06-02T14:58:59Z"), ["warning order_limbo:5"], id="ApiPending"),
        pytest.param(order("Submitted", "2026-06-02T14:00:00Z"), [], id="a working order was answered"),
        pytest.param(
            order("PendingCancel", "2026-06-02T14:00:00Z"), [], id="an order's time is not its cancel's"
        ),
        pytest.param(
            order("PendingSubmit", "2026-06-02T14:55:00Z", kind="exit"),
            ["warning order_limbo:5"],
            id="an exit of 300 s",
        ),
        pytest.param(
            order("PendingSubmit", "2026-06-02T14:54:59Z", kind="exit"),
            ["critical order_limbo:5"],
            id="an exit of 301 s",
        ),
        pytest.param(
            order("PendingSubmit", "2026-06-02T14:00:00Z", parked=True), [], id="a parked one waits"
        ),
    ],
)
def test_an_order_without_an_answer(row, events):
    assert own_events({"status_v3": {"orders": [row]}}, "order_limbo") == events


def test_a_cancel_that_came_after_the_fill():
    line = (
        "2026-06-02 14:50:00+00:00 ERROR Error 10148, reqId 77: OrderId 77 that needs to be cancelled cannot be"
        " cancelled, state: "
    )
    assert own_events({"logs": [f"{line}Filled."]}, "order_limbo") == ["warning order_limbo:77"]
    assert own_events({"logs": [f"{line}PendingCancel."]}, "order_limbo") == []


@pytest.mark.parametrize("way", WAYS)
def test_ib_async_s_log_of_an_order_dates_its_status(way):
    trade = build_trade("stock")
    trade.orderStatus.status = "PendingCancel"
    trade.log.append(type(trade.log[0])(AT.replace(minute=50), "PendingCancel"))
    patch = broker(open_orders=WAYS[way]([trade]), as_of="2026-05-06T14:52:00Z")
    events = own_events({"taken_at": "2026-05-06T14:52:00Z", **patch}, "order_limbo")
    assert events == ["warning order_limbo:5"]


@pytest.mark.parametrize(
    ("clients", "events"),
    [
        pytest.param("7", [], id="it is named"),
        pytest.param("1, 2", ["warning unknown_client:7"], id="it is not"),
        pytest.param("", [], id="nobody is asked for"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_orders_of_a_client_that_is_not_named(way, clients, events):
    patch = broker(open_orders=WAYS[way]([build_trade("stock")]))
    assert own_events(patch, "unknown_client", {"CLIENT_IDS": clients}) == events


def test_a_foreign_client_beside_a_drift_is_critical():
    held = {"symbol": "SPY", "sec_type": "STK", "quantity": 3}
    fill = {"exec_id": "0000e0d5.1.01.01", "symbol": "SPY", "sec_type": "STK", "side": "BOT", "quantity": 3}
    patch = {**broker(positions=[held], executions=[{**fill, "client_id": 0, "at": NOW}])}
    assert own_events(patch, "unknown_client", {"CLIENT_IDS": "7"}) == ["critical unknown_client:0"]


def values(cushion: object, look_ahead: object = "100.5") -> dict[str, Any]:
    rows = [
        {"tag": "Cushion", "value": cushion, "account": "DU1234567"},
        {"tag": "LookAheadExcessLiquidity", "value": look_ahead, "currency": "USD", "account": "DU1234567"},
        {"tag": "AccountType", "value": "INDIVIDUAL", "account": "DU1234567"},
    ]
    return broker(account_values=rows)


@pytest.mark.parametrize(
    ("patch", "events"),
    [
        pytest.param(values("0.10"), [], id="at the warning limit"),
        pytest.param(values("0.0999"), ["warning margin_low"], id="just below it"),
        pytest.param(values(0.05), ["warning margin_low"], id="at the critical limit"),
        pytest.param(values(0.0499), ["critical margin_low"], id="just below that"),
        pytest.param(values("0.5", "0"), [], id="no look-ahead excess liquidity is not a negative one"),
        pytest.param(values("0.5", "-0.01"), ["critical margin_low"], id="a negative one"),
        pytest.param(
            broker(accountValues=[["DU1234567", "Cushion", "0.07", "", ""]]),
            ["warning margin_low"],
            id="ib_async's named tuples",
        ),
        pytest.param(
            broker(summary={"cushion": {"amount": 0.0, "currency": None, "value": "0.04"}}),
            ["critical margin_low"],
            id="the Client Portal's summary",
        ),
        pytest.param(
            broker(
                account_values=[{"account": "DU1", "tag": "Cushion", "value": "0.04"}], account="DU1234567"
            ),
            [],
            id="another account's",
        ),
    ],
)
def test_the_account_s_cushion(patch, events):
    assert own_events(patch, "margin_low") == events
