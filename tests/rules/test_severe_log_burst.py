"""`severe_log_burst`: five severe lines within 600 s, none of them benign, another rule's or of a start."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.log_lines import CRITICAL_LINE, NOON, ago, event, named_of, seen, told_of
from tests.support.snapshots import remembered, settings_of

BURST = ["critical severe_log_burst"]
TRACEBACK = (
    'Traceback (most recent call last):\n  File "loop.py", line 4, in run\n    step()\nValueError: no price'
)


def severe(count, every=10, last=30, line=CRITICAL_LINE):
    """That many lines, the last one `last` seconds ago."""
    return [ago(last + every * step, line.format(step)) for step in reversed(range(count))]


def burst(report):
    return named_of(report, "severe_log_burst")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(4, [], id="4 lines"),
        pytest.param(5, BURST, id="5 lines"),
        pytest.param(6, BURST, id="6 lines"),
    ],
)
def test_five_make_a_burst(count, expected):
    assert burst(seen(severe(count))) == expected


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param(599, BURST, id="over 599 s"),
        pytest.param(600, BURST, id="over 600 s"),
        pytest.param(601, [], id="over 601 s"),
    ],
)
def test_they_must_lie_within_600_seconds_first_to_last(spans, expected):
    lines = [ago(30 + spans, CRITICAL_LINE.format(0)), *severe(4, every=10)]
    assert burst(seen(lines)) == expected


def test_the_limit_is_a_setting():
    assert burst(seen(severe(3), settings=settings_of({"SEVERE_LOG_CRITICAL": "3"}))) == BURST


@pytest.mark.parametrize("level", ["FATAL", "CRITICAL", "SEVERE"])
def test_the_levels_that_count(level):
    assert burst(seen(severe(5, line=f"{level} engine: {{}}"))) == BURST


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("ERROR trader: cycle {} failed", id="an error"),
        pytest.param("WARNING trader: slow {}", id="a warning"),
        pytest.param("INFO limit CRITICAL is {}", id="a word in a message"),
        pytest.param("CRITICAL Error 202, reqId {}: Order Canceled - reason:", id="a normal cancel"),
        pytest.param(
            "CRITICAL Error 2104, reqId -1: Market data farm connection is OK:farm{}",
            id="a farm that is well",
        ),
        pytest.param(
            "CRITICAL Error 10197, reqId {}: No market data during competing live session", id="10197"
        ),
    ],
)
def test_what_does_not_count(line):
    assert seen(severe(40, every=1, line=line)).events == ()


def test_forty_normal_cancels_in_a_burst_are_nothing():
    lines = severe(40, every=0.2, line="ib_async.wrapper ERROR Error 202, reqId {}: Order Canceled - reason:")
    assert seen(lines).events == ()


def test_a_code_that_is_not_benign_counts():
    assert burst(seen(severe(5, line="CRITICAL Error 322, reqId {}: Error processing request"))) == BURST


def test_a_traceback_counts_once_however_long():
    assert burst(seen([ago(60 - 10 * step, TRACEBACK) for step in range(4)])) == []
    assert burst(seen([ago(60 - 10 * step, TRACEBACK) for step in range(5)])) == BURST


GROUP = """  + Exception Group Traceback (most recent call last):
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    | ValueError: boom
    +------------------------------------"""


def test_a_group_of_exceptions_counts_once():
    assert burst(seen([ago(60 - 10 * step, GROUP) for step in range(4)])) == []
    assert burst(seen([ago(60 - 10 * step, GROUP) for step in range(5)])) == BURST


def test_a_traceback_over_several_events_counts_once():
    def crash(age):
        return [ago(age - 0.001 * number, line) for number, line in enumerate(TRACEBACK.splitlines())]

    assert burst(seen([line for step in range(4) for line in crash(60 - 10 * step)])) == []
    assert burst(seen([line for step in range(5) for line in crash(60 - 10 * step)])) == BURST


def test_a_traceback_that_a_level_introduces_does_not_count():
    lines = [ago(60 - 10 * step, f"2026-06-02 14:59:00 ERROR cycle failed\n{TRACEBACK}") for step in range(5)]
    assert seen(lines).events == ()
    apart = [
        line
        for step in range(5)
        for line in (ago(60 - 10 * step, "ERROR failed"), ago(60 - 10 * step, TRACEBACK))
    ]
    assert seen(apart).events == ()


def test_a_chained_traceback_is_one():
    chained = (
        f"{TRACEBACK}\n\nDuring handling of the above exception, another exception occurred:\n\n{TRACEBACK}"
    )
    assert burst(seen([ago(60 - 10 * step, chained) for step in range(4)])) == []


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(240, [], id="the first line 240 s after the start"),
        pytest.param(241, BURST, id="the first line 241 s after the start"),
    ],
)
def test_the_first_seconds_of_a_task_do_not_count(after, expected):
    start = NOON - timedelta(seconds=1000)
    task = {
        "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/aegis/0123456789abcdef",
        "group": "service:aegis-pt-core",
        "lastStatus": "RUNNING",
        "startedAt": start.isoformat(),
        "containers": [
            {"name": "lt-ibkr-trader", "lastStatus": "RUNNING"},
            {"name": "ibkr-gateway", "lastStatus": "RUNNING", "healthStatus": "HEALTHY"},
        ],
    }
    lines = [
        event(start + timedelta(seconds=after + step), CRITICAL_LINE.format(step)) for step in (0, 5, 6, 7, 8)
    ]
    assert burst(seen(lines, ecs={"tasks": [task]})) == expected


def test_a_start_is_remembered_when_ecs_is_not_seen():
    start = (NOON - timedelta(seconds=300)).isoformat()
    lines = severe(5, last=200)
    first: dict[str, Any] = {
        "ecs": {"tasks": [{"taskArn": "x/y", "startedAt": start, "lastStatus": "PENDING"}]}
    }
    memory = remembered(seen(lines, **first))
    assert burst(seen(lines, NOON + timedelta(seconds=300), memory, ecs=None)) == []
    assert burst(seen(lines, NOON + timedelta(seconds=300), None, ecs=None)) == BURST


def test_one_burst_is_told_once_while_it_goes_on():
    runs = [(NOON + timedelta(seconds=300 * run), severe(12, every=60, last=-300 * run)) for run in range(20)]
    told = told_of(runs)
    assert told[0] == ["new critical severe_log_burst"]
    assert not any(told[1:])


def test_another_after_a_calm_of_more_than_600_seconds_goes_on():
    later = NOON + timedelta(seconds=1200)
    runs = [(NOON, severe(5)), (later, severe(5, last=30 - 1200))]
    assert told_of(runs) == [["new critical severe_log_burst"], []]


def test_lines_that_are_listed_twice_count_once():
    lines = severe(4)
    assert burst(seen([*lines, lines[-1]])) == []


def test_lines_without_a_time_count_as_often_as_they_stand_there():
    assert burst(seen(["CRITICAL boom"] * 5)) == BURST
    assert burst(seen(["CRITICAL boom"] * 4)) == []


def test_it_never_escalates_by_itself():
    assert seen(severe(50)).decision.action == "notify"


def test_a_burst_that_goes_on_stays_listed():
    memory = None
    for run in range(20):
        now = NOON + timedelta(seconds=300 * run)
        report = seen(severe(12, every=60, last=-300 * run), now, memory)
        assert burst(report) == BURST, run
        memory = remembered(report)


def test_a_burst_may_be_spread_over_runs():
    runs = [
        (NOON + timedelta(seconds=60 * run), [ago(30 - 60 * run, CRITICAL_LINE.format(run))])
        for run in range(6)
    ]
    assert told_of(runs) == [[], [], [], [], ["new critical severe_log_burst"], []]
