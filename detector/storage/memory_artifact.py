"""Which of the artifacts that are there is remembered: the newest that can be used, by what it says of itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from detector.domain.condition import Condition
from detector.domain.event import Event
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.domain.run_memory import FIRST_RUN, Memory, build_lost_memory
from detector.formats.serialize import format_document
from detector.formats.strict_json import DocumentError
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.document import build_artifact_document
from detector.storage.artifact_file import UnavailableError

MOST_READ = 5
MOST_STORED = 6 * 1024 * 1024  # some 3,000 conditions; readers take 8 MiB packed and 16 MiB unpacked
_SHRINK_FACTOR = 0.9  # what is left out by length is left out a little too much, so that few turns are enough
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LoadedMemory:
    """What a place of artifacts gave: the memory, the document it was read from, and what to say of it.

    `unread` says why a newer memory than this one could not be had, which may be there and good the next time: a
    run that stored its own then would hide it, with what it owes.
    """

    memory: Memory = FIRST_RUN
    document: Any = None
    note: str | None = None
    unavailable: str | None = None


def pick_newest(candidates: Iterable[tuple[str, Any]], expected: ExpectedMemory) -> LoadedMemory | None:
    """Return what is remembered out of `(place, document)`, newest first; None where nothing was offered.

    A document that could not be had is a DocumentError, as data. The first MOST_READ are read, one by one, and of
    those that can be used the highest generation, then the latest `taken_at`, is remembered: a run that was late
    may have stored last. A newer one that is broken is lost all the same, with what only it knew; where none can be
    used everything is.
    """
    usable: list[LoadedMemory] = []
    broken: list[str] = []
    unavailable: list[str] = []
    for name, document in islice(candidates, MOST_READ):
        memory = _read_memory(document, expected)
        if memory.kept:
            usable.append(LoadedMemory(memory, document))
        elif not usable:  # what is older than one that can be used would not be missed
            faults = unavailable if isinstance(document, UnavailableError) else broken
            faults.append(f"{name}: {memory.before.lost}")
    if not usable:
        faults = [*broken, *unavailable]
        return (
            LoadedMemory(build_lost_memory(_describe_faults(faults)), unavailable=_get_first(unavailable))
            if faults
            else None
        )
    newest = max(usable, key=lambda loaded: (loaded.memory.generation, loaded.memory.taken_at or _BEGINNING))
    note = f"Passed over: {'; '.join((*broken, *unavailable))}." if broken or unavailable else None
    return replace(
        newest, memory=_mark_lost(newest.memory, broken), note=note, unavailable=_get_first(unavailable)
    )


def _read_memory(document: Any, expected: ExpectedMemory) -> Memory:
    if isinstance(document, DocumentError):
        return build_lost_memory(str(document))
    return read_previous(document, expected) if document is not None else build_lost_memory("it is null")


def _mark_lost(memory: Memory, broken: list[str]) -> Memory:
    """Return the memory that takes the place of newer ones that are broken, and that says so."""
    if not broken:
        return memory
    return replace(memory, before=replace(memory.before, lost=_describe_faults(broken)))


def _describe_faults(faults: list[str]) -> str:
    others = f" (and {len(faults) - 1} more before it, none of them usable)" if len(faults) > 1 else ""
    return f"{faults[0]}{others}"


def _get_first(faults: list[str]) -> str | None:
    return faults[0] if faults else None


@dataclass(frozen=True, slots=True)
class LimitedArtifact:
    """The text of an artifact, and how many conditions were left out of it; `whole` without any loss."""

    text: str
    left_out: int = 0
    whole: bool = True


def limit_size(report: Report, with_snapshot: bool = True) -> LimitedArtifact:
    """Return the artifact's text, at most MOST_STORED bytes long.

    Left out first is the snapshot; then the conditions that are worth least: a warning before a critical one, what
    ended before what holds, the older before the newer.
    """
    text = format_document(build_artifact_document(report, with_snapshot))
    size = len(text.encode())
    if size <= MOST_STORED:
        return LimitedArtifact(text)
    if with_snapshot:
        return replace(limit_size(report, with_snapshot=False), whole=False)
    kept = sorted(report.conditions.values(), key=_compute_sort_key)
    while size > MOST_STORED and kept:
        kept = kept[: int(len(kept) * _SHRINK_FACTOR * MOST_STORED / size)]
        text = format_document(
            build_artifact_document(
                _filter_report(report, {condition.signature for condition in kept}), with_snapshot=False
            )
        )
        size = len(text.encode())
    return LimitedArtifact(text, len(report.conditions) - len(kept), whole=False)


def _compute_sort_key(condition: Condition) -> tuple[int, bool, float, str]:
    """Return what sorts the conditions that are worth most first."""
    last = -condition.last_seen.timestamp()
    return -RANK[condition.peak], condition.phase == "ended", last, condition.signature


def _filter_report(report: Report, kept: Collection[str]) -> Report:
    """Return the report as far as it speaks of these conditions."""
    because = tuple(signature for signature in report.decision.because if signature in kept)
    return replace(
        report,
        conditions={
            signature: condition for signature, condition in report.conditions.items() if signature in kept
        },
        events=_filter_events(report.events, kept),
        new_events=_filter_events(report.new_events, kept),
        resolved_events=_filter_events(report.resolved_events, kept),
        held=tuple(signature for signature in report.held if signature in kept),
        muted=tuple(signature for signature in report.muted if signature in kept),
        decision=replace(report.decision, because=because),
    )


def _filter_events(events: tuple[Event, ...], kept: Collection[str]) -> tuple[Event, ...]:
    return tuple(event for event in events if event.signature in kept)
