"""Lists named after ibapi's callbacks, as objects and as arrays of their arguments: read whole and merged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.broker_shapes import reading
from tests.support.program import answer
from tests.support.snapshots import evaluated, named, settings_of

CONTRACT = {
    "conId": 811, "symbol": "SPY", "secType": "OPT", "lastTradeDateOrContractMonth": "20260619", "strike": 727.0,
    "right": "C", "multiplier": "100", "currency": "USD", "localSymbol": "SPY   260619C00727000",
    "tradingClass": "SPY", "comboLegs": None, "deltaNeutralContract": None,
}  # fmt: skip
ORDER = {
    "orderId": 5, "clientId": 7, "permId": 990011, "action": "SELL", "totalQuantity": "39", "orderType": "LMT",
    "lmtPrice": 5.5, "account": "DU1234567", "parentId": 0,
}  # fmt: skip
STATE = {"status": "PreSubmitted", "commission": 1.7976931348623157e308}
STATUS = {
    "orderId": 5, "status": "Submitted", "filled": "10", "remaining": "29", "avgFillPrice": 5.5, "permId": 990011,
    "parentId": 0, "lastFillPrice": 5.5, "clientId": 7, "whyHeld": "", "mktCapPrice": 0.0,
}  # fmt: skip
EXECUTION = {
    "execId": "0000e.1.01.01", "time": "20260602 10:49:00 US/Eastern", "acctNumber": "DU1234567", "side": "SLD",
    "shares": "39", "price": 6.46, "permId": 990011, "clientId": 7, "orderId": 5,
}  # fmt: skip
REPORT = {"execId": "0000e.1.01.01", "commission": 1.25, "currency": "USD", "realizedPNL": 3742.44}
ITEM = [CONTRACT, "39", 17.5, 68250, 550.0, 120.5, 7.25, "DU1234567"]
POSITIONS: dict[str, Any] = {
    "position": [["DU1234567", CONTRACT, "39", 550.0]],
    "position as objects": [
        {"account": "DU1234567", "contract": CONTRACT, "position": "39", "avgCost": 550.0}
    ],
    "updatePortfolio": [ITEM],
    "updatePortfolio, called twice": [[CONTRACT, "40", *ITEM[2:]], ITEM],
    "positionMulti": [[1, "DU1234567", "", CONTRACT, "39", 550.0]],
}
ORDERS: dict[str, dict[str, Any]] = {
    "orders and statuses": {
        "openOrder": [{"orderId": 5, "contract": CONTRACT, "order": ORDER, "orderState": STATE}],
        "orderStatus": [{**STATUS, "filled": "0", "remaining": "39"}, STATUS],
    },
    "arrays of arguments": {
        "openOrder": [[5, CONTRACT, ORDER, STATE]],
        "orderStatus": [list(STATUS.values())],
    },
    "orders called twice": {"openOrder": [[5, CONTRACT, {**ORDER, "totalQuantity": "40"}, STATE], [5, CONTRACT, ORDER, STATE]],
                            "orderStatus": [STATUS]},
    "both in one list": {"open_orders": [{"contract": CONTRACT, "order": ORDER, "orderState": STATE}, STATUS]},
    "statuses first": {"open_orders": [STATUS, {**CONTRACT, **ORDER, "orderState": STATE}]},
    "objects by their id": {
        "openOrder": {"5": {"contract": CONTRACT, "order": ORDER, "orderState": STATE}},
        "orderStatus": {"5": {name: value for name, value in STATUS.items() if name != "orderId"}},
    },
    "without permanent ids": {
        "openOrder": [[5, CONTRACT, {**ORDER, "permId": 0}, STATE]],
        "orderStatus": [{**STATUS, "permId": 0}, {**STATUS, "permId": 0, "clientId": 8, "status": "Cancelled"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("way", POSITIONS)
def test_a_position_is_read_whole_and_once(way):
    made = reading({way.partition(" ")[0].rstrip(","): POSITIONS[way]})
    (row,) = made.values["broker_positions"]
    assert (row.account, row.con_id, row.quantity, row.avg_cost) == ("paper-1", "811", 39, 550.0)
    assert made.invalid == []


@pytest.mark.parametrize("way", ORDERS)
def test_a_status_completes_its_order(way):
    made = reading(ORDERS[way])
    (row,) = made.values["broker_orders"]
    assert (row.status, row.filled, row.remaining, row.quantity) == ("Submitted", 10, 29, 39)
    assert (row.order_id, row.client_id, row.con_id, row.side) == ("5", "7", "811", "SELL")
    assert made.invalid == []
    assert ("broker_orders" in made.partial) is ("openOrder" in ORDERS[way])


def test_the_status_of_another_client_s_order_5_is_not_its_own():
    other = {**STATUS, "clientId": 8, "permId": 990012}
    made = reading({"openOrder": [[5, CONTRACT, ORDER, STATE]], "orderStatus": [other]})
    own, rest = made.values["broker_orders"]
    assert (own.status, own.filled, rest.perm_id, rest.status) == (
        "PreSubmitted",
        None,
        "990012",
        "Submitted",
    )
    done = reading(
        {"openOrder": [[5, CONTRACT, ORDER, STATE]], "orderStatus": [{**other, "status": "Filled"}]}
    )
    assert len(done.values["broker_orders"]) == 1


def test_statuses_alone_are_reported_and_are_no_list_of_orders():
    made = reading({"orderStatus": [STATUS]})
    assert "broker_orders" not in made.values
    assert [(fault.path, fault.problem) for fault in made.invalid] == [
        ("broker.orderStatus", "has no list of its orders beside it")
    ]


@pytest.mark.parametrize("name", ["commissionReport", "commissionAndFeesReport"])
@pytest.mark.parametrize(
    "row", [{"reqId": 1, "contract": CONTRACT, "execution": EXECUTION}, [1, CONTRACT, EXECUTION]]
)
def test_a_commission_report_completes_its_execution(row, name):
    made = reading({"execDetails": [row], name: [{**REPORT, "execId": "another"}, REPORT]})
    (fill,) = made.values["broker_executions"]
    assert (fill.exec_id, fill.quantity, fill.realized_pnl) == ("0000e.1.01.01", 39, 3742.44)
    assert made.invalid == []


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("accountSummary", {"reqId": 1, "account": "DU1234567", "tag": "Cushion", "value": "0.2", "currency": ""}),
        ("accountSummary", [1, "DU1234567", "Cushion", "0.2", ""]),
        ("accountValues", ["DU1234567", "Cushion", "0.2", "", ""]),
        ("updateAccountValue", ["Cushion", "0.2", "", "DU1234567"]),
        ("updateAccountValue", {"key": "Cushion", "val": "0.2", "currency": "", "accountName": "DU1234567"}),
        ("accountUpdateMulti", [1, "DU1234567", "", "Cushion", "0.2", ""]),
    ],
)  # fmt: skip
def test_a_value_of_the_account_is_read(name, row):
    (value,) = reading({name: [row]}).values["account_values"]
    assert (value.account, value.tag, value.value) == ("paper-1", "Cushion", 0.2)


# --- its times -------------------------------------------------------------------------------------------

MOMENT = "2026-06-02T14:49:00+00:00"


@pytest.mark.parametrize(
    ("written", "zone", "moment"),
    [
        ("20260602 10:49:00 US/Eastern", "", MOMENT),
        ("20260602 07:49:00 PDT", "", MOMENT),
        ("20260602 23:49:00 Asia/Tokyo", "Europe/London", MOMENT),
        ("20260602-14:49:00", "America/New_York", MOMENT),
        ("1780411740", "America/New_York", MOMENT),
        ("20260602  10:49:00", "America/New_York", MOMENT),
        ("20260602 15:49:00", "Europe/London", MOMENT),
        ("20260602  10:49:00", "", None),
        ("20260602 10:49:00 Nowhere/Land", "America/New_York", None),
    ],
)
def test_a_time_without_a_zone_is_the_gateway_s_or_is_reported(written, zone, moment):
    document = {
        "taken_at": "2026-06-02T15:00:00Z",
        "broker": {
            "as_of": "2026-06-02T14:59:50Z",
            "execDetails": [[1, CONTRACT, {**EXECUTION, "time": written}]],
        },
        "stores": {"as_of": "2026-06-02T14:59:50Z", "position_state": [], "trades": []},
    }
    report = evaluated(document, None, settings_of({"GATEWAY_ZONE": zone} if zone else None))
    missed = [event for event in report.events if event.type == "missed_fill"]
    assert [MOMENT[:16].replace("T", " ") in event.summary for event in missed] == (
        [] if moment is None else [True]
    )
    assert any("broker.executions.at" in event.summary for event in report.events) is (moment is None), named(
        report
    )


# --- differences, by each way ----------------------------------------------------------------------------

OPTION = {
    "trade_id": 1,
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260619",
    "strike": 727,
    "right": "C",
}
DRIFT = "critical open_positions_drift:SPY 2026-06-19 727C"


def document(way: str, quantity: float, listed: Any = None) -> dict[str, Any]:
    at, name = "2026-06-02T14:59:50Z", way.partition(" ")[0].rstrip(",")
    return {
        "taken_at": "2026-06-02T15:00:00Z",
        "broker": {"as_of": at, "connected": True, "open_orders": [], name: listed or POSITIONS[way]},
        "stores": {"as_of": at, "position_state": [{**OPTION, "quantity": quantity}]},
    }


@pytest.mark.parametrize("way", POSITIONS)
def test_agreement_is_silent_and_a_difference_is_reported(way):
    assert named(evaluated(document(way, 39))) == []
    assert named(evaluated(document(way, 40))) == [DRIFT]
    assert named(evaluated(document(way, -39))) == [DRIFT]
    phantom = document(way, 39)
    phantom["stores"]["position_state"].append({**OPTION, "trade_id": 2, "strike": 728, "quantity": 1})
    assert named(evaluated(phantom)) == [DRIFT.replace("727", "728")]


@pytest.mark.parametrize("way", POSITIONS)
@pytest.mark.parametrize(("quantity", "verdict"), [("39", "allow"), ("40", "refuse")])
def test_can_close_reads_the_position(way, quantity, verdict):
    words = ("--symbol", "SPY", "--expiry", "2026-06-19", "--strike", "727", "--right", "C")
    ran = answer("can-close", *words, "--quantity", quantity, "--json", stdin=json.dumps(document(way, 39)))
    assert ran.document["verdict"] == verdict, ran.document


RENAMED = {"conId": "conld", "position": "postion", "strike": "strke"}


@pytest.mark.parametrize(
    ("way", "name"),
    [(way, name) for way, rows in POSITIONS.items() for name in RENAMED if f'"{name}"' in json.dumps(rows)],
)
def test_a_renamed_field_is_reported(way, name):
    listed = json.loads(json.dumps(POSITIONS[way]).replace(f'"{name}"', f'"{RENAMED[name]}"'))
    report = evaluated(document(way, 39, listed))
    assert named(report) == [] or any(event.type == "reading_invalid" for event in report.events), named(
        report
    )
    assert name == "conId" or any(event.type == "reading_invalid" for event in report.events), named(report)


@pytest.mark.parametrize(
    "junk", [None, 5, "x", [], {}, [[]], [None], [{}], {"x": {"y": 1}}, {"5": 1}], ids=json.dumps
)
@pytest.mark.parametrize("name", ["orderStatus", "commissionReport", "openOrder", "execDetails", "position"])
def test_any_junk_is_read_without_falling_over(name, junk):
    reading(
        {"openOrder": [[5, CONTRACT, ORDER, STATE]], "execDetails": [[1, CONTRACT, EXECUTION]], name: junk}
    )


def test_a_list_that_only_lacks_a_letter_is_no_callback_s_and_is_reported():
    """`position` is a callback of ibapi, and `positions` with a slip of the pen."""
    made = reading({"position": [{"symbol": "COIN", "position": 3}]})
    assert [fault.path for fault in made.invalid] == ["broker.position"]
