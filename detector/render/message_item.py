"""One item of a message: a condition in words, and the frame that all items of a run share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from detector.domain.condition import Condition, Notice, Reason
from detector.domain.event import build_event, build_runbook_link
from detector.domain.report import Report
from detector.formats.strict_json import one_line
from detector.formats.times import seconds_between, span, text_of
from detector.render.lines import shown_time
from detector.render.message import Item, Kind, cut

_SUMMARY_MOST, _STEP_MOST, SHORT_MOST = 420, 420, 90
_LATE_SEC = 900  # a run takes a minute; what is older than the next run is not news of now
_KINDS: Mapping[Reason, Kind] = {
    "missed": "missed",
    "resolved": "resolved",
    "retired": "unwatched",
    "no longer watched": "unwatched",
}
_WHYS: Mapping[Reason, str] = {
    "worse": "worse: told before at a lower severity",
    "again": "again: it had ended",
    "owed": "owed: an earlier message did not get through",
    "missed": "late: it began and ended while nothing got through",
}
_ADDRESS = re.compile(r"https?://[\w.\[\]:-]+(?:[/?#][\w./?#&=%~:@!$'()*+,;-]*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Frame:
    """What every message of one run shares.

    `steps` are the runbook's next steps by event type, `hide` takes the secrets of the settings out of a text.
    `sent_at` is when they are sent, where that is not at once.
    """

    report: Report
    zones: tuple[str, ...]
    steps: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str = ""
    link: str = ""
    hide: Callable[[str], str] = str
    sent_at: datetime | None = None

    @property
    def sent(self) -> datetime:
        """When the messages are sent."""
        return self.sent_at or self.report.taken_at

    @property
    def seen(self) -> str:
        """The time of the snapshot in the zones of the readers; where that is long ago, how long."""
        age = seconds_between(self.report.taken_at, self.sent)
        late = f" (SENT {span(age)} after it was seen)" if age >= _LATE_SEC else ""
        return f"{self.when(self.report.taken_at)}{late}"

    def words(self, text: str, most: int) -> str:
        """Return a text from the data as one line that moves no cursor and turns no direction, and holds no secret."""
        return cut(" ".join(one_line(self.hide(text)).split()), most)

    def address(self, text: str) -> str:
        """Return an address that can be linked to; empty where the text is none."""
        return text if _ADDRESS.fullmatch(text) and self.hide(text) == text else ""

    def when(self, moment: datetime) -> str:
        """Return a time in the zones of the readers."""
        return shown_time(moment, self.zones) or text_of(moment)


def item_of_notice(frame: Frame, one: Notice, channel: str) -> Item:
    """Return what a notice tells a channel."""
    condition = one.condition
    kind: Kind = _KINDS.get(one.reason, condition.severity)
    why = _WHYS.get(one.reason, "")
    receipt = condition.get_receipt(channel)
    if one.reason == "reminder" and receipt is not None:
        why = f"reminder {receipt.reminders + 1}: it still holds"
    return item_of(frame, condition, kind, (one.reason, why, one.delivery_id), channel)


def item_of(
    frame: Frame, condition: Condition, kind: Kind, told: tuple[Reason | None, str, str], channel: str
) -> Item:
    """Return a condition as an item of that kind; `told` is the reason, the words of why it is told now, and its id."""
    reason, why, delivery_id = told
    event = build_event(condition, reason)
    receipt = condition.get_receipt(channel)
    return Item(
        kind=kind,
        severity=event.severity,
        type=condition.type,
        subject=frame.words(condition.subject or "", SHORT_MOST),
        signature=frame.words(condition.signature, 2 * SHORT_MOST),
        why=why,
        summary=frame.words(event.summary, _SUMMARY_MOST),
        numbers=frame.words(_numbers(condition), SHORT_MOST * 2),
        since=_since(frame, condition),
        step=frame.words(frame.steps.get(condition.type, ""), _STEP_MOST),
        runbook=build_runbook_link(condition.type),
        runbook_url=frame.address(f"{frame.runbook_url}#{condition.type}"),
        delivery_id=delivery_id,
        episode=condition.episode_id,
        places=receipt.places if receipt is not None else (),
        escalates=condition.escalated,
        money=condition.money,
    )


def _numbers(condition: Condition) -> str:
    if condition.observed is None:
        return ""
    limit = f", limit {condition.limit}" if condition.limit is not None else ""
    setting = f" ({condition.setting})" if condition.setting else ""
    return f"seen {condition.observed}{limit}{setting}"


def _since(frame: Frame, condition: Condition) -> str:
    began = frame.when(condition.first_seen)
    if condition.ended_at is not None:
        lasted = span(seconds_between(condition.first_seen, condition.ended_at))
        return f"from {began} to {frame.when(condition.ended_at)} ({lasted})"
    if condition.first_seen >= frame.report.taken_at:
        return f"first seen {began}"
    lasted = span(seconds_between(condition.first_seen, frame.report.taken_at))
    return f"since {began} ({lasted})"
