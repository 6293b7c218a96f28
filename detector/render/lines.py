"""What is printed line by line: decision, resolved events, Nagios plugin line, session, closing header.

Exit codes and perfdata follow the Nagios plugin guidelines: 0 ok, 1 warning, 2 critical, 3 unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.domain.gate_report import TruthHeader
from detector.domain.report import ChannelHealth, Report, SessionDay
from detector.formats.numbers import format_count, format_first, normalize_number
from detector.formats.serialize import to_json
from detector.formats.strict_json import to_one_line
from detector.formats.times import format_duration, format_utc

OK, WARNING, CRITICAL, UNKNOWN = range(4)
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_MAX_EVENTS = 3


def format_decision(report: Report, zones: tuple[str, ...]) -> str:
    """Return one line: what was checked, the decision, the events, the missing signals and the time."""
    missing = report.unseen_signals
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
    if report.decision.note:
        parts.append(_format_clause(report.decision.note))
    return "; ".join([*parts, format_in_zones(report.taken_at, zones)])


def _format_clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def format_signals_seen(report: Report) -> str:
    """Return how many of the golden signals this run saw: `8 of 11 signals seen`."""
    total = len(report.coverage)
    return f"{total - len(report.unseen_signals)} of {total} signals seen"


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
    total = len(report.coverage)
    if report.events:
        summaries = [event.summary for event in report.events]
        text = format_first(summaries, _MAX_EVENTS, " ", " (+{} more)")
    else:
        text = f"no events; {format_signals_seen(report)}" if report.checked else "nothing could be checked"
    critical = sum(event.severity == "critical" for event in report.events)
    warning = len(report.events) - critical
    perfdata = f"events_critical={critical};;0;0 events_warning={warning};0;;0 held={len(report.held)};;;0"
    signals = f"signals_seen={total - len(report.unseen_signals)};;;0;{total}"
    text = to_one_line(text.replace("|", "/"))
    return f"PT HEALTH {_STATES[get_exit_code(report)]} - {text} | {perfdata} {signals}"


def render_header(header: TruthHeader) -> Iterator[str]:
    """Yield the header as two lines: the account with the broker's age, and what is not proven."""
    yield f"account: {header.account or 'not known'}; broker truth: {_describe_age(header)}"
    yield f"not proven: {', '.join(header.unproven) or 'nothing of it'}"


def build_header_document(header: TruthHeader) -> dict[str, Any]:
    """Return the header as an object; an age of whole seconds is an integer."""
    age_sec = None if header.age_sec is None else normalize_number(header.age_sec)
    return {**to_json(header), "age_sec": age_sec}


def _describe_age(header: TruthHeader) -> str:
    if header.as_of is None or header.age_sec is None:
        return f"of no known age ({header.age_fault or 'it was not read'})"
    return f"{format_duration(header.age_sec)} old, as of {format_utc(header.as_of)}"


_MAX_DAY_CONDITIONS = 8
_MANY_GAPS = 2  # of a single one the longest says all


def render_days(days: Sequence[SessionDay], channels: Mapping[str, ChannelHealth]) -> Iterator[str]:
    """Yield a line for each session, and one with the state of the channels."""
    for day in days:
        yield _describe_day(day)
    if days and channels:
        yield f"channels: {', '.join(_describe_channel(name, health) for name, health in channels.items())}"


def _describe_channel(name: str, health: ChannelHealth) -> str:
    if health.failures and health.last_error is not None:
        return f"{name} FAILING {format_count(health.failures, 'time')} in a row ({health.last_error.reason})"
    if health.ack_error is not None:
        return f"{name} ok, but its acknowledgements are not read ({health.ack_error.reason})"
    return f"{name} ok"


def _describe_day(day: SessionDay) -> str:
    """Return one session as text: its runs, longest gap, missing signals and conditions."""
    runs = format_count(day.runs, "run") if day.runs else "NO RUN: nobody looked"
    if (
        day.runs
        and all(day.unseen.get(title) == day.runs for title in day.unseen)
        and day.signals == len(day.unseen)
    ):
        runs = f"NOTHING WAS CHECKED in {runs}"
    return (
        f"{day.day}: {runs}, longest gap {format_duration(day.longest_gap_sec)}{_describe_gaps(day)}; "
        f"{_describe_signals(day)}; {_describe_day_conditions(day)}"
    )


def _describe_gaps(day: SessionDay) -> str:
    if day.gaps < _MANY_GAPS:
        return ""
    return f" ({day.gaps} gaps, {format_duration(day.gaps_sec)} in all)"


def _describe_signals(day: SessionDay) -> str:
    if not day.runs:
        return "no signal was seen"
    if not day.unseen:
        return f"all {day.signals} signals seen in every run"
    worst = sorted(day.unseen.items(), key=lambda pair: (-pair[1], pair[0]))
    text = ", ".join(f"{title} ({count} of {day.runs} runs)" for title, count in worst)
    return f"not always seen: {text}"


def _describe_day_conditions(day: SessionDay) -> str:
    if not day.conditions:
        return "no condition" if day.runs else "what held is not known"
    ordered = sorted(day.conditions.items(), key=lambda pair: (pair[1] != "critical", pair[0]))
    text = ", ".join(f"{severity} {signature}" for signature, severity in ordered[:_MAX_DAY_CONDITIONS])
    more = len(ordered) - _MAX_DAY_CONDITIONS + day.more
    total = len(ordered) + day.more
    return f"{format_count(total, 'condition')}: {text}{f' (+{more} more)' if more > 0 else ''}"
