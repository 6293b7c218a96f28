"""The decision: observe, notify or escalate, with the conditions that made it so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from detector.domain.condition import Condition

Action = Literal["observe", "notify", "escalate"]
APPROVAL = "Stopping or scaling the runtime needs explicit approval."


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and the signatures that say so; `note` is the sentence that an escalation ends with."""

    action: Action
    because: tuple[str, ...] = ()
    note: str | None = None


def decide(conditions: Iterable[Condition]) -> Decision:
    """Return the decision over all conditions that hold now, held ones included.

    Escalate where one lasted as long as its rule declares; notify for anything else; never stop for less.
    """
    active = [condition for condition in conditions if condition.is_active]
    escalated = tuple(sorted(condition.signature for condition in active if condition.escalated))
    if escalated:
        return Decision("escalate", escalated, APPROVAL)
    if active:
        return Decision("notify", tuple(sorted(condition.signature for condition in active)))
    return Decision("observe")
