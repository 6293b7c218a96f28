"""The launcher's line about its planned restart: every form, carried for weeks, quiet for 300 s."""

from __future__ import annotations

import pytest

from detector.logs.events import RESTART_TIME
from detector.logs.parse.history import LogWindow, build_history
from detector.logs.parse.line_times import LogLines
from tests.support.snapshots import NOW, evaluated, healthy_at, named, remembered, settings_of

ZONE = {"GATEWAY_ZONE": "America/New_York"}
LINE = "2026-06-01T12:00:00Z IBC: Auto restart time set to 11:45 PM"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("IBC: Auto restart time set to 11:45 PM", "23:45"),
        ("IBC: Auto restart time is already set to 11:45\N{NARROW NO-BREAK SPACE}PM", "23:45"),
        ("ibgateway | Auto-restart time set to 12:05 am", "00:05"),
        ("IBC: Auto restart time set to 12:30 PM", "12:30"),
        ("IBC: Auto restart time set to 07:08", "07:08"),
        ("IBC: Auto restart time set to 23:59", "23:59"),
        ("IBC: Auto restart time set to 25:00", ""),
        ("IBC: Auto logoff time set to 11:45 PM", ""),
        ("IBC: Setting auto restart time", None),
        ("restart time set to 11:45 PM for the nightly backup", None),
    ],
)
def test_each_form_of_the_line(text, key):
    lines = LogLines()
    lines.add(f"2026-06-02T14:00:00Z {text}", None, "")
    events = build_history(lines, LogWindow(None, NOW), None).list_events(RESTART_TIME)
    assert [event.key for event in events] == ([] if key is None else [key])


def outage(minutes: int, lines: list[str], settings: dict[str, str], days: int = 0) -> list[str]:
    """What is wrong so many minutes after 11:00 in New York, days after the line, around the clock."""
    profile = '[profile]\nname = "es"\n[status]\nbroker_connected = "broker_connected"\n[market]\nsession = "always"\n'
    known = settings_of(settings, profile=profile)
    known_at = "2026-06-01T12:01:00Z"
    memory = remembered(evaluated(healthy_at(known_at, {"logs": lines, "ecs": None}), settings=known))
    for day in range(days):
        between = healthy_at(f"2026-06-{2 + day:02}T12:00:00Z", {"logs": [], "ecs": None})
        memory = remembered(evaluated(between, memory, known))
    down = {"status_v3": {"broker_connected": False}, "logs": None, "ecs": None}
    at = f"2026-06-{2 + days:02}T{15 + minutes // 60:02}:{minutes % 60:02}:00Z"
    return [
        event for event in named(evaluated(healthy_at(at, down), memory, known)) if "broker_disc" in event
    ]


NOON = "2026-06-01T12:00:00Z IBC: Auto restart time set to 11:00 AM"
DOWN = ["critical broker_disconnected"]


@pytest.mark.parametrize(
    ("minutes", "lines", "settings", "events"),
    [
        (2, [NOON], ZONE, []),
        (6, [NOON], ZONE, DOWN),
        (2, [], ZONE, DOWN),
        (2, [NOON], {}, DOWN),
        (2, [NOON, "2026-06-01T12:00:30Z IBC: Auto logoff time set to 11:00 AM"], ZONE, DOWN),
        (2, [NOON, "2026-06-01T12:00:30Z IBC: Auto restart time set to 10:00 AM"], ZONE, DOWN),
    ],
    ids=["under way", "it outlives that", "no line", "no zone", "it logs off", "a later line"],
)
@pytest.mark.parametrize("days", [0, 9])
def test_the_announced_restart_is_quiet_for_its_time(minutes, lines, settings, events, days):
    assert outage(minutes, lines, settings, days) == events
