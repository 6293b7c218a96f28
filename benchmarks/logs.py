"""The log reader: lines a second, and how its cost grows with the number and the length of lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from detector.domain.run_memory import FIRST_RUN
from detector.domain.snapshot import build_snapshot
from detector.engine.evaluate import evaluate
from detector.formats.redaction import redact
from detector.logs.parse.line_times import LogLines
from detector.logs.parse.scan import scan_lines
from detector.settings import RUNTIME, resolve_settings

GOAL_SEC, COUNT, ROUNDS = 2.0, 100_000, 3
NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
# A trading session's log: almost everything is benign, farms come and go, a few orders are cancelled.
SESSION = (
    *["lt_ibkr_trader.scan INFO scan cycle {0} symbols=22 latency_ms={0}"] * 50,
    *[
        (
            "ib_async.wrapper INFO updatePortfolio: "
            "PortfolioItem(contract=Stock(conId={0}, symbol='COIN'), position=10.0)"
        )
    ]
    * 40,
    *["ib_async.wrapper ERROR Error 202, reqId {0}: Order Canceled - reason:"] * 6,
    *["ib_async.wrapper INFO Warning 2104, reqId -1: Market data farm connection is OK:usfarm"] * 3,
    "ib_async.wrapper INFO Warning 2103, reqId -1: Market data farm connection is broken:usfarm",
)
# What every line of which says something costs: no two alike.
WORST = (
    "ib_async.wrapper ERROR Error 1100, reqId -1: Connectivity between IB and TWS has been lost {0}",
    "ib_async.wrapper INFO Warning 2104, reqId -1: Market data farm connection is OK:farm{0}",
    "CRITICAL trader.loop: cycle {0} aborted",
    "position reconciliation OK matched={0} internal_count={0} broker_count={0}",
)


def events(count: int, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return CloudWatch events of the last hour, spread evenly."""
    began = int((NOW - timedelta(seconds=3500)).timestamp() * 1000)
    return [
        {
            "timestamp": began + number * 3_400_000 // count,
            "message": kinds[number % len(kinds)].format(number),
        }
        for number in range(count)
    ]


def run() -> None:
    """Print lines a second and growth ratios; the goal: 100,000 lines in under 2 s, growth as the input's."""
    for name, kinds in (("a session's lines", SESSION), ("only lines that say something", WORST)):
        few, many = (_best(partial(_hear, events(n, kinds))) for n in (COUNT // 4, COUNT))
        print(
            f"reader, {name}: {COUNT} in {many:.2f} s ({COUNT / many:,.0f} lines/s; goal {GOAL_SEC:.0f} s), "
            f"growth for 4 times the lines {many / few:.2f}"
        )
    document = {"taken_at": NOW.isoformat(), "logs": events(COUNT, SESSION)}
    text = json.dumps(document)
    whole = _best(lambda: _evaluate(json.loads(text)))
    print(f"parse, redact and evaluate of {COUNT} lines ({len(text) / 1e6:.0f} MB): {whole:.2f} s")
    short, long = (_best(partial(_hear_text, "a" * n)) for n in (250_000, 1_000_000))
    print(
        f"one line of 1 MB: {long * 1000:.1f} ms, growth for 4 times the length {long / max(short, 1e-6):.2f}"
    )


def _best(work: Callable[[], object]) -> float:
    """Return the shortest processor time of some rounds: what other programs take does not count."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def _hear(entries: list[dict[str, Any]]) -> None:
    lines = LogLines()
    for entry in entries:
        lines.add(entry["message"], entry["timestamp"])
    list(scan_lines(lines, introduced=False))


def _hear_text(text: str) -> None:
    lines = LogLines()
    for piece in (text, f"CRITICAL {text}", f"Error 1100, reqId -1: {text}"):
        lines.add(piece, 0)
    list(scan_lines(lines, introduced=False))


def _evaluate(document: dict[str, Any]) -> None:
    settings = resolve_settings()
    evaluate(build_snapshot(redact(document), now=NOW, runtime=settings[RUNTIME]), FIRST_RUN, settings)
