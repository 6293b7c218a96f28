"""The one time of a section: its own, else that of its payload, else that of its source, else `taken_at`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from detector.domain.payload_path import MISSING, PathError
from detector.domain.profile import ReadContext
from detector.domain.provenance import SourceStatus
from detector.domain.section_reading import Reading
from detector.settings import STATUS_AS_OF

STATUS_SECTIONS = ("status_v3", "bot_status")
_AS_OF = "as_of"


def find_section_time(
    raw: Any, source: SourceStatus | None, reading: Reading, context: ReadContext
) -> datetime | None:
    """Return when the content of a section was true; None where nothing names a time.

    A time that cannot be read is noted in `reading`, and the next one counts.
    """
    for path, value in _iter_own_times(raw, reading.section, context):
        moment: datetime | None = reading.read_value("time", f"{reading.section}.{path}", value)
        if moment is not None or reading.skewed:
            return moment
    return None if source is None else source.as_of


def has_own_time(raw: Any, section: str, context: ReadContext) -> bool:
    """Return whether the content names a time of its own."""
    return next(_iter_own_times(raw, section, context), None) is not None


def _iter_own_times(raw: Any, section: str, context: ReadContext) -> Iterator[tuple[str, Any]]:
    """Yield the times that the content names, by path, the first one counting."""
    if not isinstance(raw, dict):
        return
    keys: tuple[str, ...] = (_AS_OF,)
    if section in STATUS_SECTIONS:
        keys = tuple(dict.fromkeys((_AS_OF, *context.settings[STATUS_AS_OF])))
    elif section == "logs":
        keys = ("to", _AS_OF)
    yield from ((key, raw[key]) for key in keys if raw.get(key) is not None)
    if section in STATUS_SECTIONS:
        yield from _iter_profile_times(raw, context)


def _iter_profile_times(raw: Mapping[str, Any], context: ReadContext) -> Iterator[tuple[str, Any]]:
    for path, extract in context.profile.time_paths.items():
        try:
            value = extract(raw)
        except PathError:
            value = MISSING
        if value is not MISSING and value is not None:
            yield path, value
