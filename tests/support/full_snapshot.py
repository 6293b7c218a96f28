"""A healthy snapshot with every section and the keys that its source writes, and edits of its keys."""

from __future__ import annotations

import string
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from tests.support.snapshots import healthy, later

Path = tuple[str | int, ...]
OPTION = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260605",
    "strike": 727,
    "right": "C",
    "multiplier": 100,
}
POSITION = {**OPTION, "quantity": 3, "avg_price": 5.5}


def build_full_snapshot() -> dict[str, Any]:
    """Return a fresh copy: nothing is wrong in it, and one position is open."""
    document = healthy()
    status = document["status_v3"]
    status |= {
        "open_positions": [{**POSITION, "tags": ["x"], "exit_attempt_count": 0, "trade_id": 162}],
        "open_position_count": 1,
        "pending_orders": 1,
        "orders": [
            {**OPTION, "order_id": 7, "perm_id": 70, "side": "BUY", "kind": "entry", "order_type": "LMT",
             "status": "Submitted", "parked": False, "filled": 0, "quantity": 1,
             "submitted_at": "2026-06-02T14:59:00Z"}
        ],
        "recent_trades": [
            {"trade_id": 158, "symbol": "COIN", "opened_at": "2026-06-02T13:41:00Z",
             "closed_at": "2026-06-02T14:22:10Z", "quantity": 10, "entry_price": 249.1, "exit_price": 252.0,
             "multiplier": 1, "fees": 2.0, "realized_pnl": 27.0, "exit_reason": "TP", "pnl_unknown": False}
        ],
        "ticks": [{"symbol": "SPY", "price": 727.5, "at": "2026-06-02T14:59:50Z"}],
        "engine_started_at": "2026-06-02T12:01:00Z",
        "last_reconcile_at": "2026-06-02T12:01:30Z",
        "trading_halted": False,
    }  # fmt: skip
    working = {"orderId": 7, "permId": 70, "action": "BUY", "totalQuantity": 1, "orderType": "LMT",
               "status": "Submitted", "symbol": "SPY", "secType": "OPT", "expiry": "20260605", "strike": 727,
               "right": "C", "multiplier": 100, "filled": 0}  # fmt: skip
    return document | {
        "bot_status": {"heartbeat_at": "2026-06-02T14:59:51Z", "pending_exits": 0, "stuck_exits": 0,
                       "broker_connected": True, "market_data_status": "ok"},
        "logs": {"from": "2026-06-02T12:00:00Z", "to": "2026-06-02T15:00:00Z", "truncated": False,
                 "events": [{"timestamp": 1780412160000, "logStreamName": "t", "eventId": "1",
                             "message": "INFO position reconciliation OK matched=1 internal_count=1 broker_count=1"}]},
        "broker": {"as_of": "2026-06-02T14:59:50Z", "connected": True, "account": "DU1234567", "mode": "paper",
                   "positions": [POSITION], "open_orders": [working],
                   "executions": [{"exec_id": "00.01", "perm_id": 60, "order_id": 6, **OPTION, "side": "BUY",
                                   "quantity": 3, "price": 5.5, "at": "2026-06-02T14:10:00Z"}]},
        "stores": {"as_of": "2026-06-02T14:59:50Z",
                   "position_state": [{**POSITION, "trade_id": 162, "is_open": 1}],
                   "trades": [{**OPTION, "trade_id": 162, "status": "open", "quantity": 3, "entry_price": 5.5,
                               "opened_at": "2026-06-02T14:10:00Z", "order_id": 6}]},
        "gateway": {"host": "127.0.0.1", "port": 4002, "listening": True, "handshake": "ok",
                    "server_version": 178, "established": 1, "close_wait": 0},
        "processes": [{"name": "engine", "running": True, "pid": 10, "started_at": "2026-06-02T12:01:00Z",
                       "starts_recent": 0, "exit_code": None}],
        "power": {"status": "OL", "battery_charge": 100, "battery_runtime_sec": 3600},
        "sources": {"status_v3": {"state": "ok", "as_of": "2026-06-02T14:59:55Z", "elapsed_ms": 12}},
    }  # fmt: skip


def move(document: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the document as if it was taken that much later, the epoch times of its log lines too."""
    moved = deepcopy(later(document, seconds))
    logs = moved.get("logs")
    lines = logs.get("events") if isinstance(logs, dict) else None
    for line in lines if isinstance(lines, list) else ():
        if isinstance(line, dict) and isinstance(line.get("timestamp"), int):
            line["timestamp"] += int(seconds * 1000)
    return moved


def iter_keys(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every key in it, its own last."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from iter_keys(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from iter_keys(inner, (*path, number))


def iter_edits(key: str) -> Iterator[str]:
    """Yield the key with a letter deleted, doubled or added, two letters swapped, and in another case."""
    edits = dict.fromkeys(key[:at] + key[at + 1 :] for at in range(len(key)))
    edits |= dict.fromkeys(key[:at] + key[at] + key[at:] for at in range(len(key)))
    edits |= dict.fromkeys(key[:at] + key[at + 1] + key[at] + key[at + 2 :] for at in range(len(key) - 1))
    edits |= dict.fromkeys(
        key[:at] + letter + key[at:] for at in range(len(key) + 1) for letter in string.ascii_lowercase[::5]
    )
    edits |= dict.fromkeys(
        (key.upper(), key.lower(), key.title(), key.replace("_", ""), key.replace("_", "-"))
    )
    yield from (edit for edit in edits if edit and edit != key)


def rename_key(document: dict[str, Any], path: Path, name: str) -> dict[str, Any] | None:
    """Return a copy in which the key has another name, at its place.

    None where that name is there already.
    """
    copy, holder = copy_along(document, path)
    if name in holder:
        return None
    items = [(name if key == path[-1] else key, value) for key, value in holder.items()]
    holder.clear()
    holder.update(items)
    return copy


def remove_key(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a copy without the key."""
    copy, holder = copy_along(document, path)
    del holder[path[-1]]
    return copy


def set_value(document: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return a copy with another value at that place."""
    copy, holder = copy_along(document, path)
    holder[path[-1]] = value
    return copy


def copy_along(document: dict[str, Any], path: Path) -> tuple[dict[str, Any], Any]:
    """Return a copy and what in it holds the end of the path; what lies beside the path is not copied."""
    holder: Any = dict(document)
    copy = holder
    for part in path[:-1]:
        holder[part] = holder[part].copy()
        holder = holder[part]
    return copy, holder
