"""The gate on written mornings and incidents.

Hours, a question or a no, the pinned exposure, the founding days.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.domain.gate_report import AFTER, BEFORE, OPEN, UNPROVEN, YES
from detector.gate.check import GateAnswers
from detector.render.gate import render_gate_message
from detector.settings import DISPLAY_ZONES
from tests.support.gate_runs import (
    ANSWERS,
    MORNING,
    SPY,
    answer_of,
    evidence_of,
    gate,
    morning_at,
)
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import DEFAULTS, settings_of
from tools.incidents import documented_times, every, incident, seen

LATER = MORNING + timedelta(minutes=10)
ZONES = DEFAULTS[DISPLAY_ZONES]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- the calendar ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "answer", "part"),
    [
        ("2026-06-02T12:45", "yes", "it closes at 2026-06-02 20:00:00 UTC"),
        ("2026-11-27T13:45", "yes", "HALF DAY, it closes at 2026-11-27 18:00:00 UTC"),
        ("2026-07-03T12:45", "no", "no session within 12 h: the next opens at 2026-07-06 13:30:00 UTC"),
        ("2026-12-25T13:45", "no", "no session within 12 h"),
        ("2026-06-06T12:45", "no", "no session within 12 h"),
        ("2026-03-09T12:45", "yes", "it opens at 2026-03-09 13:30:00 UTC"),
        ("2026-11-02T13:45", "yes", "it opens at 2026-11-02 14:30:00 UTC"),
        ("2091-06-01T12:45", "not proven", "2091"),
    ],
    ids=[
        "a day",
        "a half day",
        "a holiday",
        "Christmas",
        "Saturday",
        "DST Monday",
        "winter Monday",
        "no table",
    ],
)
def test_open_knows_the_session_or_does_not_pass(at, answer, part):
    report = gate(OPEN, morning_at(utc(at)))
    assert answer_of(report, "session") == answer
    assert part in evidence_of(report, "session")
    assert (report.verdict == "pass") is (answer == "yes")


@pytest.mark.parametrize("monday", ["2026-03-09T12:45", "2026-11-02T13:45", "2026-06-01T12:45"])
def test_a_sunday_restart_that_never_came_back_is_no_go(monday):
    at = utc(monday)
    dead = {
        "status_v3": {
            "heartbeat_at": (at - timedelta(hours=30)).isoformat(),
            "broker_connected": False,
            "connection_error": "API connection failed: TimeoutError()",
        }
    }
    report = gate(OPEN, morning_at(at, dead))
    assert report.verdict == "fail"
    assert answer_of(report, "heartbeat") == answer_of(report, "broker_link") == "no"


def test_a_planned_restart_before_the_close_ends_the_login():
    settings = settings_of({"RESTART_AT": "12:00 America/New_York"})
    report = gate(OPEN, morning_at(), settings)
    assert answer_of(report, "login") == "no"


# --- a question, or a no --------------------------------------------------------------------------------


def pending(seconds: float, kind: str = "entry") -> dict[str, Any]:
    order = {
        "order_id": 41, "symbol": "COIN", "kind": kind, "side": "BUY", "quantity": 10, "filled": 0,
        "status": "Submitted", "submitted_at": (MORNING - timedelta(seconds=seconds)).isoformat(),
    }  # fmt: skip
    return {"status_v3": {"pending_orders": 1, "orders": [order]}}


@pytest.mark.parametrize(
    ("patch", "accepted", "answer"),
    [
        (pending(60), None, "not proven"),
        (pending(60), "the owner, 08:44 ET", "yes"),
        (pending(300), "the owner, 08:44 ET", "yes"),
        (pending(301), "the owner, 08:44 ET", "no"),
        (pending(60, "exit"), "the owner, 08:44 ET", "no"),
        ({"status_v3": {"pending_orders": 1}}, "the owner, 08:44 ET", "not proven"),
        ({"status_v3": {"pending_orders": 2}}, "the owner, 08:44 ET", "no"),
    ],
    ids=["a question", "accepted", "at the limit", "stale", "an exit", "nothing lists it", "two"],
)
def test_one_entry_order_of_normal_age_is_a_question_and_an_exit_is_a_no(patch, accepted, answer):
    answers = GateAnswers("owner", "quiet", accepted)
    report = gate(BEFORE, morning_at(MORNING, patch), answers=answers)
    assert answer_of(report, "pending_orders") == answer
    assert (report.verdict == "pass") is (answer == "yes")


@pytest.mark.parametrize("stage", [BEFORE, OPEN])
def test_the_broker_s_lists_are_no_yes_where_nothing_says_when_they_were_read(stage):
    report = gate(stage, morning_at(patch={"broker": {"as_of": None}}))
    lines = [line for line in report.lines if "no known age" in line.evidence]
    assert {line.answer for line in lines} == {UNPROVEN}
    assert report.verdict == "cannot tell"
    assert [line.answer for line in gate(stage, morning_at()).lines] == [YES] * len(report.lines)


def test_a_stop_that_rests_at_the_broker_is_no_exit_at_work():
    assert answer_of(gate(BEFORE, morning_at()), "exits_at_work") == "yes"


# --- what before pinned ---------------------------------------------------------------------------------

FILL = {
    **SPY, "exec_id": "0001.01", "perm_id": 91, "order_id": 9, "account": "DU1234567", "side": "SELL",
    "quantity": 10, "price": 600, "at": (LATER - timedelta(minutes=5)).isoformat(),
}  # fmt: skip
HELD = {"positions": [{**SPY, "account": "DU1234567", "quantity": 90}]}
RUNTIME = {"open_positions": [{**SPY, "quantity": 90, "tags": []}]}


def after(patch: dict[str, Any], answers: GateAnswers = ANSWERS) -> Any:
    return gate(AFTER, morning_at(LATER, patch), answers=answers)


@pytest.mark.parametrize(
    ("patch", "part"),
    [
        ({"broker": HELD}, "position SPY"),
        ({"broker": {"positions": []}}, "position SPY"),
        ({"broker": {"open_orders": []}}, "no longer works"),
        ({"broker": {**HELD, "executions": [{**FILL, "quantity": 20}]}}, "position SPY"),
        ({"broker": {"executions": [FILL]}}, "execution 0001.01"),
        ({"status_v3": {"max_exit_attempt_count": 3}}, "max_exit_attempt_count was 0 and is 3"),
        ({"status_v3": {"open_position_count": 2}}, "open_position_count was 1 and is 2"),
        (
            {"status_v3": {"open_positions": [{**SPY, "quantity": 100, "tags": ["reconcile-import-1"]}]}},
            "imported",
        ),
        (
            {"status_v3": {"recent_trades": [{"trade_id": "t1", "symbol": "SPY", "pnl_unknown": True}]}},
            "unknown P&L",
        ),
    ],
    ids=["less held", "flat", "a stop gone", "another quantity", "a fill", "exit attempts", "a count", "an import",
         "an unknown exit"],
)  # fmt: skip
def test_an_unexplained_change_fails(patch, part):
    report = after(patch)
    assert answer_of(report, "unchanged") == "no"
    assert part in evidence_of(report, "unchanged")


def test_executions_that_make_exactly_the_change_explain_it_and_the_stop_too_large_is_told():
    trades = {
        "recent_trades": [{"trade_id": "t", "symbol": "SPY", "exit_exec_id": "0001.01", "realized_pnl": 5.0}]
    }
    filled = {"broker": {**HELD, "executions": [FILL]}, "status_v3": {**RUNTIME, **trades}}
    report = after(filled)
    assert answer_of(report, "unchanged") == "no"  # the runtime's own row has no execution of its own
    subject = "runtime position SPY conid 756733"
    explained = GateAnswers(scan_cycles=2, explained={subject: "t closed 10 of it"})
    assert answer_of(after(filled, explained), "unchanged") == "yes"


def test_an_explanation_of_no_change_is_not_taken():
    report = after({}, GateAnswers(scan_cycles=2, explained={"counter x": "y"}))
    assert answer_of(report, "unchanged") == "not proven"


def test_what_before_read_and_after_did_not_is_not_proven():
    report = after({"broker": {"executions": None}})
    assert answer_of(report, "unchanged") == "not proven"
    assert "broker_executions" in evidence_of(report, "unchanged")


def test_after_without_before_cannot_tell():
    report = gate(AFTER, morning_at(LATER), before=None)
    assert report.verdict == "cannot tell"


def test_after_a_before_that_did_not_pass_fails():
    failed = gate(BEFORE, morning_at(MORNING, {"status_v3": {"stuck_exits": 1}}))
    assert answer_of(gate(AFTER, morning_at(LATER), before=failed), "before_passed") == "no"


# --- a runtime on a machine of its own ------------------------------------------------------------------


def test_where_the_runtime_has_no_service_its_processes_stand_in_its_place():
    settings = settings_of({"SIGNALS_OFF": "runtime_primary,gateway,standby_guard"})
    process = {
        "name": "bot",
        "running": True,
        "pid": 1,
        "started_at": (MORNING - timedelta(hours=1)).isoformat(),
    }
    box = apply_patch(morning_at(), {"ecs": None, "containers": None, "processes": [process]})
    report = gate(BEFORE, box, settings)
    assert report.verdict == "pass", report.lines
    assert report.omitted == ("exactly one runtime task", "the standby is at rest")
    for wrong in ([{**process, "running": False}], [process, {**process, "pid": 2}], [], None):
        assert gate(BEFORE, apply_patch(box, {"processes": wrong}), settings).verdict != "pass"


# --- the founding days ----------------------------------------------------------------------------------

BASELINE = incident("2026-06-01-recovery-baseline")
STATED = GateAnswers("the owner", "agreed", "the owner accepts it", 2)


def baseline(stage: Any, at: str, **more: Any) -> Any:
    document = seen(BASELINE, BASELINE.lane("remote"), utc(at))
    assert document is not None
    return gate(stage, document, BASELINE.settings, answers=more.pop("answers", STATED), **more)


@pytest.mark.parametrize(
    ("at", "verdict"),
    [
        ("2026-06-01T13:25", "pass"),  # before the open
        ("2026-06-01T13:38", "fail"),  # the disconnect
        ("2026-06-01T13:39", "fail"),  # between two tasks
        ("2026-06-01T13:45", "pass"),  # recovered
        ("2026-06-01T15:30", "pass"),  # one entry order, which the owner accepts
        ("2026-06-01T15:45", "pass"),
    ],
)
def test_before_passes_on_the_baseline_where_the_runbook_would(at, verdict):
    assert baseline(BEFORE, at).verdict == verdict


def test_before_does_not_pass_on_a_close_whose_proof_is_still_due():
    assert baseline(BEFORE, "2026-06-01T14:45").verdict == "cannot tell"


def test_after_passes_on_the_baseline_s_replaced_task_and_after_its_close():
    opened = baseline(BEFORE, "2026-06-01T13:25")
    assert baseline(AFTER, "2026-06-01T13:50", before=opened).verdict == "pass"
    assert baseline(AFTER, "2026-06-01T13:38", before=opened).verdict == "fail"
    traded = baseline(BEFORE, "2026-06-01T14:30")
    assert (
        baseline(AFTER, "2026-06-01T15:00", before=traded).verdict == "pass"
    )  # COIN closed with a known P&L
    assert baseline(AFTER, "2026-06-01T15:00", before=traded, answers=GateAnswers()).verdict == "cannot tell"


def test_the_founding_outages_never_pass():
    for name in ("2026-05-06-power-outage", "2025-09-15-connection-outage"):
        outage = incident(name)
        for lane in outage.lanes:
            for at in (*documented_times(outage), *every(outage, 30)):
                document = seen(outage, lane, at)
                for stage in (BEFORE, OPEN) if document is not None else ():
                    report = gate(stage, document or {}, outage.settings, answers=STATED)
                    assert report.verdict != "pass", (name, at, stage)


# --- the message ----------------------------------------------------------------------------------------


def test_the_message_before_the_open_is_one_screen_of_a_phone():
    worst = gate(OPEN, {"taken_at": MORNING.isoformat()})
    lines = list(render_gate_message(worst, ZONES))
    assert len("\n".join(lines)) <= 900  # some 20 lines of 45 characters
    assert lines[0].startswith("NO-GO before the open:") or lines[0].startswith(
        "CANNOT TELL before the open:"
    )
    good = list(render_gate_message(gate(OPEN, morning_at()), ZONES))
    assert good == [
        "GO before the open: 0 no, 0 not proven, 28 yes",
        "Opens 2026-06-02 13:30 UTC, 09:30 EDT, 22:30 JST for 6 h 30 min",
    ]
