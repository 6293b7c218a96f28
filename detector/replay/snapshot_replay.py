"""A history of snapshots through the same code: what would have been reported, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from detector import ledger
from detector.domain.condition import STDOUT, Condition
from detector.domain.event import Event
from detector.domain.report import Report
from detector.domain.run_memory import FIRST_RUN, Memory, build_next_memory, check_memory_time
from detector.domain.snapshot import Snapshot
from detector.engine.evaluate import evaluate
from detector.formats.times import compute_seconds
from detector.settings import Settings


class ReplayedChange(Struct, frozen=True):
    """One transition of a condition in one step, and the reason for which it was reported, if it was."""

    at: datetime
    signature: str
    severity: str
    to: str
    reason: str | None
    summary: str


class ReplaySummary(Struct):
    """What a whole history came to; times in seconds.

    `blind_sec` is the regular session in gaps in which nobody looked, `out_of_order` the snapshots that
    were older than the one before them.
    """

    snapshots: int = 0
    conditions: int = 0
    notified: int = 0
    longest_sec: float = 0
    longest: str | None = None
    blind_sec: float = 0
    out_of_order: int = 0
    first: datetime | None = None
    last: datetime | None = None


class Replay(Struct):
    """A replay under one set of settings: feed it snapshots in the order of their times."""

    settings: Settings
    memory: Memory = FIRST_RUN
    summary: ReplaySummary = field(default_factory=ReplaySummary)

    def advance(self, snapshot: Snapshot) -> list[ReplayedChange]:
        """Evaluate one snapshot as the next run and return what changed and what would have been reported."""
        base = check_memory_time(
            self.memory, snapshot.taken_at, now=self.memory.taken_at or snapshot.taken_at
        )
        report = evaluate(snapshot, base.memory, self.settings)
        conditions = ledger.add_receipts(report.conditions, report.owed[STDOUT], STDOUT, report.taken_at)
        changes = list(_iter_changes(report, self.memory))
        self._count(report, changes, base.can_advance)
        if base.can_advance:
            self.memory = build_next_memory(report, conditions)
        return changes

    def _count(self, report: Report, changes: list[ReplayedChange], keeps: bool) -> None:
        summary = self.summary
        summary.snapshots += 1
        summary.out_of_order += not keeps
        summary.notified += sum(change.reason is not None for change in changes)
        summary.conditions += sum(_is_new(condition, report) for condition in report.conditions.values())
        summary.first = summary.first or report.taken_at
        summary.last = report.taken_at
        if report.gap.exceeded:
            summary.blind_sec += report.gap.session_seconds or 0
        for condition in report.conditions.values():
            lasted = compute_seconds(condition.first_seen, condition.last_seen)
            if condition.is_active and lasted > summary.longest_sec:
                summary.longest_sec, summary.longest = lasted, condition.signature


def _is_new(condition: Condition, report: Report) -> bool:
    return condition.is_active and condition.first_seen == report.taken_at


def _iter_changes(report: Report, memory: Memory) -> Iterator[ReplayedChange]:
    events = {event.signature: event for event in (*report.new_events, *report.resolved_events)}
    for signature, condition in report.conditions.items():
        event = events.get(signature)
        previous = memory.conditions.get(signature)
        if condition.listed and (event or previous is None or previous.transitions != condition.transitions):
            yield _build_change(report, condition, event)


def _build_change(report: Report, condition: Condition, event: Event | None) -> ReplayedChange:
    return ReplayedChange(
        report.taken_at,
        condition.signature,
        event.severity if event else condition.severity,
        condition.transitions[-1].to if condition.transitions else condition.phase,
        event.reason if event else None,
        event.summary if event else condition.summary,
    )


def compare_changes(
    first: list[ReplayedChange], second: list[ReplayedChange]
) -> list[tuple[Any, ReplayedChange]]:
    """Return what was reported under only one of two settings as (`first` or `second`, change)."""
    keys = [
        {(change.signature, change.reason) for change in side if change.reason} for side in (first, second)
    ]
    differences: list[tuple[Any, ReplayedChange]] = []
    for name, side, opposite_keys in (("first", first, keys[1]), ("second", second, keys[0])):
        differences += [(name, c) for c in side if c.reason and (c.signature, c.reason) not in opposite_keys]
    return differences
