"""What a run remembers of the earlier ones: the ledger, what rules may compare with, and its own state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from detector.domain.channel_health import ChannelHealth
from detector.domain.condition import Condition
from detector.domain.previous_run import NOTHING_BEFORE, Before
from detector.domain.report import Report
from detector.domain.session_day import SessionDay
from detector.formats.times import text_of

FUTURE = timedelta(seconds=120)  # a clock may be off by this much


@dataclass(frozen=True, slots=True)
class Memory:
    """The previous artifact as it was read.

    `kept` is False on a first run and where the memory was lost; `before.lost` then says why.
    """

    kept: bool = False
    taken_at: datetime | None = None
    generation: int = 0
    before: Before = NOTHING_BEFORE
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    channels: Mapping[str, ChannelHealth] = field(default_factory=dict)
    sessions: tuple[SessionDay, ...] = ()


FIRST_RUN = Memory()


def lost(why: str) -> Memory:
    """Return the memory of a run whose previous artifact could not be used, and why."""
    return Memory(before=Before(lost=why))


def after(report: Report, conditions: Mapping[str, Condition]) -> Memory:
    """Return what the run after this report remembers, with these conditions (and their receipts)."""
    return Memory(
        kept=True,
        taken_at=report.taken_at,
        generation=report.generation,
        before=replace(report.carried, taken_at=report.taken_at),
        conditions=conditions,
        channels=report.channels,
        sessions=report.sessions,
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A memory beside a snapshot: `keeps` says that this run may become the new memory, `said` what to say."""

    memory: Memory
    keeps: bool = True
    said: str | None = None


def placed(memory: Memory, taken_at: datetime, now: datetime) -> Placed:
    """Return how a memory stands to a snapshot taken at `taken_at`; `now` is the clock at the door.

    A snapshot older than the memory does not advance it, unless the memory itself lies in the future.
    """
    if memory.taken_at is None or memory.taken_at <= taken_at:
        return Placed(memory)
    if memory.taken_at > now + FUTURE:
        said = f"The memory lies in the future ({text_of(memory.taken_at)}); its times count as now."
        return Placed(rebased(memory, taken_at), said=said)
    said = (
        f"This snapshot ({text_of(taken_at)}) is older than the memory ({text_of(memory.taken_at)}); "
        "the memory is not advanced and nothing is written."
    )
    return Placed(memory, keeps=False, said=said)


def rebased(memory: Memory, moment: datetime) -> Memory:
    """Return a memory that a wrong clock dated in the future, with no time later than `moment`."""
    conditions = {key: _not_after(condition, moment) for key, condition in memory.conditions.items()}
    before = replace(_not_after(memory.before, moment), taken_at=None)
    channels = {name: _not_after(health, moment) for name, health in memory.channels.items()}
    sessions = tuple(day for day in memory.sessions if day.opens <= moment)
    return replace(
        memory, taken_at=None, before=before, conditions=conditions, channels=channels, sessions=sessions
    )


def _not_after(record: Any, moment: datetime) -> Any:
    changes = {spec.name: _clamped(getattr(record, spec.name), moment) for spec in fields(record)}
    return replace(record, **changes)


def _clamped(value: Any, moment: datetime) -> Any:
    if isinstance(value, datetime):
        return min(value, moment)
    if isinstance(value, dict):
        return {key: _clamped(item, moment) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_clamped(item, moment) for item in value)
    return _not_after(value, moment) if is_dataclass(value) else value
