"""A report out of an artifact that was written: what a delivery needs of it, and the artifact with the receipts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from detector.app.context import InputError
from detector.domain.event import Event
from detector.domain.provenance import SourceStatus
from detector.domain.report import Gap, Report
from detector.domain.run_memory import Memory
from detector.engine.catalog import load_rules
from detector.engine.coverage import SignalCoverage
from detector.engine.evaluate import Decision
from detector.formats.serialize import compute_checksum, from_json, to_json, to_json_without_defaults
from detector.formats.strict_json import DocumentError
from detector.readers.previous import ExpectedMemory, read_previous
from detector.storage import artifact_file


def load_report(path: Path, now: datetime) -> tuple[dict[str, Any], Report]:
    """Return an artifact and the report that it holds; raises Refused where it is no artifact of this version."""
    raw = artifact_file.read_document(path)
    if raw is artifact_file.ABSENT:
        raise InputError(f"--artifact: {path}: there is no such file")
    if isinstance(raw, DocumentError):
        raise InputError(f"--artifact: {path}: {raw}")
    runtime = raw.get("runtime")
    expected = ExpectedMemory(str(runtime), now, {rule.name: rule.declaration.kind for rule in load_rules()})
    memory = read_previous(raw, expected)
    if memory.before.lost:
        raise InputError(f"--artifact: {path}: {memory.before.lost}")
    if not memory.kept or memory.taken_at is None:
        raise InputError(f"--artifact: {path}: it is no artifact, and nothing can be written into it")
    try:
        return raw, _build_report(raw, memory, memory.taken_at)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"--artifact: {path}: it cannot be read ({type(error).__name__})") from None


def _build_report(raw: Mapping[str, Any], memory: Memory, taken_at: datetime) -> Report:
    return Report(
        generation=memory.generation,
        taken_at=taken_at,
        runtime=raw["runtime"],
        decision=from_json(Decision, raw["decision"]),
        events=_parse_events(raw["events"]),
        new_events=_parse_events(raw["new_events"]),
        resolved_events=_parse_events(raw["resolved_events"]),
        held=tuple(raw["held"]),
        muted=tuple(raw["muted"]),
        coverage=tuple(from_json(SignalCoverage, entry) for entry in raw["coverage"]),
        sources=from_json(dict[str, SourceStatus], raw["sources"]),
        conditions=memory.conditions,
        carried=memory.before,
        channels=memory.channels,
        gap=from_json(Gap, raw["gap"]),
        sessions=memory.sessions,
    )


def _parse_events(entries: list[Any]) -> tuple[Event, ...]:
    return tuple(from_json(Event, {"reason": None, **entry}) for entry in entries)


def add_receipts(raw: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Return the artifact with the receipts, the sessions and the channels' health of the report, and nothing else new."""
    body = {
        **raw,
        "channels": to_json(report.channels),
        "sessions": to_json(report.sessions),
        "conditions": [to_json_without_defaults(report.conditions[key]) for key in sorted(report.conditions)],
    }
    return {**body, "checksum": compute_checksum(body)}
