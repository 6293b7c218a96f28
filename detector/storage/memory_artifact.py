"""The memory as an artifact: which one is loaded, the newest usable, and what fits into the one to store."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.condition import Condition, Event
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.domain.run_memory import FIRST_RUN, Memory, build_lost_memory, find_heads, join_memories
from detector.formats.errors import InputError
from detector.formats.numbers import format_count
from detector.formats.serialize import format_document
from detector.formats.times import NEVER
from detector.readers.previous import ExpectedMemory, is_of_another_runtime, read_previous
from detector.render.document import build_artifact_document
from detector.storage.artifact_file import UnavailableError

MOST_READ = 5
MOST_STORED = 6 * 1024 * 1024  # some 3,000 conditions; readers take 8 MiB packed and 16 MiB unpacked
_SHRINK_FACTOR = 0.9  # cuts a little more than needed, so that few rounds are enough


class LoadedMemory(Struct, frozen=True):
    """The loaded memory, the document that it was read from, and a note for people.

    `unavailable` is why a newer memory could not be read, which may be readable the next time: a run that
    stored its own memory now would hide it, with its undelivered alerts.
    """

    memory: Memory = FIRST_RUN
    document: Any = None
    note: str | None = None
    unavailable: str | None = None


def pick_newest(candidates: Iterable[tuple[str, Any]], expected: ExpectedMemory) -> LoadedMemory | None:
    """Return the memory to use of `(location, document)`, newest first; None where there are none.

    A document that could not be read is a InputError as data, and one of another runtime is passed over.
    The first MOST_READ are read. Of the usable ones that went into no other, that with the latest `taken_at`
    is returned, whatever its generation, joined with what the others owe and delivered: after a clock that
    was ahead is set back, the latest time is that of an ancestor. A newer one that is broken makes the memory
    `lost`; where none is usable, all of it is.
    """
    usable: list[LoadedMemory] = []
    broken: list[str] = []
    unavailable: list[str] = []
    own = (entry for entry in candidates if not is_of_another_runtime(entry[1], expected.runtime))
    for name, document in islice(own, MOST_READ):
        memory = _read_memory(document, expected)
        if memory.kept:
            usable.append(LoadedMemory(memory, document))
        elif not usable:  # a document older than a usable one is no loss
            faults = unavailable if isinstance(document, UnavailableError) else broken
            faults.append(f"{name}: {memory.before.lost}")
    if not usable:
        faults = [*broken, *unavailable]
        return (
            LoadedMemory(build_lost_memory(_describe_faults(faults)), unavailable=_get_first(unavailable))
            if faults
            else None
        )
    heads = find_heads([loaded.memory for loaded in usable])
    newest = max(
        (loaded for loaded in usable if loaded.memory in heads),
        key=lambda loaded: (loaded.memory.taken_at or NEVER, loaded.memory.generation),
    )
    joined = join_memories(newest.memory, [loaded.memory for loaded in usable if loaded is not newest])
    note = f"Passed over: {'; '.join((*broken, *unavailable))}." if broken or unavailable else None
    return replace(newest, memory=_mark_lost(joined, broken), note=note, unavailable=_get_first(unavailable))


def _read_memory(document: Any, expected: ExpectedMemory) -> Memory:
    if isinstance(document, InputError):
        return build_lost_memory(str(document))
    return read_previous(document, expected) if document is not None else build_lost_memory("it is null")


def _mark_lost(memory: Memory, broken: list[str]) -> Memory:
    """Return the memory, marked as lost where newer ones are broken."""
    if not broken:
        return memory
    return replace(memory, before=replace(memory.before, lost=_describe_faults(broken)))


def _describe_faults(faults: list[str]) -> str:
    others = f" (and {len(faults) - 1} more before it, none of them usable)" if len(faults) > 1 else ""
    return f"{faults[0]}{others}"


def _get_first(faults: list[str]) -> str | None:
    return faults[0] if faults else None


class LimitedArtifact(Struct, frozen=True):
    """The text of an artifact, and the number of conditions left out."""

    text: str
    left_out: int = 0


def limit_size(report: Report, with_snapshot: bool = True) -> LimitedArtifact:
    """Return the artifact's text, at most MOST_STORED bytes long.

    Left out are first the snapshot, then the least valuable conditions: warnings before critical ones, ended
    before active ones, older before newer ones.
    """
    text = format_document(build_artifact_document(report, with_snapshot))
    size = len(text.encode())
    if size <= MOST_STORED:
        return LimitedArtifact(text)
    if with_snapshot:
        return limit_size(report, with_snapshot=False)
    kept = sorted(report.conditions.values(), key=_compute_sort_key)
    while size > MOST_STORED and kept:
        kept = kept[: int(len(kept) * _SHRINK_FACTOR * MOST_STORED / size)]
        text = format_document(
            build_artifact_document(
                _filter_report(report, {condition.signature for condition in kept}), with_snapshot=False
            )
        )
        size = len(text.encode())
    return LimitedArtifact(text, len(report.conditions) - len(kept))


def format_left_out(count: int) -> str:
    """Return the sentence on conditions that an artifact had no room for."""
    return (
        f"{format_count(count, 'condition')} of least worth left out of the memory,"
        f" which holds at most {MOST_STORED // (1024 * 1024)} MiB"
    )


def _compute_sort_key(condition: Condition) -> tuple[int, bool, float, str]:
    """Return the sort key that puts the most valuable conditions first."""
    last = -condition.last_seen.timestamp()
    return -RANK[condition.peak], condition.phase == "ended", last, condition.signature


def _filter_report(report: Report, kept: Collection[str]) -> Report:
    """Return the report with these conditions only."""
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
