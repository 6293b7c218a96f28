"""Snapshots of very many rows: processor time of whole processes, and its growth for four times the rows."""

from __future__ import annotations

import json
import sys

from benchmarks.stdin_path import measure_process
from tests.support.many_rows import KINDS

KINDS_MEASURED = ("the same names", "options of many days", "bonds without a maturity", "many accounts")
FEW, MANY, GOAL_ROWS = 400, 1600, 2000
GOAL_RATIO, GOAL_SEC = 5.0, 2.0
SHARE = ["--symbol=SPY", "--sec-type=STK", "--quantity=1"]
COMMANDS = {"detect": ["--quiet", "--offline"], "plan": ["plan"], "can-close": ["can-close", *SHARE]}


def run() -> None:
    """Print for each kind and command the growth, net of the start, and the seconds at the goal's rows."""
    print(f"processor time of processes; goals: ratio at most {GOAL_RATIO:g}, {GOAL_ROWS} in {GOAL_SEC:g} s")
    for kind in KINDS_MEASURED:
        for command in COMMANDS:
            start, few, many, goal = (_measure(kind, command, n) for n in (1, FEW, MANY, GOAL_ROWS))
            ratio = (many - start) / (few - start)
            print(
                f"{kind}, {command}: {FEW} rows {few:.2f} s, {MANY} rows {many:.2f} s, ratio {ratio:.1f}; "
                f"{GOAL_ROWS} rows {goal:.2f} s"
            )


def _measure(kind: str, command: str, rows: int) -> float:
    """Return the seconds of one process: it may find something, or be unable to tell, but must not fail."""
    snapshot = KINDS[kind](rows)
    words = [sys.executable, "-m", "detector", *COMMANDS[command], "--now", snapshot["taken_at"]]
    return measure_process(words, json.dumps(snapshot).encode(), accepted=(0, 1, 3))
