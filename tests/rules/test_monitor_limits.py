"""Edges of rules that one small change of theirs once passed unseen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, given, healthy, later, named, remembered


def stale(section: str, seconds: int = 400) -> dict[str, Any]:
    """Return the healthy snapshot in which one section was true so many seconds ago."""
    made = healthy()
    return apply_patch(
        made, {"sources": {section: {"state": "ok", "as_of": later(made, -seconds)["taken_at"]}}}
    )


def twice(document: dict[str, Any]) -> list[list[str]]:
    first = evaluated(document)
    return [named(first), named(evaluated(later(document, 300), remembered(first)))]


def test_a_stale_source_of_the_heartbeat_is_critical_at_the_second_observation():
    first, second = twice(stale("status_v3"))
    assert "warning source_stale:status_v3" in first
    assert "critical source_stale:status_v3" in second


def test_a_stale_source_of_nothing_vital_stays_a_warning():
    assert [[event for event in events if "stale" in event] for events in twice(stale("containers"))] == [
        ["warning source_stale:containers"]
    ] * 2


@pytest.mark.parametrize(
    ("name", "entry", "is_ours"),
    [
        pytest.param("ecs", {"reason": "expired", "detail": "the token is over"}, True, id="AWS, expired"),
        pytest.param("logs", {"reason": "denied"}, True, id="AWS, denied"),
        pytest.param(
            "ecs", {"reason": "timeout", "detail": "no answer within 10 s"}, False, id="AWS, no answer"
        ),
        pytest.param("bot_status", {"reason": "denied", "detail": "it answered 403"}, False, id="not AWS"),
    ],
)
def test_only_what_aws_refuses_is_the_monitors_environment(name, entry, is_ours):
    failed = apply_patch(healthy(), {"sources": {name: {"state": "failed", **entry}}, name: None})
    (event,) = [one for one in evaluated(failed).events if one.type == "source_unavailable"]
    assert ("the monitor's environment" in event.summary) is is_ours


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(
            "UserInitiated", "Essential container in task exited", id="a user, whatever the reason says"
        ),
        pytest.param("UserInitiated", "failed container health checks", id="a user after failed checks"),
        pytest.param("ServiceSchedulerInitiated", "Essential container in task exited", id="a deployment"),
        pytest.param(None, "Scaling activity", id="no code and another reason"),
    ],
)
def test_what_did_not_stop_by_itself_is_no_loop(code, reason):
    tasks = [
        {"taskArn": f"t/{n}", "group": "service:aegis-pt-core", "stoppedAt": "2026-06-02T14:40:00Z",
         "lastStatus": "STOPPED", "stopCode": code, "stoppedReason": reason, "containers": []}
        for n in range(3)
    ]  # fmt: skip
    assert given({"ecs": {"stopped_tasks": tasks}}) == []
