"""Replay of a year of full snapshots, its memory, and promtool on as many steps of equivalent rules."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from detector.formats.merge_patch import apply_patch, apply_time_shift

STEPS = 13_608  # ten-minute runs over the 252 sessions of a year, 54 windows each
LARGE, SMALL = 200_000, 10_000
BASE = Path("tests/fixtures/snapshots/regular-session.json")
GOAL = 3.0


def run() -> None:
    """Print the time of a replay and of promtool on as many steps, and the peak memory of two lengths."""
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "history.ndjson"
        size = _write(history, STEPS)
        ours = _timed([sys.executable, "-m", "detector", "replay", str(history)])
        print(f"replay: {STEPS} snapshots of {size} bytes in {ours:.1f} s ({ours / STEPS * 1e6:.0f} µs each)")
        _against_promtool(Path(folder), ours)
        peaks = [_peak(Path(folder) / f"{count}.ndjson", count) for count in (SMALL, LARGE)]
        print(f"peak memory: {peaks[0]} MiB at {SMALL}, {peaks[1]} MiB at {LARGE} snapshots")


def _snapshots(count: int) -> Iterator[str]:
    """Yield a history in which some signals come and go, as JSON lines."""
    base, chance = json.loads(BASE.read_text()), random.Random(1)
    for number in range(count):
        document = apply_time_shift(base, timedelta(minutes=10 * number))
        patch: dict[str, Any] = {"status_v3": {"pending_orders": chance.choice((0, 0, 0, 0, 1, 1, 2, 3))}}
        yield json.dumps(apply_patch(document, patch if number % 7 else {}))


def _write(path: Path, count: int) -> int:
    size = 0
    with path.open("w") as file:
        for line in _snapshots(count):
            size = max(size, len(line))
            file.write(line + "\n")
    return size


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _peak(path: Path, count: int) -> int:
    """Return the peak resident memory, in MiB, of a replay in a process of its own."""
    _write(path, count)
    child = os.fork()
    if not child:
        done = subprocess.run(
            [sys.executable, "-m", "detector", "replay", str(path)], stdout=subprocess.DEVNULL, check=False
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        path.with_suffix(".peak").write_text(str(used))
        os._exit(done.returncode)
    os.waitpid(child, 0)
    path.unlink()
    return int(path.with_suffix(".peak").read_text())


# Fifteen rules of ours as alerting rules: the metric, and the expression that fires.
RULES = {
    "heartbeat_stale": ("heartbeat_age", "heartbeat_age > 300"),
    "pending_orders_warn": ("pending_orders", "pending_orders >= 2"),
    "pending_orders_critical": ("pending_orders", "pending_orders >= 3"),
    "pending_exits": ("pending_exits", "pending_exits > 0"),
    "stuck_exits": ("stuck_exits", "stuck_exits > 0"),
    "broker_reconcile": ("broker_reconcile", "broker_reconcile == 1"),
    "position_reconcile": ("position_reconcile", "position_reconcile == 1"),
    "entry_reconcile": ("entry_reconcile", "entry_reconcile == 1"),
    "market_data_10197": ("market_data_10197", "market_data_10197 >= 10"),
    "exit_attempts_warn": ("exit_attempts", "exit_attempts >= 12"),
    "exit_attempts_critical": ("exit_attempts", "exit_attempts >= 20"),
    "unknown_fill": ("unknown_fills", "unknown_fills > 0"),
    "send_outcome_unknown": ("send_outcome", "send_outcome > 0"),
    "broker_disconnected": ("broker_connected", "broker_connected == 0"),
    "service_count": ("running_count", "running_count != 1"),
}


def _against_promtool(folder: Path, ours: float) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        print("promtool: NOT MEASURED, it is not installed (Debian package `prometheus`)")
        return
    rules = [{"alert": name, "expr": expr} for name, (_, expr) in RULES.items()]
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "detector", "rules": rules}]}))
    metrics = sorted({metric for metric, _ in RULES.values()})
    series = [{"series": metric, "values": f"{int(metric in _ONES)}x{STEPS}"} for metric in metrics]
    case = {
        "interval": "10m",
        "input_series": series,
        "alert_rule_test": [{"eval_time": f"{10 * STEPS}m", "alertname": "stuck_exits", "exp_alerts": []}],
    }
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "10m", "tests": [case]}
    (folder / "test.yml").write_text(json.dumps(document))
    theirs = _timed([promtool, "test", "rules", str(folder / "test.yml")])
    print(f"promtool test rules: {len(RULES)} rules over {STEPS} steps in {theirs:.1f} s")
    print(f"ratio promtool to replay {theirs / ours:.2f} (goal: at least {GOAL})")


_ONES = {"broker_connected", "running_count"}
