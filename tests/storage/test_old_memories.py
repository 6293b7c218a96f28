"""Artifacts of an earlier release as the memory of this one: no storm of alerts, and no silence.

They hold conditions that are active, held, muted and resolved, of two runtimes, delivered to stdout, Slack
and e-mail, or not yet delivered to one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.report import Report
from detector.domain.run_memory import Memory
from detector.engine.catalog import load_rules
from detector.formats.times import parse_rfc3339
from detector.ledger import add_receipts
from detector.readers.previous import ExpectedMemory, read_previous
from detector.settings import Rung
from tests.support.snapshots import ROOT, evaluated, healthy_at, later, remembered, settings_of

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


# --- memories of three earlier versions, delivered to Slack, e-mail and a pager ----------------------------

MAIL = "email:c12c6545"
RUNGS = {"slack": Rung("warning"), MAIL: Rung("warning"), "pagerduty": Rung("escalated")}
VERSIONS = ("without-escalated", "with-pager", "later")
by_version = pytest.mark.parametrize("version", VERSIONS)


def run_after(version: str, name: str, steps: Iterable[tuple[int, dict[str, int]]]) -> list[tuple[str, ...]]:
    """Run after that version's memory; return second, channel, reason and type of what each is sent."""
    artifact, told = document_of(f"of-channels/{version}-{name}"), list[tuple[str, ...]]()
    memory, start = memory_of(artifact), parse_rfc3339(artifact["taken_at"])
    for seconds, status in steps:
        at = (start + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
        document = healthy_at(at, {"status_v3": {"orders": [], **status}})
        report = evaluated(document, memory, channels=RUNGS)
        for channel in RUNGS:
            due = report.owed[channel]
            told += [(str(seconds), channel, str(one.reason), one.condition.type) for one in due]
            after = add_receipts(report.conditions, due, channel, report.taken_at)
            report = replace(report, conditions=after)
        memory = remembered(report, printed=False)
    return told


@by_version
def test_an_upgrade_repeats_nothing_and_sends_what_escalates_once(version):
    wrong = {"pending_orders": 3, "stuck_exits": 1}
    told = run_after(version, "open", [(seconds, wrong) for seconds in (60, 300, 600, 900, 1200)])
    new_pager = [("60", "pagerduty", "new", "stuck_exits"), ("60", "pagerduty", "new", "impossible_state")]
    known = [one for one in told if one not in new_pager]
    assert [one for one in told if one in new_pager] == [] or version == "without-escalated"
    assert {one[1:] for one in known} == {
        ("slack", "escalated", "pending_orders_high"),
        (MAIL, "escalated", "pending_orders_high"),
        ("pagerduty", "new", "pending_orders_high"),
    }
    assert len(known) == len(RUNGS)


@by_version
@pytest.mark.parametrize("unknown_fills", [1, 0], ids=["goes on", "good again"])
def test_an_upgrade_sends_the_debt_and_the_end_to_those_who_were_told(version, unknown_fills):
    status = {"pending_orders": 0, "unknown_fills": unknown_fills}
    told = run_after(version, "debt", [(300, status)])
    assert [one[1:] for one in told if one[1] != "pagerduty"] == [
        ("slack", "resolved", "pending_orders_high"),
        (MAIL, "owed", "unknown_fill"),
        (MAIL, "resolved", "pending_orders_high"),
    ]
