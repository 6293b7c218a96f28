"""A row that names nothing is called so: no sentence has a noun in the place of its name."""

from __future__ import annotations

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, healthy


def test_a_trade_without_id_and_symbol_is_called_so():
    row = {"pnl_unknown": True, "closed_at": "2026-06-02T14:00:00Z"}
    report = evaluated(apply_patch(healthy(), {"status_v3": {"recent_trades": [row]}}))
    summaries = {event.type: event.summary for event in report.events}
    assert summaries["pnl_unknown"].startswith("Trade without id or symbol 2026-06-02T14.00.00Z was closed")
