"""`process_restart_loop` of the gateway, whose starts are seen in the logs only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.log_lines import NOON, ago, named_of, seen, told_of

LOOP = ["critical process_restart_loop:gateway"]
START = "IBC: Starting session: will exit if login dialog is not displayed within 60 seconds"


@pytest.mark.parametrize(
    "line",
    [
        START,
        ".> Starting IBC in live mode, with params:",
        "Starting IB Gateway with IBC",
        "2026-06-02 14:00:00,001 INFO spawned: 'ibgateway' with pid 12",
        "systemd[1]: Started IB Gateway.",
        "Gateway process not found, starting new Gateway process",
        "WARN watchdog: restarting the gateway",
    ],
)
@pytest.mark.parametrize(("count", "expected"), [(2, []), (3, LOOP), (4, LOOP)])
def test_the_third_start_within_an_hour_is_a_loop(line, count, expected):
    report = seen([ago(30 + 600 * step, line) for step in range(count)])
    assert named_of(report, "process_restart_loop") == expected


@pytest.mark.parametrize(
    "line",
    [
        "IBC: Auto restart time set to 11:45 PM",
        "If the gateway was restarted, log in again",
        "Waiting for IB Gateway to be started",
        "Starting TWS data feed handler",
        "api gateway started on port 8080",
        "session started",
    ],
)
def test_other_lines_on_starts_are_none(line):
    assert named_of(seen([ago(30 + 600 * step, line) for step in range(4)]), "process_restart_loop") == []


@pytest.mark.parametrize(("apart", "expected"), [(60, []), (61, LOOP)])
def test_lines_of_one_start_are_one(apart, expected):
    report = seen([ago(600 - apart * step, START) for step in range(3)])
    assert named_of(report, "process_restart_loop") == expected


@pytest.mark.parametrize(("oldest", "expected"), [(3600, LOOP), (3601, [])])
def test_the_three_lie_within_the_window(oldest, expected):
    report = seen([ago(age, START) for age in (oldest, 1800, 30)])
    assert named_of(report, "process_restart_loop") == expected


def test_the_three_may_be_spread_over_runs():
    runs = [(NOON + timedelta(seconds=900 * run), [ago(30 - 900 * run, START)]) for run in range(4)]
    assert told_of(runs)[:3] == [[], [], ["new critical process_restart_loop:gateway"]]
