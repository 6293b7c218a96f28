"""The timeline of a report: facts over the runs, conditions as bars, blind stretches, and messages."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from detector.domain.condition import Condition, Ending
from detector.domain.facts import RECONCILE_FLAGS, Facts
from detector.domain.rule import OCCURRENCE
from detector.domain.session_report import Bar, Mark, Series, SeriesPoint
from detector.formats.times import compute_seconds, format_utc
from detector.report.run_record import RunRecord
from detector.settings import (
    EXPECTED_TASKS,
    HEARTBEAT_STALE_SEC,
    HIGH_EXIT_ATTEMPT_WARN,
    MARKET_DATA_10197_WARN,
    PENDING_ORDER_WARN,
    TRADER_CONTAINER,
    Setting,
    Settings,
)

_MOST_BARS = 60
_ENDINGS: Mapping[Ending, str] = {
    "resolved": "resolved: good since",
    "retired": "retired",
    "unwatched": "no longer watched from",
    "passed": "over",
}


class _Measure(Struct, frozen=True):
    """What a series measures, and which setting limits it."""

    name: str
    title: str
    unit: str
    get: Callable[[Facts, Settings], float | None]
    limit: Setting[Any] | None = None


def _count_exits(facts: Facts, _: Settings) -> float | None:
    counts = [count for count in (facts.pending_exits, facts.stuck_exits) if count is not None]
    return sum(counts) if counts else None


def _count_tasks(facts: Facts, settings: Settings) -> float | None:
    if facts.tasks is None:
        return None
    running = [task for task in facts.tasks if task.last_status == "RUNNING"]
    return sum(task.find_container(settings[TRADER_CONTAINER]) is not None for task in running)


def _count_reconciliations(facts: Facts, _: Settings) -> float | None:
    flags = [value for name in RECONCILE_FLAGS if (value := getattr(facts, name)) is not None]
    return sum(flags) if flags else None


def _count_imports(facts: Facts, _: Settings) -> float | None:
    positions = facts.open_positions
    return None if positions is None else sum(row.import_tag is not None for row in positions)


def _count_unknown_exits(facts: Facts, _: Settings) -> float | None:
    trades = facts.recent_trades
    return None if trades is None else sum(trade.pnl_unknown is True for trade in trades)


_MEASURES = (
    _Measure(
        "heartbeat_age", "Heartbeat age", "s", lambda facts, _: facts.heartbeat_age, HEARTBEAT_STALE_SEC
    ),
    _Measure(
        "pending_orders", "Pending orders", "", lambda facts, _: facts.pending_orders, PENDING_ORDER_WARN
    ),
    _Measure("exits", "Pending and stuck exits", "", _count_exits),
    _Measure(
        "exit_attempts",
        "Most exit attempts",
        "",
        lambda facts, _: facts.max_exit_attempt_count,
        HIGH_EXIT_ATTEMPT_WARN,
    ),
    _Measure(
        "market_data_10197",
        "10197 notices",
        "",
        lambda facts, _: facts.market_data_10197_recent,
        MARKET_DATA_10197_WARN,
    ),
    _Measure("tasks", "Runtime tasks", "", _count_tasks, EXPECTED_TASKS),
    _Measure("reconciliations", "Reconciliations due", "", _count_reconciliations),
    _Measure("unknown_exits", "Exits with unknown P&L", "", _count_unknown_exits),
    _Measure("imports", "Imported positions", "", _count_imports),
)


def build_series(
    runs: Sequence[RunRecord], facts: Mapping[datetime, Facts], settings: Settings
) -> tuple[Series, ...]:
    """Return each measure over the runs; a run whose snapshot was not kept has no value."""
    return tuple(
        Series(
            measure.name,
            measure.title,
            measure.unit,
            tuple(
                SeriesPoint(run.at, measure.get(facts[run.at], settings) if run.at in facts else None)
                for run in runs
            ),
            None if measure.limit is None else float(settings[measure.limit]),
        )
        for measure in _MEASURES
    )


def build_bars(runs: Sequence[RunRecord], ends: datetime) -> tuple[Bar, ...]:
    """Return the conditions of the runs as bars, the worst first; one that holds reaches to the end."""
    latest: dict[tuple[str, datetime], tuple[datetime, Condition]] = {
        (condition.signature, condition.first_seen): (run.at, condition)
        for run in runs
        for condition in run.report.conditions.values()
        if condition.listed
    }
    bars = (_build_bar(condition, at, at == runs[-1].at, ends) for at, condition in latest.values())
    kept = (bar for bar in bars if bar.end >= runs[0].at)
    return tuple(
        sorted(kept, key=lambda bar: (bar.severity != "critical", bar.start, bar.label))[:_MOST_BARS]
    )


def _build_bar(condition: Condition, at: datetime, is_newest: bool, ends: datetime) -> Bar:
    is_open, end = condition.phase != "ended", condition.ended_at or at
    if condition.phase == "recovering":
        end = condition.good_since or at
    elif _has_happened(condition):
        is_open, end = False, condition.last_seen
    elif is_open:
        end = ends if is_newest else at
    state = describe_state(condition)
    if is_open and not is_newest:
        is_open, state = False, f"last seen {format_utc(at)}, not carried on"
    return Bar(
        condition.signature, condition.peak, condition.first_seen, end, is_open, condition.phase, state
    )


def describe_state(condition: Condition) -> str:
    """Return what is known of a condition: it holds, is held, is good and not confirmed, or has ended.

    What happened and does not go on is listed for a while, and holds no more.
    """
    if condition.phase == "ended":
        return f"{_ENDINGS[condition.ending or 'resolved']} {_format_optional(condition.ended_at)}"
    if condition.phase == "held":
        return f"held: not seen since {_format_optional(condition.held_since)}"
    if _has_happened(condition):
        return f"happened, last at {format_utc(condition.last_seen)}"
    if condition.phase == "firing":
        return "holds" if condition.confirmed else "holds: seen once, alerted at the second observation"
    if condition.good_since is None:
        return f"was good, and not seen since {_format_optional(condition.held_since)}; not confirmed yet"
    return f"good since {format_utc(condition.good_since)}, not confirmed yet"


def _has_happened(condition: Condition) -> bool:
    return condition.phase == "firing" and condition.kind == OCCURRENCE and not condition.ongoing


def _format_optional(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else format_utc(moment)


def list_blind_spans(
    runs: Sequence[RunRecord], begins: datetime, ends: datetime, gap_sec: float
) -> tuple[Bar, ...]:
    """Return the stretches of the session longer than `gap_sec` seconds without a run."""
    inside = [run.at for run in runs if begins <= run.at <= ends]
    edges = [begins, *inside, ends]
    return tuple(
        Bar("no run at hand", "blind", start, end, state="blind stretch")
        for start, end in itertools.pairwise(edges)
        if compute_seconds(start, end) > gap_sec
    )


def list_marks(runs: Sequence[RunRecord], begins: datetime) -> tuple[Mark, ...]:
    """Return the messages that channels took since `begins`, by time."""
    marks = {
        (mark.at, mark.channel, mark.label): mark
        for run in runs
        for condition in run.report.conditions.values()
        for mark in _iter_marks(condition)
        if mark.at >= begins
    }
    return tuple(marks[key] for key in sorted(marks))


def _iter_marks(condition: Condition) -> Iterator[Mark]:
    for channel, receipt in condition.receipts.items():
        if receipt.at is not None:
            word = "end of " if receipt.ended else "escalation of " if receipt.escalated else ""
            yield Mark(receipt.at, channel, f"{word}{condition.signature}")
