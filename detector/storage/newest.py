"""Which of the artifacts that are there is remembered: the newest that can be used, by what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from detector.domain.run_memory import FIRST_RUN, Memory, build_lost_memory
from detector.formats.strict_json import DocumentError
from detector.readers.previous import ExpectedMemory, read_previous
from detector.storage.artifact_file import UnavailableError

MOST_READ = 5
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
