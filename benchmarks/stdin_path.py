"""Processor time of whole processes against the bare import of the libraries that they stand on."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from compileall import compile_dir
from importlib import import_module
from pathlib import Path

from tests.support.merge_patch import apply_patch

SNAPSHOT = Path("tests/fixtures/snapshots/regular-session.json")
BASELINE = [sys.executable, "-c", "import click; from pydantic import BaseModel"]
DETECT = [sys.executable, "-m", "detector", "--quiet", "--offline"]
HELD = {"con_id": 1, "symbol": "SPY", "sec_type": "STK", "quantity": 5}
CLOSE = [sys.executable, "-m", "detector", "can-close", "--con-id=1", "--quantity=5", "--now"]
PACKAGES = ("detector", "click", "pydantic", "pydantic_core", "msgspec", "typing_inspection")
ROUNDS = 25
GOALS = {"an empty snapshot": 1.25, "a snapshot": 1.25, "a snapshot and a memory": 1.5, "can-close": 1.5}


def run() -> None:
    """Print the medians of interleaved runs and their ratios; all of them read bytecode and write none."""
    compile_packages()
    with tempfile.TemporaryDirectory() as folder:
        previous = Path(folder) / "previous.json"
        snapshot = SNAPSHOT.read_bytes()
        subprocess.run(
            [*DETECT, "--artifact", str(previous)], input=snapshot, stdout=subprocess.PIPE, check=True
        )
        document = json.loads(snapshot)
        held = {"as_of": document["taken_at"], "connected": True, "positions": [HELD], "open_orders": []}
        closing = json.dumps(apply_patch(document, {"broker": held})).encode()
        close = [*CLOSE, document["taken_at"]]
        verdict = subprocess.run(close, input=closing, stdout=subprocess.PIPE, check=True).stdout
        commands = {
            "click and pydantic": (BASELINE, b""),
            "an empty snapshot": (DETECT, b"{}"),
            "a snapshot": (DETECT, snapshot),
            "a snapshot and a memory": ([*DETECT, "--previous", str(previous)], snapshot),
            "can-close": (close, closing),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, (command, given) in commands.items():
                times[name].append(measure_process(command, given))
    median = {name: statistics.median(values) for name, values in times.items()}
    base = median["click and pydantic"]
    load = os.getloadavg()[0]
    print(f"click and pydantic: {base * 1000:.0f} ms (processor time, median of {ROUNDS}; load {load:.1f})")
    print(f"can-close answers: {' '.join(verdict.decode().split())[:60]}")
    for name, goal in GOALS.items():
        print(f"{name}: {median[name] * 1000:.0f} ms, ratio {median[name] / base:.2f} (goal: at most {goal})")


def compile_packages() -> None:
    """Write the bytecode that the measured processes read, as an installation has it."""
    for package in PACKAGES:
        compile_dir(Path(str(import_module(package).__file__)).parent, quiet=2)


def measure_process(
    command: list[str],
    given: bytes = b"",
    environ: Mapping[str, str] = os.environ,
    accepted: Collection[int] = (0,),
) -> float:
    """Return the processor time of one process; it may read bytecode and write none.

    Raises RuntimeError where it exits with another code than those.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, input=given, capture_output=True, env=own, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode not in accepted:
        raise RuntimeError(f"{command} exits with {ended.returncode}: {ended.stderr[-500:]!r}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
