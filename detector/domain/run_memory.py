"""The memory of earlier runs: the ledger, the previous run for rules, and the state of channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from detector.domain.condition import Condition
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.report import ChannelHealth, Report, SessionDay
from detector.formats.times import format_time

CLOCK_TOLERANCE = timedelta(seconds=120)  # a clock may be off by this much


@dataclass(frozen=True, slots=True)
class Memory:
    """The previous artifact as it was read.

    `kept` is False on a first run and where the memory was lost; `before.lost` then says why.
    """

    kept: bool = False
    taken_at: datetime | None = None
    generation: int = 0
    before: PreviousRun = NO_PREVIOUS_RUN
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    channels: Mapping[str, ChannelHealth] = field(default_factory=dict)
    sessions: tuple[SessionDay, ...] = ()


FIRST_RUN = Memory()


def build_lost_memory(why: str) -> Memory:
    """Return the memory of a run whose previous artifact could not be used, and why."""
    return Memory(before=PreviousRun(lost=why))


def build_next_memory(report: Report, conditions: Mapping[str, Condition]) -> Memory:
    """Return the memory for the run after this report, with these conditions (and their receipts)."""
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
class CheckedMemory:
    """A memory checked against a snapshot's time: whether this run may replace it, and a message."""

    memory: Memory
    can_advance: bool = True
    message: str | None = None


def check_memory_time(memory: Memory, taken_at: datetime, now: datetime) -> CheckedMemory:
    """Compare a memory's time with a snapshot taken at `taken_at`; `now` is the clock of the process.

    A snapshot older than the memory does not advance it, unless the memory itself lies in the future.
    """
    if memory.taken_at is None or memory.taken_at <= taken_at:
        return CheckedMemory(memory)
    if memory.taken_at > now + CLOCK_TOLERANCE:
        message = f"The memory lies in the future ({format_time(memory.taken_at)}); its times count as now."
        return CheckedMemory(limit_memory_times(memory, taken_at), message=message)
    message = (
        f"This snapshot ({format_time(taken_at)}) is older than the memory ({format_time(memory.taken_at)}); "
        "the memory is not advanced and nothing is written."
    )
    return CheckedMemory(memory, can_advance=False, message=message)


def limit_memory_times(memory: Memory, moment: datetime) -> Memory:
    """Return a memory that a wrong clock dated in the future, with no time later than `moment`."""
    conditions = {key: _limit_times(condition, moment) for key, condition in memory.conditions.items()}
    before = replace(_limit_times(memory.before, moment), taken_at=None)
    channels = {name: _limit_times(health, moment) for name, health in memory.channels.items()}
    sessions = tuple(day for day in memory.sessions if day.opens <= moment)
    return replace(
        memory, taken_at=None, before=before, conditions=conditions, channels=channels, sessions=sessions
    )


def _limit_times(record: Any, moment: datetime) -> Any:
    changes = {spec.name: _limit_value(getattr(record, spec.name), moment) for spec in fields(record)}
    return replace(record, **changes)


def _limit_value(value: Any, moment: datetime) -> Any:
    if isinstance(value, datetime):
        return min(value, moment)
    if isinstance(value, dict):
        return {key: _limit_value(item, moment) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_limit_value(item, moment) for item in value)
    return _limit_times(value, moment) if is_dataclass(value) else value
