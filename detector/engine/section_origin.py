"""Where a section comes from: how its source answered, and the one time at which its content was true.

That is its own time, else that of its payload, else that of its source, else `taken_at`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from detector.domain.columns import SOURCE_STATE
from detector.domain.lane_memory import SectionContent
from detector.domain.payload_path import MISSING
from detector.domain.profile import ReadContext
from detector.domain.provenance import SourceStatus
from detector.domain.section_reading import Reading
from detector.domain.shape import OWN_TIMES
from detector.domain.snapshot import PARTS, SECTIONS, STATUS_SECTIONS
from detector.formats.errors import InputError
from detector.formats.serialize import compute_digest, format_canonical
from detector.formats.similar_names import is_nearly
from detector.formats.strict_json import redact_excerpt
from detector.settings import PROFILE, RUN_LANE, STATUS_AS_OF, Settings

_KEYS = ("state", "as_of", "reason", "detail", "elapsed_ms")
_NAMES = tuple(name for name in (*SECTIONS, *PARTS) if name not in ("sources", "previous"))


def read_sources(raw: Mapping[str, Any], reading: Reading) -> dict[str, SourceStatus]:
    """Return the sources by name; a source without a readable state is omitted and added to the faults."""
    sources: dict[str, SourceStatus] = {}
    for name, entry in raw.items():
        path = f"sources.{redact_excerpt(name)}"
        _compare_names("sources", (name,), _NAMES, raw, reading)
        if not isinstance(entry, dict):
            reading.add_fault(path, "is not an object")
            continue
        _compare_names(path, entry, _KEYS, entry, reading)
        state = reading.read_value(SOURCE_STATE, f"{path}.state", entry.get("state"))
        if state is None:
            if not any(fault.path == f"{path}.state" for fault in reading.invalid):
                reading.add_fault(f"{path}.state", "is not given")
            continue
        sources[name] = SourceStatus(
            name,
            state,
            as_of=reading.read_value("time", f"{path}.as_of", entry.get("as_of")),
            reason=reading.read_value("text", f"{path}.reason", entry.get("reason")),
            detail=reading.read_value("text", f"{path}.detail", entry.get("detail")),
        )
    return sources


def _compare_names(
    path: str, names: Iterable[str], known: Iterable[str], present: Container[str], reading: Reading
) -> None:
    """Add a fault for each name that is nearly a known one that is not there."""
    absent = [name for name in known if name not in present]
    for name in names:
        meant = name not in known and next((k for k in absent if is_nearly(name, k, strict=False)), None)
        if meant:
            reading.add_fault(f"{path}.{redact_excerpt(name)}", f"is nearly {meant}, which is not there")


class OuterTimes(Struct, frozen=True):
    """The times of a section beside its content.

    `source` is when its source says that it was true, `source_ahead_sec` how far in the future that is where
    it is too far; `written` is when the snapshot that was handed over with it was taken.
    """

    source: datetime | None
    source_ahead_sec: float | None
    written: datetime | None


def find_section_time(raw: Any, outer: OuterTimes, reading: Reading, context: ReadContext) -> datetime | None:
    """Return when the content of a section was true; None where nothing names a time.

    A time that cannot be read is noted in `reading`, and the next one counts; so is one in the future, and
    then none counts: whatever else dates the section, it is not fresh.
    """
    for path, value in _iter_own_times(raw, reading.section, context):
        moment: datetime | None = reading.read_value("time", f"{reading.section}.{path}", value)
        if moment is not None or reading.skewed:
            return moment
    if outer.source_ahead_sec is not None:
        reading.skewed.append((f"sources.{reading.section}.as_of", outer.source_ahead_sec))
        return None
    if outer.source is not None or outer.written is None:
        return outer.source
    reading.read_paths.add("taken_at")
    return reading.limit_to_taken_at("taken_at", outer.written)


def get_lane_key(settings: Settings) -> str:
    """Return the key of a lane's memory: two lanes and two profiles expect different facts."""
    return f"{settings[RUN_LANE]}|{settings[PROFILE]}"


def get_content_key(section: str, settings: Settings) -> str:
    """Return the key of a section's content in the memory of all lanes."""
    return f"{get_lane_key(settings)}|{section}"


def update_content(section: str, raw: Any, context: ReadContext, taken_at: datetime) -> SectionContent:
    """Return the content of a section without a time, and since when the lane's runs have seen the same.

    In the first run of a lane, as one by hand, it is since when the others have.
    """
    digest, contents = compute_digest(format_canonical(raw)), context.previous_run.contents
    key = get_content_key(section, context.settings)
    ending = key.removeprefix(context.settings[RUN_LANE])
    names = [key] if key in contents else [name for name in contents if name.endswith(ending)]
    same = (contents[name] for name in names if contents[name].digest == digest)
    return min(same, key=lambda content: content.since, default=SectionContent(digest, taken_at))


def _iter_own_times(raw: Any, section: str, context: ReadContext) -> Iterator[tuple[str, Any]]:
    """Yield the times that the content names, by path, the first one counting."""
    if not isinstance(raw, dict):
        return
    keys: tuple[str, ...] = OWN_TIMES
    if section in STATUS_SECTIONS:
        keys = tuple(dict.fromkeys(("as_of", *context.settings[STATUS_AS_OF])))
    elif section == "logs":
        keys = ("to", *OWN_TIMES)
    times = ((key, raw[key]) for key in keys if raw.get(key) is not None)
    if section == "broker":
        from detector.readers.broker.rows import normalize_broker_time  # noqa: PLC0415 - its room alone

        times = ((key, normalize_broker_time(value)) for key, value in times)
    yield from times
    if section in STATUS_SECTIONS:
        yield from _iter_profile_times(raw, context)


def _iter_profile_times(raw: Mapping[str, Any], context: ReadContext) -> Iterator[tuple[str, Any]]:
    for path, extract in context.profile.time_paths.items():
        try:
            value = extract(raw)
        except InputError:
            value = MISSING
        if value is not MISSING and value is not None:
            yield path, value
