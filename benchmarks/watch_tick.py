"""What a tick of `watch` costs against a fresh process that does the same run."""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from detector.app.context import AppContext
from detector.app.watch_loop import WatchClocks
from detector.cli import run as run_command
from detector.commands import watch

TICKS, ROUNDS, GOAL = 60, 15, 0.1


def measure(ticks: int = TICKS, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the medians of a tick and of a whole process, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        status = Path(folder, "status.json")
        status.write_text('{"heartbeat_age_sec": 3, "pending_orders": 0, "open_positions": []}')
        environ = {"AEGIS_PT_SECTIONS": f"status_v3={status}"}
        return _measure_tick(folder, environ, ticks), _measure_process(folder, environ, rounds)


def run() -> None:
    """Print both and their ratio; the goal is at most a tenth."""
    tick, fresh = measure()
    print(
        f"a tick {tick * 1000:.1f} ms, a fresh process {fresh * 1000:.0f} ms ({TICKS} and {ROUNDS}, medians)"
    )
    print(f"ratio {tick / fresh:.3f} (goal: at most {GOAL})")


def _measure_tick(folder: str, environ: dict[str, str], ticks: int) -> float:
    times: list[float] = []
    run_tick: Callable[[Any], None] = watch._Watch.run_tick

    def run_timed(self: Any) -> None:
        began = time.perf_counter()
        run_tick(self)
        times.append(time.perf_counter() - began)

    passed = [0.0]

    def build_clocks(wall: Callable[[], datetime]) -> WatchClocks:
        return WatchClocks(wall, lambda: passed[0], lambda sec: passed.append(passed.pop() + sec))

    app = AppContext(environ, lambda: datetime.now(UTC), io.BytesIO(), io.BytesIO(), io.StringIO())
    with (
        patch.object(watch._Watch, "run_tick", run_timed),
        patch.object(watch, "WatchClocks", build_clocks),
    ):
        run_command(app, ["watch", "--state", f"{folder}/watch", "--ticks", str(ticks)])
    return statistics.median(times[1:])


def _measure_process(folder: str, environ: dict[str, str], rounds: int) -> float:
    words = [sys.executable, "-m", "detector", "run", "--state", f"{folder}/run", "--quiet"]
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(words, env={"PATH": os.defpath, **environ}, capture_output=True, check=False)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
