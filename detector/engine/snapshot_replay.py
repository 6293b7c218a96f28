"""A history of snapshots through the same code: what would have been reported, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import STDOUT, Condition, Event
from detector.domain.run_memory import FIRST_RUN, Memory, check_memory_time
from detector.domain.snapshot import Snapshot
from detector.engine.evaluate import RunStep, advance_memory, judge
from detector.engine.gather import SharedReadings
from detector.formats.times import compute_seconds
from detector.settings import Settings


class ReplayedChange(Struct, frozen=True):
    """One transition of a condition in one step, and the reason for which it was reported, if it was."""

    at: datetime
    signature: str
    severity: str
    to: str
    reason: str | None = field(name="told")
    summary: str


class ReplaySummary(Struct):
    """What a whole history came to; times in seconds.

    `blind_sec` is the regular session in gaps in which nobody looked, `out_of_order` the snapshots that
    were older than the one before them.
    """

    snapshots: int = 0
    first: datetime | None = field(default=None, name="from")
    last: datetime | None = field(default=None, name="to")
    conditions: int = 0
    notified: int = field(default=0, name="told")
    longest_sec: float = 0
    longest: str | None = None
    blind_sec: float = 0
    out_of_order: int = 0


class Replay(Struct):
    """A replay under one set of settings: feed it snapshots in the order of their times.

    With `shared` each snapshot is read with what it shares with the one before; None reads it by itself.
    """

    settings: Settings
    memory: Memory = FIRST_RUN
    summary: ReplaySummary = field(default_factory=ReplaySummary)
    shared: SharedReadings | None = field(default_factory=SharedReadings)

    def advance(self, snapshot: Snapshot) -> list[ReplayedChange]:
        """Evaluate one snapshot as the next run and return what changed and what would have been reported."""
        base = check_memory_time(
            self.memory, snapshot.taken_at, now=self.memory.taken_at or snapshot.taken_at
        )
        judgement = judge(snapshot, self.settings, base.memory.before, shared=self.shared)
        step = advance_memory(snapshot, base.memory, self.settings, judgement)
        changes = list(_iter_changes(step, self.memory))
        self._count(step, changes, base.can_advance)
        if base.can_advance:
            notices = step.ledger.due_notices[STDOUT]
            conditions = ledger.add_receipts(step.conditions, notices, STDOUT, step.taken_at)
            before = replace(step.carried, taken_at=step.taken_at)
            self.memory = Memory(True, step.taken_at, step.generation, before, conditions)
        return changes

    def _count(self, step: RunStep, changes: list[ReplayedChange], keeps: bool) -> None:
        summary = self.summary
        summary.snapshots += 1
        summary.out_of_order += not keeps
        summary.notified += sum(change.reason is not None for change in changes)
        summary.conditions += sum(_is_new(condition, step) for condition in step.conditions.values())
        summary.first = summary.first or step.taken_at
        summary.last = step.taken_at
        if step.gap.exceeded:
            summary.blind_sec += step.gap.session_seconds or 0
        for condition in step.conditions.values():
            lasted = compute_seconds(condition.first_seen, condition.last_seen)
            if condition.is_active and lasted > summary.longest_sec:
                summary.longest_sec, summary.longest = lasted, condition.signature


def _is_new(condition: Condition, step: RunStep) -> bool:
    return condition.is_active and condition.first_seen == step.taken_at


def _iter_changes(step: RunStep, memory: Memory) -> Iterator[ReplayedChange]:
    due = (*step.list_events(resolved=False), *step.list_events(resolved=True))
    events = {event.signature: event for event in due}
    for signature, condition in step.conditions.items():
        event = events.get(signature)
        previous = memory.conditions.get(signature)
        if condition.listed and (event or previous is None or previous.transitions != condition.transitions):
            yield _build_change(step, condition, event)


def _build_change(step: RunStep, condition: Condition, event: Event | None) -> ReplayedChange:
    return ReplayedChange(
        step.taken_at,
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
