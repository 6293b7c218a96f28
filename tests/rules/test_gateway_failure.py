"""`gateway_failure`: said outright it fires at once; connecting in vain, the third time within 900 s."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.log_lines import (
    NOON,
    READY,
    REFUSED,
    ago,
    document,
    event,
    named_of,
    seen,
    summary,
    told_of,
)
from tests.support.snapshots import evaluated, remembered

FAILED = ["critical gateway_failure"]


def failed(report):
    return named_of(report, "gateway_failure")


@pytest.mark.parametrize(
    "line",
    [
        *(
            pytest.param(f"IBC: Exiting after error with exit code={code}", id=f"IBC {code}")
            for code in range(1100, 1113)
        ),
        *(
            pytest.param(f"IBC returned exit status {code % 256}", id=f"{code} mod 256")
            for code in range(1100, 1113)
        ),
        pytest.param("IBC: detected dialog entitled: Login failed; event=Opened", id="login failed"),
        pytest.param("IBC: Second Factor Authentication timed out", id="second factor timed out"),
    ],
)
def test_what_is_said_outright_fires_at_once(line):
    assert failed(seen([ago(30, line)])) == FAILED


@pytest.mark.parametrize("code", [1100, 1101, 1102])
def test_exit_codes_of_ibc_are_no_codes_of_tws(code):
    report = seen([ago(30, f"IBC: Exiting after error with exit code={code}")])
    assert [event.type for event in report.events] == ["gateway_failure"]


@pytest.mark.parametrize(
    "line",
    [
        "IBC returned exit status 0",
        "IBC returned exit status 143",
        "IBC: Exiting with exit code=0",
        "container exited with exit code 1102",
        "IBC: Second Factor Authentication initiated",
        "IBC: If login has not completed, IBC will exit in 60 seconds",
        "Error 504, reqId -1: Not connected",
    ],
)
def test_these_lines_are_no_failure(line):
    assert seen([ago(60 - step, line) for step in range(5)]).events == ()


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(2, [], id="2 times"),
        pytest.param(3, FAILED, id="3 times"),
        pytest.param(4, FAILED, id="4 times"),
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(REFUSED, id="refused"),
        pytest.param("API connection failed: TimeoutError()", id="timeout on connecting"),
        pytest.param("Error 502, reqId -1: Couldn't connect to TWS.", id="502"),
        pytest.param("socat[90] E connect(5, AF=2 127.0.0.1:4002, 16): Connection refused", id="socat"),
    ],
)
def test_connecting_in_vain_fires_the_third_time(line, count, expected):
    assert failed(seen([ago(30 + 60 * step, line) for step in reversed(range(count))])) == expected


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param(899, FAILED, id="over 899 s"),
        pytest.param(900, FAILED, id="over 900 s"),
        pytest.param(901, [], id="over 901 s"),
    ],
)
def test_the_three_must_lie_within_900_seconds(spans, expected):
    assert failed(seen([ago(30 + spans, REFUSED), ago(60, REFUSED), ago(30, REFUSED)])) == expected


def test_a_success_between_begins_the_count_anew():
    assert failed(seen([ago(90, REFUSED), ago(60, REFUSED), ago(45, READY), ago(30, REFUSED)])) == []
    assert failed(seen([ago(120, READY), ago(90, REFUSED), ago(60, REFUSED), ago(30, REFUSED)])) == FAILED


def test_two_lines_of_one_attempt_are_one():
    tail = "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 4002)"
    lines = [line for age in (60, 30) for line in (ago(age, REFUSED), ago(age, tail))]
    assert failed(seen(lines)) == []


def test_a_socket_of_something_else_is_not_the_gateway():
    redis = "ERROR cache: Error 111 connecting to localhost:6379. Connection refused."
    assert seen([ago(90 - 30 * step, redis) for step in range(3)]).events == ()


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        pytest.param(240, [], id="240 s before the last"),
        pytest.param(241, FAILED, id="241 s before the first"),
    ],
)
def test_the_start_of_the_engine_is_let_off(started, expected):
    """Three attempts in the same second are three, unless the engine started just before."""
    engine: dict[str, Any] = {
        "status_v3": {"engine_started_at": (NOON - timedelta(seconds=started + 28)).isoformat()}
    }
    lines = [ago(28, REFUSED) | {"eventId": "1"}, ago(28, f"{REFUSED} 2"), ago(28, f"{REFUSED} 3")]
    assert failed(seen(lines, **engine)) == expected


def test_an_error_exit_is_not_let_off_at_a_start():
    engine: dict[str, Any] = {"status_v3": {"engine_started_at": (NOON - timedelta(seconds=60)).isoformat()}}
    assert failed(seen([ago(30, "IBC returned exit status 78")], **engine)) == FAILED


@pytest.mark.parametrize(
    ("age", "action"),
    [
        pytest.param(479, "notify", id="479 s"),
        pytest.param(480, "escalate", id="480 s"),
        pytest.param(481, "escalate", id="481 s"),
    ],
)
def test_it_escalates_once_it_lasted(age, action):
    assert seen([ago(age, "IBC returned exit status 78")]).decision.action == action


def test_what_ended_does_not_escalate():
    report = seen([ago(600, "IBC returned exit status 78"), ago(500, "IBC: Login has completed")])
    assert failed(report) == FAILED
    assert report.decision.action == "notify"
    assert "until a success" in summary(report, "gateway_failure")


def test_what_fails_again_and_again_is_told_once():
    later = NOON + timedelta(seconds=600)
    runs = [
        (NOON, [ago(30, "IBC returned exit status 78")]),
        (later, [ago(-300, "IBC returned exit status 78")]),
    ]
    assert told_of(runs) == [["new critical gateway_failure"], ["escalated critical gateway_failure"]]


def test_what_fails_soon_after_a_success_is_the_same_failure():
    later = NOON + timedelta(seconds=600)
    after = [ago(-100, "IBC: Login has completed"), ago(-300, "IBC returned exit status 78")]
    assert told_of([(NOON, [ago(30, "IBC returned exit status 78")]), (later, after)]) == [
        ["new critical gateway_failure"],
        [],
    ]


def test_three_attempts_may_be_spread_over_runs():
    runs = [(NOON + timedelta(seconds=300 * run), [ago(30 - 300 * run, REFUSED)]) for run in range(4)]
    assert told_of(runs) == [[], [], ["new critical gateway_failure"], []]


def test_a_spell_without_a_success_stays_listed_beyond_its_look_back():
    """Of a spell that nothing ended, silence ends nothing; a success does."""
    report = seen([ago(30 + 60 * step, REFUSED) for step in range(3)], status_v3={"broker_connected": None})
    now = NOON
    for hours in (1, 3, 12):
        now = NOON + timedelta(hours=hours)
        report = evaluated(document([], now, status_v3={"broker_connected": None}), remembered(report))
        assert failed(report) == FAILED
    later = now + timedelta(minutes=10)
    report = seen([ago(60, READY, later)], later, remembered(report), status_v3={"broker_connected": None})
    later += timedelta(hours=2)
    report = evaluated(document([], later, status_v3={"broker_connected": None}), remembered(report))
    assert failed(report) == []


def test_of_two_failures_the_newest_is_told():
    failure = "IBC returned exit status 78"
    report = seen([ago(600, failure), ago(500, "IBC: Login has completed"), ago(30, failure)])
    assert "The gateway failed at 2026-06-02 14:59:30 UTC" in summary(report, "gateway_failure")


def test_a_failure_that_no_line_repeats_is_forgotten_after_a_week():
    unknown: dict[str, Any] = {"status_v3": {"broker_connected": None}}
    failed_at = NOON - timedelta(seconds=30)
    memory = remembered(seen([event(failed_at, "IBC returned exit status 78")], **unknown))
    for over, expected in ((timedelta(0), FAILED), (timedelta(seconds=1), [])):
        now = failed_at + timedelta(days=7) + over
        outcome = evaluated(document([], now, **unknown), memory)
        assert [one for one in failed(outcome) if not outcome.events[0].held] == expected
