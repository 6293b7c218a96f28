"""Snapshots of very many rows: processor time of whole processes, and its growth for four times the rows."""

from __future__ import annotations

import json
import sys
from itertools import product
from statistics import median
from typing import NamedTuple

from benchmarks.stdin_path import compile_packages, measure_process
from tests.support.many_rows import KINDS

FEW, MANY, GOAL_ROWS = 400, 1600, 2000
GOAL_RATIO, GOAL_SEC = 5.0, 2.0
_SHOWN = 4
SHARE = ["--symbol=SPY", "--sec-type=STK", "--quantity=1"]
COMMANDS = {"detect": ["--quiet", "--offline"], "plan": ["plan"], "can-close": ["can-close", *SHARE]}


def run() -> None:
    """Print the kinds and commands that take longest at the goal's rows, and those that grow most.

    Growth is net of the start, and the median of three where the first is over the goal.
    """
    compile_packages()
    print(f"processor time of processes; goals: ratio at most {GOAL_RATIO:g}, {GOAL_ROWS} in {GOAL_SEC:g} s")
    results = []
    for kind, command in product(KINDS, COMMANDS):
        growth, goal = _measure_growth(kind, command), _measure(kind, command, GOAL_ROWS)
        if growth > GOAL_RATIO:  # one disturbed process shows as such
            growth = median((growth, *(_measure_growth(kind, command) for _ in range(2))))
        results.append(_Result(goal, growth, f"{kind}, {command}"))
    by_time = sorted(results, reverse=True)
    by_growth = sorted(results, key=lambda result: result.growth, reverse=True)
    print(f"{len(results)} kinds and commands; the slowest at {GOAL_ROWS} rows:")
    for result in by_time[:_SHOWN]:
        print(f"  {result.seconds:.2f} s  {result.name}")
    print(f"the largest growth from {FEW} to {MANY} rows:")
    for result in by_growth[:_SHOWN]:
        print(f"  {result.growth:.1f} times  {result.name}")


class _Result(NamedTuple):
    seconds: float
    growth: float
    name: str


def _measure_growth(kind: str, command: str) -> float:
    start, few, many = (_measure(kind, command, n) for n in (1, FEW, MANY))
    return (many - start) / (few - start)


def _measure(kind: str, command: str, rows: int) -> float:
    """Return the seconds of one process: it may find something, or be unable to tell, but must not fail."""
    snapshot = KINDS[kind](rows)
    words = [sys.executable, "-m", "detector", *COMMANDS[command], "--now", snapshot["taken_at"]]
    return measure_process(words, json.dumps(snapshot).encode(), accepted=(0, 1, 3))
