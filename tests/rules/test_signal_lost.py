"""What was seen once and is not now: when it is missed, how urgently, and in which words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.judgement import RuleOutcome
from detector.domain.lane_memory import LostFact
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.provenance import Fault
from detector.domain.rule import CRITICAL, WARNING
from detector.domain.snapshot import build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import gather
from detector.engine.run_rules import run_rules
from tests.support.snapshots import DEFAULTS, evaluated, healthy_at, named, remembered

NOON = "2026-06-02T15:00:00Z"  # 11:00 in New York; the session is open since 13:30Z
OPEN = "2026-06-02T13:30:00Z"
YESTERDAY = "2026-06-01T19:59:00Z"
SHOWS = "Section broker does not show key0"


def lost(
    name: str, seen_at: str = YESTERDAY, section: str = "status_v3", signal: str | None = None
) -> LostFact:
    return LostFact(name, section, datetime.fromisoformat(seen_at), signal)


def judged(
    *facts: LostFact, at: str = NOON, patch: dict[str, Any] | None = None, **changes: Any
) -> RuleOutcome:
    moment = datetime.fromisoformat(at)
    snapshot = build_snapshot(healthy_at(at, patch or {}), now=moment, runtime="aegis-pt-core")
    seen = replace(gather(snapshot, DEFAULTS, NO_PREVIOUS_RUN), lost=facts, **changes)
    return run_rules(load_rules(), seen, DEFAULTS).outcomes["signal_lost"]


def severities(outcome: RuleOutcome) -> list[str]:
    return [signed.finding.severity for signed in outcome.findings.values()]


@pytest.mark.parametrize(
    ("at", "fact", "missed"),
    [
        pytest.param(NOON, lost("pending_orders"), True, id="a fact of a payload, in the session"),
        pytest.param("2026-06-02T12:00:00Z", lost("pending_orders"), False, id="before the open"),
        pytest.param("2026-06-02T22:00:00Z", lost("pending_orders"), False, id="after the close"),
        pytest.param("2026-06-02T14:29:59Z", lost("pending_orders"), False, id="3,599 s after the open"),
        pytest.param("2026-06-02T14:30:00Z", lost("pending_orders"), True, id="3,600 s after the open"),
        pytest.param("2026-06-02T14:00:00Z", lost("pending_orders", OPEN), True, id="seen since the open"),
        pytest.param(
            "2026-06-02T14:00:00Z", lost("pending_orders", "2026-06-02T13:29:59Z"), False, id="seen before the open"
        ),
        pytest.param(
            "2026-06-02T13:33:00Z", lost("pending_orders", OPEN), False, id="seen since the open, within its grace"
        ),
        pytest.param("2026-06-02T22:00:00Z", lost("status_v3.mode"), False, id="a key of a payload, at night"),
        pytest.param(
            "2026-06-02T22:00:00Z", lost("broker.positions.account", section="broker"), True,
            id="a key of another section, at night",
        ),
        pytest.param(
            "2026-06-02T22:00:00Z", lost("pending_orders", section="broker"), False, id="a fact of a payload elsewhere"
        ),
    ],
)  # fmt: skip
def test_a_runtime_s_facts_are_missed_in_its_session_and_others_at_once(at, fact, missed):
    assert bool(judged(fact, at=at).findings) is missed


@pytest.mark.parametrize("name", ["heartbeat_at", "open_positions", "open_position_count"])
def test_what_exposure_unwatched_reports_is_not_reported_twice(name):
    dark = {"status_v3": None, "bot_status": None}
    both = judged(lost(name), lost("pending_orders"), patch=dark)
    assert len(both.findings) == 1
    assert len(judged(lost(name)).findings) == 1  # where that rule is silent, this one is not


@pytest.mark.parametrize(
    ("patch", "signal", "severity"),
    [
        pytest.param({}, "exit_safety", CRITICAL, id="exit safety, with positions"),
        pytest.param({}, "reconciliation", CRITICAL, id="reconciliation, with positions"),
        pytest.param({}, "order_flow", WARNING, id="another signal"),
        pytest.param({}, None, WARNING, id="no signal"),
        pytest.param(
            {"status_v3": {"open_positions": [], "open_position_count": 0}}, "exit_safety", WARNING, id="flat"
        ),
    ],
)
def test_a_lost_signal_of_safety_is_critical_with_positions_open(patch, signal, severity):
    fact = lost("stuck_exit", signal=signal)
    held = {"status_v3": {"open_positions": [{"symbol": "SPY", "quantity": 1}], "open_position_count": 1}}
    assert severities(judged(fact, patch=patch or held)) == [severity]


def test_a_signal_of_a_section_that_cannot_be_read_is_a_symptom_and_a_warning():
    held = {"status_v3": {"open_positions": [{"symbol": "SPY", "quantity": 1}], "open_position_count": 1}}
    failed = {"sources": {"bot_status": {"state": "failed", "reason": "timeout"}}}
    fact = lost("stuck_exit", section="bot_status", signal="exit_safety")
    assert severities(judged(fact, patch=held)) == [CRITICAL]
    assert severities(judged(fact, patch={**held, **failed})) == [WARNING]


def test_the_keys_of_a_section_are_one_event_that_names_four_of_them():
    facts = [lost(f"broker.key{number}", f"2026-06-02T14:0{number}:00Z", "broker") for number in range(5)]
    summaries = [
        signed.finding.summary
        for outcome in (judged(*facts), judged(*facts[:4]), judged(lost("broker", section="broker")))
        for signed in outcome.findings.values()
    ]
    assert summaries == [
        f"{SHOWS}, key1, key2, key3 and 1 more any more; the last time was 2026-06-02 14:04:00 UTC.",
        f"{SHOWS}, key1, key2, key3 any more; the last time was 2026-06-02 14:03:00 UTC.",
        "Section broker is not seen any more; the last time was 2026-06-01 19:59:00 UTC.",
    ]


def test_an_event_is_of_its_one_subject_and_of_the_section_where_there_are_more():
    one = judged(lost("a", signal="exit_safety"), lost("b", signal="exit_safety"))
    more = judged(lost("a", signal="exit_safety"), lost("pending_orders"))
    assert [signed.finding.subject for signed in one.findings.values()] == ["exit_safety"]
    assert [signed.finding.subject for signed in more.findings.values()] == ["status_v3"]


@pytest.mark.parametrize(
    ("fault", "missed"),
    [
        pytest.param(Fault("broker.open_orders", "is no array"), False, id="the key itself"),
        pytest.param(
            Fault("broker.opn_orders", "is nearly it", "broker.open_orders"), False, id="nearly the key"
        ),
        pytest.param(Fault("broker.positions", "is no array"), True, id="another key"),
    ],
)
def test_a_key_that_is_there_and_was_not_understood_is_not_lost(fault, missed):
    fact = lost("broker.open_orders", section="broker")
    assert bool(judged(fact, invalid=(fault,)).findings) is missed


def test_a_key_that_was_not_understood_is_known_by_the_name_of_its_group():
    read = {"broker": {"connected": True, "positions": [], "open_orders": []}}
    fault = Fault("broker.open_orders", "is no array")
    fact = lost("broker.broker_orders", section="broker")
    assert judged(fact, patch=read, invalid=(fault,)).findings == {}


@pytest.mark.parametrize(
    ("subject", "good"),
    [
        pytest.param("reconciliation", False, id="the signal of a lost fact"),
        pytest.param("last_reconcile_at", False, id="the fact"),
        pytest.param("status_v3", False, id="its section"),
        pytest.param("exit_safety", False, id="what another lane lost"),
        pytest.param("severe_signals", True, id="what nobody lost"),
        pytest.param(None, False, id="no subject"),
    ],
)
def test_a_subject_is_good_once_no_lane_misses_it(subject, good):
    elsewhere = (lost("stuck_exit", section="bot_status", signal="exit_safety"),)
    (healthy,) = judged(lost("last_reconcile_at", signal="reconciliation"), lost_elsewhere=elsewhere).healthy
    assert healthy.covers(subject) is good


@pytest.mark.parametrize(
    ("last_seen", "expected"),
    [
        pytest.param("2026-06-02T13:29:00Z", "critical", id="flat before the open"),
        pytest.param("2026-06-02T13:31:00Z", "warning", id="flat in this session"),
    ],
)
def test_positions_that_were_last_seen_before_the_open_are_unknown(last_seen, expected):
    memory = remembered(evaluated(healthy_at(last_seen)))
    lost_facts = {"stuck_exits": None, "open_positions": None, "open_position_count": None}
    report = evaluated(healthy_at("2026-06-02T14:40:00Z", {"status_v3": lost_facts}), memory)
    assert [name.split()[0] for name in named(report) if "signal_lost" in name] == [expected]
