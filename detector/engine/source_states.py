"""The `sources` section: the result of each source's query, as `collect` recorded it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from detector.domain import snapshot
from detector.domain.columns import SOURCE_STATE
from detector.domain.provenance import SourceStatus
from detector.domain.section_reading import Reading
from detector.formats.similar_names import is_nearly
from detector.formats.strict_json import redact_excerpt

_KEYS = ("state", "as_of", "reason", "detail", "elapsed_ms")
_NAMES = tuple(name for name in (*snapshot.SECTIONS, *snapshot.PARTS) if name not in ("sources", "previous"))


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
