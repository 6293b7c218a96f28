"""The stdin path on a full snapshot against the bare import of the libraries that it stands on."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

SNAPSHOT = Path("tests/fixtures/snapshots/regular-session.json")
BASELINE = [sys.executable, "-c", "import click; from pydantic import BaseModel"]
DETECT = [sys.executable, "-m", "detector", "--quiet"]
ROUNDS, GOAL = 25, 2.0


def run() -> None:
    """Print the medians of interleaved runs and their ratio; the goal is at most 2."""
    snapshot = SNAPSHOT.read_bytes()
    times: dict[str, list[float]] = {"baseline": [], "detect": [], "bare": []}
    commands = {"baseline": BASELINE, "detect": DETECT, "bare": [sys.executable, "-c", "pass"]}
    for number in range(ROUNDS + 2):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, input=snapshot, stdout=subprocess.DEVNULL, check=True)
            if number >= 2:
                times[name].append(time.perf_counter() - began)
    median = {name: statistics.median(found) for name, found in times.items()}
    ratio = median["detect"] / median["baseline"]
    print(
        f"stdin path {median['detect'] * 1000:.0f} ms,"
        f" click and pydantic {median['baseline'] * 1000:.0f} ms, "
        f"bare interpreter {median['bare'] * 1000:.0f} ms ({len(snapshot)} bytes, median of {ROUNDS})"
    )
    print(f"ratio {ratio:.2f} (goal: at most {GOAL})")
