"""The log halves of `send_outcome_unknown` and `unknown_fill`, and what session and link mean for 10197."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.log_lines import (
    BACK,
    CLIENT_ID,
    CRITICAL_LINE,
    LOST,
    NOON,
    ago,
    named_of,
    seen,
    summary,
    told_of,
)
from tests.support.snapshots import named, remembered

OUTCOME, FILL = "ERROR send_outcome_unknown order_id={}", "ERROR unknown fill: orderId={} symbol=COIN"


@pytest.mark.parametrize(("line", "name"), [(OUTCOME, "send_outcome_unknown"), (FILL, "unknown_fill")])
def test_a_line_about_an_order_is_critical_about_money_and_escalates(line, name):
    report = seen([ago(30, line.format(4711))])
    assert named(report) == [f"critical {name}:4711"]
    assert report.decision.action == "escalate"
    assert report.conditions[f"{name}:aegis-pt-core:4711"].money


def test_each_order_is_an_occurrence_of_its_own_and_never_resolves():
    later = NOON + timedelta(seconds=600)
    runs = [
        (NOON, [ago(30, OUTCOME.format(1))]),
        (later, [ago(-300, OUTCOME.format(2))]),
        (later + timedelta(hours=3), []),
    ]
    assert told_of(runs) == [
        ["new critical send_outcome_unknown:1"],
        ["new critical send_outcome_unknown:2"],
        [],
    ]


def test_the_same_order_is_told_again_only_after_an_hour_of_silence():
    def run(seconds):
        now = NOON + timedelta(seconds=seconds)
        return now, [ago(10, FILL.format(7), now)]

    told = told_of([run(0), run(600), run(4100), run(8000)])
    assert told == [["new critical unknown_fill:7"], [], [], ["again critical unknown_fill:7"]]


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(3600, ["critical unknown_fill:7"], id="3600 s old"),
        pytest.param(3601, [], id="3601 s old"),
    ],
)
def test_it_leaves_the_list_after_its_look_back(age, expected):
    assert named_of(seen([ago(age, FILL.format(7))]), "unknown_fill") == expected


def test_the_flag_and_the_line_stand_side_by_side_and_the_flag_resolves():
    first = seen([ago(30, OUTCOME.format(1))], status_v3={"send_outcome_unknown": True})
    assert named(first) == ["critical send_outcome_unknown", "critical send_outcome_unknown:1"]
    second = seen([], NOON + timedelta(seconds=600), remembered(first))
    third = seen([], NOON + timedelta(seconds=1200), remembered(second))
    assert [event.signature for event in third.resolved_events] == ["send_outcome_unknown:aegis-pt-core"]
    assert named(third) == ["critical send_outcome_unknown:1"]


def test_the_flag_is_held_while_only_the_logs_are_seen():
    first = seen([], status_v3={"send_outcome_unknown": True})
    report = seen(
        [], NOON + timedelta(seconds=600), remembered(first), status_v3={"send_outcome_unknown": None}
    )
    assert named(report) == ["critical send_outcome_unknown", "warning signal_lost:severe_signals"]
    assert report.events[0].held


def test_a_line_that_names_no_order_is_told_as_such():
    assert named(seen([ago(30, "CRITICAL unknown fill received")])) == ["critical unknown_fill:unnamed"]


def test_a_flood_of_orders_is_told_as_twenty_and_the_others():
    lines = [ago(1000 - number, OUTCOME.format(number)) for number in range(500)]
    found = named_of(seen(lines), "send_outcome_unknown")
    assert len(found) == 21
    assert "critical send_outcome_unknown:0" in found
    assert "critical send_outcome_unknown:others" in found


# --- 10197 with harm -------------------------------------------------------------------------------------


def ten197(logs, count=1, **more):
    return named_of(seen(logs, status_v3={"market_data_10197_recent": count}, **more), "market_data_10197")


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(599, ["warning market_data_10197"], id="a conflict 599 s ago"),
        pytest.param(600, ["warning market_data_10197"], id="a conflict 600 s ago"),
        pytest.param(601, [], id="a conflict 601 s ago"),
    ],
)
def test_a_recent_session_conflict_is_harm(age, expected):
    assert ten197([ago(age, CLIENT_ID)]) == expected


def test_an_open_link_episode_is_harm_and_a_recovered_one_is_not():
    assert ten197([ago(60, LOST)]) == ["warning market_data_10197"]
    assert ten197([ago(60, LOST), ago(30, BACK)]) == []


def test_the_summary_names_the_harm():
    report = seen([ago(60, LOST), ago(50, CLIENT_ID)], status_v3={"market_data_10197_recent": 1})
    (found,) = [event for event in report.events if event.type == "market_data_10197"]
    assert "session_conflict and connectivity_lost" in found.summary


def test_an_isolated_10197_is_nothing():
    assert ten197([ago(30, "Error 10197, reqId 5: No market data during competing live session")]) == []


def test_it_is_held_where_the_logs_that_showed_the_harm_are_not_seen():
    status = {"market_data_10197_recent": 1}
    memory = remembered(seen([ago(60, LOST)], status_v3=status))
    report = seen(None, NOON + timedelta(seconds=300), memory, status_v3=status)
    assert "warning market_data_10197" in named(report)


LEAN_REJECTION = (
    "HandleError(): RequestId: {0} ErrorCode: 201 - Order rejected - reason:no funds",
    "OnMessage(): Warning - Code: 201 - Order rejected - reason:no funds. Origin: [Id={0}] IBPlaceOrder: MNQ",
    "OrderEvent(): OrderID: 7 Message: 201 - Order rejected - reason:no funds. BrokerId: {0}",
)


@pytest.mark.parametrize(
    ("orders", "expected"), [((52,), []), ((52, 54, 56), ["critical orders_rejected"])], ids=["one", "three"]
)
def test_an_order_whose_rejection_stands_in_three_lines_is_one(orders, expected):
    """The request that a rejection answers is the order's own number."""
    lines = [ago(600 - order, line.format(order)) for order in orders for line in LEAN_REJECTION]
    assert named_of(seen(lines), "orders_rejected") == expected


@pytest.mark.parametrize(("apart", "expected"), [(60, ["critical orders_rejected"]), (1, [])])
def test_the_same_words_without_an_order_are_one_rejection_a_minute(apart, expected):
    text = "IBKR error 201: Order rejected - Margin requirement not met."
    lines = [ago(240 - apart * number, text) for number in range(3)]
    assert named_of(seen(lines), "orders_rejected") == expected


@pytest.mark.parametrize(
    ("at", "fires"),
    [
        pytest.param("2026-06-02T14:59:00Z", True, id="as the log said it"),
        pytest.param("2026-06-02T14:59:01Z", False, id="after it"),
        pytest.param(None, True, id="at an unknown time"),
    ],
)
def test_trading_is_blocked_until_the_broker_executes_an_order(at, fires):
    row = {"exec_id": "e1", "symbol": "SPY", "sec_type": "STK", "side": "BOT", "quantity": 1, "at": at}
    section = {"connected": True, "executions": [row]}
    line = "Error 321, reqId 91: The API interface is currently in Read-Only mode."
    found = named_of(seen([ago(60, line)], broker=section), "trading_blocked")
    assert found == ["critical trading_blocked"] * fires


PACING = "Error 162, reqId 1: Historical Market Data Service error message: Pacing violation"
REJECTED = "Error 201, reqId {}: Order rejected - reason:Margin requirement increase"


@pytest.mark.parametrize(
    ("name", "line", "count", "apart"),
    [
        pytest.param("throttled", PACING, 3, 3000, id="throttled"),
        pytest.param("severe_log_burst", CRITICAL_LINE, 5, 3000, id="severe_log_burst"),
        pytest.param("orders_rejected", REJECTED, 3, 10_000, id="orders_rejected"),
    ],
)
def test_of_two_bursts_that_are_news_the_newest_is_told(name, line, count, apart):
    """The older one is news to a run that looks again after hours."""
    later = NOON + timedelta(hours=4)
    memory = remembered(seen([ago(30, "INFO scan done")]))
    lines = [
        ago(90 - 10 * step + age, line.format(age + step), later)
        for age in (apart, 0)
        for step in range(count)
    ]
    sentence = summary(seen(lines, later, memory), name)
    assert "2026-06-02 18:58:30 UTC" in sentence
