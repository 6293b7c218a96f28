"""The items of a message: each condition as text, and the context that all messages of a run share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cached_property

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.condition import (
    Condition,
    Event,
    MessageRef,
    Notice,
    Reason,
    build_event,
    build_runbook_link,
)
from detector.domain.report import Report
from detector.domain.rule import OCCURRENCE, RANK
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import to_one_line
from detector.formats.times import compute_seconds, format_duration, format_utc
from detector.render.lines import format_in_zones
from detector.render.message import ENDED, ORDER, Kind, MessageItem, cut

_SUMMARY_MAX, _STEP_MAX, SHORT_MAX = 420, 420, 90
_EXPLAIN = "python -m detector explain"  # for whoever holds no runbook, instead of its section's name
_LATE_SEC = 900  # a run takes a minute; a snapshot older than the next run is late
_KINDS: Mapping[Reason, Kind] = {
    "missed": "missed",
    "resolved": "resolved",
    "retired": "unwatched",
    "no longer watched": "unwatched",
}
_REASON_TEXTS: Mapping[Reason, str] = {
    "escalated": "escalates now; an earlier alert did not",
    "worse": "worse than in the earlier alert",
    "again": "again: it had ended",
    "owed": "late: an earlier attempt to send this failed",
    "missed": "late: it began and ended while no alert got through",
}
OPENS_OR_LOSES: Collection[str] = ("exit_would_open_position", "open_positions_drift", "unprotected_position")
"""What may open or lose a position now: of all that escalates, the runbook has these looked at first."""

_SENTENCE_END = build_pattern(r"(?<=[.!?])\s+(?=[A-Z`*])")
_URL = build_pattern(r"https?://[\w.\[\]:-]+(?:[/?#][\w./?#&=%~:@!$'()*+,;-]*)?", re.ASCII)


class PreopenNotice(Struct, frozen=True):
    """The message before an open: the session's day in New York, and its lines, the verdict first."""

    session: str
    lines: tuple[str, ...]


class MessageContext(Struct, frozen=True, dict=True):
    """What every message of one run shares.

    `steps` are the runbook's next steps by event type. `hide` removes the settings' secrets from a text.
    `sent_at` is the time of sending; None means the time of the snapshot. `unread` is why the memory could
    not be read this time: what was notified before is not known then. `preopen` is the message before the
    open, where it is time for it.
    """

    report: Report
    zones: tuple[str, ...]
    steps: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str = ""
    link: str = ""
    hide: Callable[[str], str] = str
    sent_at: datetime | None = None
    unread: str = ""
    preopen: PreopenNotice | None = None

    @cached_property
    def causes(self) -> frozenset[str]:
        """The signatures of which other conditions follow, which are then not sent by themselves."""
        conditions = self.report.conditions.values()
        return frozenset(other.because_of for other in conditions if other.is_active and other.because_of)

    @property
    def sent(self) -> datetime:
        """The time of sending."""
        return self.sent_at or self.report.taken_at

    @property
    def snapshot_time(self) -> str:
        """The time of the snapshot in the configured time zones, with its age where it is sent late."""
        age = compute_seconds(self.report.taken_at, self.sent)
        late = f" (SENT {format_duration(age)} after it was seen)" if age >= _LATE_SEC else ""
        return f"{self.format_moment(self.report.taken_at)}{late}"

    def to_safe_line(self, text: str, limit: int) -> str:
        """Return a text as one line of at most `limit` characters, without control characters and secrets."""
        return cut(" ".join(to_one_line(self.hide(text)).split()), limit)

    def to_safe_url(self, text: str) -> str:
        """Return the text where it is an http(s) URL without a secret, else an empty string."""
        return text if _URL.fullmatch(text) and self.hide(text) == text else ""

    def format_moment(self, moment: datetime) -> str:
        """Return a time in the configured time zones; UTC where no zone is known."""
        return format_in_zones(moment, self.zones) or format_utc(moment)

    def format_briefly(self, moment: datetime) -> str:
        """Return a time in the first of the configured time zones; the message's own time has all of them."""
        return format_in_zones(moment, self.zones[:1]) or format_utc(moment)


def build_notice_item(context: MessageContext, notice: Notice, channel: str) -> MessageItem:
    """Return a notice as an item for the channel."""
    condition = notice.condition
    late = condition.peak if condition.phase == "recovering" else condition.severity
    kind: Kind = _KINDS.get(notice.reason, late)
    why = _REASON_TEXTS.get(notice.reason, "")
    receipt = condition.get_receipt(channel)
    if notice.reason == "reminder" and receipt is not None:
        why = f"reminder {receipt.reminders + 1}: it still holds"
    return build_item(context, condition, kind, (notice.reason, why, notice.delivery_id), channel)


def build_item(
    context: MessageContext,
    condition: Condition,
    kind: Kind,
    notification: tuple[Reason | None, str, str],
    channel: str,
) -> MessageItem:
    """Return a condition as an item of that kind.

    `notification` is the reason, the text that explains the reason (may be empty), and the delivery id.
    """
    reason, why, delivery_id = notification
    event = build_event(condition, reason)
    receipt = condition.get_receipt(channel)
    runbook_url = context.to_safe_url(condition.runbook or f"{context.runbook_url}#{condition.type}")
    return MessageItem(
        kind=kind,
        severity=event.severity,
        type=condition.type,
        subject=context.to_safe_line(condition.subject or "", SHORT_MAX),
        signature=context.to_safe_line(condition.signature, 2 * SHORT_MAX),
        why="; ".join(text for text in (why, _describe_acknowledgement(context, condition)) if text),
        summary=context.to_safe_line(event.summary, _SUMMARY_MAX),
        setting=context.to_safe_line(_describe_limit(condition), SHORT_MAX * 2),
        since=_describe_since(context, condition),
        step="" if kind in ENDED else _get_first_step(context, condition.type),
        runbook=build_runbook_link(condition.type) if runbook_url else f"{_EXPLAIN} {condition.type}",
        runbook_url=runbook_url,
        delivery_id=delivery_id,
        episode=condition.episode_id,
        refs=receipt.places if receipt is not None else (),
        escalates=condition.escalated,
        money=condition.money,
        is_cause=condition.is_active and condition.signature in context.causes,
        event=_redact_event(event, context.hide),
        is_occurrence=condition.kind == OCCURRENCE,
    )


def _get_first_step(context: MessageContext, event_type: str) -> str:
    """Return the first sentence of the runbook's next steps."""
    step = _SENTENCE_END.split(context.steps.get(event_type, ""), maxsplit=1)[0]
    return context.to_safe_line(step, _STEP_MAX)


def _describe_acknowledgement(context: MessageContext, condition: Condition) -> str:
    """Return who acknowledged the condition and until when, or an empty text."""
    if not condition.acks:
        return ""
    newest = condition.acks[0]
    by = context.to_safe_line(newest.by, SHORT_MAX)
    if condition.get_acknowledgement(context.sent) is not None:
        return f"acknowledged by {by} until {context.format_moment(newest.until)}"
    return f"{by} acknowledged it {context.format_moment(newest.at)}"


def _redact_event(event: Event, hide: Callable[[str], str]) -> Event:
    """Return the event without the settings' secrets; all others were redacted with the snapshot."""
    texts = {
        name: hide(text)
        for name in ("signature", "subject", "summary", "observed", "because_of")
        if isinstance(text := getattr(event, name), str)
    }
    return replace(event, **texts)


def group_items_by_message(
    context: MessageContext, refs: Collection[MessageRef], channel: str
) -> dict[MessageRef, list[MessageItem]]:
    """Return by message the current items of all conditions that it contained."""
    items: dict[MessageRef, list[MessageItem]] = {ref: [] for ref in refs}
    for condition in context.report.conditions.values():
        receipt = condition.get_receipt(channel)
        for ref in receipt.places if receipt is not None else ():
            if receipt is not None and ref in items:
                reason, kind = _get_reason_and_kind(condition)
                notification = (reason, "", receipt.delivery_id or "")
                items[ref].append(build_item(context, condition, kind, notification, channel))
    return items


def _get_reason_and_kind(condition: Condition) -> tuple[Reason | None, Kind]:
    if condition.phase != "ended" or condition.ending == "passed":
        return None, condition.severity
    if condition.ending == "resolved":
        return "resolved", "resolved"
    return ("no longer watched" if condition.ending == "unwatched" else "retired"), "unwatched"


def get_sort_key(item: MessageItem) -> tuple[bool, int, int, bool, bool, bool, str]:
    """Return the sort key of an item: what escalates first, then the worst, causes, what is about money.

    Of what escalates, what may open or lose a position comes before all else.
    """
    return (
        not item.escalates,
        ORDER[item.kind],
        -RANK[item.severity],
        not (item.escalates and item.type in OPENS_OR_LOSES),
        not item.is_cause,
        not item.money,
        item.signature,
    )


def _describe_limit(condition: Condition) -> str:
    """Return the setting of the broken limit as an assignment; the sentence has the numbers."""
    return f"{condition.setting}={condition.limit}" if condition.setting else ""


def _describe_since(context: MessageContext, condition: Condition) -> str:
    began = context.format_briefly(condition.first_seen)
    if condition.ended_at is not None:
        lasted = format_duration(compute_seconds(condition.first_seen, condition.ended_at))
        return f"seen by runs from {began} to {context.format_briefly(condition.ended_at)} ({lasted})"
    if condition.first_seen >= context.report.taken_at:
        return "first seen now"
    lasted = format_duration(compute_seconds(condition.first_seen, context.report.taken_at))
    return f"first seen by a run at {began} ({lasted} ago)"
