"""A message independent of its channel: its kind, its items worst first, and its notes.

The kinds differ in mark, label and colour. The first 40 characters, which a locked phone shows, are the mark,
the decision or the label, and the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.condition import Event, MessageRef
from detector.domain.rule import Severity
from detector.formats.serialize import compute_digest

Kind = Literal[
    "test", "critical", "warning", "missed", "resolved",
    "unwatched", "unchecked", "failing", "watching", "session", "preopen",
]  # fmt: skip
ENDED: Final[frozenset[Kind]] = frozenset({"resolved", "unwatched"})  # nothing is left to do
HEADLINE_MAX: Final = 150  # the limit of a Slack header block, the lowest of all channels
MAX_SHORT: Final = 12  # conditions in a line each; all further ones are named by their subjects
MAX_FULL: Final = 3  # conditions in full: eight of them are two screens of a phone
ESCALATE: Final = "ESCALATE"
NOTIFY: Final = "NOTIFY"
_ELLIPSIS = "…"
_TWO = 2


class Style(Struct, frozen=True):
    """The mark (an emoji), label and colour of a kind."""

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
    "preopen": Style("🔔", "BEFORE THE OPEN", "#0b7285"),
}
"""Every kind of item and message, the one that leads a message first."""

ORDER: Final[Mapping[Kind, int]] = {kind: rank for rank, kind in enumerate(STYLES)}


class MessageItem(Struct, frozen=True):
    """One condition in a message: a sentence with its number, the setting of its limit, start and next step.

    `episode` identifies the episode in all its messages, `refs` are its earlier messages. `escalates` means
    that somebody has to be woken, `money` that it cannot wait,
    `is_cause` that other conditions follow from it and have no item of their own.
    `event` is the condition for programs. `is_occurrence`: it happened, and no end of it is sent.
    """

    kind: Kind
    severity: Severity
    type: str
    subject: str
    signature: str
    why: str
    summary: str
    setting: str
    since: str
    step: str
    runbook: str
    runbook_url: str
    delivery_id: str
    episode: str
    refs: tuple[MessageRef, ...] = ()
    escalates: bool = False
    money: bool = False
    is_cause: bool = False
    event: Event | None = None
    is_occurrence: bool = False

    @property
    def title(self) -> str:
        """The event's type, and its subject if any."""
        parts = (self.type, self.subject)
        return " · ".join(part for part in parts if part)

    @property
    def line(self) -> str:
        """Title and sentence in one line; a subject that the sentence begins with is not repeated."""
        return f"{self.short_title}: {self.summary}"

    @property
    def short_title(self) -> str:
        """The title, without a subject that the sentence begins with."""
        begins = self.subject and self.summary.startswith(f"{self.subject}:")
        return self.type if begins else self.title

    @property
    def label(self) -> str:
        """ESCALATE, or the label of its kind; for a missed condition also its severity."""
        label = ESCALATE if self.escalates else STYLES[self.kind].label
        return f"{label} ({self.severity})" if self.kind == "missed" else label


class EarlierMessage(Struct, frozen=True):
    """A message that a channel accepted earlier, with its new content after a condition in it ended."""

    ref: MessageRef
    message: Message


class Message(Struct, frozen=True):
    """The message of one run for one channel. `at` is the time of the snapshot in the configured time zones.

    `action` is the decision's word, `decision` its sentence; both are empty in a test.
    `total` is the number of items of all pages, on the first of several.
    `is_first`: the channel accepted none before. `no_signal`: the run observed no golden signal.
    """

    kind: Kind
    runtime: str
    items: tuple[MessageItem, ...]
    delivery_id: str
    sent_at: datetime
    at: str
    action: str = ""
    decision: str = ""
    coverage: str = ""
    notes: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    link: str = ""
    earlier: tuple[EarlierMessage, ...] = ()
    is_first: bool = False
    no_signal: bool = False
    page: int = 1
    pages: int = 1
    total: int = 0

    @property
    def headline(self) -> str:
        """The line of a notification: decision, worst condition and kind, then its sentence."""
        first = self.items[0] if self.items else None
        lead, state = self.get_lead(first)
        page = f" [{self.page} of {self.pages}]" if self.pages > 1 else ""
        count = max(self.total, len(self.items))
        more = f"+{count - 1}" if count > 1 else ""
        notes = ", ".join(text for text in (state, more) if text)
        subject = first.type if first is not None else self.runtime
        title = f"{STYLES[self.kind].mark} {lead}{page} {subject}{f' ({notes})' if notes else ''}"
        return cut(f"{title}: {self._get_sentence(first)}", HEADLINE_MAX)

    def get_lead(self, item: MessageItem | None) -> tuple[str, str]:
        """Return the first word about an item, or about the message without any, and what is added to it.

        The decision comes first where it is about this item; otherwise the label, then the decision.
        """
        kind = self.kind if item is None else item.kind
        label = STYLES[kind].label
        if item is not None and item.escalates:
            return ESCALATE, label
        if kind in ("critical", "warning") and self.action == NOTIFY:
            return NOTIFY, label
        if not self.action or kind in ("test", "unchecked"):
            return label, ""
        return label, f"decision {self.action}"

    def _get_sentence(self, first: MessageItem | None) -> str:
        if self.kind == "test":
            return "a message of the detector, nothing is wrong, nothing needs to be done"
        return first.summary if first is not None else (*self.days, *self.notes, self.coverage)[0]

    @property
    def body_days(self) -> tuple[str, ...]:
        """The lines of sessions and of the gate, whose verdict is not repeated below its own headline."""
        return self.days[1:] if self.kind == "preopen" and not self.items else self.days

    def keep_items(self, items: Iterable[MessageItem]) -> Message:
        """Return the message with only these items, and the kind of the first of them."""
        kept = tuple(items)
        return replace(self, items=kept, kind=kept[0].kind if kept else self.kind)

    def split(self, count_fitting: Callable[[Sequence[MessageItem], int], int]) -> tuple[Message, ...]:
        """Return the message in parts that name every item, the worst first.

        `count_fitting` returns how many of the items the message of that page names. Notes, session summaries
        and earlier messages stay with the first part; each further one has an id of its own.
        """
        items, chunks = self.items, list[tuple[MessageItem, ...]]()
        while items:
            count = max(1, count_fitting(items, len(chunks) + 1))
            chunks.append(items[:count])
            items = items[count:]
        if len(chunks) < _TWO:
            return (self,)
        first, *rest = (
            replace(
                self.keep_items(chunk),
                page=page,
                pages=len(chunks),
                total=len(self.items) if page == 1 else 0,
            )
            for page, chunk in enumerate(chunks, 1)
        )
        further = (
            replace(part.strip_notes(), earlier=(), delivery_id=compute_digest(key)[:16])
            for part, key in ((part, f"{self.delivery_id}|{part.page}") for part in rest)
        )
        return (first, *further)

    def remove_items(self) -> Message:
        """Return the message without its items."""
        return replace(self, items=(), kind=get_kind_without_items(bool(self.days), self.no_signal))

    def strip_notes(self) -> Message:
        """Return the message without its notes and session summaries."""
        return replace(self, notes=(), days=())


def get_kind_without_items(has_days: bool, no_signal: bool) -> Kind:
    """Return the kind of a message without items: a session summary, or a channel's first message."""
    return "session" if has_days else "unchecked" if no_signal else "watching"


def group_items(items: Iterable[MessageItem]) -> dict[str, list[str]]:
    """Return the subjects of the items by label and type, in their order."""
    groups: dict[str, list[str]] = {}
    for item in items:
        groups.setdefault(f"{item.label}  {item.type}", []).append(item.subject or "the runtime")
    return groups


def cut(text: str, limit: int) -> str:
    """Return the text, cut to `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + _ELLIPSIS
