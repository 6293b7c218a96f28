"""One run of the gate on a document, in process, and a document of a morning on which every line is a yes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from msgspec.structs import replace

from detector.domain.facts import Facts
from detector.domain.gate_report import BEFORE, GateReport, Stage
from detector.domain.report import ChannelHealth
from detector.domain.run_memory import FIRST_RUN
from detector.domain.snapshot import build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import build_report, judge, list_signals_off
from detector.engine.run_rules import run_rules
from detector.formats.redaction import redact
from detector.gate.check import GateAnswers, GateContext
from detector.gate.morning_checks import find_session
from detector.gate.run_checks import build_gate_report
from detector.reconciliation.freshness import build_truth_header, compute_data_age
from detector.settings import RUNTIME, Settings
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import DEFAULTS, healthy_at

MORNING = datetime(2026, 6, 2, 12, 45, tzinfo=UTC)  # 08:45 in New York
CHANNEL = "slack"
ANSWERS = GateAnswers(approval="the owner at 08:40 ET", quiet_window="before the open", scan_cycles=2)
SPY = {"symbol": "SPY", "con_id": 756733, "sec_type": "STK", "currency": "USD"}


def morning_at(moment: datetime = MORNING, patch: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the healthy snapshot of that moment with a broker who holds 100 SPY under a stop, and a
    patch.
    """
    at = moment.isoformat()
    start = moment - timedelta(hours=1)
    proof = "position reconciliation OK matched=1 internal_count=1 broker_count=1"
    whole = {
        "status_v3": {
            "open_positions": [{**SPY, "quantity": 100, "tags": [], "exit_attempt_count": 0}],
            "open_position_count": 1,
            "engine_started_at": start.isoformat(),
        },
        "broker": {
            "as_of": at,
            "connected": True,
            "account": "DU1234567",
            "mode": "paper",
            "positions": [{**SPY, "account": "DU1234567", "quantity": 100}],
            "open_orders": [
                {
                    **SPY,
                    "account": "DU1234567",
                    "perm_id": 77,
                    "order_id": 7,
                    "side": "SELL",
                    "order_type": "STP",
                    "status": "PreSubmitted",
                    "quantity": 100,
                }
            ],
            "executions": [],
            "account_values": [{"tag": "Cushion", "value": "0.62", "account": "DU1234567"}],
        },
        "logs": {
            "from": (start - timedelta(hours=1)).isoformat(),
            "to": at,
            "events": [
                {"timestamp": int((moment - timedelta(minutes=5)).timestamp() * 1000), "message": proof}
            ],
        },
        "ecs": {"tasks": healthy_at(start.isoformat())["ecs"]["tasks"]},
    }
    return apply_patch(apply_patch(healthy_at(at), whole), patch or {})


def context_of(
    document: dict[str, Any], stage: Stage, settings: Settings = DEFAULTS, **more: Any
) -> GateContext:
    """Return the context of a document."""
    snapshot = build_snapshot(redact(document), now=MORNING, runtime=settings[RUNTIME])
    judgement = judge(snapshot, settings)
    report = build_report(snapshot, FIRST_RUN, settings, judgement)
    channels = {CHANNEL: ChannelHealth(since=snapshot.taken_at, last_success=snapshot.taken_at)}
    fields: dict[str, Any] = {
        "facts": judgement.facts,
        "judgement": judgement,
        "report": replace(report, channels=channels),
        "settings": settings,
        "now": snapshot.taken_at,
        "age_fault": compute_data_age(snapshot.sections, snapshot.taken_at, snapshot.taken_at, 120).fault,
        "answers": ANSWERS,
        "channels": (CHANNEL,) if stage == "open" else (),
        "session": find_session(judgement.facts),
        **more,
    }
    return GateContext(**fields)


def with_facts(context: GateContext, facts: Facts) -> GateContext:
    """Return the context as the rules judge these facts."""
    judgement = run_rules(load_rules(), facts, context.settings)
    return replace(context, facts=facts, judgement=judgement, session=find_session(facts))


def gate_report(stage: Stage, context: GateContext) -> GateReport:
    """Return the report of a stage."""
    header = build_truth_header(context.facts, compute_data_age({}, None, context.now, 120))
    return build_gate_report(stage, context, header, list_signals_off(context.settings))


def gate(stage: Stage, document: dict[str, Any], settings: Settings = DEFAULTS, **more: Any) -> GateReport:
    """Run one stage on a document; `after` gets a passing report of `before` ten minutes earlier."""
    return gate_of(stage, context_of(document, stage, settings), **more)


def gate_of(stage: Stage, context: GateContext, **more: Any) -> GateReport:
    """Run one stage on a context of any stage, as `gate` does."""
    given: dict[str, Any] = {"channels": (CHANNEL,) if stage == "open" else (), **more}
    if stage == "after" and "before" not in more:
        given["before"] = _pass_before(context.facts.taken_at - timedelta(minutes=10))
    return gate_report(stage, replace(context, **given))


@cache
def _pass_before(at: datetime) -> GateReport:
    report = gate(BEFORE, morning_at(at))
    assert report.verdict == "pass", report.lines
    return report


def answer_of(report: GateReport, check: str) -> str:
    """Return the answer of one line."""
    return next(line.answer for line in report.lines if line.check == check)


def evidence_of(report: GateReport, check: str) -> str:
    """Return the evidence of one line."""
    return next(line.evidence for line in report.lines if line.check == check)
