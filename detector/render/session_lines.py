"""The summary of a session, a line each: its runs, longest gap, missing signals and conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detector.domain.report import ChannelHealth, SessionDay
from detector.formats.numbers import format_count
from detector.formats.times import format_duration

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
