"""The documents that the commands read: the snapshot, the previous artifact, a stored report, the runbook."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

import detector
from detector.app.context import AppContext, print_wait_hint
from detector.clients.local_file import LocalFile, read_file
from detector.domain.condition import Event
from detector.domain.facts import Facts
from detector.domain.provenance import SourceStatus
from detector.domain.report import Decision, Gap, Report, SignalCoverage
from detector.domain.run_memory import FIRST_RUN, Memory, build_lost_memory
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import gather
from detector.formats.errors import InputError
from detector.formats.redaction import redact
from detector.formats.serialize import compute_checksum, from_json, to_json, to_json_without_defaults
from detector.formats.strict_json import MAX_BYTES, parse_document
from detector.readers.previous import ExpectedMemory, read_previous
from detector.settings import RUNTIME, Settings, list_secrets
from detector.storage import artifact_file

STDIN: Final = "-"
_PACKAGE = Path(detector.__file__).resolve().parent
RUNBOOK_PATHS = (_PACKAGE / "RUNBOOK.md", _PACKAGE.parent / "RUNBOOK.md")  # installed, or in a checkout


class ParsedSnapshot(Struct, frozen=True):
    """A snapshot, the settings and the identifiers of a query, redacted together."""

    snapshot: Snapshot
    settings: Settings
    ids: Mapping[str, str | None]


def read_source(app: AppContext, source: str, what: str = "a JSON document") -> LocalFile:
    """Return standard input or a file, at most one byte more than a document may have; raises InputError.

    At a terminal `what` is awaited with a hint.
    """
    try:
        if source == STDIN:
            print_wait_hint(app, what)
            return LocalFile(app.stdin.read(MAX_BYTES + 1) or b"")
        return read_file(source, MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        text = f"standard input could not be read ({reason})" if source == STDIN else f"{source}: {reason}"
        raise InputError(text) from None


def parse_source(data: bytes, source: str) -> dict[str, Any]:
    """Return the JSON object of a snapshot; raises InputError that names the file."""
    try:
        return parse_document(data)
    except InputError as error:
        raise InputError(str(error) if source == STDIN else f"{source}: {error}") from None


def redact_document(
    document: Mapping[str, Any], settings: Settings, ids: Mapping[str, str | None]
) -> tuple[dict[str, Any], Settings, dict[str, str | None]]:
    """Return the three, redacted together: an account that stands in several of them has one alias."""
    names, secrets = _list_hidden(settings)
    # Numbers instead of the names of sections and settings: a secret may be an ordinary word.
    parts = [*document.values(), [settings.values[name] for name in names], dict(ids)]
    redacted = redact({str(number): part for number, part in enumerate(parts)}, secrets)
    *sections, texts, redacted_ids = (redacted[str(number)] for number in range(len(parts)))
    if names:
        values = {**settings.values, **dict(zip(names, texts, strict=True))}
        settings = replace(settings, values=values)
    return dict(zip(document, sections, strict=True)), settings, redacted_ids


@lru_cache(maxsize=16)
def _list_hidden(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the settings whose text holds an account or a secret, and all secrets."""
    secrets = tuple(list_secrets(settings))
    texts = ((name, value) for name, value in settings.values.items() if isinstance(value, str))
    return tuple(name for name, text in texts if redact(text, secrets) != text), secrets


def check_document(document: Mapping[str, Any], now: datetime, settings: Settings) -> Snapshot:
    """Return the snapshot as it stands in the document, not redacted; raises InputError."""
    return build_snapshot(document, now=now, runtime=settings[RUNTIME])


def parse_snapshot(
    document: Mapping[str, Any],
    now: datetime,
    settings: Settings,
    ids: Mapping[str, str | None] = MappingProxyType({}),
) -> ParsedSnapshot:
    """Return the snapshot of a document without `previous`, redacted with the rest; raises InputError."""
    redacted, settings, redacted_ids = redact_document(document, settings, ids)
    return ParsedSnapshot(check_document(redacted, now, settings), settings, redacted_ids)


def build_expected_memory(runtime: str, at: datetime) -> ExpectedMemory:
    """Return what a previous artifact has to match: runtime, time, and the kinds of today's rules."""
    return ExpectedMemory(runtime, at, {rule.name: rule.declaration.kind for rule in load_rules()})


def load_report(path: Path, now: datetime) -> tuple[dict[str, Any], Report]:
    """Return an artifact and its report; raises InputError where it is no artifact of this version."""
    raw = artifact_file.read_document(path)
    if raw is artifact_file.ABSENT:
        raise InputError(f"--artifact: {path}: there is no such file")
    if isinstance(raw, InputError):
        raise InputError(f"--artifact: {path}: {raw}")
    try:
        return raw, parse_report(raw, now)
    except InputError as error:
        raise InputError(f"--artifact: {path}: {error}") from None


def parse_report(raw: Mapping[str, Any], now: datetime) -> Report:
    """Return the report of an artifact's document; raises InputError where it is none of this version."""
    memory = read_previous(raw, build_expected_memory(str(raw.get("runtime")), now))
    if memory.before.lost:
        raise InputError(memory.before.lost)
    if not memory.kept or memory.taken_at is None:
        raise InputError("it is no artifact, and nothing can be written into it")
    try:
        return _build_report(raw, memory, memory.taken_at)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"it cannot be read ({type(error).__name__})") from None


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
        checked=raw.get("checked", len(raw["coverage"])),
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


@lru_cache(maxsize=1)
def list_next_steps() -> Mapping[str, str]:
    """Return by event type the first step of its runbook section, or the rule's first docstring line."""
    from detector.render.rules import find_next_step

    text = read_runbook()
    return {rule.name: find_next_step(text, rule.name) or rule.doc for rule in load_rules()}


def gather_document_facts(document: Mapping[str, Any], now: datetime, settings: Settings) -> Facts:
    """Return the facts of a snapshot's document, and how each section was read; raises InputError."""
    parsed = parse_snapshot(document, now, settings)
    return gather(parsed.snapshot, parsed.settings)


class PreviousArtifact(Struct, frozen=True):
    """A previous artifact as it was loaded: any JSON value, ABSENT, or the InputError of its file.

    `path` is None for a section.
    """

    document: Any
    path: Path | None = None

    @property
    def is_absent(self) -> bool:
        """Whether the named file does not exist, which is a first run."""
        return self.document is artifact_file.ABSENT

    def read(self, expected: ExpectedMemory) -> Memory:
        """Return the memory: FIRST_RUN where there is none, lost with its reason where it is unusable."""
        if self.is_absent:
            return FIRST_RUN
        if isinstance(self.document, InputError):
            return build_lost_memory(f"the previous artifact: {self.document}")
        return read_previous(self.document, expected)

    def explain_unused(self, expected: ExpectedMemory) -> str | None:
        """Return why a given artifact counts for nothing, None where it counts or none was given."""
        if self.is_absent and self.path is not None:
            return f"there is no previous artifact at {self.path}"
        return self.read(expected).before.lost


def load_previous(path: str | None, section: Any = None) -> PreviousArtifact:
    """Return the artifact of the file, else of the section; raises InputError where both are given."""
    if path is None:
        return PreviousArtifact(section)
    if section is not None:
        raise InputError("--previous and a `previous` section are given together; leave one out")
    return PreviousArtifact(artifact_file.read_document(Path(path)), Path(path))
