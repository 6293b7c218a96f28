"""A message as every channel tells it: its kind, its items worst first, and what stands around them. Pure data.

Warning, critical, resolved, missed and TEST differ in a mark, a word and a colour, and in the first forty
characters, which are all that a locked telephone shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from detector.domain.condition import MessageRef
from detector.domain.rule import Severity

Kind = Literal[
    "test", "critical", "warning", "missed", "resolved", "unwatched", "unchecked", "failing", "watching", "session",
]  # fmt: skip
HEADLINE_MAX: Final = 150  # of a Slack header block, the shortest of what shows it
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Style:
    """How a kind looks: a mark that is no letter, a word, and a colour."""

    mark: str
    label: str
    colour: str


STYLES: Final[Mapping[Kind, Style]] = {
    "test": Style("🧪", "TEST", "#0b7285"),
    "critical": Style("🔴", "CRITICAL", "#c8102e"),
    "warning": Style("🟡", "WARNING", "#d99a00"),
    "missed": Style("🟣", "MISSED", "#6f42c1"),
    "resolved": Style("🟢", "RESOLVED", "#2e7d32"),
    "unwatched": Style("⚪", "UNWATCHED", "#868e96"),
    "unchecked": Style("⚫", "NOTHING WAS CHECKED", "#212529"),
    "failing": Style("🔇", "CHANNEL FAILS", "#8c3b00"),
    "watching": Style("🔵", "WATCHING", "#1c6fb7"),
    "session": Style("📋", "SESSION", "#1c6fb7"),
}
"""Every kind of item and message, the one that leads a message first."""

ORDER: Final[Mapping[Kind, int]] = {kind: rank for rank, kind in enumerate(STYLES)}


@dataclass(frozen=True, slots=True)
class MessageItem:
    """One condition as it is told: one sentence, its number and limit, since when, and what to do next.

    `episode` is what all messages of one episode have in common, `places` where earlier ones stand. `escalates` says
    that somebody has to be woken for it, `money` that it cannot wait.
    """

    kind: Kind
    severity: Severity
    type: str
    subject: str
    signature: str
    why: str
    summary: str
    numbers: str
    since: str
    step: str
    runbook: str
    runbook_url: str
    delivery_id: str
    episode: str
    refs: tuple[MessageRef, ...] = ()
    escalates: bool = False
    money: bool = False

    @property
    def title(self) -> str:
        """What it is about: the event's type, the subject where there is one, and whether it escalates."""
        parts = (self.type, self.subject, "escalate" if self.escalates else "")
        return " · ".join(part for part in parts if part)

    @property
    def label(self) -> str:
        """Its kind in words; of what was missed also how bad it was."""
        label = STYLES[self.kind].label
        return f"{label} ({self.severity})" if self.kind == "missed" else label


@dataclass(frozen=True, slots=True)
class EarlierMessage:
    """A message that a channel took earlier, as it should read now that something in it has ended."""

    ref: MessageRef
    message: Message


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is told in one run. `at` is the time of the snapshot in the zones of the readers.

    `first` says that the channel took nothing before, `blind` that no signal was seen at all.
    """

    kind: Kind
    runtime: str
    items: tuple[MessageItem, ...]
    delivery_id: str
    sent_at: datetime
    at: str
    decision: str = ""
    coverage: str = ""
    notes: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    link: str = ""
    earlier: tuple[EarlierMessage, ...] = ()
    is_first: bool = False
    no_signal: bool = False

    @property
    def headline(self) -> str:
        """The line that a notification shows: kind and what in its first 40 characters, then the sentence."""
        style = STYLES[self.kind]
        return cut(f"{style.mark} {style.label} {self._headline_text}", HEADLINE_MAX)

    @property
    def _headline_text(self) -> str:
        if self.kind == "test":
            return f"message of the detector of {self.runtime}: nothing is wrong, nothing needs to be done"
        if not self.items:
            return f"{self.runtime}: {(*self.days, *self.notes, self.coverage)[0]}"
        first = self.items[0]
        more = f" (+{len(self.items) - 1})" if len(self.items) > 1 else ""
        return f"{first.type}{more}: {first.summary}"

    def keep_items(self, items: Iterable[MessageItem]) -> Message:
        """Return the message with some of its items, its kind theirs."""
        kept = tuple(items)
        return replace(self, items=kept, kind=kept[0].kind if kept else self.kind)

    def remove_items(self) -> Message:
        """Return what stands around the items."""
        return replace(self, items=(), kind=get_kind_without_items(bool(self.days), self.no_signal))

    def strip_notes(self) -> Message:
        """Return the items alone: what stands around them is told elsewhere."""
        return replace(self, notes=(), days=())


def get_kind_without_items(has_days: bool, no_signal: bool) -> Kind:
    """Return the kind of a message without items: the summary of days, or a channel's first one."""
    return "session" if has_days else "unchecked" if no_signal else "watching"


def cut(text: str, limit: int) -> str:
    """Return the text, cut to so many characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + _ELLIPSIS


def describe_rest(items: Iterable[MessageItem]) -> str:
    """Return `+12 more: 3 CRITICAL, 9 WARNING`; empty where there are none."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.label] = counts.get(item.label, 0) + 1
    parts = ", ".join(f"{count} {label}" for label, count in counts.items())
    return f"+{sum(counts.values())} more: {parts}" if counts else ""
