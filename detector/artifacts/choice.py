"""Which of the artifacts that are there is remembered: the newest that can be used, by what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from detector.model.document import DocumentError
from detector.model.memory import FIRST_RUN, Memory, lost
from detector.readers.previous import Expected, read_previous

MOST_READ = 5
MOST_COMPARED = 3  # a run that was late may have stored last: the newest few are compared by what they say
_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Found:
    """What a place of artifacts gave: the memory, the document it was read from, and what to say of it."""

    memory: Memory = FIRST_RUN
    document: Any = None
    said: str | None = None


def newest(offered: Iterable[tuple[str, Any]], expected: Expected) -> Found | None:
    """Return what is remembered out of `(place, document)`, newest first; None where nothing was offered.

    A document that could not be had is a DocumentError, as data. They are read one by one, at most
    MOST_READ of them, and no more once MOST_COMPARED can be used: of those the highest generation, then the
    latest `taken_at`, is remembered. Where none can be used the memory is lost, with the reason of the first.
    """
    usable: list[Found] = []
    faults: list[str] = []
    for place, document in offered:
        memory = _read(document, expected)
        if memory.kept:
            usable.append(Found(memory, document))
        else:
            faults.append(f"{place}: {memory.before.lost}")
        if len(usable) == MOST_COMPARED or len(usable) + len(faults) == MOST_READ:
            break
    if not usable:
        return Found(lost(_none_usable(faults))) if faults else None
    found = max(usable, key=lambda one: (one.memory.generation, one.memory.taken_at or _BEGINNING))
    return Found(found.memory, found.document, f"Passed over: {'; '.join(faults)}." if faults else None)


def _read(document: Any, expected: Expected) -> Memory:
    if isinstance(document, DocumentError):
        return lost(str(document))
    return read_previous(document, expected) if document is not None else lost("it is null")


def _none_usable(faults: list[str]) -> str:
    others = f" (and {len(faults) - 1} more before it, none of them usable)" if len(faults) > 1 else ""
    return f"{faults[0]}{others}"
