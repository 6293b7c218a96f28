"""`reconcile_unproven`: a due proof that is late, and a newest line in the log by which positions differ."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.log_lines import BACK, NOON, PROOF, ago, named_of, seen, summary, told_over, window
from tests.support.snapshots import remembered, settings_of

OWED, DIFFER = ["warning reconcile_unproven"], ["critical reconcile_unproven"]
START = "lt_ibkr_trader INFO engine started mode=paper"


def unproven(report):
    return named_of(report, "reconcile_unproven")


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(1799, [], id="owed for 1799 s"),
        pytest.param(1800, [], id="owed for 1800 s"),
        pytest.param(1801, OWED, id="owed for 1801 s"),
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(START, id="a start"),
        pytest.param("INFO reconnected to IB Gateway", id="a reconnect"),
        pytest.param("INFO trade #162 closed pnl=12.5", id="a close"),
    ],
)
def test_a_proof_is_due_within_1800_seconds(line, age, expected):
    assert unproven(seen([ago(age, line), ago(5, "INFO scan done")])) == expected


def test_the_recovered_link_owes_one_too():
    assert unproven(seen([ago(1801, BACK)])) == OWED


def test_the_limit_is_a_setting():
    assert unproven(seen([ago(61, START)], settings=settings_of({"RECONCILE_PROOF_SEC": "60"}))) == OWED


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        pytest.param(ago(1000, PROOF), [], id="proven in time"),
        pytest.param(ago(10, PROOF), [], id="proven late"),
        pytest.param(ago(2001, PROOF), OWED, id="proven before it was owed"),
        pytest.param(ago(1000, "position reconciliation OK"), OWED, id="a line without counts"),
        pytest.param(
            ago(1000, "position reconciliation scheduled matched=1 internal_count=1 broker_count=1"),
            OWED,
            id="not OK",
        ),
    ],
)
def test_only_a_later_line_with_equal_counts_proves(proof, expected):
    assert unproven(seen(sorted([ago(2000, START), proof], key=lambda one: one["timestamp"]))) == expected


def test_a_later_proof_ends_it():
    runs = [(NOON, [ago(1900, START)])]
    runs += [(NOON + timedelta(minutes=minutes), [ago(-60, PROOF)]) for minutes in (10, 20)]
    assert told_over(runs) == [
        ["new warning reconcile_unproven"],
        [],
        ["resolved warning reconcile_unproven"],
    ]


def test_a_debt_is_remembered_over_runs():
    memory = remembered(seen([ago(30, START)]))
    later = NOON + timedelta(seconds=1800)
    assert unproven(seen(window([], NOON, later), later, memory)) == OWED


def test_a_proof_is_remembered_over_runs():
    memory = remembered(seen([ago(60, START), ago(30, PROOF)]))
    later = NOON + timedelta(seconds=3000)
    started: dict[str, Any] = {"status_v3": {"engine_started_at": (NOON - timedelta(seconds=60)).isoformat()}}
    assert unproven(seen(window([], NOON, later), later, memory, **started)) == []


# --- facts of the payloads owe one as well ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "expected"),
    [pytest.param(1800, [], id="1800 s"), pytest.param(1801, OWED, id="1801 s")],
)
@pytest.mark.parametrize("fact", ["engine_started_at", "closed_at"])
def test_the_engine_s_start_and_a_closed_trade_owe_one(fact, age, expected):
    at = (NOON - timedelta(seconds=age)).isoformat()
    status = (
        {"engine_started_at": at}
        if fact == "engine_started_at"
        else {"recent_trades": [{"trade_id": 1, "closed_at": at}]}
    )
    report = seen([ago(3000, "INFO scan done")], status_v3=status)
    assert unproven(report) == expected


def test_a_proof_of_the_very_second_of_the_start_is_its_proof():
    started: dict[str, Any] = {
        "status_v3": {"engine_started_at": (NOON - timedelta(seconds=2000)).isoformat()}
    }
    assert unproven(seen([ago(3000, "INFO scan done"), ago(2000, PROOF)], **started)) == []


# --- nothing is said of what was not seen ----------------------------------------------------------------


def test_nothing_fires_before_the_logs_cover_the_span():
    started: dict[str, Any] = {
        "status_v3": {"engine_started_at": (NOON - timedelta(seconds=3000)).isoformat()}
    }
    assert unproven(seen([ago(2000, "INFO scan done")], **started)) == []
    assert unproven(seen([ago(3000, "INFO scan done")], **started)) == OWED


def test_a_hole_in_the_logs_proves_nothing():
    memory = remembered(seen([ago(30, START)]))
    later = NOON + timedelta(seconds=3600)
    assert unproven(seen(window([], later - timedelta(seconds=60), later), later, memory)) == []


def test_a_cut_window_proves_nothing():
    cut = {"events": [ago(1900, START)], "truncated": True}
    assert unproven(seen(cut)) == []


def test_the_coverage_says_that_there_is_no_proof():
    def why(report):
        return next((one.state, one.why) for one in report.coverage if one.signal == "reconciliation")

    assert why(seen([ago(30, PROOF)])) == ("ok", "")
    assert why(seen([])) == ("not seen", "no proof of reconciliation was seen in the logs")
    assert why(seen(None)) == ("not seen", "logs not seen")


# --- positions that differ -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "position reconciliation OK matched=7 internal_count=8 broker_count=8",
        "position reconciliation OK matched=8 internal_count=9 broker_count=8",
        "position reconciliation OK matched=8 internal_count=8 broker_count=9",
        "missing broker positions: ['COIN']",
        "missing internal positions: ['COIN']",
    ],
)
def test_differing_positions_are_critical_about_money_and_escalate_at_once(line):
    report = seen([ago(30, line)])
    assert unproven(report) == DIFFER
    assert report.decision.action == "escalate"
    assert report.conditions["reconcile_unproven:aegis-pt-core"].money
    assert "differ" in summary(report, "reconcile_unproven")


def test_the_newest_line_decides():
    differs = "position reconciliation OK matched=7 internal_count=8 broker_count=8"
    assert unproven(seen([ago(60, differs), ago(30, PROOF)])) == []
    assert unproven(seen([ago(60, PROOF), ago(30, differs)])) == DIFFER


def test_it_decides_at_any_hour_and_until_a_newer_line():
    night = NOON + timedelta(hours=12)
    memory = remembered(seen([ago(30, "missing broker positions: ['COIN']")]))
    assert unproven(seen([], night, memory)) == DIFFER
    proven = seen([ago(30, PROOF, night)], night, memory)
    assert unproven(proven) == []
