"""What each rule declares is what the table of events shows, and a summary holds the number and its limit."""

from __future__ import annotations

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import ROOT, evaluated, healthy, healthy_at, named, owed, remembered
from tools.generate_docs import BLOCKS

TABLE = (ROOT / "docs" / "events.md").read_text("utf-8").splitlines()


def test_the_rules_declare_what_the_table_of_events_shows():
    """The generated table is the snapshot of every declaration: `make docs` writes a change of it."""
    rows = [row.replace("(RUNBOOK", "(../RUNBOOK") for row in BLOCKS["events"]()]
    assert [row for row in rows if row not in TABLE] == [], "run `make docs`"


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
        ({"pending_orders": 2}, "2 orders are pending (warning at 2)."),
        ({"pending_orders": 3}, "3 orders are pending (critical at 3)."),
        (
            {"position_reconcile_pending": True},
            "The runtime is not sure what it holds: position_reconcile_pending is true.",
        ),
        (
            {"market_data_10197_recent": 12},
            "Another session has the market data: error 10197 came 12 times lately (warning at 10).",
        ),
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
