"""One plugin line with perfdata, after the Nagios plugin guidelines (exit 0 ok, 1 warning, 2 critical, 3 unknown)."""

from __future__ import annotations

from detector.domain.report import Report
from detector.formats.strict_json import to_one_line

OK, WARNING, CRITICAL, UNKNOWN = range(4)
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_MAX_EVENTS = 3


def get_exit_code(report: Report) -> int:
    """Return the plugin's exit code; UNKNOWN where nothing was seen, held events count as firing."""
    severities = {event.severity for event in report.events}
    if "critical" in severities:
        return CRITICAL
    if severities:
        return WARNING
    return OK if any(covered.state != "not seen" for covered in report.coverage) else UNKNOWN


def format_plugin_line(report: Report) -> str:
    """Return the plugin's one line: the state, the worst events, and the counts as perfdata."""
    observed = sum(covered.state != "not seen" for covered in report.coverage)
    total = len(report.coverage)
    if report.events:
        summaries = " ".join(event.summary for event in report.events[:_MAX_EVENTS])
        more = len(report.events) - _MAX_EVENTS
        text = f"{summaries}{f' (+{more} more)' if more > 0 else ''}"
    else:
        text = f"no events; {observed} of {total} golden signals seen"
    critical = sum(event.severity == "critical" for event in report.events)
    warning = len(report.events) - critical
    perfdata = f"events_critical={critical};;0;0 events_warning={warning};0;;0 held={len(report.held)};;;0"
    signals = f"signals_seen={observed};;;0;{total}"
    text = to_one_line(text.replace("|", "/"))
    return f"PT HEALTH {_STATES[get_exit_code(report)]} - {text} | {perfdata} {signals}"
