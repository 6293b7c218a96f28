"""The message before the open: `gate open` in the scheduled run, once a session and channel."""

from __future__ import annotations

from datetime import timedelta

from detector.app.gate_run import run_gate
from detector.app.job import InputDocument, Job
from detector.domain.gate_report import GateReport
from detector.domain.run_memory import Memory
from detector.market.hours import to_new_york_day
from detector.render.gate import render_gate_message
from detector.render.message_item import PreopenNotice
from detector.settings import DISPLAY_ZONES, PREOPEN

_EARLIEST = timedelta(hours=1)
_LATEST = timedelta(minutes=30)  # after the open, where no run came in the hour before it


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
