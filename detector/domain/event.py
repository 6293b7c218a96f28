"""An event: a condition as it is reported, with its number, its limit and its runbook section."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from detector.domain.condition import Condition, Notice, Reason
from detector.domain.rule import RANK, Severity
from detector.formats.times import compute_seconds, format_duration, format_time


class Event(Struct, frozen=True):
    """One entry of `events`, `new_events` or `resolved_events`.

    `reason` is null in `events`. `observed` broke `limit`, which `setting` sets; null where there is none.
    `since` is when this episode was first seen, `held` that its facts are not seen now, `because_of` the
    signature of its cause.
    """

    type: str
    severity: Severity
    signature: str
    subject: str | None
    reason: Reason | None
    summary: str
    observed: int | float | str | None
    limit: int | float | str | None
    setting: str | None
    since: datetime
    held: bool
    because_of: str | None
    runbook: str


def get_rank_key(item: Condition | Event) -> tuple[int, str]:
    """Return the sort key of conditions and events: the worst first, then by signature."""
    return -RANK[item.severity], item.signature


def build_runbook_link(name: str) -> str:
    """Return the link to an event type's runbook section."""
    return f"RUNBOOK.md#{name}"


def build_event(condition: Condition, reason: Reason | None = None) -> Event:
    """Return the event that reports a condition as it is now."""
    return Event(
        type=condition.type,
        severity=condition.peak
        if reason == "missed" or condition.phase == "recovering"
        else condition.severity,
        signature=condition.signature,
        subject=condition.subject,
        reason=reason,
        summary=_summarize_condition(condition, reason),
        observed=condition.observed,
        limit=condition.limit,
        setting=condition.setting,
        since=condition.first_seen,
        held=condition.phase == "held",
        because_of=condition.because_of,
        runbook=condition.runbook or build_runbook_link(condition.type),
    )


def build_notice_event(notice: Notice) -> Event:
    """Return the event of a notice, with its reason."""
    return build_event(notice.condition, notice.reason)


def _summarize_condition(condition: Condition, reason: Reason | None) -> str:
    last = condition.summary.rstrip(".")
    if reason == "missed":
        began, ended = _format_time(condition.first_seen), _format_time(condition.ended_at)
        return f"Missed: it began {began} and ended {ended} before any alert got through: {last}."
    if reason == "resolved" and condition.ended_at is not None:
        lasted = format_duration(compute_seconds(condition.first_seen, condition.ended_at))
        return (
            f"Resolved after {lasted}, good again since {_format_time(condition.ended_at)}; it was: {last}."
        )
    if reason in ("retired", "no longer watched"):
        return (
            f"{reason.capitalize()} ({condition.held_why or 'its source or rule is gone'}); it was: {last}."
        )
    if condition.phase == "recovering":
        since = "not seen since" if condition.held_since else "its end not confirmed"
        return f"Good {_format_time(condition.last_good)}, {since}; it was: {last}."
    if condition.phase == "held":
        return (
            f"Out of sight since {_format_time(condition.held_since)} ({condition.held_why});"
            f" last known ({_format_time(condition.last_seen)}): {last}."
        )
    return condition.summary


def _format_time(moment: datetime | None) -> str:
    return "at an unknown time" if moment is None else format_time(moment)
