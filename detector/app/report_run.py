"""The report of a session: its runs from disk or from now, the schedule's evidence, and the built report."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from detector.app.input_documents import build_expected_memory, list_next_steps, load_previous, parse_snapshot
from detector.app.job import Job
from detector.app.pipeline import collect, read
from detector.app.report_input import gather_record_facts, load_records
from detector.domain.report import Report
from detector.domain.run_memory import CLOCK_TOLERANCE
from detector.domain.session_report import ReportTable, SessionReport
from detector.engine.evaluate import evaluate
from detector.formats.numbers import format_count
from detector.formats.serialize import to_json
from detector.reconciliation.freshness import DataAge, compute_data_age
from detector.report.build_session import SessionInput, build_session_report, choose_window
from detector.report.run_record import RunHistory, RunRecord, build_history
from detector.settings import CLOCK_SKEW_SEC, MARKET_CLOSURES, PROFILE, RUNTIME, Settings


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
        records, remarks = load_records(job.app, request.paths, settings)
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
    return build_report_of(job, history, given)


def build_run_report(job: Job, report: Report, with_snapshot: bool) -> SessionReport:
    """Return the report of one run alone; without its snapshot it shows what a ledger shows."""
    kept = to_json(report.snapshot) if with_snapshot and report.snapshot is not None else None
    history = build_history([RunRecord("this run", report, kept)])
    return build_report_of(job, history, _build_input(job))


def _build_input(job: Job) -> SessionInput:
    files = job.settings.files
    closures = replace(files[MARKET_CLOSURES.name], plan=files[PROFILE.name].session_plan)
    return SessionInput(made_at=job.clock(), settings=job.settings, closures=closures)


def build_report_of(job: Job, history: RunHistory, given: SessionInput) -> SessionReport:
    """Return the report of these runs; only the snapshots inside its window are read."""
    _, (begins, ends), _ = choose_window(history, given)
    inside = [run for run in history.runs if begins <= run.at <= ends]
    facts = gather_record_facts(job.app, inside, job.settings)
    return build_session_report(history, facts, _compute_age(inside, given, job.settings), given)


def _evaluate_now(job: Job, request: ReportRequest) -> RunRecord:
    source = read(job)
    document = collect(job, source)
    parsed = parse_snapshot(document.document, job.clock(), job.settings)
    snapshot = parsed.snapshot
    previous = load_previous(request.previous, source.previous)
    memory = previous.read(build_expected_memory(snapshot.runtime, snapshot.taken_at))
    report = evaluate(snapshot, memory, parsed.settings)
    return RunRecord("now", report, to_json(report.snapshot), is_artifact=False)


def _compute_age(inside: list[RunRecord], given: SessionInput, settings: Settings) -> DataAge:
    """Return the age of the newest run's broker section when the report is made."""
    kept = inside[-1].snapshot if inside else None
    if kept is None or not isinstance(kept.get("broker"), dict):
        return DataAge(fault="it was not kept" if kept is None else "the broker was not read")
    return compute_data_age(kept, inside[-1].at, given.made_at, settings[CLOCK_SKEW_SEC])
