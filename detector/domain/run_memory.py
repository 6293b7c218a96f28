"""The memory of earlier runs: the ledger, the previous run for rules, and the state of channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.condition import MAX_PLACES, Condition, Receipt
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.report import ChannelHealth, Report, SessionDay
from detector.domain.rule import RANK, STATE
from detector.formats.times import format_time

CLOCK_TOLERANCE = timedelta(seconds=120)  # a clock may be off by this much
_BEGINNING = datetime.min.replace(tzinfo=UTC)
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
            elif _is_known(condition):
                conditions[signature] = condition
        channels = {**other.channels, **channels}
        sessions = tuple(_join_sessions(day, other.sessions) for day in sessions)
    return replace(newest, conditions=conditions, channels=channels, sessions=sessions)


def _join_conditions(newest: Condition, other: Condition) -> Condition:
    """Return the newest condition with the other's receipts, and what either owes and neither delivered.

    Two episodes that overlap are the same. Where the other's began or returned after the newest's end, it is
    the later one, and the next verdict decides how it ends.
    """
    has_later = newest.ended_at is not None and newest.ended_at <= max(
        other.first_seen, _find_last_return(other)
    )
    later, earlier = (other, newest) if has_later and _is_known(other) else (newest, other)
    if not _is_same_episode(later, earlier):
        owing = {name: since for name, since in earlier.owing.items() if name not in later.receipts}
        return replace(later, owing={**owing, **later.owing})
    joined = replace(
        later,
        peak=max(later.peak, earlier.peak, key=RANK.__getitem__),
        escalated_at=later.escalated_at or earlier.escalated_at,
        returns=max(later.returns, earlier.returns),
        listed=later.listed or earlier.listed,
        confirmed=later.confirmed or earlier.confirmed,
    )
    joined = _add_return_where_over(replace(joined, receipts=_join_receipts(joined, later, earlier)))
    return replace(joined, owing=_join_owing(joined, later, earlier))


def _is_known(condition: Condition) -> bool:
    """Return whether a notice about it is due or was delivered."""
    return bool(condition.owing or condition.receipts)


def _is_same_episode(newest: Condition, other: Condition) -> bool:
    """Return whether one did not end before the other began."""
    if _has_same_beginning(newest, other):
        return True
    ends = (other.ended_at or other.last_seen), (newest.ended_at or newest.last_seen)
    return newest.first_seen <= ends[0] and other.first_seen <= ends[1]


def _has_same_beginning(newest: Condition, other: Condition) -> bool:
    # Of equal generations the delivery ids are equal too.
    return newest.generation == other.generation or newest.first_seen == other.first_seen


def _join_receipts(joined: Condition, later: Condition, earlier: Condition) -> dict[str, Receipt]:
    returned_at = _find_last_return(max(later, earlier, key=lambda condition: condition.returns))
    receipts = {}
    for channel in {**later.receipts, **earlier.receipts}:
        known = [
            _update_receipt(joined, condition, receipt, returned_at)
            for condition in (later, earlier)
            if (receipt := condition.receipts.get(channel)) is not None
        ]
        receipts[channel] = known[0] if len(known) == 1 else _join_receipt(known)
    return {**receipts, **_mark_older_receipts(receipts, later, earlier)}


def _mark_older_receipts(
    receipts: Mapping[str, Receipt], later: Condition, earlier: Condition
) -> dict[str, Receipt]:
    """Return as ended what was sent before an end that one memory alone saw: that may have been sent too.

    Its condition began anew, goes on, and remembers no receipt of before.
    """
    begun = max(later, earlier, key=lambda condition: condition.first_seen)
    if later.kind != STATE or later.phase == "ended" or _has_same_beginning(later, earlier):
        return {}
    return {
        channel: replace(receipt, ended=True)
        for channel, receipt in receipts.items()
        if channel not in begun.receipts and (receipt.at or _BEGINNING) < begun.first_seen
    }


def _join_receipt(known: Sequence[Receipt]) -> Receipt:
    """Return what two memories delivered to one channel: the latest receipt, with the worst of both."""
    latest = max(known, key=lambda receipt: receipt.at or _BEGINNING)
    escalated = [receipt.escalated for receipt in known if receipt.escalated is not None]
    places = dict.fromkeys(place for receipt in (latest, *known) for place in receipt.places)
    return replace(
        latest,
        severity=max((receipt.severity for receipt in known), key=RANK.__getitem__),
        escalated=any(escalated) if escalated else None,
        returns=max(receipt.returns for receipt in known),
        reminders=max(receipt.reminders for receipt in known),
        places=tuple(places)[:MAX_PLACES],
    )


def _add_return_where_over(joined: Condition) -> Condition:
    """Return the condition with one more return, of which the channels know that were not sent its end.

    A channel that was last sent the end of a state that goes on is sent `again`.
    """
    over = {channel for channel, receipt in joined.receipts.items() if receipt.ended}
    if joined.kind != STATE or joined.phase == "ended" or not over:
        return joined
    receipts = {
        channel: replace(
            receipt, returns=receipt.returns + (channel not in over and receipt.returns == joined.returns)
        )
        for channel, receipt in joined.receipts.items()
    }
    return replace(joined, returns=joined.returns + 1, receipts=receipts)


def _find_last_return(condition: Condition) -> datetime:
    return max((step.at for step in condition.transitions if step.to == "again"), default=_BEGINNING)


def _update_receipt(
    joined: Condition, condition: Condition, receipt: Receipt, returned_at: datetime
) -> Receipt:
    """Return a receipt of this memory's condition, with all returns where it was sent after the last one."""
    is_complete = receipt.returns >= condition.returns and (
        condition.returns == joined.returns or (receipt.at or _BEGINNING) >= returned_at
    )
    return replace(receipt, returns=joined.returns) if is_complete else receipt


def _join_owing(joined: Condition, later: Condition, earlier: Condition) -> dict[str, datetime]:
    """Return what is due by channel and since when, but for what a receipt of the other memory covers."""
    both = {**earlier.owing, **later.owing}
    return {
        channel: since
        for channel, since in both.items()
        if not _is_covered(joined, joined.receipts.get(channel))
        or (channel in later.owing and channel not in earlier.receipts)
    }


def _is_covered(condition: Condition, receipt: Receipt | None) -> bool:
    return (
        receipt is not None
        and RANK[receipt.severity] >= RANK[condition.peak]
        and (bool(receipt.escalated) or condition.escalated_at is None)
        and receipt.returns >= condition.returns
    )


def _join_sessions(day: SessionDay, others: Iterable[SessionDay]) -> SessionDay:
    told = [name for other in others if other.day == day.day for name in other.told if name not in day.told]
    return replace(day, told=(*day.told, *told)) if told else day
