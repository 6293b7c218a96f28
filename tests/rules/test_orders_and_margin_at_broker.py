"""What the broker's own lists show of orders without an answer, foreign clients and margin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.ib_objects import AT, WAYS, build_trade
from tests.support.snapshots import evaluated, given, healthy_at, named

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


def test_an_order_that_would_close_a_position_is_an_exit_without_a_mark():
    row = order("PendingSubmit", "2026-06-02T14:54:59Z", side="SELL", quantity=1)
    held = {"open_positions": [{"symbol": "COIN", "quantity": 1}], "open_position_count": 1}
    events = own_events({"status_v3": {"orders": [row], **held}}, "order_limbo")
    assert events == ["critical order_limbo:5"]


def test_a_cancel_that_came_after_the_fill_leaves_the_order_in_limbo():
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
        pytest.param(
            broker(
                account_values=[
                    {"account": account, "tag": "Cushion", "value": value}
                    for account, value in (("DU1", "0.5"), ("DU2", "0.04"), ("DU2", "0.2"))
                ]
            ),
            ["critical margin_low:DU2"],
            id="the lowest of one account of two",
        ),
    ],
)
def test_margin_is_low_below_the_account_s_cushion(patch, events):
    assert own_events(patch, "margin_low") == events


# --- what is still open in its last session ---------------------------------------------------------------

PUT = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260602",
    "strike": 580,
    "right": "P",
    "multiplier": 100,
}
INDEX_PUT = {**PUT, "symbol": "SPX", "trading_class": "SPXW"}
FUTURE = {"symbol": "CL", "sec_type": "FUT", "expiry": "20260604", "multiplier": 1000}
DUE = "expiry_due:SPY 2026-06-02 580P"


def open_at(at: str, row: dict[str, Any], quantity: float, **lists: Any) -> list[str]:
    section = {
        "as_of": at, "connected": True, "positions": [{**row, "quantity": quantity}], "open_orders": [],
        "executions": [],
    }  # fmt: skip
    document = healthy_at(at, {"broker": section, **lists})
    return [event for event in named(evaluated(document)) if " expiry_due" in event]


@pytest.mark.parametrize(
    ("at", "row", "quantity", "events"),
    [
        pytest.param("13:59:59", PUT, -2, [], id="09:59:59 in New York"),
        pytest.param("14:00:00", PUT, -2, [f"warning {DUE}"], id="10:00 in New York"),
        pytest.param("18:59:59", PUT, -2, [f"warning {DUE}"], id="14:59:59"),
        pytest.param("19:00:00", PUT, -2, [f"critical {DUE}"], id="15:00"),
        pytest.param("14:00:00", PUT, 2, [f"warning {DUE}"], id="a long one ends in shares"),
        pytest.param("14:00:00", PUT, 0, [], id="a row of quantity 0 is flat"),
        pytest.param("14:00:00", INDEX_PUT, 2, [], id="a long one that pays cash"),
        pytest.param(
            "14:00:00", INDEX_PUT, -2, ["warning expiry_due:SPX 2026-06-02 580P"], id="a short one that pays cash"
        ),
        pytest.param("19:00:00", {**PUT, "expiry": "20260603"}, -2, [], id="its last session is tomorrow"),
        pytest.param("19:00:00", {**PUT, "expiry": "20260601"}, -2, [], id="it expired yesterday"),
        pytest.param("14:00:00", FUTURE, 1, ["warning expiry_due:CL 2026-06-04"], id="a future, third session"),
        pytest.param("14:00:00", {**FUTURE, "expiry": "20260605"}, 1, [], id="a future, fourth session"),
        pytest.param("14:00:00", {**FUTURE, "symbol": "ES"}, 1, [], id="a long future that pays cash"),
        pytest.param("19:00:00", {"symbol": "SPY", "sec_type": "STK"}, -100, [], id="a share has no end"),
    ],
)  # fmt: skip
def test_what_is_still_open_in_its_last_session(at, row, quantity, events):
    assert open_at(f"2026-06-02T{at}Z", row, quantity) == events


@pytest.mark.parametrize(
    ("at", "severity"), [("16:59:59", "warning"), ("17:00:00", "critical")], ids=["61 min", "the last hour"]
)
def test_a_half_day_s_last_hour_is_late(at, severity):
    row = {**PUT, "expiry": "20261127"}
    assert open_at(f"2026-11-27T{at}Z", row, -2) == [f"{severity} expiry_due:SPY 2026-11-27 580P"]


def test_a_position_of_both_lists_is_reported_once_however_its_class_is_spelled():
    listed = [{"trade_id": 1, **INDEX_PUT, "symbol": "SPXW", "trading_class": None, "quantity": -2}]
    stores = {"position_state": [*listed, {"trade_id": 2, **PUT, "status": "CLOSED", "quantity": -2}]}
    assert len(open_at("2026-06-02T14:30:00Z", INDEX_PUT, -2, stores=stores)) == 1
