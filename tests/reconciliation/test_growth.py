"""Two thousand rows on each side take seconds of processor time, and four times as many at most five times it."""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.snapshots import evaluated, healthy

Rows = Callable[[int], list[dict[str, Any]]]
LEAST_SEC = 0.15  # below it the fixed part of a run hides its growth


def shares(n: int) -> list[dict[str, Any]]:
    return [{"symbol": f"A{i}", "sec_type": "STK", "quantity": 1} for i in range(n)]


def mere_ids(n: int) -> list[dict[str, Any]]:
    return [{"con_id": i + 1, "sec_type": "STK", "quantity": 1} for i in range(n)]


def options(n: int, **more: Any) -> list[dict[str, Any]]:
    base = {"symbol": "SPX", "sec_type": "OPT", "expiry": "20260619", "right": "C", "quantity": 1}
    return [{**base, "strike": 1000 + i, **more} for i in range(n)]


def vague_options(n: int) -> list[dict[str, Any]]:
    return [{"symbol": "SPX", "strike": 1000 + i, "quantity": 1} for i in range(n)]


def adjusted(n: int) -> list[dict[str, Any]]:
    return options(n, tradingClass="SPXW")


def as_executions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts = {"side": "BOT", "price": 1, "at": "2026-06-02T14:00:00Z"}
    return [{**row, **parts, "exec_id": f"e{i}", "order_id": f"f{i}"} for i, row in enumerate(rows)]


def as_orders(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "order_id": str(i), "side": "SELL", "status": "Submitted"} for i, row in enumerate(rows)]


def as_trades(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "trade_id": str(i), "opened_at": "2026-06-02T14:00:10Z"} for i, row in enumerate(rows)]


def document(internal: Rows, at_broker: Rows, n: int) -> dict[str, Any]:
    snapshot = healthy()
    held, rows = internal(n), at_broker(n)
    snapshot["stores"] = {
        "position_state": [{**row, "is_open": 1} for row in held],
        "trades": as_trades(held),
    }
    snapshot["broker"] = {
        "connected": True,
        "positions": rows,
        "open_orders": as_orders(rows),
        "executions": as_executions(rows),
    }
    return snapshot


def measure(internal: Rows, at_broker: Rows, n: int) -> float:
    """The least processor time of three runs, without the collector of garbage."""
    snapshot, times = document(internal, at_broker, n), []
    for _ in range(3):
        gc.collect()
        gc.disable()
        start = time.process_time()
        evaluated(copy.deepcopy(snapshot))
        times.append(time.process_time() - start)
        gc.enable()
    return min(times)


@pytest.mark.parametrize(
    ("internal", "at_broker"),
    [
        pytest.param(shares, shares, id="the same names"),
        pytest.param(shares, mere_ids, id="names beside ids"),
        pytest.param(mere_ids, mere_ids, id="ids"),
        pytest.param(options, options, id="options of one symbol"),
        pytest.param(vague_options, options, id="options without an expiry"),
        pytest.param(options, adjusted, id="options of a class"),
    ],
)
def test_the_comparison_grows_with_the_rows(internal, at_broker):
    few, many = measure(internal, at_broker, 500), measure(internal, at_broker, 2000)
    assert many <= 5 * max(few, LEAST_SEC)
