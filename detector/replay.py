"""A history of snapshots through the same code: what would have been told, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from detector import ledger
from detector.domain.condition import STDOUT, Condition
from detector.domain.event import Event
from detector.domain.memory import FIRST_RUN, Memory, build_next_memory, check_memory_time
from detector.domain.report import Report
from detector.domain.snapshot import Snapshot
from detector.engine.evaluate import evaluate
from detector.formats.times import seconds_between
from detector.settings import Settings


@dataclass(frozen=True, slots=True)
class Change:
    """One transition of a condition in one step, and the reason for which it was told, if it was."""

    at: datetime
    signature: str
    severity: str
    to: str
    told: str | None
    summary: str


@dataclass(slots=True)
class Summary:
    """What a whole history came to; times in seconds.

    `blind_sec` is the regular session in gaps in which nobody looked, `out_of_order` the snapshots that
    were older than the one before them.
    """

    snapshots: int = 0
    conditions: int = 0
    told: int = 0
    longest_sec: float = 0
    longest: str | None = None
    blind_sec: float = 0
    out_of_order: int = 0
    first: datetime | None = None
    last: datetime | None = None


@dataclass(slots=True)
class Replay:
    """A replay under one set of settings: feed it snapshots in the order of their times."""

    settings: Settings
    memory: Memory = FIRST_RUN
    summary: Summary = field(default_factory=Summary)

    def step(self, snapshot: Snapshot) -> list[Change]:
        """Evaluate one snapshot as the next run and return what changed and what would have been told."""
        held = check_memory_time(self.memory, snapshot.taken_at, now=self.memory.taken_at or snapshot.taken_at)
        report = evaluate(snapshot, held.memory, self.settings)
        told = ledger.add_receipts(report.conditions, report.owed[STDOUT], STDOUT, report.taken_at)
        changes = list(_changes(report, self.memory))
        self._count(report, changes, held.can_advance)
        if held.can_advance:
            self.memory = build_next_memory(report, told)
        return changes

    def _count(self, report: Report, changes: list[Change], keeps: bool) -> None:
        summary = self.summary
        summary.snapshots += 1
        summary.out_of_order += not keeps
        summary.told += sum(change.told is not None for change in changes)
        summary.conditions += sum(_begins(condition, report) for condition in report.conditions.values())
        summary.first = summary.first or report.taken_at
        summary.last = report.taken_at
        if report.gap.exceeded:
            summary.blind_sec += report.gap.session_seconds or 0
        for condition in report.conditions.values():
            lasted = seconds_between(condition.first_seen, condition.last_seen)
            if condition.is_active and lasted > summary.longest_sec:
                summary.longest_sec, summary.longest = lasted, condition.signature


def _begins(condition: Condition, report: Report) -> bool:
    return condition.is_active and condition.first_seen == report.taken_at


def _changes(report: Report, memory: Memory) -> Iterator[Change]:
    told = {event.signature: event for event in (*report.new_events, *report.resolved_events)}
    for signature, condition in report.conditions.items():
        event = told.get(signature)
        before = memory.conditions.get(signature)
        if condition.listed and (event or before is None or before.transitions != condition.transitions):
            yield _change(report, condition, event)


def _change(report: Report, condition: Condition, event: Event | None) -> Change:
    return Change(
        report.taken_at,
        condition.signature,
        event.severity if event else condition.severity,
        condition.transitions[-1].to if condition.transitions else condition.phase,
        event.reason if event else None,
        event.summary if event else condition.summary,
    )


def difference(one: list[Change], other: list[Change]) -> list[tuple[Any, Change]]:
    """Return what was told under only one of two settings as (`first` or `second`, change)."""
    keys = [{(change.signature, change.told) for change in side if change.told} for side in (one, other)]
    found: list[tuple[Any, Change]] = []
    for name, side, against in (("first", one, keys[1]), ("second", other, keys[0])):
        found += [(name, c) for c in side if c.told and (c.signature, c.told) not in against]
    return found
