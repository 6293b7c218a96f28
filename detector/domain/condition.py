"""A condition: one signature through its life, as the ledger keeps it, and the event that reports it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from detector.domain.acknowledgement import Acknowledgement
from detector.domain.rule import RANK, Kind, Severity
from detector.formats.serialize import compute_digest
from detector.formats.times import compute_seconds, format_duration, format_utc

Phase = Literal["firing", "held", "recovering", "ended"]
Ending = Literal["resolved", "retired", "unwatched", "passed"]
Reason = Literal[
    "new", "escalated", "worse", "again", "reminder", "owed", "missed", "resolved", "retired",
    "no longer watched",
]  # fmt: skip
ANY_CHANNEL = "*"
STDOUT = "stdout"
MAX_PLACES = 3  # of a receipt: its newest messages


class MessageRef(Struct, frozen=True):
    """The place of a delivered message: Slack's channel and ts, Telegram's chat and number, a pager's key."""

    channel: str
    ts: str


class Receipt(Struct, frozen=True):
    """What was delivered to one channel in this episode, written only after the channel accepted it.

    `severity` is the highest that was delivered; `at` is null where the time is unknown (an older memory).
    `escalated` is whether the channel was notified that the episode escalates; null in an older memory.
    `ended`: what the channel was sent last is the end.
    `places` are the newest messages about it, the latest first. `acknowledged` is the id of the newest
    acknowledgement from elsewhere that the channel was sent.
    """

    severity: Severity
    at: datetime | None = None
    delivery_id: str | None = None
    returns: int = 0
    occurred_at: datetime | None = None
    reminders: int = 0
    ended: bool = False
    escalated: bool | None = None
    places: tuple[MessageRef, ...] = ()
    acknowledged: str | None = None

    @property
    def content(self) -> str:
        """What the newest message was about: the end, that it escalates, or the severity."""
        return "its end" if self.ended else "that it escalates" if self.escalated else self.severity


class Transition(Struct, frozen=True):
    """One change in the life of a condition."""

    at: datetime
    to: str


class Condition(Struct, frozen=True):
    """One signature: its present state, since when, how it ended, and what each channel received.

    `observations` and `lasted_sec` count the current run of firing verdicts, `goods` the current run of
    good ones. `generation` is that of the artifact in which the episode began. `owing` is, by channel, since
    when a delivery is due. `evidence` are the facts that raised it, as `section:fact`.

    `counted_at` is the time of the last counted observation, `verdicts` the firing verdicts in a row however
    close together. `escalated_at` is when the episode first escalated, `returned_at` when it last returned.
    `quiet`: an occurrence that did not happen again since the previous run. `deferred`: it is listed, and due
    to nobody for now. `runbook` is an address where the runbook has no section of it.
    `acks` are its newest acknowledgements, the latest first; `waiting_since` is since when nobody has
    acknowledged it. `held_elsewhere`: only runs of lanes that do not read its sections were since it fired.
    """

    signature: str
    type: str
    kind: Kind
    subject: str | None
    severity: Severity
    peak: Severity
    summary: str
    first_seen: datetime
    last_seen: datetime
    generation: int = 0
    phase: Phase = "firing"
    money: bool = False
    observed: int | float | str | None = None
    limit: int | float | str | None = None
    setting: str | None = None
    runbook: str | None = None
    observations: int = 1
    verdicts: int = 1
    counted_at: datetime | None = None
    lasted_sec: float = 0
    gapped: bool = False
    ongoing: bool = False
    quiet: bool = False
    confirmed: bool = False
    listed: bool = True
    deferred: bool = False
    escalated: bool = False
    escalated_at: datetime | None = None
    held_since: datetime | None = None
    held_why: str | None = None
    held_elsewhere: bool = False
    last_good: datetime | None = None
    good_since: datetime | None = None
    goods: int = 0
    returns: int = 0
    returned_at: datetime | None = None
    occurred_at: datetime | None = None
    noticed_at: datetime | None = None
    ended_at: datetime | None = None
    ending: Ending | None = None
    because_of: str | None = None
    evidence: tuple[str, ...] = ()
    owing: dict[str, datetime] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()
    acks: tuple[Acknowledgement, ...] = ()
    waiting_since: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it belongs to the list of present conditions."""
        return self.listed and self.phase in ("firing", "held")

    @property
    def can_be_due(self) -> bool:
        """Whether a notice that it goes on may be due: it is present, confirmed and not deferred."""
        return self.is_active and self.confirmed and not self.deferred

    @property
    def episode_id(self) -> str:
        """The id of this episode, which all messages about it share."""
        return compute_digest(f"{self.signature}|{self.generation}")[:16]

    def get_acknowledgement(self, moment: datetime) -> Acknowledgement | None:
        """Return the acknowledgement in force at that moment, or None."""
        newest = self.last_acknowledgement
        return newest if newest is not None and moment < newest.until else None

    @property
    def last_acknowledgement(self) -> Acknowledgement | None:
        """The newest acknowledgement, also one that has ended; None where the condition got worse since."""
        if not self.acks:
            return None
        newest = self.acks[0]
        is_as_bad = (
            RANK[self.severity] <= RANK[newest.severity]
            and (newest.escalated or self.escalated_at is None)
            and self.returns == newest.returns
        )
        return newest if is_as_bad else None

    def get_receipt(self, channel: str) -> Receipt | None:
        """Return what was delivered to this channel, or None."""
        return self.receipts.get(channel) or self.receipts.get(ANY_CHANNEL)


class Notice(Struct, frozen=True):
    """A delivery that is due to a channel: a condition and the reason."""

    condition: Condition
    reason: Reason
    delivery_id: str


_C0_END, _C1_START, _C1_END = 0x20, 0x7F, 0xA0
_LINE_SEPARATORS = (0x2028, 0x2029)


def build_signature(name: str, runtime: str, subject: str | None) -> str:
    """Return `<type>:<runtime>[:<subject>]`; a colon or a control character inside is percent-encoded."""
    parts = [name, runtime] if subject is None else [name, runtime, subject]
    return ":".join(encode_part(part) for part in parts)


def encode_part(part: str) -> str:
    """Percent-encode every colon and control character of a part of a signature."""
    if ":" not in part and part.isprintable():
        return part
    return "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode())
        if letter == ":" or _is_control(letter)
        else letter
        for letter in part
    )


def _is_control(letter: str) -> bool:
    code = ord(letter)
    return code < _C0_END or _C1_START <= code < _C1_END or code in _LINE_SEPARATORS


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
        return f"Missed and over: {last}; it began {began} and ended {ended}, before any alert got through."
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
    return "at an unknown time" if moment is None else format_utc(moment)
