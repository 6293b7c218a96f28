"""The documents that the commands read: the snapshot, the previous artifact, a stored report, the runbook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import detector
from detector.app.context import AppContext, InputError
from detector.domain.event import Event
from detector.domain.provenance import SourceStatus
from detector.domain.report import Gap, Report
from detector.domain.run_memory import Memory
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.coverage import SignalCoverage
from detector.engine.evaluate import Decision
from detector.formats.redaction import redact
from detector.formats.serialize import compute_checksum, from_json, to_json, to_json_without_defaults
from detector.formats.strict_json import MAX_BYTES, DocumentError, parse_document
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.rules import find_next_step
from detector.settings import RUNTIME, Settings, list_secrets
from detector.storage import artifact_file

_PACKAGE = Path(detector.__file__).resolve().parent
RUNBOOK_PATHS = (_PACKAGE / "RUNBOOK.md", _PACKAGE.parent / "RUNBOOK.md")  # installed, or in a checkout


def read_stdin(app: AppContext) -> bytes:
    """Return standard input, at most one byte more than a document may have; raises InputError."""
    try:
        return app.stdin.read(MAX_BYTES + 1) or b""
    except OSError as error:
        raise InputError(
            f"standard input could not be read ({error.strerror or type(error).__name__})"
        ) from None


def parse_input(data: bytes) -> dict[str, Any]:
    """Return the JSON object of a snapshot; raises InputError."""
    try:
        return parse_document(data)
    except DocumentError as error:
        raise InputError(str(error)) from None


def redact_document(document: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Settings]:
    """Return both, redacted together: a name that stands in both stays one name."""
    texts = {name: value for name, value in settings.values.items() if isinstance(value, str)}
    # Without the names of sections and settings: a secret may be an ordinary word.
    redacted_lists = redact([list(document.values()), list(texts.values())], list_secrets(settings))
    values = {**settings.values, **dict(zip(texts, redacted_lists[1], strict=True))}
    return dict(zip(document, redacted_lists[0], strict=True)), replace(settings, values=values)


def parse_snapshot(
    document: Mapping[str, Any], now: datetime, settings: Settings
) -> tuple[Snapshot, Settings]:
    """Return the snapshot without its `previous`, and the settings, both redacted; raises InputError."""
    redacted_document, settings = redact_document(
        {k: v for k, v in document.items() if k != "previous"}, settings
    )
    try:
        return build_snapshot(redacted_document, now=now, runtime=settings[RUNTIME]), settings
    except DocumentError as error:
        raise InputError(str(error)) from None


def build_expected_memory(runtime: str, at: datetime) -> ExpectedMemory:
    """Return what a previous artifact has to match: runtime, time, and the kinds of today's rules."""
    return ExpectedMemory(runtime, at, {rule.name: rule.declaration.kind for rule in load_rules()})


def load_report(path: Path, now: datetime) -> tuple[dict[str, Any], Report]:
    """Return an artifact and its report; raises InputError where it is no artifact of this version."""
    raw = artifact_file.read_document(path)
    if raw is artifact_file.ABSENT:
        raise InputError(f"--artifact: {path}: there is no such file")
    if isinstance(raw, DocumentError):
        raise InputError(f"--artifact: {path}: {raw}")
    runtime = raw.get("runtime")
    memory = read_previous(raw, build_expected_memory(str(runtime), now))
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
    """Return the artifact with the report's receipts, sessions and channel health; the rest is unchanged."""
    body = {
        **raw,
        "channels": to_json(report.channels),
        "sessions": to_json(report.sessions),
        "conditions": [to_json_without_defaults(report.conditions[key]) for key in sorted(report.conditions)],
    }
    return {**body, "checksum": compute_checksum(body)}


def read_runbook() -> str:
    """Return the text of the runbook, or "" where the package has none."""
    file = next((path for path in RUNBOOK_PATHS if path.is_file()), None)
    return file.read_text(encoding="utf-8") if file else ""


def list_next_steps() -> dict[str, str]:
    """Return by event type the first step of its runbook section, or the rule's first docstring line."""
    text = read_runbook()
    return {rule.name: find_next_step(text, rule.name) or rule.doc for rule in load_rules()}
