"""`margin_notice`: 2148 where it is urgent or speaks of liquidation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.log_lines import NOON, ago, named_of, seen, told_of

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
