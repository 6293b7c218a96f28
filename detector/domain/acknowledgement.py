"""What an operator states of a condition, always with an end: an acknowledgement or a mute."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from detector.domain.rule import Severity
from detector.formats.patterns import build_pattern

Via = Literal["command", "dispatch", "slack", "telegram", "pagerduty"]
LONGEST: Final = timedelta(days=1)


class Acknowledgement(Struct, frozen=True):
    """One acknowledgement; `severity`, `escalated` and `returns` are those of the condition at that time.

    It covers nothing worse: what worsens, escalates or returns is notified. `id` is that of the request, by
    which a repeated one is known.
    """

    by: str
    at: datetime
    until: datetime
    via: Via
    id: str
    severity: Severity
    escalated: bool = False
    returns: int = 0


class AckRequest(Struct, frozen=True):
    """A request to acknowledge one condition, as it was read; `sender` is allowed already.

    `at` is when the person asked, `until` when it ends.
    """

    signature: str
    by: str
    at: datetime
    until: datetime
    via: Via
    id: str


class AckSender(Struct, frozen=True):
    """One entry of `AEGIS_PT_ACK_FROM`: a person's id at GitHub, Slack, Telegram or PagerDuty; `*` is all."""

    name: str
    kind: str
    id: str


def parse_sender(text: str) -> AckSender:
    """Return the entry `NAME=KIND:ID` or `KIND:ID`, whose form the setting has checked."""
    name, _, place = text.rpartition("=")
    kind, _, identity = place.partition(":")
    return AckSender(name.strip(), kind, identity)


def find_sender(texts: tuple[str, ...], kind: str, identity: str, public: bool) -> str | None:
    """Return the name to show for a sender, or None where it is not allowed.

    Where anybody can read the artifact it is an alias: the number of the entry.
    """
    for number, sender in enumerate(map(parse_sender, texts), 1):
        if sender.kind == kind and sender.id in ("*", identity):
            return f"responder-{number}" if public else sender.name or identity
    return None


class AckDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """An acknowledgement on its way to the next run: a file of the state folder, or a dispatch's payload."""

    signature: Annotated[str, Meta(min_length=1, max_length=400)]
    runtime: Annotated[str, Meta(min_length=1, max_length=200)]
    by: Annotated[str, Meta(min_length=1, max_length=80)]
    at: Annotated[datetime, Meta(tz=True)]
    until: Annotated[datetime, Meta(tz=True)]
    id: Annotated[str, Meta(pattern="^[0-9a-f-]{8,64}$")]


LONGEST_MUTE = timedelta(days=31)
_WILDCARD = build_pattern(r"[*?\[\]]")


class Mute(Struct, frozen=True):
    """Conditions whose signature matches the pattern are not reported until `until`.

    A mute lasts at most LONGEST_MUTE: before that it is not in force.
    """

    pattern: str
    until: datetime
    even_money: bool = False


def check_pattern(pattern: str, names: Collection[str] = ()) -> None:
    """Raise ValueError for a pattern that fits most of the rules, and would mute everything."""
    kind = get_kind(pattern)
    if not kind.strip("*?[]!") or is_most(sum(fnmatchcase(name, kind) for name in names), names):
        raise ValueError(f"{pattern!r} names no rule, and a mute of everything is a switched-off monitor")


def get_kind(pattern: str) -> str:
    """Return the part of a pattern, or of a signature, that is about the event's type."""
    return pattern.partition(":")[0]


def is_most(number: int, names: Collection[str]) -> bool:
    """Return whether the number is more than half of the rules."""
    return number > len(names) / 2


def can_match(pattern: str, names: Iterable[str], runtime: str) -> bool:
    """Return whether a signature of one of the rules, for the runtime, can match; a subject may be anything.

    A pattern with a choice of letters in its subject counts as one that can.
    """
    subject = ":".join(pattern.split(":")[2:])
    beginnings = [f"{name}:{runtime}" for name in names if fnmatchcase(name, get_kind(pattern))]
    return any(
        fnmatchcase(beginning, pattern) or fnmatchcase(f"{beginning}:{subject or 'x'}", pattern)
        for beginning in beginnings
    ) or ("[" in subject and can_match(pattern.partition("[")[0] + "*", names, runtime))


def is_in_force(mute: Mute, moment: datetime) -> bool:
    """Return whether a mute counts at that moment: before its end, and not too long before it."""
    return moment < mute.until <= moment + LONGEST_MUTE


class ActiveMutes:
    """The mutes of one moment; a signature is compared only with patterns of its beginning and its end."""

    def __init__(self, mutes: Iterable[Mute], moment: datetime) -> None:
        self._by_ends: dict[str, dict[str, list[Mute]]] = {}
        for mute in mutes:
            if is_in_force(mute, moment):
                texts = _WILDCARD.split(mute.pattern)
                self._by_ends.setdefault(texts[0], {}).setdefault(texts[-1], []).append(mute)

    def has(self, signature: str, money: bool) -> bool:
        """Whether a condition is muted; one about money only by a mute that is meant for it.

        The event's type must fit by itself: `*core` is the end of every signature of a runtime.
        """
        kind = get_kind(signature)
        return any(
            (mute.even_money or not money)
            and fnmatchcase(signature, mute.pattern)
            and fnmatchcase(kind, get_kind(mute.pattern))
            for mute in self._iter_candidates(signature)
        )

    def _iter_candidates(self, signature: str) -> Iterator[Mute]:
        if not self._by_ends:
            return
        places = range(len(signature) + 1)
        for by_end in (self._by_ends.get(signature[:place]) for place in places):
            for place in places if by_end else ():
                yield from by_end.get(signature[place:], ()) if by_end else ()
