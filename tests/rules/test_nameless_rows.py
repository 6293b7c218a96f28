"""A row that names nothing is called so: no sentence has a noun in the place of its name."""

from __future__ import annotations

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, healthy


def test_a_trade_without_id_and_symbol_is_called_so():
    row = {"pnl_unknown": True, "closed_at": "2026-06-02T14:00:00Z"}
    report = evaluated(apply_patch(healthy(), {"status_v3": {"recent_trades": [row]}}))
    summaries = {event.type: event.summary for event in report.events}
    assert summaries["pnl_unknown"].startswith(
        "Trade without id or symbol of 2026-06-02 14:00:00 UTC was closed"
    )


@pytest.mark.parametrize(
    "row", [{}, {"con_id": None}, *({"con_id": text} for text in ("", "NaN", 0, "0", 2147483647))]
)
@pytest.mark.parametrize("rows", ["positions", "open_orders", "executions"])
def test_a_row_of_the_broker_that_names_nothing_is_reported(rows, row):
    filled = {"quantity": 2, "side": "BUY", "at": "2026-06-02T14:30:00Z", **row} if row else {}
    broker = {"as_of": "2026-06-02T15:00:00Z", "connected": True, rows: [filled]}
    report = evaluated(apply_patch(healthy(), {"broker": broker}))
    assert any(
        event.type == "reading_invalid" and f"broker.{rows} has a row" in event.summary
        for event in report.events
    )


@pytest.mark.parametrize("name", ["orders", "open_positions", "recent_trades", "ticks"])
def test_an_empty_row_of_the_runtime_is_reported(name):
    report = evaluated(apply_patch(healthy(), {"status_v3": {name: [{}]}}))
    assert f"status_v3.{name}" in " ".join(event.summary for event in report.events)
