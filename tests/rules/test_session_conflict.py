"""`session_conflict`: another session or client in this one's place; those within a minute are one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.log_lines import CLIENT_ID, NIGHT, NOON, ago, named_of, seen, summary, told_of

CONFLICT = ["critical session_conflict"]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            "IBC: detected dialog entitled: Existing session detected; event=Opened", id="the dialog"
        ),
        pytest.param(CLIENT_ID, id="326"),
        pytest.param(
            "ib_insync.client ERROR Peer closed connection. clientId 17 already in use?", id="without a code"
        ),
        pytest.param(
            "Error 162, reqId 5: Historical Market Data Service error message:"
            "Trading TWS session is connected from a different IP address",
            id="162 from a different address",
        ),
        pytest.param(
            "Error 10189, reqId 5: Failed to request tick-by-tick data.Trading TWS session is"
            " connected from a different IP address",
            id="10189 from a different address",
        ),
    ],
)
def test_it_is_critical_at_once(line):
    report = seen([ago(30, line)])
    assert named_of(report, "session_conflict") == CONFLICT
    assert report.decision.action == "notify"
    assert "times within an hour" not in summary(report, "session_conflict")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Error 162, reqId 5: HMDS query returned no data", id="162 without data"),
        pytest.param("Error 162, reqId 5: Historical data request pacing violation", id="162 about pacing"),
        pytest.param(
            "Error 10189, reqId 5: No market data permissions for NYSE STK", id="10189 about permissions"
        ),
        pytest.param("No Existing session detected, 1100/1101/1102", id="a check that found none"),
        pytest.param("ExistingSessionDetectedAction=primary", id="a setting"),
    ],
)
def test_the_same_codes_and_words_with_another_meaning_are_none(line):
    assert named_of(seen([ago(30, line)]), "session_conflict") == []


@pytest.mark.parametrize(
    ("apart", "occurrences"),
    [
        pytest.param(59, 1, id="59 s apart are one"),
        pytest.param(60, 1, id="60 s apart are one"),
        pytest.param(61, 2, id="61 s apart are two"),
    ],
)
def test_a_burst_within_a_minute_is_one(apart, occurrences):
    (found,) = seen([ago(200, CLIENT_ID), ago(200 - apart, CLIENT_ID)]).events
    assert found.observed == occurrences


def test_three_client_id_conflicts_within_a_minute_are_one():
    later = NOON + timedelta(seconds=600)
    lines = [ago(50, CLIENT_ID), ago(20, CLIENT_ID), ago(1, CLIENT_ID)]
    assert told_of([(NOON, lines), (later, lines)]) == [["new critical session_conflict"], []]


def test_a_burst_is_measured_from_its_first_line():
    """Lines 40 s apart, the third 80 s after the first: two occurrences."""
    (found,) = seen([ago(100, CLIENT_ID), ago(60, CLIENT_ID), ago(20, CLIENT_ID)]).events
    assert found.observed == 2


@pytest.mark.parametrize(
    ("apart", "action"),
    [
        pytest.param(3599, "escalate", id="3599 s apart"),
        pytest.param(3600, "escalate", id="3600 s apart"),
        pytest.param(3601, "notify", id="3601 s apart"),
    ],
)
def test_the_second_within_an_hour_escalates(apart, action):
    report = seen([ago(apart + 10, CLIENT_ID), ago(10, CLIENT_ID)])
    assert report.decision.action == action


def test_the_second_escalates_and_says_how_many():
    later = NOON + timedelta(seconds=600)
    assert told_of([(NOON, [ago(30, CLIENT_ID)]), (later, [ago(-300, CLIENT_ID)])]) == [
        ["new critical session_conflict"],
        ["escalated critical session_conflict"],
    ]
    assert "2 times within an hour" in summary(
        seen([ago(300, CLIENT_ID), ago(30, CLIENT_ID)]), "session_conflict"
    )


@pytest.mark.parametrize(
    ("age", "expected"),
    [pytest.param(3600, CONFLICT, id="3600 s old"), pytest.param(3601, [], id="3601 s old")],
)
def test_it_leaves_the_list_after_its_look_back(age, expected):
    assert named_of(seen([ago(age, CLIENT_ID)]), "session_conflict") == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(10, [], id="10 s after the disclaimer"),
        pytest.param(11, CONFLICT, id="11 s after the disclaimer"),
    ],
)
def test_a_client_asks_in_vain_after_a_refused_disclaimer(after, expected):
    """Facts §2: 10141 at the start of a paper gateway is often followed by a misleading question."""
    disclaimer = "Error 10141, reqId -1: Paper trading disclaimer must first be accepted for API connection."
    asks = "ib_insync.client ERROR Peer closed connection. clientId 17 already in use?"
    assert named_of(seen([ago(100, disclaimer), ago(100 - after, asks)]), "session_conflict") == expected
    assert named_of(seen([ago(100, disclaimer), ago(95, CLIENT_ID)]), "session_conflict") == CONFLICT


WINDOW_ENDS = NIGHT + timedelta(hours=2, minutes=10)  # 02:00 in New York, and 600 s


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(NIGHT, "warning session_conflict", id="in the window"),
        pytest.param(WINDOW_ENDS + timedelta(minutes=10), "critical session_conflict", id="after it"),
    ],
)
def test_a_client_that_meets_its_own_old_session_in_the_reset_window(now, expected):
    report = seen([ago(seconds, CLIENT_ID, now) for seconds in (400, 30)], now)
    assert named_of(report, "session_conflict") == [expected]
    assert (report.decision.action == "escalate") == (expected.startswith("critical"))


def test_a_conflict_of_the_window_that_outlives_it_is_critical():
    later = WINDOW_ENDS + timedelta(minutes=10)
    runs = [(NIGHT, [ago(30, CLIENT_ID, NIGHT)]), (later, [ago(60, CLIENT_ID, later)])]
    assert told_of(runs)[1] == ["worse critical session_conflict"]
