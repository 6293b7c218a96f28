"""The sections of the box: `gateway`, `processes` and `power`.

What is missing or odd is not seen, and never down.
"""

from __future__ import annotations

import pytest

from tests.support.snapshots import given

LISTENS = {"port": 4002, "listening": True, "handshake": "not_tried", "close_wait": 0}


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ({"gateway": {"listening": "yes"}}, "gateway.listening"),
        ({"gateway": {"listening": 1}}, "gateway.listening"),
        ({"gateway": {"port": 70000}}, "gateway.port"),
        ({"gateway": {"port": "4002"}}, "gateway.port"),
        ({"gateway": {"handshake": "perhaps"}}, "gateway.handshake"),
        ({"gateway": {"close_wait": -1}}, "gateway.close_wait"),
        ({"processes": [{"running": False}]}, "processes.name"),
        ({"processes": ["gateway"]}, "processes"),
        ({"processes": [{"name": "gateway", "running": "no"}]}, "processes.running"),
        ({"processes": [{"name": "gateway", "running": True, "exit_code": "x"}]}, "processes.exit_code"),
        ({"power": {"status": 3}}, "power.status"),
        ({"power": {"status": "OFF"}}, "power.status"),
        ({"power": {"status": "CAL ALARM"}}, "power.status"),
        ({"power": {"status": "OL", "battery_charge": -1}}, "power.battery_charge"),
        ({"power": {"status": "OL", "battery_runtime_sec": "soon"}}, "power.battery_runtime_sec"),
        ({"processes": [{"name": "gateway"}]}, "processes.running"),
        ({"processes": [{"name": "gateway", "running": None, "pid": 7}]}, "processes.running"),
        (
            {"processes": [{"name": "gateway", "running": True, "error": "no state"}]},
            "processes.starts_recent",
        ),
    ],
)
def test_what_cannot_be_read_is_not_seen_and_told(section, fault):
    assert given(section) == [f"warning reading_invalid:{fault}"]


@pytest.mark.parametrize(
    "section",
    [
        {"gateway": {}},
        {"gateway": LISTENS},
        {"gateway": {"port": 4002, "listening": None, "handshake": None}},
        {"processes": []},
        {"processes": [{"name": "gateway", "running": True, "exit_code": -15, "starts_recent": 2}]},
        {"power": {}},
        {"power": {"status": "OL CHRG", "battery_charge": "100", "battery_runtime_sec": "3600"}},
        {"power": {"status": "ol"}},
        {"power": {"status": ""}},
    ],
)
def test_what_is_healthy_or_says_nothing_is_quiet(section):
    assert given(section) == []
