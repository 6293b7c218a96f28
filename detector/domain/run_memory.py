"""The memory of earlier runs: the ledger, the previous run for rules, and the state of channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.condition import Condition, Receipt
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.report import ChannelHealth, Report, SessionDay
from detector.domain.rule import RANK
from detector.formats.times import format_time

CLOCK_TOLERANCE = timedelta(seconds=120)  # a clock may be off by this much
_JUST_AFTER = timedelta(seconds=1)


class Memory(Struct, frozen=True):
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


class CheckedMemory(Struct, frozen=True):
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


def mark_missing_memory(memory: Memory, looked_at: datetime | None) -> Memory:
    """Return the memory with the time of a run that looked after it and whose own memory is missing."""
    if looked_at is None or memory.taken_at is None or looked_at <= memory.taken_at:
        return memory
    return replace(memory, before=replace(memory.before, looked_at=looked_at))


def limit_clock_difference(memory: Memory, taken_at: datetime) -> datetime:
    """Return the time of a snapshot: just after the memory's where a clock is up to 120 s behind it."""
    behind = memory.taken_at - taken_at if memory.taken_at is not None else timedelta()
    if memory.taken_at is None or not timedelta() < behind <= CLOCK_TOLERANCE:
        return taken_at
    return memory.taken_at + _JUST_AFTER


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
    changes = {name: _limit_value(getattr(record, name), moment) for name in record.__struct_fields__}
    return replace(record, **changes)


def _limit_value(value: Any, moment: datetime) -> Any:
    if isinstance(value, datetime):
        return min(value, moment)
    if isinstance(value, dict):
        return {key: _limit_value(item, moment) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_limit_value(item, moment) for item in value)
    return _limit_times(value, moment) if isinstance(value, Struct) else value


def join_memories(newest: Memory, others: Iterable[Memory]) -> Memory:
    """Return the newest memory with what the others have beside it.

    Added are conditions that it lacks, where a notice about them is due or was delivered; to conditions of
    the same episode the receipts of other channels; and what another memory owes to a channel without one.
    """
    conditions, channels = dict(newest.conditions), dict(newest.channels)
    sessions = newest.sessions
    for other in others:
        for signature, condition in other.conditions.items():
            present = conditions.get(signature)
            if present is not None:
                conditions[signature] = _join_conditions(present, condition)
            elif condition.owing or condition.receipts:
                conditions[signature] = condition
        channels = {**other.channels, **channels}
        sessions = tuple(_join_sessions(day, other.sessions) for day in sessions)
    return replace(newest, conditions=conditions, channels=channels, sessions=sessions)


def _join_conditions(newest: Condition, other: Condition) -> Condition:
    receipts = dict(newest.receipts)
    if _is_same_episode(newest, other):
        for channel, receipt in other.receipts.items():
            own = receipts.get(channel)
            receipts[channel] = receipt if own is None else _join_receipts(own, receipt)
    owing = {channel: since for channel, since in other.owing.items() if channel not in receipts}
    if receipts == newest.receipts and not owing.keys() - newest.owing.keys():
        return newest
    return replace(newest, receipts=receipts, owing={**owing, **newest.owing})


def _is_same_episode(newest: Condition, other: Condition) -> bool:
    """Return whether one did not end before the other began."""
    if newest.generation == other.generation or newest.first_seen == other.first_seen:
        return True
    return other.ended_at is None and other.last_seen >= newest.first_seen


def _join_receipts(own: Receipt, other: Receipt) -> Receipt:
    """Return the channel's receipt with the higher severity, and its escalation where any has it."""
    severity = other.severity if RANK[other.severity] > RANK[own.severity] else own.severity
    return replace(own, severity=severity, escalated=own.escalated or other.escalated)


def _join_sessions(day: SessionDay, others: Iterable[SessionDay]) -> SessionDay:
    told = [name for other in others if other.day == day.day for name in other.told if name not in day.told]
    return replace(day, told=(*day.told, *told)) if told else day
