"""What the commands that look at the world share: the sources looked at, told as they answer, made a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from detector.app.context import Door, Refused
from detector.app.redacted_snapshot import redacted_with
from detector.collectors._clients import World
from detector.collectors._parallel import Collected, side_by_side
from detector.collectors._walk import configured, faults
from detector.domain.snapshot import KEYS, SECTIONS, build_snapshot
from detector.formats.edge_error import TOO_LARGE
from detector.formats.strict_json import MAX_BYTES, DocumentError, canonical
from detector.formats.times import TimeError, parse_rfc3339, seconds_between, span, text_of
from detector.settings import RUNTIME, SOURCE_STALE_SEC, SOURCES_OFF, Settings
from detector.storage import file as local

_ROOM = MAX_BYTES - 1024 * 1024  # for the sections together; the rest is for what stands around them


@dataclass(frozen=True, slots=True)
class Looking:
    """How a command looks: by which clock, with what memory, at which sections not, and whether it tells.

    `previous` is the previous artifact as it was given, whatever it is.
    """

    clock: Callable[[], datetime]
    previous: Any = None
    given: frozenset[str] = frozenset()
    quiet: bool = False


@dataclass(slots=True)
class Found:
    """What was looked at: every source with its answer, and what goes into the snapshot."""

    collected: list[Collected] = field(default_factory=list)
    sections: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)


def look(door: Door, settings: Settings, looking: Looking) -> Found:
    """Look at every configured source side by side; raises Refused where settings contradict each other."""
    contradictions = list(faults(settings))
    if contradictions:
        raise Refused(*contradictions)
    sources = [source for source in configured(settings) if source.name not in looking.given]
    since, missed = _logs_seen(looking.previous)
    world = World(door.environ, looking.clock, since, missed)
    tells = not looking.quiet and door.stderr.isatty()
    found = Found()
    for one in side_by_side(sources, settings, world):
        found.collected.append(one)
        if tells:
            door.say(progress_line(one))
    found.collected.sort(key=lambda one: KEYS.index(one.source.name))
    _fill(found)
    off: tuple[str, ...] = settings[SOURCES_OFF]
    found.entries |= {name: {"state": "off"} for name in off if name not in looking.given}
    return found


def progress_line(one: Collected) -> str:
    """Return the line of one source for a person: its state, its time, and why not."""
    state = "ok" if one.answer is not None else f"failed ({one.reason})"
    said = f": {one.detail}" if one.detail else ""
    return f"{one.source.name:<12}{one.elapsed_ms / 1000:6.2f} s  {state}{said}"


def _fill(found: Found) -> None:
    """Put the answers into sections and entries; what is too much for one document is left out, largest first."""
    sizes = {
        one.source.name: len(canonical(one.answer.section))
        for one in found.collected
        if one.answer is not None
    }
    while sum(sizes.values()) > _ROOM:
        del sizes[max(sizes, key=lambda name: sizes[name])]
    found.collected = [one if one.source.name in sizes else _too_much(one) for one in found.collected]
    for one in found.collected:
        found.entries[one.source.name] = one.entry
        if one.answer is not None:
            found.sections[one.source.name] = one.answer.section


def _too_much(one: Collected) -> Collected:
    if one.answer is None:
        return one
    said = "with the other sections it is more than a snapshot can hold"
    return replace(one, answer=None, reason=TOO_LARGE, detail=said)


def _logs_seen(previous: Any) -> tuple[datetime | None, bool]:
    """Return when an earlier run last saw the logs, and whether it asked for them in vain."""
    document = previous if isinstance(previous, dict) else {}
    sources = document.get("sources")
    entry = sources.get("logs") if isinstance(sources, dict) else None
    state = entry.get("state") if isinstance(entry, dict) else None
    if state == "ok":
        with suppress(TimeError):
            return parse_rfc3339(str(document.get("taken_at"))), False
    return None, state == "failed"


def previous_of(path: str | None, section: Any) -> Any:
    """Return the previous artifact out of its file, where one is named, else the section of that name."""
    return section if path is None else local.read(Path(path))


def completed(
    door: Door, settings: Settings, document: Mapping[str, Any], looking: Looking
) -> dict[str, Any] | None:
    """Return the document with every section that it lacks and a source has; None where nothing was looked at.

    Nothing is collected for a snapshot of another time: what is true now says nothing of then. A document
    that is to be refused is refused before anything is asked.
    """
    try:
        shown, _ = redacted_with({k: v for k, v in document.items() if k != "previous"}, settings)
        snapshot = build_snapshot(shown, now=looking.clock(), runtime=settings[RUNTIME])
    except DocumentError as error:
        raise Refused(str(error)) from None
    now = looking.clock()
    apart = max(seconds_between(snapshot.taken_at, now), seconds_between(now, snapshot.taken_at))
    if apart > settings[SOURCE_STALE_SEC]:
        door.say(f"The snapshot was taken {span(apart)} away from now: nothing is collected for it.")
        return None
    given = frozenset(name for name in SECTIONS if document.get(name) is not None)
    known = document.get("sources") or {}
    off = {name for name, one in known.items() if isinstance(one, dict) and one.get("state") == "off"}
    found = look(door, settings, replace(looking, given=given | off))
    if not found.entries:
        return None
    return {**document, **found.sections, "sources": {**known, **found.entries}}


def snapshot_document(settings: Settings, found: Found, taken_at: datetime) -> dict[str, Any]:
    """Return what was collected as a snapshot, redacted, its keys in the contract's order."""
    document = {
        "taken_at": text_of(taken_at),
        "runtime": settings[RUNTIME],
        **found.sections,
        "sources": found.entries,
    }
    shown, _ = redacted_with(document, settings)
    return {key: shown[key] for key in KEYS if key in shown}
