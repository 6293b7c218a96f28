"""The two founding profiles, with the payloads of their programs; and what a profile may say beside paths."""

from __future__ import annotations

from typing import Any

import pytest

from detector.app.profile_document import parse_profile_text
from detector.formats.errors import InputError
from detector.profiles import list_builtin_profiles
from tests.support.snapshots import ROOT, evaluated, named, settings_of

AT = "2026-06-02T15:00:00Z"
ROBO = (ROOT / "detector" / "profiles" / "robo_trader.toml").read_text("utf-8")
CORTANA = (ROOT / "detector" / "profiles" / "cortana.toml").read_text("utf-8")


def robo(trading: dict[str, Any] | None = None, **sections: Any) -> list[str]:
    """The events of robo_trader's /api/status, healthy but for the changes, in the session."""
    status = {
        "trading_status": {
            "is_trading": True, "connected": True, "api_connected": True, "gateway_available": True,
            "market_open": True, "mode": "paper", "ibkr_port": 4002, "session_start": "2026-06-02T11:00:00",
            "message": "Trading active", "detail": "", "runner_state": "running", "tws_health": "healthy",
            "symbols_count": 22, **(trading or {}),
        },
        "pnl": None, "metrics": None, "positions_count": 0, "ml_status": None,
    }  # fmt: skip
    document = {"taken_at": AT, "status_v3": status, **sections}
    return named(evaluated(document, settings=settings_of(profile=ROBO)))


RUNNER = {"status": "healthy", "last_update_seconds_ago": 12.5}
STALE = {"status": "stale", "last_update_seconds_ago": 912.0, "exit_reason": None, "exit_iso_timestamp": None}


def test_a_healthy_dashboard_in_session_is_quiet():
    assert robo() == []
    assert robo(bot_status=RUNNER) == []


def test_a_stale_runner_is_a_stale_heartbeat():
    assert robo(bot_status=STALE) == ["critical heartbeat_stale"]


def test_a_runner_that_never_updated_is_not_seen():
    assert robo(bot_status={**STALE, "last_update_seconds_ago": None}) == []


@pytest.mark.parametrize("field", ["message", "detail", "tws_health"])
def test_a_gateway_status_that_is_unavailable_is_not_seen_and_never_down(field):
    assert robo({"api_connected": False, field: "Gateway status unavailable"}) == []


def test_a_link_that_is_down_is_told():
    down = {"api_connected": False, "message": "API connection failed: TimeoutError()"}
    assert robo(down) == ["warning broker_disconnected"]


@pytest.mark.parametrize(
    "payload", [{"status": "healthy"}, {"positions": []}], ids=["/health", "/api/positions"]
)
def test_what_is_always_healthy_proves_nothing(payload):
    document = {"taken_at": AT, "bot_status": payload}
    report = evaluated(document, settings=settings_of(profile=ROBO))
    assert report.carried.open_positions is None
    assert {covered.state for covered in report.coverage} == {"not seen"}


def test_a_runtime_that_cannot_block_entries_must_reconcile_at_its_start():
    started = {"engine_started_at": "2026-06-02T14:50:00Z", "last_reconcile_at": None}
    document = {"taken_at": AT, "status_v3": {"heartbeat_at": AT, **started}}
    events = named(evaluated(document, settings=settings_of(profile=CORTANA)))
    assert events == ["critical startup_reconcile_missing"]
    assert named(evaluated(document)) == []  # without the constant nobody knows whether entries are blocked


# --- constants, numbers as text, rows keyed by symbol, processes ----------------------------------------

OWN = """
[profile]
name = "own"
numbers_as_text = true
[status]
pending_orders = "n"
heartbeat_age_sec = "age"
open_positions = "positions"
trading_halted = { value = false }
[rows.open_positions]
key = "symbol"
quantity = "qty"
[processes]
expected = ["bot"]
"""


def own(status: dict[str, Any], **more: Any) -> list[str]:
    return named(evaluated({"taken_at": AT, "status_v3": status, **more}, settings=settings_of(profile=OWN)))


@pytest.mark.parametrize(
    ("status", "events"),
    [
        ({"n": "2"}, ["warning pending_orders_high"]),
        ({"n": "2.0"}, ["warning pending_orders_high"]),
        ({"n": 2}, ["warning pending_orders_high"]),
        ({"n": "two"}, ["warning reading_invalid:status_v3.n"]),
        ({"n": "2.5"}, ["warning reading_invalid:status_v3.n"]),
        ({"n": "-1"}, ["warning reading_invalid:status_v3.n"]),
        ({"n": "NaN"}, ["warning reading_invalid:status_v3.n"]),
        ({"n": ""}, ["warning reading_invalid:status_v3.n"]),
        ({"age": "901.5"}, ["critical heartbeat_stale"]),
    ],
)
def test_numbers_that_are_written_as_text(status, events):
    assert own(status) == events


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ({"n": "two"}, '[status] pending_orders = "n"'),
        ({"age": "old"}, '[status] heartbeat_age_sec = "age"'),
        ({"positions": {"SPY": {"qty": "ten"}}}, '[rows.open_positions] quantity = "qty"'),
        ({"positions": {"SPY": {"qty": "1", "avg_price": []}}}, '[status] open_positions = "positions"'),
        ({"positions": 3}, '[status] open_positions = "positions"'),
    ],
)
def test_what_was_not_understood_names_the_fact_and_the_profile_s_line(status, line):
    report = evaluated({"taken_at": AT, "status_v3": status}, settings=settings_of(profile=OWN))
    (event,) = [event for event in report.events if event.type == "reading_invalid"]
    assert event.summary.endswith(f"so it is not seen (profile: {line}).")


def test_a_long_expression_is_cut_and_a_fact_under_its_own_name_names_no_line():
    report = evaluated({"taken_at": AT, "status_v3": {"pending_orders": "two"}})
    (event,) = report.events
    assert event.summary == "status_v3.pending_orders is text, not a count, so it is not seen."
    profile = parse_profile_text(ROBO)
    line = profile.describe_line("broker_connected", "")
    assert line is not None
    assert line.startswith('[status] broker_connected = "[trading_status]')
    assert len(line) < 120
    assert line.endswith('…"')


def test_rows_in_an_object_are_named_by_their_keys():
    impossible = own({"positions": {"SPY": {"qty": "0"}, "QQQ": {"qty": "-3"}}})
    assert len(impossible) == 1
    assert impossible[0].startswith("critical impossible_state")
    assert own({"positions": {"SPY": {"qty": "1"}}}) == []
    assert own({"positions": {}}) == []
    assert own({"positions": {"SPY": 3}}) == ["warning reading_invalid:status_v3.positions"]


def test_the_processes_that_must_run():
    rows = [{"name": "bot", "running": False}, {"name": "other", "running": False}]
    assert own({}, processes=rows) == ["critical process_down:bot"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[status]\npending_orders = { path = "x" }',
            "line 2: [status] pending_orders: is neither a path nor { value",
        ),
        ("[status]\norders = { value = [] }", "line 2: [status] orders: is neither a path nor"),
        ('[status]\npending_orders = { value = "x" }', "[status] pending_orders: value is text, not a count"),
        ("[rows.open_positions]\nkey = 3", "line 2: [rows.open_positions] key: must be a text"),
        ('[processes]\nnames = ["x"]', "line 2: [processes] names: is not known; there are: expected"),
        ("[processes]\nexpected = [3]", "line 2: [processes] expected number 1: must be a text"),
    ],
)
def test_a_profile_that_cannot_be_meant_is_refused(text, says):
    with pytest.raises(InputError) as caught:
        parse_profile_text(text)
    assert says in str(caught.value)


@pytest.mark.parametrize("name", list_builtin_profiles())
def test_every_built_in_profile_has_the_shape_that_a_person_s_must_have(name):
    text = (ROOT / "detector" / "profiles" / f"{name}.toml").read_text("utf-8")
    assert parse_profile_text(text).name == name
