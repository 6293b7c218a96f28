"""The report of a session: its runs, from files or from now, the evidence of the schedule, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector import ledger
from detector.app.context import AppContext
from detector.app.input_documents import (
    ParsedSnapshot,
    build_expected_memory,
    gather_document_facts,
    list_next_steps,
    load_previous,
    parse_report,
    parse_snapshot,
)
from detector.app.job import Job
from detector.app.pipeline import collect, read
from detector.domain.facts import Facts
from detector.domain.report import Report
from detector.domain.run_memory import (
    CLOCK_TOLERANCE,
    FIRST_RUN,
    Memory,
    build_next_memory,
    check_memory_time,
)
from detector.domain.session_report import REPLAY, ReportTable, SessionReport
from detector.domain.snapshot import STATUS_SECTIONS
from detector.engine.evaluate import evaluate
from detector.formats.errors import InputError
from detector.formats.numbers import format_count
from detector.formats.serialize import to_json
from detector.formats.strict_json import parse_document
from detector.reconciliation.freshness import DataAge, compute_data_age
from detector.report.build_session import SessionInput, build_session_report, choose_window
from detector.report.run_record import RunHistory, RunRecord, build_history
from detector.settings import ARTIFACT, CLOCK_SKEW_SEC, MARKET_CLOSURES, PROFILE, RUNTIME, Settings
from detector.storage import artifact_file
from detector.storage.zip_archive import extract_member

_SUFFIXES = (".json", ".zip", *artifact_file.LINE_SUFFIXES)
# Those that the timeline's series are read from, and what was last held where it is not seen now.
_HISTORY_SECTIONS = (*STATUS_SECTIONS, "ecs", "broker", "stores")
_Located = tuple[str, dict[str, Any]]


class ReportRequest(Struct, frozen=True):
    """What is to be reported: the files, or now without any; the session and runtime; further tables.

    `as_of` is the time that --now gave: nothing later is in the report. Without it a clock may be off.
    """

    paths: tuple[Path, ...] = ()
    day: date | None = None
    runtime: str | None = None
    previous: str | None = None
    evidence: tuple[ReportTable, ...] = ()
    as_of: datetime | None = None


def run_report(job: Job, request: ReportRequest) -> SessionReport:
    """Return the report; raises InputError where nothing that was named can be read."""
    settings, remarks = job.settings, list[str]()
    if request.paths:
        records, remarks = _load_records(job.app, request.paths, settings)
    else:
        records = [_evaluate_now(job, request)]
    latest = request.as_of or job.clock() + CLOCK_TOLERANCE
    later = sum(record.at > latest for record in records)
    if later:
        remarks.append(f"{format_count(later, 'run')} after the time of this report left out")
    history = build_history((record for record in records if record.at <= latest), request.runtime)
    history = replace(
        history, runtime=history.runtime or settings[RUNTIME], remarks=(*remarks, *history.remarks)
    )
    given = replace(_build_input(job), day=request.day, steps=list_next_steps(), evidence=request.evidence)
    return _build_report_of(job, history, given)


def build_run_report(job: Job, report: Report, with_snapshot: bool) -> SessionReport:
    """Return the report of one run alone; without its snapshot it shows what a ledger shows."""
    kept = to_json(report.snapshot) if with_snapshot and report.snapshot is not None else None
    history = build_history([RunRecord(report, kept)])
    return _build_report_of(job, history, _build_input(job))


def _build_input(job: Job) -> SessionInput:
    files = job.settings.files
    closures = replace(files[MARKET_CLOSURES.name], plan=files[PROFILE.name].session_plan)
    return SessionInput(made_at=job.clock(), settings=job.settings, closures=closures)


def _build_report_of(job: Job, history: RunHistory, given: SessionInput) -> SessionReport:
    """Return the report of these runs; only the snapshots inside its window are read."""
    _, (begins, ends), _ = choose_window(history, given)
    inside = [run for run in history.runs if begins <= run.at <= ends]
    facts = _gather_record_facts(job.app, inside, job.settings)
    return build_session_report(history, facts, _compute_age(inside, given, job.settings), given)


def _evaluate_now(job: Job, request: ReportRequest) -> RunRecord:
    source = read(job)
    document = collect(job, source)
    parsed = parse_snapshot(document.document, job.clock(), job.settings)
    snapshot = parsed.snapshot
    previous = load_previous(request.previous, source.previous)
    memory = previous.read(build_expected_memory(snapshot.runtime, snapshot.taken_at))
    report = evaluate(snapshot, memory, parsed.settings)
    return RunRecord(report, to_json(report.snapshot), is_artifact=False)


def _compute_age(inside: list[RunRecord], given: SessionInput, settings: Settings) -> DataAge:
    """Return the age of the newest run's broker section when the report is made."""
    kept = inside[-1].snapshot if inside else None
    if kept is None or not isinstance(kept.get("broker"), dict):
        return DataAge(fault="it was not kept" if kept is None else "the broker was not read")
    return compute_data_age(kept, inside[-1].at, given.made_at, settings[CLOCK_SKEW_SEC])


def _load_records(
    app: AppContext, paths: Iterable[Path], settings: Settings
) -> tuple[list[RunRecord], list[str]]:
    """Return the runs in these files, and a remark for each file that cannot be read.

    A bare snapshot is evaluated with the memory of the one before it, as `replay` does.
    """
    remarks: list[str] = []
    documents = [located for path in paths for located in _iter_documents(path, remarks)]
    records: list[RunRecord] = []
    snapshots: list[_Located] = []
    for location, document in documents:
        if "schema_version" in document:
            try:
                report = parse_report(document, app.clock())
                kept = document.get("snapshot") if settings[ARTIFACT] == "full" else None
                records.append(RunRecord(report, kept if isinstance(kept, dict) else None))
            except InputError as error:
                remarks.append(f"{location} is left out: {error}")
        elif document.get("taken_at") is None:
            remarks.append(f"{location} is left out: it is no artifact, and a snapshot without taken_at")
        else:
            snapshots.append((location, document))
    records += _evaluate_snapshots(app, snapshots, settings, remarks)
    return records, remarks


def _iter_documents(path: Path, remarks: list[str]) -> Iterator[_Located]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if path.is_dir() and not (file.is_file() and file.suffix in _SUFFIXES):
            continue
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            for location, data in artifact_file.read_parts(file, name):
                try:
                    content = extract_member(data) if file.suffix == ".zip" else data
                    yield location, parse_document(content)
                except InputError as error:
                    remarks.append(f"{location} is left out: {error}")
        except (OSError, InputError) as error:
            remarks.append(f"{name} is left out: {getattr(error, 'strerror', None) or error}")


def _evaluate_snapshots(
    app: AppContext, snapshots: Sequence[_Located], settings: Settings, remarks: list[str]
) -> Iterator[RunRecord]:
    memories: dict[str, Memory] = {}
    for entry in _sort_snapshots(_parse_snapshots(app, snapshots, settings, remarks), remarks):
        snapshot = entry.snapshot
        memory = memories.get(snapshot.runtime, FIRST_RUN)
        base = check_memory_time(memory, snapshot.taken_at, snapshot.taken_at)
        report = evaluate(snapshot, base.memory, entry.settings, (REPLAY,))
        conditions = ledger.add_receipts(report.conditions, report.owed[REPLAY], REPLAY, report.taken_at)
        memories[snapshot.runtime] = build_next_memory(report, conditions)
        kept = to_json(report.snapshot)
        yield RunRecord(replace(report, conditions=conditions), kept, is_artifact=False)


def _parse_snapshots(
    app: AppContext, snapshots: Sequence[_Located], settings: Settings, remarks: list[str]
) -> Iterator[ParsedSnapshot]:
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
            yield parse_snapshot(document, app.clock(), settings)
        except InputError as error:
            remarks.append(f"{location} is left out: {error}")
    if copies:
        remarks.append(f"{format_count(copies, 'snapshot')} given twice counts once")


def _sort_snapshots(parsed: Iterable[ParsedSnapshot], remarks: list[str]) -> list[ParsedSnapshot]:
    given = list(parsed)
    ordered = sorted(given, key=lambda entry: entry.snapshot.taken_at)
    if ordered != given:
        remarks.append("the snapshots were given out of order; they are sorted by their times")
    return ordered


def _gather_record_facts(
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
