"""Which of the artifacts that are there is remembered: the newest that can be used, by what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from detector.domain.memory import FIRST_RUN, Memory, build_lost_memory
from detector.formats.strict_json import DocumentError
from detector.readers.previous import ExpectedMemory, read_previous
from detector.storage.file import UnreadError

MOST_READ = 5
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """What a place of artifacts gave: the memory, the document it was read from, and what to say of it.

    `unread` says why a newer memory than this one could not be had, which may be there and good the next time: a
    run that stored its own then would hide it, with what it owes.
    """

    memory: Memory = FIRST_RUN
    document: Any = None
    said: str | None = None
    unread: str | None = None


def newest(offered: Iterable[tuple[str, Any]], expected: ExpectedMemory) -> Found | None:
    """Return what is remembered out of `(place, document)`, newest first; None where nothing was offered.

    A document that could not be had is a DocumentError, as data. The first MOST_READ are read, one by one, and of
    those that can be used the highest generation, then the latest `taken_at`, is remembered: a run that was late
    may have stored last. A newer one that is broken is lost all the same, with what only it knew; where none can be
    used everything is.
    """
    usable: list[Found] = []
    broken: list[str] = []
    unread: list[str] = []
    for place, document in islice(offered, MOST_READ):
        memory = _read(document, expected)
        if memory.kept:
            usable.append(Found(memory, document))
        elif not usable:  # what is older than one that can be used would not be missed
            faults = unread if isinstance(document, UnreadError) else broken
            faults.append(f"{place}: {memory.before.lost}")
    if not usable:
        faults = [*broken, *unread]
        return Found(build_lost_memory(_none_usable(faults)), unread=_first(unread)) if faults else None
    found = max(usable, key=lambda one: (one.memory.generation, one.memory.taken_at or _BEGINNING))
    said = f"Passed over: {'; '.join((*broken, *unread))}." if broken or unread else None
    return replace(found, memory=_without(found.memory, broken), said=said, unread=_first(unread))


def _read(document: Any, expected: ExpectedMemory) -> Memory:
    if isinstance(document, DocumentError):
        return build_lost_memory(str(document))
    return read_previous(document, expected) if document is not None else build_lost_memory("it is null")


def _without(memory: Memory, broken: list[str]) -> Memory:
    """Return the memory that takes the place of newer ones that are broken, and that says so."""
    if not broken:
        return memory
    return replace(memory, before=replace(memory.before, lost=_none_usable(broken)))


def _none_usable(faults: list[str]) -> str:
    others = f" (and {len(faults) - 1} more before it, none of them usable)" if len(faults) > 1 else ""
    return f"{faults[0]}{others}"


def _first(faults: list[str]) -> str | None:
    return faults[0] if faults else None
