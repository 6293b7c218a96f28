"""The `sources` section: the result of each source's query, as `collect` recorded it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.provenance import SourceStatus
from detector.domain.section_reading import Reading
from detector.formats.strict_json import redact_excerpt

STATES = ("ok", "failed", "off")


def read_sources(raw: Mapping[str, Any], reading: Reading) -> dict[str, SourceStatus]:
    """Return the sources by name; a source without a readable state is omitted and added to the faults."""
    sources: dict[str, SourceStatus] = {}
    for name, entry in raw.items():
        path = f"sources.{redact_excerpt(name)}"
        if not isinstance(entry, dict):
            reading.add_fault(path, "is not an object")
            continue
        state = reading.read_value("text", f"{path}.state", entry.get("state"))
        if state not in STATES:
            reading.add_fault(f"{path}.state", "is none of ok, failed, off")
            continue
        sources[name] = SourceStatus(
            name,
            state,
            as_of=reading.read_value("time", f"{path}.as_of", entry.get("as_of")),
            reason=reading.read_value("text", f"{path}.reason", entry.get("reason")),
            detail=reading.read_value("text", f"{path}.detail", entry.get("detail")),
        )
    return sources
