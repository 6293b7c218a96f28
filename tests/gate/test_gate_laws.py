"""The laws of the gate, generated from its declarations: what was not seen, or is wrong, never passes."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from itertools import combinations
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.gate_report import AFTER, BEFORE, OPEN, YES
from detector.domain.report import ChannelHealth
from detector.domain.rule import PAST_GRACE, RTH
from detector.engine.catalog import load_rules
from detector.gate.check import GateAnswers, GateCheck, GateContext
from detector.gate.check_list import CHECKS
from detector.gate.run_checks import run_check
from tests.support.gate_runs import (
    ANSWERS,
    CHANNEL,
    MORNING,
    SPY,
    answer_of,
    context_of,
    gate,
    gate_of,
    gate_report,
    morning_at,
    with_facts,
)
from tests.support.merge_patch import apply_patch

STAGES = (BEFORE, AFTER, OPEN)
CASES = [pytest.param(stage, check, id=f"{stage}-{check.name}") for check in CHECKS for stage in check.stages]
MS = int(MORNING.timestamp() * 1000)


def line(message: str, seconds_ago: float = 120) -> dict[str, Any]:
    return {"timestamp": MS - int(seconds_ago * 1000), "message": message}


def logs(*messages: str) -> dict[str, Any]:
    own = morning_at()["logs"]
    return {"logs": {**own, "events": [*own["events"], *(line(message) for message in messages)]}}


def status(**facts: Any) -> dict[str, Any]:
    return {"status_v3": facts}


TASK = morning_at()["ecs"]["tasks"][0]
ENTRY = {"order_id": 41, "symbol": "COIN", "kind": "entry", "side": "BUY", "quantity": 10, "filled": 0}
EXIT = {
    "order_id": 42,
    "symbol": "SPY",
    "kind": "exit",
    "side": "SELL",
    "quantity": 100,
    "status": "Submitted",
}
CALL = {"symbol": "SPY", "sec_type": "OPT", "expiry": "2026-06-02", "strike": 600, "right": "C", "con_id": 9}
# By check: a patch of the snapshot on which the line is no yes, or what is handed to the gate in its place.
VIOLATIONS: dict[str, dict[str, Any]] = {
    "snapshot": {"more": {"now": MORNING + timedelta(seconds=301)}},
    "session": {"document": morning_at(MORNING + timedelta(days=4))},  # a Saturday
    "approval": {"more": {"answers": replace(ANSWERS, approval=None)}},
    "quiet_window": {
        "document": morning_at(MORNING + timedelta(hours=3)),
        "more": {"answers": replace(ANSWERS, quiet_window=None)},
    },
    "before_passed": {"more": {"before": None}},
    "runtime_task": {"patch": {"ecs": {"tasks": [TASK, {**TASK, "taskArn": "arn:x/task/aegis/fedcba98"}]}}},
    "gateway": {
        "patch": {
            "ecs": {"tasks": [{**TASK, "containers": [TASK["containers"][0]]}]},
        }
    },
    "standby": {"patch": {"containers": [{"Names": ["/aegis-lt-ibkr-trader"], "State": "running"}]}},
    "heartbeat": {"patch": status(heartbeat_at=(MORNING - timedelta(seconds=301)).isoformat())},
    "broker_link": {"patch": status(broker_connected=False)},
    "pending_exits": {"patch": status(pending_exits=1)},
    "stuck_exits": {"patch": status(stuck_exits=1)},
    "pending_orders": {"patch": status(pending_orders=2)},
    "exits_at_work": {"patch": status(orders=[EXIT])},
    "reconcile_flags": {"patch": status(position_reconcile_pending=True)},
    "reconcile_proof": {"patch": {"logs": {"events": []}}},
    "send_outcome": {"patch": status(send_outcome_unknown=True)},
    "unknown_fills": {"patch": status(unknown_fills=1)},
    "broker_confirmation": {"patch": status(broker_confirmation_required=True)},
    "session_conflict": {"patch": logs("Existing session detected")},
    "no_critical_event": {"patch": status(stuck_exits=1)},
    "exposure": {
        "patch": {
            "status_v3": {"open_positions": None, "open_position_count": None},
            "broker": {"positions": None},
        }
    },
    "unchanged": {"patch": {"broker": {"positions": [{**SPY, "account": "DU1234567", "quantity": 90}]}}},
    "scan_cycles": {
        "document": morning_at(MORNING + timedelta(hours=3)),
        "more": {"answers": replace(ANSWERS, scan_cycles=None)},
    },
    "login": {"patch": logs("IBC: Second Factor Authentication initiated")},
    "orders_allowed": {
        "patch": logs("Error 321, reqId 5: Error validating request.-'bW' : cause - The API interface is"
                      " currently in Read-Only mode.")
    },
    "data": {"patch": status(market_data_status="degraded")},
    "account": {"patch": status(mode="live")},
    "broker_agrees": {"patch": status(open_positions=[{**SPY, "quantity": 90, "tags": []}])},
    "orphan_orders": {
        "patch": {"broker": {"positions": [], "open_orders": [{**EXIT, "perm_id": 78, "con_id": 756733}]}}
    },
    "stops": {"patch": {"broker": {"open_orders": []}}},
    "margin": {"patch": logs("Error 2148, reqId -1: margin: liquidation imminent")},
    "expiry": {"patch": {"broker": {"positions": [{**CALL, "account": "DU1234567", "quantity": 1}]}}},
    "contracts": {
        "patch": {
            "broker": {
                "positions": [{**SPY, "con_id": 1234, "account": "DU1234567", "quantity": 100}],
            }
        }
    },
    "channels": {"more": {"channels": ("slack", "email")}},
}  # fmt: skip
ON_A_MACHINE = "runtime_processes"  # stands only where runtime_primary is off; it has its own test


def violated(stage: Any, *names: str) -> Any:
    """Run a stage with the violations of these checks, one onto the other."""
    document = morning_at()
    more: dict[str, Any] = {}
    for name in names:
        document = VIOLATIONS[name].get("document", document)
        more |= VIOLATIONS[name].get("more", {})
    for name in names:
        document = apply_patch(document, VIOLATIONS[name].get("patch", {}))
    return gate_of(stage, judged(json.dumps(document)), **more)


@cache
def judged(text: str) -> GateContext:
    """Return the context of a document; each is judged once, for it is the same at every stage."""
    return context_of(json.loads(text), OPEN)


@pytest.mark.parametrize("stage", STAGES)
def test_a_good_morning_passes(stage):
    report = gate(stage, morning_at())
    assert {f"{line.check}: {line.evidence}" for line in report.lines if line.answer != YES} == set()
    assert report.verdict == "pass"


def test_every_check_has_a_violation():
    assert {check.name for check in CHECKS} == VIOLATIONS.keys() | {ON_A_MACHINE}


@pytest.mark.parametrize(("stage", "check"), CASES)
def test_a_line_that_is_violated_is_no_yes_and_nothing_passes(stage, check):
    if check.name == ON_A_MACHINE:
        return
    report = violated(stage, check.name)
    assert answer_of(report, check.name) != YES
    assert report.verdict != "pass"


@pytest.mark.parametrize("stage", STAGES)
def test_two_violations_never_make_a_pass(stage):
    names = [check.name for check in CHECKS if stage in check.stages and check.name != ON_A_MACHINE]
    assert [pair for pair in combinations(names, 2) if violated(stage, *pair).verdict == "pass"] == []


@pytest.mark.parametrize(("stage", "check"), CASES)
def test_a_fact_that_is_taken_away_or_partial_leaves_no_yes(stage, check):
    context = context_of(morning_at(), stage)
    facts = context.facts
    for name in check.sees:
        gone = with_facts(context, replace(facts, **{name: None}))
        assert run_check(check, gone).answer != YES, name
        partial = replace(facts, provenance=replace(facts.provenance, partial=frozenset([name])))
        assert run_check(check, with_facts(context, partial)).answer != YES, name
    if check.any_of:
        gone = with_facts(context, replace(facts, **dict.fromkeys(check.any_of)))
        assert run_check(check, gone).answer != YES


@pytest.mark.parametrize(("stage", "check"), CASES)
def test_a_rule_that_was_not_judged_or_does_not_exist_leaves_no_yes(stage, check):
    context = context_of(morning_at(), stage)
    for name in check.rules:
        outcomes = dict(context.judgement.outcomes)
        outcome = outcomes.pop(name)
        without = replace(context, judgement=replace(context.judgement, outcomes=outcomes))
        assert run_check(check, without).answer != YES
        for verdict in ("unseen", "off hours"):
            unjudged = {**outcomes, name: replace(outcome, verdict=verdict)}
            without = replace(context, judgement=replace(context.judgement, outcomes=unjudged))
            assert run_check(check, without).answer != YES


def test_a_check_names_rules_that_are_judged_at_any_hour():
    hours = {rule.name: rule.declaration.during for rule in load_rules()}
    named = {name for check in CHECKS for name in (*check.rules, *check.adds)}
    assert {name for name in named if hours.get(name) in (RTH, PAST_GRACE)} == set()


def test_a_check_that_decides_nothing_is_not_proven():
    check = GateCheck("x", "x", (OPEN,), sees=("heartbeat_at",), decide=lambda context: iter(()))
    assert run_check(check, context_of(morning_at(), OPEN)).answer == "not proven"


@pytest.mark.parametrize("more", [{}, {"sees": ("no_such_fact",)}])
def test_a_check_that_sees_nothing_cannot_be_declared(more):
    with pytest.raises(ValueError, match="sees nothing"):
        GateCheck("x", "x", (OPEN,), rules=("heartbeat_stale",), **more)


def test_nothing_passes_on_an_empty_snapshot_whatever_is_stated():
    everything = GateAnswers("owner", "quiet", "it may stay", 9)
    for stage in (BEFORE, OPEN):
        report = gate(stage, {"taken_at": MORNING.isoformat()}, answers=everything)
        assert report.verdict != "pass"
        seen = [line.check for line in report.lines if line.answer == YES]
        assert set(seen) <= {"snapshot", "session", "approval", "quiet_window", "channels"}


@pytest.mark.parametrize(
    "empty", [[], {"events": [], "from": MORNING.isoformat(), "to": MORNING.isoformat()}]
)
def test_logs_without_a_line_and_without_a_span_prove_nothing(empty):
    report = gate(BEFORE, {**morning_at(), "logs": empty})
    assert answer_of(report, "session_conflict") == answer_of(report, "reconcile_proof") == "not proven"


@pytest.mark.parametrize("section", ["ecs", "logs", "broker"])
def test_a_section_that_says_that_its_reading_failed_proves_no_more_than_none(section):
    told = gate(OPEN, morning_at(patch={section: {"error": "the second page was not read"}}))
    absent = gate(OPEN, morning_at(patch={section: None}))
    lost = {line.check for line in absent.lines if line.answer != YES}
    assert len(lost) > 1
    assert {line.check for line in told.lines if line.answer == YES} & lost <= {"account"}


@pytest.mark.parametrize(
    ("health", "answer"),
    [
        (ChannelHealth(last_success=MORNING - timedelta(days=7)), "yes"),
        (ChannelHealth(last_success=MORNING - timedelta(days=7, seconds=1)), "not proven"),
        (ChannelHealth(last_success=MORNING, failures=1), "no"),
        (ChannelHealth(), "not proven"),
    ],
    ids=["a week ago", "over a week ago", "its latest delivery failed", "never"],
)
def test_a_channel_is_tested_within_a_week(health, answer):
    context = context_of(morning_at(), OPEN)
    report = replace(context.report, channels={CHANNEL: health})
    assert answer_of(gate_report(OPEN, replace(context, report=report)), "channels") == answer
