"""The memory of earlier runs: the ledger, the previous run for rules, and the state of channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.condition import MAX_PLACES, Condition, Receipt
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.report import ChannelHealth, Report, SessionDay
from detector.domain.rule import RANK, STATE
from detector.formats.times import NEVER, format_utc

CLOCK_TOLERANCE = timedelta(seconds=120)  # a clock may be off by this much
_JUST_AFTER = timedelta(seconds=1)
_ID_LENGTH, _MAX_LINEAGE = 16, 20  # of a memory's checksum; of its lineage, far more than are read at once


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
        message = f"The memory lies in the future ({format_utc(memory.taken_at)}); its times count as now."
        return CheckedMemory(limit_memory_times(memory, taken_at), message=message)
    message = (
        f"This snapshot ({format_utc(taken_at)}) is older than the memory ({format_utc(memory.taken_at)}); "
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

    One that went into another of them already has nothing beside it. Added are conditions that the newest
    lacks, where a notice about them is due or was delivered; to conditions of the same episode the receipts
    of other channels; and what is due by another memory to a channel without one.
    """
    heads = list(_iter_heads(newest, tuple(others)))
    conditions, channels = dict(newest.conditions), dict(newest.channels)
    sessions = newest.sessions
    for other in heads:
        for signature, condition in other.conditions.items():
            present = conditions.get(signature)
            if present is not None:
                conditions[signature] = _join_conditions(present, condition)
            elif _is_known(condition):
                conditions[signature] = condition
        channels = {**other.channels, **channels}
        sessions = tuple(_join_sessions(day, other.sessions) for day in sessions)
    lineage = join_lineages(*(memory.before.lineage for memory in (newest, *heads)))
    return replace(
        newest,
        before=replace(newest.before, lineage=lineage),
        conditions=conditions,
        channels=channels,
        sessions=sessions,
    )


def join_lineages(*lineages: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of several lineages, short, each once, the newest of each first."""
    ids = chain.from_iterable(zip_longest(*lineages))
    return tuple(dict.fromkeys(entry[:_ID_LENGTH] for entry in ids if entry))[:_MAX_LINEAGE]


def find_heads(memories: Sequence[Memory]) -> list[Memory]:
    """Return the memories that went into none of the others; one without an id may have gone into none."""
    inherited = {entry for memory in memories for entry in memory.before.lineage[1:]}
    return [memory for memory in memories if inherited.isdisjoint(memory.before.lineage[:1])]


def _iter_heads(newest: Memory, others: Sequence[Memory]) -> Iterator[Memory]:
    """Yield the others that went into none of the memories; one without an id may have gone into none."""
    contained = {*newest.before.lineage, *(entry for other in others for entry in other.before.lineage[1:])}
    for other in others:
        if contained.isdisjoint(other.before.lineage[:1]):
            contained.update(other.before.lineage[:1])
            yield other


def _join_conditions(newest: Condition, other: Condition) -> Condition:
    """Return the newest condition with the other's receipts, and what is due by either and neither delivered.

    Where the other's began or returned after the newest's end, it is the later one, and the next verdict
    decides how it ends. Two episodes that overlap are the same, and so are two of which the earlier one is
    still due: as in one memory, what is due continues the episode.
    """
    if newest == other:
        return newest
    has_later = newest.ended_at is not None and newest.ended_at <= max(
        other.first_seen, _find_last_return(other)
    )
    later, earlier = (other, newest) if has_later and _is_known(other) else (newest, other)
    if not _is_same_episode(later, earlier):
        return later
    joined = replace(
        later,
        generation=max(later.generation, earlier.generation),
        peak=max(later.peak, earlier.peak, key=RANK.__getitem__),
        escalated_at=later.escalated_at or earlier.escalated_at,
        returns=max(later.returns, earlier.returns),
        listed=later.listed or earlier.listed,
        confirmed=later.confirmed or earlier.confirmed,
    )
    joined = _join_receipts(joined, later, earlier)
    return replace(joined, owing=_join_owing(joined, later, earlier))


def _is_known(condition: Condition) -> bool:
    """Return whether a notice about it is due or was delivered."""
    return bool(condition.owing or condition.receipts)


def _is_same_episode(later: Condition, earlier: Condition) -> bool:
    """Return whether the earlier one did not end before the later one began, or is still due."""
    if _has_same_beginning(later, earlier) or earlier.ended_at is None:
        return True
    is_due = not all(_is_covered(earlier, later.receipts.get(channel)) for channel in earlier.owing)
    return is_due or earlier.ended_at >= later.first_seen


def _has_same_beginning(later: Condition, earlier: Condition) -> bool:
    # Of equal generations the delivery ids are equal too.
    return later.generation == earlier.generation or later.first_seen == earlier.first_seen


def _join_receipts(joined: Condition, later: Condition, earlier: Condition) -> Condition:
    """Return the condition with the receipts of both, and one more return where one of them knew its end.

    What goes on is sent `again` to a channel that was last sent the end, or may have been; the other channels
    know of that return. No end has the id of an earlier one.
    """
    returned_at = _find_last_return(max(later, earlier, key=lambda condition: condition.returns))
    known = {
        channel: [
            _update_receipt(joined, condition, receipt, returned_at)
            for condition in (later, earlier)
            if (receipt := condition.receipts.get(channel)) is not None
        ]
        for channel in {**later.receipts, **earlier.receipts}
    }
    receipts = {channel: _join_receipt(entries) for channel, entries in known.items()}
    over = {channel for channel, receipt in receipts.items() if receipt.ended}
    if joined.phase != "ended":
        over |= _find_uncertain(receipts, later, earlier)
    ends = [receipt for entries in known.values() for receipt in entries if receipt.ended]
    ends += [receipts[channel] for channel in over]
    has_new_end = joined.kind == STATE and any(receipt.returns >= joined.returns for receipt in ends)
    returns = joined.returns + has_new_end
    receipts |= {
        channel: replace(receipt, returns=returns)
        for channel, receipt in receipts.items()
        if receipt.returns == joined.returns and channel not in over
    }
    return replace(joined, returns=returns, receipts=receipts)


def _find_uncertain(receipts: Mapping[str, Receipt], later: Condition, earlier: Condition) -> set[str]:
    """Return the channels that may have been sent an end since their receipt.

    One memory alone saw it: its condition began again, and remembers no receipt of before.
    """
    begun = max(later, earlier, key=lambda condition: condition.first_seen)
    if _has_same_beginning(later, earlier):
        return set()
    return {
        channel
        for channel, receipt in receipts.items()
        if channel not in begun.receipts and (receipt.at or NEVER) < begun.first_seen
    }


def _join_receipt(known: Sequence[Receipt]) -> Receipt:
    """Return what two memories delivered to one channel: the latest receipt, with the worst of both."""
    latest = max(known, key=lambda receipt: receipt.at or NEVER)
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


def _find_last_return(condition: Condition) -> datetime:
    return max((step.at for step in condition.transitions if step.to == "again"), default=NEVER)


def _update_receipt(
    joined: Condition, condition: Condition, receipt: Receipt, returned_at: datetime
) -> Receipt:
    """Return a receipt of this memory's condition, with all returns where it was sent after the last one."""
    is_complete = receipt.returns >= condition.returns and (
        condition.returns == joined.returns or (receipt.at or NEVER) >= returned_at
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
