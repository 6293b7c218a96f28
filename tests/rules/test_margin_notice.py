"""`margin_notice`: 2148 that is urgent or speaks of liquidation, and executions marked as one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.log_lines import NOON, ago, named_of, seen, told_of
from tests.support.snapshots import evaluated, named, owed, remembered

NOTICE = ["critical margin_notice"]
URGENT = "Error 2148, reqId -1: URGENT: account paper-1 is below its margin by {}"


@pytest.mark.parametrize(
    "text",
    ["URGENT: margin deficiency", "Positions are subject to liquidation", "positions will be liquidated"],
)
def test_an_urgent_notice_escalates_at_once(text):
    report = seen([ago(30, f"Error 2148, reqId -1: {text}")])
    assert named_of(report, "margin_notice") == NOTICE
    assert report.decision.action == "escalate"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Warning 2148, reqId -1: the margin cushion is ample", id="2148 that is not urgent"),
        pytest.param("Error 2147, reqId -1: URGENT liquidation", id="another code"),
        pytest.param("order 2148 URGENT rebalance", id="an order"),
    ],
)
def test_other_lines_are_none(line):
    assert seen([ago(30, line)]).events == ()


def test_the_same_notice_within_the_hour_is_one_and_another_is_told_again():
    later = NOON + timedelta(seconds=600)
    same, other = URGENT.format("1,200.50"), "Error 2148, reqId -1: Liquidation of positions has begun"
    runs = [
        (NOON, [ago(30, same)]),
        (later, [ago(-300, URGENT.format("1,900.00"))]),
        (later + timedelta(seconds=600), [ago(-900, other)]),
    ]
    assert told_of(runs) == [["new critical margin_notice"], [], ["again critical margin_notice"]]


@pytest.mark.parametrize(
    ("age", "expected"),
    [pytest.param(3600, NOTICE, id="3600 s old"), pytest.param(3601, [], id="3601 s old")],
)
def test_it_leaves_the_list_after_its_look_back(age, expected):
    assert named_of(seen([ago(age, URGENT.format(1))]), "margin_notice") == expected


# --- executions ------------------------------------------------------------------------------------------


def listed(
    now: str = "2026-06-02T15:00:00Z", at: str = "2026-06-02T14:00:00Z", **more: Any
) -> dict[str, Any]:
    row = {"execId": "a.01", "permId": 5, "symbol": "COIN", "secType": "STK", "side": "SLD", "shares": 3}
    rows = [{**row, "acctNumber": "DU1", "price": 9, "time": at, **more}]
    return {"taken_at": now, "broker": {"as_of": now, "connected": True, "executions": rows}}


def notices(document: dict[str, Any]) -> list[str]:
    return [event for event in named(evaluated(document)) if "missed_fill" not in event]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param({"liquidation": 1}, NOTICE, id="ib_async"),
        pytest.param({"liquidation": 1.0}, NOTICE, id="pandas"),
        pytest.param({"liquidation_trade": "1"}, NOTICE, id="Client Portal"),
        pytest.param({"notes": "C;L"}, NOTICE, id="Flex"),
        pytest.param({"liquidation": 0, "liquidation_trade": "0", "notes": "O;P"}, [], id="not marked"),
        pytest.param({"liquidation": "N/A"}, [], id="a word for nothing"),
        pytest.param({"liquidation": 1, "at": "2026-06-02T13:59:59Z"}, [], id="3601 s old"),
    ],
)
def test_an_execution_that_is_marked_as_a_liquidation(row, expected):
    assert notices(listed(**row)) == expected


def test_a_liquidation_of_another_account_is_none():
    document = listed(liquidation=1)
    document["broker"]["account"] = "DU2"
    assert notices(document) == []


def test_a_liquidation_is_told_once_and_one_that_no_run_saw_is_told_late():
    first = evaluated(listed(at="2026-06-02T14:59:00Z", liquidation=1))
    assert "new margin_notice" in owed(first)
    again = listed("2026-06-02T15:05:00Z", "2026-06-02T14:59:00Z", liquidation=1)
    assert not [text for text in owed(evaluated(again, remembered(first))) if "margin_notice" in text]
    unseen = evaluated(listed(at="2026-06-02T14:59:00Z"))
    late = listed("2026-06-02T18:00:00Z", "2026-06-02T15:30:00Z", liquidation=1)
    assert "new margin_notice" in owed(evaluated(late, remembered(unseen)))
