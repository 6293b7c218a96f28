"""Acknowledgements: who took care of which condition, as it then was, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta, Struct

from detector.domain.rule import RANK, Severity

if TYPE_CHECKING:
    from detector.domain.condition import Condition

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

    def is_valid_for(self, condition: Condition) -> bool:
        """Return whether the condition is no worse, not escalated and not returned since."""
        return (
            RANK[condition.severity] <= RANK[self.severity]
            and (self.escalated or condition.escalated_at is None)
            and condition.returns == self.returns
        )


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
