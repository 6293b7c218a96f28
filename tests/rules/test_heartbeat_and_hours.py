"""The heartbeat and the hours in which it is judged: just below, at and above each limit."""

from __future__ import annotations

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, given, healthy, named, owed, remembered, settings_of

STALE = ["critical heartbeat_stale"]


def at(moment: str, heartbeat: str, **more: object) -> dict[str, object]:
    return {"taken_at": moment, "status_v3": {"heartbeat_at": heartbeat}, **more}


@pytest.mark.parametrize(
    ("moment", "heartbeat", "expected"),
    [
        pytest.param("2026-06-02T15:00:00Z", "2026-06-02T14:55:00Z", [], id="300 s is quiet"),
        pytest.param("2026-06-02T15:00:00Z", "2026-06-02T14:54:59.5Z", STALE, id="300.5 s fires"),
        pytest.param("2026-06-02T15:00:00Z", "2026-06-02T14:54:59Z", STALE, id="301 s fires"),
        pytest.param("2026-06-02T13:31:00Z", "2026-06-01T19:59:00Z", [], id="09:31 ET, yesterday's is quiet"),
        pytest.param(
            "2026-06-02T13:35:00Z", "2026-06-01T19:59:00Z", [], id="09:35:00 ET, open for 300 s is quiet"
        ),
        pytest.param("2026-06-02T13:35:01Z", "2026-06-01T19:59:00Z", STALE, id="09:35:01 ET fires"),
        pytest.param("2026-06-02T13:36:00Z", "2026-06-01T19:59:00Z", STALE, id="09:36 ET fires"),
        pytest.param("2026-06-02T13:29:59Z", "2026-06-01T19:59:00Z", [], id="a second before the open"),
        pytest.param("2026-06-02T19:59:59Z", "2026-06-02T19:00:00Z", STALE, id="a second before the close"),
        pytest.param("2026-06-02T20:00:00Z", "2026-06-02T19:00:00Z", [], id="at the close"),
        pytest.param("2026-11-27T17:59:59Z", "2026-11-27T17:40:00Z", STALE, id="early close, 12:59:59 ET"),
        pytest.param("2026-11-27T18:05:00Z", "2026-11-27T17:45:00Z", [], id="early close, 13:05 ET"),
        pytest.param("2026-07-03T15:00:00Z", "2026-07-02T19:59:00Z", [], id="a holiday"),
        pytest.param(
            "2026-03-06T13:31:00Z", "2026-03-05T20:00:00Z", [], id="13:31 UTC on the Friday before DST"
        ),
        pytest.param(
            "2026-03-09T13:36:00Z", "2026-03-06T21:00:00Z", STALE, id="13:36 UTC on the Monday after"
        ),
    ],
)
def test_a_heartbeat_is_stale_above_its_limit_in_the_session(moment, heartbeat, expected):
    assert given(at(moment, heartbeat)) == expected


def test_the_limit_can_be_set_and_the_event_names_it():
    report = evaluated(
        apply_patch(healthy(), at("2026-06-02T15:00:00Z", "2026-06-02T14:59:00Z")),
        settings=settings_of({"HEARTBEAT_STALE_SEC": "59"}),
    )
    event = report.events[0]
    assert (event.observed, event.limit, event.setting) == (60, 59, "AEGIS_PT_HEARTBEAT_STALE_SEC")
    assert event.summary == "No heartbeat for 60 s while the market is open (over 59 s)."


def test_it_escalates_at_the_second_observation():
    first = evaluated(apply_patch(healthy(), at("2026-06-02T15:00:00Z", "2026-06-02T14:54:00Z")))
    second = evaluated(
        apply_patch(healthy(), at("2026-06-02T15:05:00Z", "2026-06-02T14:54:00Z")), remembered(first)
    )
    assert (first.decision.action, second.decision.action) == ("notify", "escalate")
    assert second.decision.note == "Stopping or scaling the runtime needs explicit approval."


@pytest.mark.parametrize(
    ("heartbeat", "action"),
    [
        pytest.param("2026-06-02T14:45:00Z", "notify", id="three times the limit"),
        pytest.param("2026-06-02T14:44:59Z", "escalate", id="above three times the limit"),
    ],
)
def test_it_escalates_at_once_far_beyond_the_limit(heartbeat, action):
    assert evaluated(apply_patch(healthy(), at("2026-06-02T15:00:00Z", heartbeat))).decision.action == action


def test_a_stale_heartbeat_of_yesterday_is_not_called_good_just_after_the_open():
    yesterday = evaluated(apply_patch(healthy(), at("2026-06-01T19:55:00Z", "2026-06-01T19:40:00Z")))
    morning = evaluated(
        apply_patch(healthy(), at("2026-06-02T13:31:00Z", "2026-06-01T19:40:00Z")), remembered(yesterday)
    )
    assert named(morning) == STALE
    assert morning.events[0].held
    assert owed(morning) == []


@pytest.mark.parametrize(
    ("year", "taken_at"),
    [("before the table", "2009-06-02T15:00:00Z"), ("after the table", "2037-06-02T15:00:00Z")],
)
def test_outside_the_calendar_the_market_is_not_seen_and_never_called_closed(year, taken_at):
    report = evaluated({"taken_at": taken_at, "status_v3": {"heartbeat_at": "2001-01-01T00:00:00Z"}})
    heartbeat = next(covered for covered in report.coverage if covered.signal == "heartbeat")
    assert [name.split()[1] for name in named(report)] == ["session_unknown"]
    assert heartbeat.state == "not seen"
    assert "calendar" in heartbeat.why or "table" in heartbeat.why


def test_an_announced_closure_closes_the_market():
    closures = '[[closed]]\ndate = 2026-06-02\nreason = "mourning"\n'
    document = apply_patch(healthy(), at("2026-06-02T15:00:00Z", "2026-06-02T14:00:00Z"))
    assert named(evaluated(document, settings=settings_of(closures=closures))) == []


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        pytest.param({"status_v3": "14:40", "bot_status": "14:59"}, STALE, id="the older of two"),
        pytest.param({"status_v3": "14:59", "bot_status": "14:40"}, STALE, id="whichever carries it"),
        pytest.param({"status_v3": "14:59", "bot_status": "14:59"}, [], id="both fresh"),
    ],
)
def test_the_worse_of_two_payloads_counts(payloads, expected):
    patch = {name: {"heartbeat_at": f"2026-06-02T{clock}:00Z"} for name, clock in payloads.items()}
    assert given(patch) == expected


def test_the_payload_that_raised_it_must_be_seen_good_again():
    document = apply_patch(healthy(), {"bot_status": {"heartbeat_at": "2026-06-02T14:40:00Z"}})
    memory = remembered(evaluated(document))
    for minute in ("05", "10", "15"):
        fresh = {"heartbeat_at": f"2026-06-02T15:{minute}:00Z"}
        report = evaluated(
            apply_patch(healthy(), {"taken_at": f"2026-06-02T15:{minute}:00Z", "status_v3": fresh}), memory
        )
        assert named(report) == STALE
        assert report.events[0].held
        memory = remembered(report)
    told = []
    for minute in ("20", "25"):
        fresh = {"heartbeat_at": f"2026-06-02T15:{minute}:00Z"}
        patch = {"taken_at": f"2026-06-02T15:{minute}:00Z", "status_v3": fresh, "bot_status": fresh}
        report = evaluated(apply_patch(healthy(), patch), memory)
        told += owed(report)
        memory = remembered(report)
    assert told == ["resolved heartbeat_stale"]
