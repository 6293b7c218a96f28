"""A whole `run` with two sources and Slack on loopback: without bytecode, as in a new container, and with."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from compileall import compile_dir
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from time import perf_counter

from benchmarks.stdin_path import PACKAGES, measure_process
from tests.support.loopback import says, serving

ROUNDS = 7
STATUS = {"heartbeat_age_sec": 9999, "pending_orders": 0, "open_positions": []}


def run() -> None:
    """Print the medians of both: processor time and time on the clock."""
    for package in PACKAGES:
        compile_dir(Path(str(import_module(package).__file__)).parent, quiet=2)
    medians = {}
    for name, is_cold in (("cold", True), ("warm", False)):
        rounds = [_measure(is_cold=is_cold) for _ in range(ROUNDS)]
        processor, clock = (statistics.median(values) for values in zip(*rounds, strict=True))
        medians[name] = processor
        print(f"{name}: {processor:.2f} s of the processor, {clock:.2f} s on the clock (medians of {ROUNDS})")
    print(f"ratio {medians['cold'] / medians['warm']:.2f}")


def _measure(*, is_cold: bool) -> tuple[float, float]:
    """Return processor time and time of a first run that reads two sources and posts to Slack."""
    broker = {"connected": True, "as_of": datetime.now(UTC).isoformat(), "positions": [], "open_orders": []}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(says(STATUS)) as status,
        serving(says(broker)) as account,
        serving(says(b"ok")) as slack,
    ):
        environ = {
            "PATH": os.defpath,
            "AEGIS_PT_STATUS_URL": f"{status.url}/status",
            "AEGIS_PT_SECTIONS": f"broker={account.url}/broker",
            "AEGIS_PT_SLACK_WEBHOOK_URL": f"{slack.url}/hook",
            **({"PYTHONPYCACHEPREFIX": f"{folder}/none"} if is_cold else {}),
        }
        words = [sys.executable, "-m", "detector", "run", "--quiet", "--state", f"{folder}/state"]
        began = perf_counter()
        processor = measure_process(words, environ=environ, accepted=(0, 1, 2))
        clock = perf_counter() - began
        assert all(server.requests for server in (status, account, slack)), "a source or Slack was not asked"
    return processor, clock
