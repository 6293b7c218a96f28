"""The gate's report as lines for a person, as JSON, and as the one screen of a message before the open."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import shorten
from typing import Any

from detector.domain.gate_report import (
    CANNOT_TELL,
    FAILED,
    NO,
    OPEN,
    PASSED,
    UNPROVEN,
    YES,
    CheckLine,
    GateReport,
)
from detector.formats.serialize import compute_checksum, to_json
from detector.formats.times import compute_seconds, format_duration
from detector.render.lines import format_in_zones, render_header

_LABELS = {PASSED: "PASS", FAILED: "FAIL", CANNOT_TELL: "CANNOT TELL"}
_OPEN_LABELS = {PASSED: "GO", FAILED: "NO-GO", CANNOT_TELL: "CANNOT TELL"}
_STAGES = {"before": "before the deployment", "after": "after the deployment", "open": "before the open"}
_WIDTH = len(UNPROVEN)
_MOST_ON_PHONE = 5
_EVIDENCE_ON_PHONE = 60
_NAMES_ON_PHONE = 120


def build_gate_document(report: GateReport) -> dict[str, Any]:
    """Return the report as one object with a checksum; `gate after --before` reads it again."""
    body: dict[str, Any] = to_json(report)
    return {**body, "checksum": compute_checksum(body)}


def render_gate(report: GateReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield the verdict, the header, every line (the worst first), and that a pass is no approval."""
    yield f"{format_verdict(report)}; {format_in_zones(report.taken_at, zones)}"
    yield from (f"  {line}" for line in render_header(report.header))
    for answer in (NO, UNPROVEN, YES):
        yield from (f"  {answer:<{_WIDTH}}  {_describe_line(line)}" for line in report.list_lines(answer))
    if report.omitted:
        yield f"  left out, by AEGIS_PT_SIGNALS_OFF or the profile: {', '.join(report.omitted)}"
    yield report.note


def format_verdict(report: GateReport) -> str:
    """Return the verdict with the counts: `NO-GO before the open: 1 no, 3 not proven, 20 yes`."""
    labels = _OPEN_LABELS if report.stage == OPEN else _LABELS
    label = labels[report.verdict]
    counts = ", ".join(f"{len(report.list_lines(answer))} {answer}" for answer in (NO, UNPROVEN, YES))
    return f"{label} {_STAGES[report.stage]}: {counts}"


def render_gate_message(report: GateReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of the message before the open: one screen of a phone, the worst lines first."""
    yield format_verdict(report)
    if report.session_opens is not None and report.session_closes is not None:
        open_sec = compute_seconds(report.session_opens, report.session_closes)
        yield f"Opens {format_in_zones(report.session_opens, zones)} for {format_duration(open_sec)}"
    worst = [*report.list_lines(NO), *report.list_lines(UNPROVEN)]
    for line in worst[:_MOST_ON_PHONE]:
        evidence = shorten(line.evidence, _EVIDENCE_ON_PHONE, placeholder="…")
        yield f"{line.answer.upper()}: {line.title} ({evidence})"
    further = [line.check.replace("_", " ") for line in worst[_MOST_ON_PHONE:]]
    if further:
        yield f"and {len(further)} more: {shorten(', '.join(further), _NAMES_ON_PHONE, placeholder='…')}"


def _describe_line(line: CheckLine) -> str:
    age = "" if line.age_sec is None else f" [{format_duration(max(line.age_sec, 0))} old]"
    return f"{line.title}: {line.evidence}{age}"
