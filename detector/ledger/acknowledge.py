"""Applies acknowledgements to the conditions of the memory, before a run advances them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.acknowledgement import LONGEST, Acknowledgement, AckRequest
from detector.domain.condition import Condition
from detector.domain.rule import RANK
from detector.formats.times import format_utc
from detector.ledger.run_context import RunContext

_MAX_ACKS = 8
_TOLERANCE = timedelta(seconds=120)  # between the clocks of a person's machine and of the runs


class AppliedAcks(Struct, frozen=True):
    """The conditions with their acknowledgements, and a sentence for each request that is no repetition."""

    conditions: Mapping[str, Condition]
    notes: tuple[str, ...] = ()


def apply_acknowledgements(
    conditions: Mapping[str, Condition],
    requests: Iterable[AckRequest],
    now: datetime,
    later_channels: Collection[str] = (),
) -> AppliedAcks:
    """Return the conditions after the requests, the oldest first.

    A request that is expired, of the future, of an unknown or ended condition, or older than what the
    condition has become changes nothing. What was due to a later channel is not due any more.
    """
    after, notes = dict(conditions), []
    for request in sorted(requests, key=lambda request: (request.at, request.id)):
        condition = after.get(request.signature)
        if condition is not None and any(ack.id == request.id for ack in condition.acks):
            continue
        fault = _find_fault(condition, request, now)
        if fault is not None or condition is None:
            notes.append(f"An acknowledgement of {request.signature} by {request.by} is ignored: {fault}.")
            continue
        ack = Acknowledgement(
            by=request.by,
            at=request.at,
            until=min(request.until, request.at + LONGEST),
            via=request.via,
            id=request.id,
            severity=condition.peak,
            escalated=condition.escalated_at is not None,
            returns=condition.returns,
        )
        owing = {name: since for name, since in condition.owing.items() if name not in later_channels}
        after[request.signature] = replace(condition, acks=(ack, *condition.acks)[:_MAX_ACKS], owing=owing)
        notes.append(f"{request.signature} is acknowledged by {ack.by} until {format_utc(ack.until)}.")
    return AppliedAcks(after, tuple(notes))


def join_late_acknowledgements(
    conditions: Mapping[str, Condition],
    before: Mapping[str, Condition],
    acknowledged: Mapping[str, Condition],
    run: RunContext,
) -> dict[str, Condition]:
    """Return a run's conditions with the acknowledgements that its memory, `before`, got after it was judged.

    They cover what the memory holds, as if they had come in time, and nothing that is new in this run.
    """
    after = dict(conditions)
    for signature in after.keys() & acknowledged.keys():
        condition, acks = after[signature], acknowledged[signature].acks
        if acks == before[signature].acks:
            continue
        condition = replace(condition, acks=acks)
        is_covered = condition.get_acknowledgement(run.taken_at) is not None
        dropped = condition.owing if is_covered else before[signature].owing
        owing = {
            name: since
            for name, since in condition.owing.items()
            if not run.get_rung(name).after_sec or name not in dropped
        }
        waiting_since = None if is_covered else condition.waiting_since
        after[signature] = replace(condition, owing=owing, waiting_since=waiting_since)
    return after


def _find_fault(condition: Condition | None, request: AckRequest, now: datetime) -> str | None:
    if condition is None:
        return "there is no such condition"
    newest = condition.acks[0].at if condition.acks else None
    faults = {
        "it has ended": condition.phase == "ended",
        "it lies in the future": request.at > now + _TOLERANCE,
        "it has expired": min(request.until, request.at + LONGEST) <= now,
        "the condition began, worsened, escalated or returned after it": (
            request.at + _TOLERANCE < _get_last_change(condition)
        ),
        "there is a later one": newest is not None and request.at <= newest,
    }
    return next((fault for fault, holds in faults.items() if holds), None)


def _get_last_change(condition: Condition) -> datetime:
    """Return when the condition last became what a person has to be notified of."""
    changes = [change.at for change in condition.transitions if change.to in ("critical", "again")]
    times = (condition.first_seen, condition.escalated_at, condition.returned_at, *changes)
    return max(moment for moment in times if moment is not None)


def update_waiting(old: Condition | None, condition: Condition, run: RunContext) -> Condition:
    """Return the condition with the time since which it waits for an acknowledgement, or without any.

    The time begins again where the condition worsens, escalates or returns, and at the end of an
    acknowledgement.
    """
    if not condition.can_be_due:
        return condition
    if condition.get_acknowledgement(run.taken_at) is not None:
        return replace(condition, waiting_since=None) if condition.waiting_since else condition
    if old is not None and old.waiting_since is not None and not _has_worsened(old, condition):
        return condition
    expired = condition.last_acknowledgement
    return replace(condition, waiting_since=run.taken_at if expired is None else expired.until)


def _has_worsened(old: Condition, condition: Condition) -> bool:
    return (
        RANK[condition.peak] > RANK[old.peak]
        or (condition.escalated_at is not None and old.escalated_at is None)
        or condition.returns > old.returns
        or condition.generation != old.generation
    )
