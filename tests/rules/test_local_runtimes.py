"""The rules of a runtime on a machine of its own: the gateway's port, processes, a halt, and the power."""

from __future__ import annotations

import pytest

from tests.support.snapshots import evaluated, given, healthy_at, named, owed, remembered, settings_of

NIGHT = "2026-06-03T02:00:00Z"  # 22:00 in New York
WEEKEND = "2026-06-06T15:00:00Z"


def gateway(**changes):
    return {"gateway": {"port": 4002, "listening": True, "handshake": "ok", "close_wait": 0, **changes}}


@pytest.mark.parametrize(
    ("section", "events"),
    [
        pytest.param(gateway(), [], id="listens and answers"),
        pytest.param(gateway(handshake="not_tried"), [], id="listens, not asked"),
        pytest.param(
            gateway(listening=False, handshake="not_tried"),
            ["critical gateway_unresponsive", "warning broker_disconnected"],
            id="does not listen",
        ),
        pytest.param(gateway(handshake="silent"), ["critical gateway_unresponsive"], id="silent"),
        pytest.param(
            gateway(handshake="refused"),
            ["critical gateway_unresponsive", "warning broker_disconnected"],
            id="refused",
        ),
        pytest.param(gateway(close_wait=1), ["warning gateway_unresponsive"], id="one half closed"),
        pytest.param(gateway(close_wait=2), ["warning gateway_unresponsive"], id="two half closed"),
        pytest.param(gateway(close_wait=3), ["critical gateway_unresponsive"], id="three half closed"),
        pytest.param(gateway(listening=None, handshake="not_tried"), [], id="not seen"),
    ],
)
def test_a_gateway_port_without_an_answer_is_told(section, events):
    assert given(section) == events


@pytest.mark.parametrize("port", [4003, 4004, 7498, 7499])
def test_a_proxy_that_accepts_does_not_prove_that_the_gateway_is_back(port):
    memory = remembered(evaluated(healthy_at("2026-06-02T15:00:00Z", gateway(port=port, handshake="silent"))))
    for minute in (10, 20, 30):
        accepts = gateway(port=port, handshake="not_tried")
        report = evaluated(healthy_at(f"2026-06-02T15:{minute}:00Z", accepts), memory)
        assert "critical gateway_unresponsive" in named(report)
        assert report.held
        memory = remembered(report)
    answers = evaluated(healthy_at("2026-06-02T15:40:00Z", gateway(port=port)), memory)
    assert "critical gateway_unresponsive" not in named(answers)


def test_a_handshake_that_is_not_tried_any_more_resolves_nothing():
    memory = remembered(evaluated(healthy_at("2026-06-02T15:00:00Z", gateway(handshake="silent"))))
    report = evaluated(healthy_at("2026-06-02T15:10:00Z", gateway(handshake="not_tried")), memory)
    assert report.held
    assert owed(report) == []


@pytest.mark.parametrize(
    ("moment", "event"),
    [
        ("2026-06-02T15:00:00Z", "critical process_down:bot"),
        (NIGHT, "warning process_down:bot"),
        (WEEKEND, "warning process_down:bot"),
        ("2090-06-06T15:00:00Z", "critical process_down:bot"),
    ],
    ids=["in session", "at night", "on a weekend", "where the calendar ends"],
)
def test_a_process_that_is_down(moment, event):
    patch = {"processes": [{"name": "bot", "running": False}]}
    assert event in named(evaluated(healthy_at(moment, patch)))


def test_only_what_must_run_is_judged_where_it_is_named():
    patch = {"processes": [{"name": "bot", "running": True}, {"name": "helper", "running": False}]}
    assert given(patch) == ["critical process_down:helper"]
    assert given(patch, {"PROCESSES": "bot=systemd:bot.service"}) == []


def test_a_process_that_is_not_listed_any_more_is_held():
    settings = settings_of({"PROCESSES": "bot=systemd:bot.service"})
    down = evaluated(healthy_at("2026-06-02T15:00:00Z", {"processes": [{"name": "bot", "running": False}]}))
    later = evaluated(healthy_at("2026-06-02T15:10:00Z", {"processes": []}), remembered(down), settings)
    assert later.held == ("process_down:aegis-pt-core:bot",)


@pytest.mark.parametrize(("starts", "events"), [(2, []), (3, ["critical process_restart_loop:bot"])])
def test_a_process_that_starts_again_and_again(starts, events):
    assert given({"processes": [{"name": "bot", "running": True, "starts_recent": starts}]}) == events


HALTED = {"status_v3": {"trading_halted": True}}
DEAD = {"heartbeat_at": "2026-06-02T14:54:00Z", "trading_halted": True}


@pytest.mark.parametrize(
    ("patch", "fires"),
    [
        pytest.param(HALTED, True, id="its heartbeat is fresh"),
        pytest.param({"status_v3": DEAD}, True, id="its task runs"),
        pytest.param({"status_v3": DEAD, "ecs": None}, False, id="nothing runs"),
        pytest.param(
            {"status_v3": DEAD, "ecs": None, "processes": [{"name": "bot", "running": True}]},
            True,
            id="its process runs",
        ),
        pytest.param({"status_v3": {"trading_halted": False}}, False, id="not halted"),
        pytest.param({**HALTED, "taken_at": NIGHT}, False, id="at night"),
    ],
)
def test_a_halt_while_it_runs(patch, fires):
    assert ("critical halted_but_running" in given(patch)) is fires


FLAT = {"open_positions": [], "open_position_count": 0}
HELD = {"open_positions": [{"symbol": "SPY", "quantity": 1}], "open_position_count": 1}
UNKNOWN = {"open_positions": None, "open_position_count": None}


@pytest.mark.parametrize(
    ("status", "power", "severity"),
    [
        (FLAT, {"status": "OL"}, None),
        (FLAT, {"status": "OL CHRG LB"}, None),
        (FLAT, {"status": "OB"}, "warning"),
        (FLAT, {"status": "OB", "battery_runtime_sec": 300}, "warning"),
        (FLAT, {"status": "OB", "battery_runtime_sec": 299}, "critical"),
        (FLAT, {"status": "OB LB"}, "critical"),
        (FLAT, {"status": "FSD OL"}, "critical"),
        (HELD, {"status": "OB"}, "critical"),
        (UNKNOWN, {"status": "OB"}, "critical"),
    ],
)
def test_power_on_battery_is_critical_with_positions(status, power, severity):
    events = given({"status_v3": status, "power": power})
    expected = [] if severity is None else [f"{severity} power_on_battery"]
    assert [event for event in events if "power" in event] == expected


def test_the_summary_says_what_the_battery_still_holds():
    power = {"status": "OB LB", "battery_charge": 12, "battery_runtime_sec": 240}
    event = evaluated(healthy_at("2026-06-02T15:00:00Z", {"power": power})).events[0]
    assert event.summary == (
        "The UPS is on battery and nearly empty (12 %, 4 min left), with 0 open positions"
        " (critical below 5 min of runtime)."
    )


# --- the planned restart of the gateway ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-06-02T03:44:59Z", False),
        ("2026-06-02T03:45:00Z", True),
        ("2026-06-02T03:49:59Z", True),
        ("2026-06-02T03:50:00Z", False),
        ("2026-12-02T04:45:00Z", True),
        ("2026-12-02T03:45:00Z", False),
    ],
)
@pytest.mark.parametrize("place", ["gateway", "processes"])
def test_a_planned_restart_is_quiet_for_300_seconds(moment, quiet, place):
    patch = {"gateway": gateway(listening=False)["gateway"], "processes": [{"name": "gw", "running": False}]}
    events = named(
        evaluated(
            healthy_at(moment, {place: patch[place]}),
            settings=settings_of({"RESTART_AT": "23:45 America/New_York, 12:00 UTC"}),
        )
    )
    assert bool([event for event in events if "process_down" in event or "gateway_un" in event]) is not quiet


def test_a_restart_is_quiet_for_the_link_too_in_the_session():
    settings = {"RESTART_AT": "11:00 America/New_York"}
    down = {"status_v3": {"broker_connected": False}}
    assert given({**down, "taken_at": "2026-06-02T15:04:59Z"}, settings) == []
    assert given({**down, "taken_at": "2026-06-02T15:05:00Z"}, settings) == ["warning broker_disconnected"]
