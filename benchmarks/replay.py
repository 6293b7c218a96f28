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
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from detector.formats.times import parse_rfc3339
from tests.support.merge_patch import apply_time_shift

STEPS = 13_608  # ten-minute runs over the 252 sessions of a year, 54 windows each
LARGE, SMALL = 200_000, 10_000
_SATURDAY = 5
BASE = Path("tests/fixtures/snapshots/regular-session.json")
GOAL = 1.0


def run() -> None:
    """Print the processor time of a replay and of promtool on as many steps, and two peaks of memory."""
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "history.ndjson"
        size = _write(history, STEPS)
        ours = _timed([sys.executable, "-m", "detector", "replay", str(history)])
        print(f"replay: {STEPS} snapshots of {size} bytes in {ours:.1f} s ({ours / STEPS * 1e6:.0f} µs each)")
        _against_promtool(Path(folder), ours)
        peaks = [_peak(Path(folder) / f"{length}.ndjson", length) for length in (SMALL, LARGE)]
        print(f"peak memory: {peaks[0]} MiB at {SMALL}, {peaks[1]} MiB at {LARGE} snapshots")


def _snapshots(length: int, minutes: int) -> Iterator[str]:
    """Yield a healthy history as JSON lines, some pending orders aside; its log moves along with its window.

    Working days from an hour before the open, nine hours a day; every section changes in every second
    snapshot at least.
    """
    base, chance = json.loads(BASE.read_text()), random.Random(1)
    first = parse_rfc3339(base["taken_at"])
    logged = [datetime.fromtimestamp(event["timestamp"] / 1000, UTC) for event in base["logs"]["events"]]
    for number, moment in zip(range(length), _list_moments(minutes), strict=False):
        by = moment - first
        document = apply_time_shift(base, by)
        status, ecs, logs = (document[name] for name in ("status_v3", "ecs", "logs"))
        status["pending_orders"] = chance.choice((0, 0, 0, 0, 1, 1, 2, 3)) if number % 7 else 1
        ecs["tasks"][0]["version"] = number // 2
        document["containers"][0]["Status"] = f"Exited (0) {number // 2} hours ago"
        for event, at in zip(logs["events"], logged, strict=True):
            event["timestamp"] = int((at + by).timestamp() * 1000)
        yield json.dumps(document)


def _list_moments(minutes: int) -> Iterator[datetime]:
    """Yield the times of runs: every so many minutes of 13:30 to 22:30 UTC, Mondays to Fridays of 2025."""
    for day in (datetime(2025, 1, 6, 13, 30, tzinfo=UTC) + timedelta(days=number) for number in count()):
        if day.weekday() < _SATURDAY:
            yield from (day + timedelta(minutes=minute) for minute in range(0, 540, minutes))


def _write(path: Path, length: int, minutes: int = 10) -> int:
    size = 0
    with path.open("w") as file:
        for line in _snapshots(length, minutes):
            size = max(size, len(line))
            file.write(line + "\n")
    return size


def _timed(command: list[str]) -> float:
    """Return the processor time of one process in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _peak(path: Path, length: int) -> int:
    """Return the peak resident memory, in MiB, of a replay in a process of its own."""
    _write(path, length, minutes=1)
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
    print(f"ratio replay to promtool {ours / theirs:.2f} (goal: at most {GOAL})")


_ONES = {"broker_connected", "running_count"}
