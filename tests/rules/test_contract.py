"""What each rule declares, held against the table of events: kind, money, when it escalates, its hours."""

from __future__ import annotations

import pytest

from detector.domain.rule import Lasts
from detector.engine.catalog import load_rules
from detector.formats.merge_patch import apply_patch
from detector.settings import Setting
from tests.support.snapshots import evaluated, healthy, healthy_at, named, owed, remembered

STATE, OCC = "state", "occurrence"
ALWAYS, RTH, GRACE, QUIET, RESTART = (
    "always",
    "regular session",
    "regular session, past the open grace",
    "outside IBKR's quiet windows",
    "outside the gateway's planned restart",
)
# type: kind, money, escalates, confirm, hours
CONTRACT = {
    "ecs_service_count_mismatch": (STATE, False, "480 s", False, ALWAYS),
    "ecs_task_count_mismatch": (STATE, True, "now", False, ALWAYS),
    "gateway_unhealthy": (STATE, False, "480 s", False, ALWAYS),
    "trader_not_running": (STATE, False, "480 s", False, ALWAYS),
    "task_restart_loop": (OCC, False, "now", False, ALWAYS),
    "standby_running": (STATE, True, "now", False, ALWAYS),
    "heartbeat_stale": (STATE, False, "2 obs", False, RTH),
    "clock_skew": (STATE, False, "never", False, ALWAYS),
    "reconcile_pending": (STATE, True, "480 s", False, ALWAYS),
    "broker_import_position": (STATE, False, "never", False, ALWAYS),
    "pending_orders_high": (STATE, False, "critical: 480 s", False, ALWAYS),
    "pending_order_stale": (STATE, False, "never", False, ALWAYS),
    "pending_exits": (STATE, False, "never", True, ALWAYS),
    "stuck_exits": (STATE, True, "now", False, ALWAYS),
    "high_exit_attempts": (STATE, False, "critical: 480 s", False, ALWAYS),
    "send_outcome_unknown": (STATE, True, "now", False, ALWAYS),
    "broker_confirmation_required": (STATE, True, "now", False, ALWAYS),
    "unknown_fill": (STATE, True, "now", False, ALWAYS),
    "pnl_unknown": (OCC, False, "never", False, ALWAYS),
    "impossible_state": (STATE, True, "now", False, ALWAYS),
    "broker_disconnected": (STATE, False, "critical: now", False, QUIET),
    "market_data_10197": (STATE, False, "never", False, RTH),
    "market_data_degraded": (STATE, False, "never", False, GRACE),
    "source_unavailable": (STATE, False, "never", False, ALWAYS),
    "source_stale": (STATE, False, "never", False, ALWAYS),
    "exposure_unwatched": (STATE, True, "2 obs", False, RTH),
    "watch_gap": (OCC, False, "never", False, ALWAYS),
    "reading_invalid": (STATE, False, "never", False, ALWAYS),
    "reading_missing": (STATE, False, "never", False, ALWAYS),
    "memory_lost": (OCC, False, "never", False, ALWAYS),
    "reconcile_unproven": (STATE, False, "never", False, ALWAYS),
    "connectivity_lost": (OCC, False, "900 s", False, ALWAYS),
    "session_conflict": (OCC, False, "never", False, ALWAYS),
    "severe_log_burst": (OCC, False, "never", False, ALWAYS),
    "gateway_failure": (OCC, False, "480 s", False, ALWAYS),
    "farm_unhealed": (OCC, False, "never", False, ALWAYS),
    "margin_notice": (OCC, True, "now", False, ALWAYS),
    "detector_error": (STATE, False, "never", False, ALWAYS),
    "open_positions_drift": (STATE, True, "now", False, ALWAYS),
    "state_stores_disagree": (STATE, True, "now", False, ALWAYS),
    "trade_reopened": (STATE, True, "now", False, ALWAYS),
    "startup_reconcile_missing": (STATE, True, "480 s", False, ALWAYS),
    "missed_fill": (OCC, True, "now", False, ALWAYS),
    "trade_record_inconsistent": (OCC, False, "never", False, ALWAYS),
    "duplicate_entry_burst": (OCC, True, "now", False, ALWAYS),
    "exit_would_open_position": (STATE, True, "now", False, ALWAYS),
    "unprotected_position": (STATE, True, "now", False, RTH),
    "feed_frozen": (STATE, False, "never", False, GRACE),
    "gateway_unresponsive": (STATE, False, "480 s", False, RESTART),
    "process_down": (STATE, False, "480 s", False, RESTART),
    "process_restart_loop": (OCC, False, "now", False, ALWAYS),
    "halted_but_running": (STATE, False, "1800 s", False, RTH),
    "power_on_battery": (STATE, False, "critical: now", False, ALWAYS),
    "wrong_environment": (STATE, True, "now", False, ALWAYS),
}
BY_NAME = {one.name: one.declaration for one in load_rules()}


def words(lasts: Lasts | None) -> str:
    if lasts is None:
        return "never"
    default = lasts.seconds.default if isinstance(lasts.seconds, Setting) else lasts.seconds
    when = (
        f"{default} s"
        if default is not None
        else "now"
        if lasts.observations == 1
        else f"{lasts.observations} obs"
    )
    return f"{lasts.at}: {when}" if lasts.at else when


def test_every_rule_stands_in_the_contract():
    assert set(BY_NAME) == set(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_a_rule_declares_what_the_contract_says(name):
    one = BY_NAME[name]
    assert (one.kind, one.money, words(one.escalates), one.confirm, one.during.name) == CONTRACT[name]


def first_summary(facts: dict[str, object]) -> str:
    return evaluated(apply_patch(healthy(), {"status_v3": facts})).events[0].summary


@pytest.mark.parametrize(
    ("facts", "summary"),
    [
        ({"broker_connected": False}, "The broker link is down with 0 open positions."),
        (
            {"broker_connected": False, "open_positions": None, "open_position_count": 1},
            "The broker link is down with 1 open position.",
        ),
        (
            {
                "connection_error": "API connection failed:\n TimeoutError().",
                "open_positions": None,
                "open_position_count": None,
            },
            (
                "The broker link is down with an unknown number of open positions (API connection failed:"
                " TimeoutError())."
            ),
        ),
        ({"stuck_exits": 1, "pending_exits": 1}, "1 exit is stuck."),
        ({"stuck_exits": 2, "pending_exits": 2}, "2 exits are stuck."),
        ({"unknown_fills": 1}, "1 fill belongs to no known order."),
        ({"send_outcome_unknown": True}, "The outcome of 1 sent order is unknown."),
        ({"pending_orders": 2}, "2 orders are pending (limit 2)."),
        ({"pending_orders": 3}, "3 orders are pending (limit 3)."),
        ({"position_reconcile_pending": True}, "position_reconcile_pending is true."),
        ({"market_data_10197_recent": 12}, "12 recent 10197 notices (limit 10)."),
    ],
)
def test_a_summary_says_the_number_and_its_limit(facts, summary):
    assert first_summary(facts) == summary


@pytest.mark.parametrize(
    ("patch", "event"),
    [
        ({"status_v3": {"pending_orders": "two"}}, "warning reading_invalid:status_v3.pending_orders"),
        (
            {"status_v3": {"engine_started_at": "2026-06-02T23:00:00Z"}},
            "warning clock_skew:status_v3.engine_started_at",
        ),
    ],
)
def test_what_a_switched_off_source_said_is_retired(patch, event):
    first = evaluated(apply_patch(healthy(), patch))
    assert named(first) == [event]
    off = {"status_v3": None, "sources": {"status_v3": {"state": "off"}}}
    second = evaluated(healthy_at("2026-06-02T15:05:00Z", off), remembered(first))
    assert owed(second) == [f"retired {event.removeprefix('warning ')}"]
