"""Artifacts of an earlier release as the memory of this one: no storm of alerts, and no silence.

They hold conditions that are active, held, muted and resolved, of two runtimes, delivered to stdout, Slack
and e-mail, or not yet delivered to one of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from detector.domain.report import Report
from detector.domain.run_memory import Memory
from detector.engine.catalog import load_rules
from detector.formats.times import parse_rfc3339
from detector.readers.previous import ExpectedMemory, read_previous
from tests.support.snapshots import ROOT, evaluated, later, remembered, settings_of

FILES = sorted((ROOT / "tests" / "fixtures" / "memories").glob("*.json"))
KINDS = {rule.name: rule.declaration.kind for rule in load_rules()}
CHANNELS = ("slack", "email:ec909f01", "email:f9785445")
IDS = [path.stem for path in FILES]


def document_of(name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((ROOT / "tests" / "fixtures" / "memories" / f"{name}.json").read_text())
    return made


def memory_of(artifact: Mapping[str, Any]) -> Memory:
    at = parse_rfc3339(artifact["taken_at"])
    memory = read_previous(artifact, ExpectedMemory(artifact["runtime"], at, KINDS))
    assert memory.kept, memory.before.lost
    return memory


def run_again(artifact: Mapping[str, Any], patch: dict[str, Any], seconds: float, **more: Any) -> Report:
    """Evaluate the artifact's own snapshot once more, with the artifact or another memory before it."""
    snapshot = later(dict(artifact.get("snapshot") or {}), seconds)
    status = {**snapshot.get("status_v3", {}), **patch} if patch else snapshot.get("status_v3")
    document = {**snapshot, **({"status_v3": status} if status else {})}
    memory = more.pop("memory", None) or memory_of(artifact)
    return evaluated(document, memory, settings_of({"RUNTIME": artifact["runtime"]}), **more)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_the_same_world_after_an_upgrade_tells_only_what_was_not_told(path):
    artifact = json.loads(path.read_text())
    report = run_again(artifact, {}, 0)
    assert bool(report.new_events) is path.stem.startswith("undelivered"), report.new_events
    assert report.resolved_events == ()
    assert evaluated_twice(artifact, report).new_events == ()


def evaluated_twice(artifact: Mapping[str, Any], first: Report) -> Report:
    return run_again(artifact, {}, 60, memory=remembered(first))


@pytest.mark.parametrize(
    ("name", "due"),
    [
        ("undelivered-to-slack", {"slack": 1, "email:ec909f01": 0, "email:f9785445": 0}),
        ("undelivered-to-stdout-told-by-slack-and-mail", dict.fromkeys(CHANNELS, 0)),
        ("undelivered-to-stdout-resolved-by-slack", dict.fromkeys(CHANNELS, 0)),
    ],
)
def test_each_channel_is_sent_only_what_it_did_not_take(name, due):
    report = run_again(document_of(name), {}, 0, channels=CHANNELS)
    assert {channel: len(report.owed[channel]) for channel in CHANNELS} == due


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_old_memory_hides_a_new_condition_about_money(path):
    artifact = json.loads(path.read_text())
    before = {one.type for one in memory_of(artifact).conditions.values()}
    report = run_again(artifact, {"unknown_fills": 1, "pending_orders": 0}, 60)
    named = {event.type for event in report.new_events}
    assert "unknown_fill" in named | before


def test_what_begins_to_escalate_after_the_upgrade_is_told_once():
    """The first run after the upgrade does not escalate yet: what follows is news for every channel."""
    artifact = document_of("pending_orders_high")
    memory, reasons = memory_of(artifact), []
    for seconds in (60, 300, 600, 900):
        report = run_again(artifact, {"pending_orders": 3}, seconds, memory=memory)
        reasons += [str(event.reason) for event in report.new_events if event.type == "pending_orders_high"]
        memory = remembered(report)
    assert reasons.count("escalated") == 1, reasons


def test_what_escalates_in_the_first_run_after_the_upgrade_counts_as_told():
    report = run_again(document_of("stuck_exits"), {}, 0)
    assert str(report.decision.action) == "escalate"
    assert report.new_events == ()
