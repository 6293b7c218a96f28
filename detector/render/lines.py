"""The report as single lines: the decision with its coverage, each resolved event, the Nagios plugin line.

Exit codes and perfdata follow the Nagios plugin guidelines: 0 ok, 1 warning, 2 critical, 3 unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.domain.report import Report
from detector.formats.numbers import format_count
from detector.formats.strict_json import to_one_line

OK, WARNING, CRITICAL, UNKNOWN = range(4)
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_MAX_EVENTS = 3


def format_decision(report: Report, zones: tuple[str, ...]) -> str:
    """Return one line: what was checked, the decision, the events, the missing signals and the time."""
    missing = [covered.title for covered in report.coverage if covered.state == "not seen"]
    events = format_count(len(report.events), "event")
    if report.held:
        events += f" ({len(report.held)} held)"
    if not report.checked and not report.events:
        parts = ["NOTHING WAS CHECKED: no section holds a fact that a rule needs", events]
    else:
        parts = [f"decision: {report.decision.action} ({format_signals_seen(report)}): {events}"]
        parts += [f"not seen: {', '.join(missing)}"] if missing else []
    if report.foreign:
        owned = format_count(len(report.foreign), "position")
        parts.append(f"{owned} counted as the owner's ({', '.join(report.foreign)})")
    parts += report.overrides
    if report.unread:
        parts.append(f"not read by this version: {', '.join(report.unread)}")
    if report.decision.note:
        parts.append(report.decision.note.rstrip("."))
    return "; ".join([*parts, format_in_zones(report.taken_at, zones)])


def format_signals_seen(report: Report) -> str:
    """Return how many of the golden signals this run saw: `8 of 11 signals seen`."""
    seen = sum(covered.state != "not seen" for covered in report.coverage)
    return f"{seen} of {len(report.coverage)} signals seen"


def format_in_zones(moment: datetime, zones: tuple[str, ...]) -> str:
    """Return a time in each zone: `2026-06-02 15:00 UTC, 11:00 EDT, 2026-06-03 00:00 JST`.

    The date appears where it differs from the previous one. An unknown zone is left out.
    """
    times, day = [], ""
    for name in zones:
        try:
            local = moment.astimezone(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError):
            continue
        today = f"{local:%Y-%m-%d} "
        times.append(f"{today if today != day else ''}{local:%H:%M %Z}")
        day = today
    return ", ".join(times)


def render_resolved(report: Report) -> Iterator[str]:
    """Yield one line for each resolved event."""
    for event in report.resolved_events:
        yield f"{event.signature}: {event.summary}"


def get_exit_code(report: Report) -> int:
    """Return the plugin's exit code; UNKNOWN where no rule was judged; held events count as firing."""
    severities = {event.severity for event in report.events}
    if "critical" in severities:
        return CRITICAL
    if severities:
        return WARNING
    return OK if report.checked else UNKNOWN


def format_plugin_line(report: Report) -> str:
    """Return the plugin's line: the state, the three worst events, and the counts as perfdata."""
    observed = sum(covered.state != "not seen" for covered in report.coverage)
    total = len(report.coverage)
    if report.events:
        summaries = " ".join(event.summary for event in report.events[:_MAX_EVENTS])
        more = len(report.events) - _MAX_EVENTS
        text = f"{summaries}{f' (+{more} more)' if more > 0 else ''}"
    else:
        text = f"no events; {format_signals_seen(report)}" if report.checked else "nothing could be checked"
    critical = sum(event.severity == "critical" for event in report.events)
    warning = len(report.events) - critical
    perfdata = f"events_critical={critical};;0;0 events_warning={warning};0;;0 held={len(report.held)};;;0"
    signals = f"signals_seen={observed};;;0;{total}"
    text = to_one_line(text.replace("|", "/"))
    return f"PT HEALTH {_STATES[get_exit_code(report)]} - {text} | {perfdata} {signals}"
