"""The line on stderr: the decision, the events, the missing signals, and the time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detector.render.lines import format_decision, format_in_zones, render_resolved
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, healthy, healthy_at, remembered

ZONES = ("UTC", "America/New_York", "Asia/Tokyo")
AT = "2026-06-02 15:00 UTC, 11:00 EDT, 2026-06-03 00:00 JST"


def line(document: dict[str, object]) -> str:
    return format_decision(evaluated(document), ZONES)


def test_a_healthy_session_is_one_line_without_events():
    assert line(healthy()) == f"decision: observe (11 of 11 signals seen): 0 events; {AT}"


def test_nothing_at_all_says_that_nothing_was_checked():
    said = line({"taken_at": "2026-06-02T15:00:00Z"})
    assert said == f"NOTHING WAS CHECKED: no section holds a fact that a rule needs; 0 events; {AT}"


@pytest.mark.parametrize("section", ["broker", "stores"])
def test_a_broker_and_stores_that_agree_were_checked(section):
    told = {"broker": {"connected": True, "positions": []}, "stores": {"position_state": [], "trades": []}}
    said = line({"taken_at": "2026-06-02T15:00:00Z", section: told[section]})
    assert said.startswith("decision: observe (0 of 11 signals seen): 0 events; not seen: ")
    assert "NOTHING WAS CHECKED" in line({"taken_at": "2026-06-02T15:00:00Z", section: {}})


def test_what_was_not_seen_is_named():
    said = line(apply_patch(healthy(), {"ecs": None, "containers": None}))
    assert said.startswith(
        "decision: observe (8 of 11 signals seen): 0 events; not seen: runtime primary, gateway, standby guard; "
    )


def test_an_escalation_ends_with_the_need_for_approval():
    said = line(apply_patch(healthy(), {"status_v3": {"stuck_exits": 1, "pending_exits": 1}}))
    assert said.startswith("decision: escalate (11 of 11 signals seen): 2 events; ")
    assert "; stopping or scaling the runtime needs explicit approval; 2026" in said


def test_held_events_are_counted():
    memory = remembered(evaluated(apply_patch(healthy(), {"status_v3": {"pending_orders": 2}})))
    report = evaluated(healthy_at("2026-06-02T15:05:00Z", {"status_v3": {"pending_orders": None}}), memory)
    assert format_decision(report, ZONES).startswith(
        "decision: notify (10 of 11 signals seen): 2 events (1 held); "
    )


def test_an_end_is_said_with_its_duration():
    memory = remembered(evaluated(apply_patch(healthy(), {"status_v3": {"pending_orders": 2}})))
    memory = remembered(evaluated(healthy_at("2026-06-02T15:05:00Z"), memory))
    said = list(render_resolved(evaluated(healthy_at("2026-06-02T15:10:00Z"), memory)))
    good = "Resolved after 5 min, good again since 2026-06-02 15:05:00 UTC"
    assert said == [
        f"pending_orders_high:aegis-pt-core: {good}; it was: 2 orders are pending (warning at 2)."
    ]


@pytest.mark.parametrize(
    ("moment", "zones", "shown"),
    [
        (
            datetime(2026, 12, 1, 3, 0, tzinfo=UTC),
            ZONES,
            "2026-12-01 03:00 UTC, 2026-11-30 22:00 EST, 2026-12-01 12:00 JST",
        ),
        (datetime(2026, 6, 2, 12, 0, tzinfo=UTC), ("Mars/Olympus", "UTC"), "2026-06-02 12:00 UTC"),
    ],
    ids=["the day where it differs", "an unknown zone is left out"],
)
def test_a_time_is_shown_in_each_zone(moment, zones, shown):
    assert format_in_zones(moment, zones) == shown
