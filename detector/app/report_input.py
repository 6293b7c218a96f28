"""The input of a report: artifacts, snapshots, folders and zips on disk, each read as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from detector import ledger
from detector.app.context import AppContext
from detector.app.input_documents import ParsedSnapshot, gather_document_facts, parse_report, parse_snapshot
from detector.clients.local_file import read_file
from detector.domain.facts import Facts
from detector.domain.run_memory import FIRST_RUN, Memory, build_next_memory, check_memory_time
from detector.domain.session_report import REPLAY
from detector.engine.evaluate import evaluate
from detector.formats.errors import InputError
from detector.formats.numbers import format_count
from detector.formats.serialize import to_json
from detector.formats.strict_json import MAX_BYTES, parse_document
from detector.report.run_record import RunRecord
from detector.settings import ARTIFACT, Settings
from detector.storage.zip_archive import extract_only_member

_LINES = (".ndjson", ".jsonl")
_SUFFIXES = (".json", ".zip", *_LINES)
# Those that the timeline's series are read from, and what was last held where it is not seen now.
_HISTORY_SECTIONS = ("status_v3", "bot_status", "ecs", "broker", "stores")
Located = tuple[str, dict[str, Any]]


def load_records(
    app: AppContext, paths: Iterable[Path], settings: Settings
) -> tuple[list[RunRecord], list[str]]:
    """Return the runs in these files, and a remark for each file that cannot be read.

    A bare snapshot is evaluated with the memory of the one before it, as `replay` does.
    """
    remarks: list[str] = []
    documents = [located for path in paths for located in _iter_documents(path, remarks)]
    records: list[RunRecord] = []
    snapshots: list[Located] = []
    for location, document in documents:
        if "schema_version" in document:
            try:
                report = parse_report(document, app.clock())
                kept = document.get("snapshot") if settings[ARTIFACT] == "full" else None
                records.append(RunRecord(location, report, kept if isinstance(kept, dict) else None))
            except InputError as error:
                remarks.append(f"{location} is left out: {error}")
        elif document.get("taken_at") is None:
            remarks.append(f"{location} is left out: it is no artifact, and a snapshot without taken_at")
        else:
            snapshots.append((location, document))
    records += _evaluate_snapshots(app, snapshots, settings, remarks)
    return records, remarks


def _iter_documents(path: Path, remarks: list[str]) -> Iterator[Located]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if path.is_dir() and not (file.is_file() and file.suffix in _SUFFIXES):
            continue
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            for location, data in _read_file(file, name):
                try:
                    yield location, parse_document(data)
                except InputError as error:
                    remarks.append(f"{location} is left out: {error}")
        except (OSError, InputError) as error:
            remarks.append(f"{name} is left out: {getattr(error, 'strerror', None) or error}")


def _read_file(file: Path, name: str) -> Iterator[tuple[str, bytes]]:
    if file.suffix in _LINES and file.is_file():
        with file.open("rb") as opened:
            for number, line in enumerate(opened, 1):
                if line.strip():
                    yield f"{name} line {number}", line
        return
    data = read_file(file, MAX_BYTES + 1).data
    yield name, extract_only_member(data) if file.suffix == ".zip" else data


def _evaluate_snapshots(
    app: AppContext, snapshots: Sequence[Located], settings: Settings, remarks: list[str]
) -> Iterator[RunRecord]:
    memories: dict[str, Memory] = {}
    for location, entry in _sort_snapshots(_parse_snapshots(app, snapshots, settings, remarks), remarks):
        snapshot = entry.snapshot
        memory = memories.get(snapshot.runtime, FIRST_RUN)
        base = check_memory_time(memory, snapshot.taken_at, snapshot.taken_at)
        report = evaluate(snapshot, base.memory, entry.settings, (REPLAY,))
        conditions = ledger.add_receipts(report.conditions, report.owed[REPLAY], REPLAY, report.taken_at)
        memories[snapshot.runtime] = build_next_memory(report, conditions)
        yield RunRecord(
            location, replace(report, conditions=conditions), to_json(report.snapshot), is_artifact=False
        )


def _parse_snapshots(
    app: AppContext, snapshots: Sequence[Located], settings: Settings, remarks: list[str]
) -> Iterator[tuple[str, ParsedSnapshot]]:
    """Yield each snapshot once; a remark says which cannot be read, and how many are copies."""
    read: dict[str, list[dict[str, Any]]] = {}
    copies = 0
    for location, document in snapshots:
        document.pop("previous", None)
        same_time = read.setdefault(str(document["taken_at"]), [])
        if document in same_time:
            copies += 1
            continue
        same_time.append(document)
        try:
            yield location, parse_snapshot(document, app.clock(), settings)
        except InputError as error:
            remarks.append(f"{location} is left out: {error}")
    if copies:
        remarks.append(f"{format_count(copies, 'snapshot')} given twice counts once")


def _sort_snapshots(
    parsed: Iterable[tuple[str, ParsedSnapshot]], remarks: list[str]
) -> list[tuple[str, ParsedSnapshot]]:
    given = list(parsed)
    ordered = sorted(given, key=lambda pair: pair[1].snapshot.taken_at)
    if ordered != given:
        remarks.append("the snapshots were given out of order; they are sorted by their times")
    return ordered


def gather_record_facts(
    app: AppContext, runs: Sequence[RunRecord], settings: Settings
) -> dict[datetime, Facts]:
    """Return by run the facts of its kept snapshot: of the newest one all, of the others the series'."""
    facts: dict[datetime, Facts] = {}
    for run in runs:
        kept = run.snapshot
        if kept is None or settings[ARTIFACT] != "full":
            continue
        sections = (
            kept if run is runs[-1] else {name: kept[name] for name in _HISTORY_SECTIONS if name in kept}
        )
        gathered = _gather_facts(
            app, {"taken_at": kept.get("taken_at"), "runtime": run.report.runtime, **sections}, settings
        )
        if gathered is not None:
            facts[run.at] = gathered
    return facts


def _gather_facts(app: AppContext, document: Mapping[str, Any], settings: Settings) -> Facts | None:
    body = {name: value for name, value in document.items() if name != "cut"}
    try:
        return gather_document_facts(body, app.clock(), settings)
    except InputError:
        return None
