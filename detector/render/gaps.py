"""The coverage of the schedule, as a strip for each day and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from textwrap import wrap
from typing import Any, Final

from detector.domain.run_windows import (
    COVERED,
    LATE,
    MISSING,
    PENDING,
    SCHEDULE,
    STATES,
    UNKNOWN,
    GapReport,
    LaneReport,
    ScheduleWindow,
)
from detector.formats.numbers import format_count, normalize_number
from detector.formats.times import format_duration, format_time
from detector.render.github_output import escape_commands
from detector.render.lines import format_in_zones

NOT_ALONE: Final = (
    "missing_windows means that the GitHub native schedule cannot be the only unattended monitor lane, "
    "even if later schedule runs completed successfully."
)
_ALONE = "No window of GitHub's schedule is missing here; that speaks for this range alone."
_UNDECIDED = (
    "Whether GitHub's schedule covered its windows is not known: some are pending, unknown, or none was due."
)

_MARKS: Final[Mapping[str, str]] = {COVERED: ".", LATE: "L", MISSING: "X", PENDING: "~", UNKNOWN: "?"}
_LEGEND = (
    "A strip has one character a window, the hours of a day apart (UTC):",
    "  . covered   L late   X missing   ~ pending   ? unknown   - stood by",
    "  l, x: late or missing while the market was closed; H holiday, h half day",
)
_STOOD_BY = "-"
_DAY_MARKS: Final[Mapping[str | None, str]] = {"holiday": "H", "half day": "h"}
_WIDTH = 80
_MAX_LISTED = 10
_MAX_DAYS = 31  # strips of a lane: the newest month


def build_gap_document(report: GapReport, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report as JSON values; `origin` names the files and the repository that it was read from."""
    scope = report.scope
    return {
        "from": format_time(report.start),
        "until": format_time(report.end),
        "now": format_time(scope.now),
        "grace_minutes": _to_minutes(scope.grace),
        "clock_skew_seconds": int(scope.skew.total_seconds()),
        **origin,
        "github_schedule": {
            "can_be_the_only_lane": report.github_suffices,
            "says": _describe_verdict(report),
        },
        "union": _build_lane_document(report.union),
        "lanes": [_build_lane_document(lane) for lane in report.lanes],
        "other_runs": dict(report.other_runs),
        "unread": [
            {"from": format_time(unread.start), "until": format_time(unread.end), "why": unread.why}
            for unread in scope.unread
        ],
    }


def _build_lane_document(lane: LaneReport) -> dict[str, Any]:
    return {
        "lane": lane.name,
        "trigger": lane.trigger,
        "cron": lane.cron,
        "timezone": lane.zone,
        "expected_windows": len(lane.windows),
        "covered": lane.count(COVERED),
        "late": lane.count(LATE),
        "missing_windows": lane.count(MISSING),
        "pending": lane.count(PENDING),
        "unknown": lane.count(UNKNOWN),
        "stood_by": len(lane.stood_by),
        "longest_gap_minutes": _to_minutes(lane.longest_gap),
        "not_covered": [_build_window_document(window) for window in lane.windows if window.state != COVERED],
    }


def _build_window_document(window: ScheduleWindow) -> dict[str, Any]:
    run = window.run
    return {
        "at": format_time(window.at),
        "state": window.state,
        "why": window.why,
        "day": window.day_kind,
        "in_session": window.in_session,
        "run": None if run is None else {"id": run.number, "created_at": format_time(run.created_at)},
    }


def _to_minutes(length: timedelta | None) -> float | None:
    if length is None:
        return None
    return normalize_number(length // timedelta(seconds=6) / 10)


def render_gap_report(report: GapReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield the report as lines of at most 80 characters, except for longer names."""
    yield f"From  {format_in_zones(report.start, zones)}"
    yield f"until {format_in_zones(report.end, zones)}"
    grace = format_duration(report.scope.grace.total_seconds())
    yield f"A window is covered by a successful run created within {grace} of it."
    for unread in report.scope.unread:
        if unread.start < report.end:
            yield from map(escape_commands, wrap(f"Not read: {unread.why}.", _WIDTH, break_long_words=False))
    yield from wrap(_describe_other_runs(report), _WIDTH)
    for lane in report.all_lanes:
        yield ""
        yield from _render_lane(lane)
    yield ""
    yield from _LEGEND
    yield ""
    yield from _render_uncovered(report, zones)
    yield from wrap(_describe_verdict(report), _WIDTH)


def _describe_other_runs(report: GapReport) -> str:
    """Return how many runs belong to no lane, with their commonest title; empty where none does."""
    others = report.other_runs
    if not others:
        return ""
    count = sum(others.values())
    have = "run has" if count == 1 else "runs have"
    commonest = max(others, key=lambda title: others[title])
    return (
        f"{count} {have} no lane in {'its title' if count == 1 else 'their titles'}, such as"
        f" {escape_commands(commonest)!r}: counted for all lanes together only. A lane's title is"
        f" `{report.scope.title_prefix}<cron>`, from the workflow's run-name."
    )


def _render_lane(lane: LaneReport) -> Iterator[str]:
    name = lane.name if lane.trigger != "union" else "all lanes together"
    yield name if lane.zone == "UTC" else f"{name} ({lane.zone})"
    counts = [f"{lane.count(state)} {state}" for state in STATES if lane.count(state) or state == COVERED]
    yield f"  {format_count(len(lane.windows), 'window')}: {', '.join(counts)}"
    if lane.stood_by:
        yield f"  stood by at {format_count(len(lane.stood_by), 'tick')}: another run had looked"
    if lane.longest_gap is not None:
        yield f"  longest time without a successful run: {format_duration(lane.longest_gap.total_seconds())}"
    yield from _render_strips(lane)


def _render_strips(lane: LaneReport) -> Iterator[str]:
    marks = {window.at: (_get_mark(window), window.day_kind) for window in lane.windows}
    marks |= dict.fromkeys(lane.stood_by, (_STOOD_BY, None))
    if marks and all(window.state == UNKNOWN for window in lane.windows) and not lane.stood_by:
        yield "  no run could be listed for any of its windows"
        return
    days = [list(times) for _, times in groupby(sorted(marks), key=lambda at: at.date())]
    if len(days) > _MAX_DAYS:
        yield f"  the newest {_MAX_DAYS} of {len(days)} days; --json lists every window"
    for day in days[-_MAX_DAYS:]:
        kind = next((marks[at][1] for at in day if marks[at][1]), None)
        label = f"{_DAY_MARKS.get(kind, ' ')} {day[0]:%a %m-%d}"
        for line in _split_strip({at: marks[at][0] for at in day}):
            yield f"{label} {line}"
            label = " " * len(label)


def _split_strip(day: Mapping[datetime, str]) -> Iterator[str]:
    """Yield a day's strip in lines of whole hours; an hour after a gap is labelled."""
    room = _WIDTH - len("H Mon 06-01 ")
    line, before = "", -1
    for hour, times in groupby(day, key=lambda at: at.hour):
        part = "".join(day[at] for at in times)
        named = f"{hour:02}h {part}"
        part = part if hour == before + 1 else named
        before = hour
        if line and len(line) + 1 + len(part) > room:
            yield line
            line = named
        else:
            line = f"{line} {part}" if line else named
    yield line


def _get_mark(window: ScheduleWindow) -> str:
    mark = _MARKS[window.state]
    return mark.lower() if window.in_session is False else mark


def _render_uncovered(report: GapReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield the newest windows that no lane covered in time."""
    uncovered = [window for window in report.union.windows if window.state in {MISSING, LATE}]
    if not uncovered:
        return
    windows = format_count(len(uncovered), "window")
    yield f"Nobody looked in time at {windows} of all lanes together, newest first:"
    for window in uncovered[: -_MAX_LISTED - 1 : -1]:
        yield f"  {format_in_zones(window.at, zones)}  {window.why}{_describe_day(window)}"
    if len(uncovered) > _MAX_LISTED:
        yield f"  and {len(uncovered) - _MAX_LISTED} more; --json lists them all"
    yield ""


def _describe_day(window: ScheduleWindow) -> str:
    if window.day_kind in _DAY_MARKS:
        return f", {window.day_kind}"
    return "" if window.in_session else ", closed"


def _describe_verdict(report: GapReport) -> str:
    own = [lane for lane in report.lanes if lane.trigger == SCHEDULE]
    if report.github_suffices is None:
        return _UNDECIDED
    if report.github_suffices:
        return _ALONE
    missing, late = (sum(lane.count(state) for lane in own) for state in (MISSING, LATE))
    return (
        f"GitHub's schedule: {format_count(missing, 'window')} missing, {late} answered too late. {NOT_ALONE}"
    )
