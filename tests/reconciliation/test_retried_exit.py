"""The founding outage with an engine that sends its exit again every few seconds: it hides nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tools.incidents import Incident, Looked, Moment, incident, looked

FIRST, LAST = datetime(2026, 5, 6, 19, 49, tzinfo=UTC), datetime(2026, 5, 6, 19, 57, tzinfo=UTC)
CLOSED_BY_HAND = 54  # for a minute both stores are closed, and the runtime's list may be of before that
CALL = {"symbol": "SPY", "strike": 727, "right": "C"}


def with_retried_exit(kind: str | None) -> Incident:
    """The outage in which the restarted engine tries to sell its 39, each time three seconds ago."""
    outage = incident("2026-05-06-power-outage")
    order: dict[str, Any] = {**CALL, "order_id": "9", "side": "SELL", "quantity": 39, "status": "Submitted"}
    order |= {"order_type": "LMT", "submitted_at": "@now-3"} | ({"kind": kind} if kind else {})
    model = next(moment for moment in outage.moments if moment.at >= FIRST)

    def build(at: datetime, orders: list[dict[str, Any]]) -> Moment:
        return replace(model, at=at, patch={"status_v3": {"orders": orders}})

    moments = [*outage.moments, build(FIRST, [order]), build(LAST, [])]
    return replace(outage, moments=tuple(sorted(moments, key=lambda moment: moment.at)))


def run_every(seconds: int, kind: str | None, since: datetime) -> list[Looked]:
    one = with_retried_exit(kind)
    times = [
        since + timedelta(seconds=seconds) * n
        for n in range(int((LAST - since).total_seconds()) // seconds + 1)
    ]
    return [run for run in looked(one, one.lane("remote"), times) if FIRST <= run.at < LAST]


@pytest.mark.parametrize("kind", ["exit", None])
@pytest.mark.parametrize("seconds", [60, 600])
def test_each_divergence_is_told_at_its_minute(seconds, kind):
    found = run_every(seconds, kind, FIRST - timedelta(seconds=3600))
    assert found
    for run in found:
        critical = {
            event.type for event in run.report.events if event.severity == "critical" and not event.held
        }
        assert "exit_would_open_position" in critical, run.at
        if run.at.minute != CLOSED_BY_HAND:
            drift = next(event for event in run.report.events if event.type == "open_positions_drift")
            assert (drift.observed, drift.severity, drift.held) == ("phantom", "critical", False)
        assert run.report.decision.action == "escalate"
        if run.at >= datetime(2026, 5, 6, 19, 54, tzinfo=UTC):
            assert "trade_record_inconsistent" in {event.type for event in run.report.events}
        if run.at >= datetime(2026, 5, 6, 19, 55, tzinfo=UTC) and seconds == 60:
            assert "trade_reopened" in critical
    first = found[0].report.new_events
    assert {"open_positions_drift", "exit_would_open_position"} <= {event.type for event in first}
