"""The gate of one stage: the snapshot judged as a run judges it, the artifact of `before`, the report.

In the scheduled run the gate before the open is a message, once a session and channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from detector.app.input_documents import parse_snapshot
from detector.app.job import InputDocument, Job
from detector.domain.gate_report import BEFORE, GATE_VERSION, OPEN, GateReport, Stage
from detector.domain.run_memory import Memory
from detector.engine.evaluate import build_report, judge, list_signals_off
from detector.formats.errors import InputError
from detector.formats.serialize import compute_checksum, from_json
from detector.gate.check import GateAnswers, GateContext
from detector.gate.morning_checks import find_session
from detector.gate.run_checks import build_gate_report
from detector.market.hours import to_new_york_day
from detector.reconciliation.freshness import build_truth_header, compute_data_age
from detector.render.gate import render_gate_message
from detector.render.message_item import PreopenNotice
from detector.settings import CLOCK_SKEW_SEC, DISPLAY_ZONES, PREOPEN
from detector.storage import artifact_file

NO_ANSWERS = GateAnswers()
_EARLIEST = timedelta(hours=1)  # before the open
_LATEST = timedelta(minutes=30)  # after the open, where no run came in the hour before it


def run_gate(
    job: Job,
    document: InputDocument,
    memory: Memory,
    stage: Stage = OPEN,
    answers: GateAnswers = NO_ANSWERS,
    before_path: str | None = None,
) -> GateReport:
    """Return the gate's report on a collected document; raises InputError for an invalid one.

    `before_path` is the artifact of `gate before`; one that is missing or unusable makes its lines unproven.
    """
    now = job.clock()
    parsed = parse_snapshot(document.document, now, job.settings)
    snapshot, settings = parsed.snapshot, parsed.settings
    judgement = judge(snapshot, settings, memory.before)
    stated_at = snapshot.taken_at if document.document.get("taken_at") is not None else None
    age = compute_data_age(snapshot.sections, stated_at, now, settings[CLOCK_SKEW_SEC])
    before, fault = _read_before(before_path, snapshot.runtime)
    context = GateContext(
        facts=judgement.facts,
        judgement=judgement,
        report=build_report(snapshot, memory, settings, judgement),
        settings=settings,
        now=now,
        age_fault=age.fault,
        answers=answers,
        before=before,
        before_fault=fault,
        channels=_list_channels(job) if stage == OPEN else (),
        session=find_session(judgement.facts),
    )
    header = build_truth_header(judgement.facts, age)
    return build_gate_report(stage, context, header, list_signals_off(settings))


def _list_channels(job: Job) -> tuple[str, ...]:
    from detector.app.delivery import load_channels

    return tuple(channel.name for channel in (job.channels or load_channels(job.app, job.settings)))


def _read_before(path: str | None, runtime: str) -> tuple[GateReport | None, str | None]:
    """Return the report of `gate before`, or why it is unusable; neither where none is named."""
    if path is None:
        return None, None
    raw = artifact_file.read_document(Path(path))
    if isinstance(raw, InputError):
        return None, f"{path}: {raw}"
    if not isinstance(raw, dict):
        return None, f"{path}: there is no such file"
    fault = _explain_unusable(raw, runtime)
    try:
        return (None, f"{path} {fault}") if fault else (from_json(GateReport, raw), None)
    except ValueError:
        return None, f"{path} is no artifact of the gate"


def _explain_unusable(raw: Mapping[str, Any], runtime: str) -> str | None:
    if raw.get("checksum") != compute_checksum(raw) or raw.get("schema_version") != GATE_VERSION:
        return "is no whole artifact of `gate before` of this version"
    if raw.get("stage") != BEFORE:
        return "is not of `gate before`"
    return None if raw.get("runtime") == runtime else "is of another runtime"


def build_preopen(job: Job, document: InputDocument, memory: Memory) -> PreopenNotice | None:
    """Return the message of the session that opens within an hour or just opened; None at other times."""
    if job.settings[PREOPEN] != "1" or not job.channels:
        return None
    report = run_gate(job, document, memory)
    if report.session_opens is None or not _is_due(report):
        return None
    day = to_new_york_day(report.session_opens).isoformat()
    return PreopenNotice(day, tuple(render_gate_message(report, job.settings[DISPLAY_ZONES])))


def _is_due(report: GateReport) -> bool:
    opens, at = report.session_opens, report.taken_at
    return opens is not None and opens - _EARLIEST <= at < opens + _LATEST
