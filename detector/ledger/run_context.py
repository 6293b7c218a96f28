"""The run that advances the ledger, and the steps that every verdict can lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from detector.domain.condition import Condition, Ending, Transition
from detector.domain.rule import RANK, Severity
from detector.formats.times import compute_seconds
from detector.settings import Setting, Settings

OCCURRENCE_LOOKBACK_SEC = 3600.0
_MAX_TRANSITIONS = 20


@dataclass(frozen=True, slots=True)
class RunContext:
    """The run that advances the ledger.

    `new_look` is False where this snapshot is not newer than the memory: a second look at the same
    moment confirms nothing. `generation` is that of the artifact that this run will write. `remembers` is False without any memory. `floors` are the lowest
    severities of the channels that have one.
    """

    taken_at: datetime
    settings: Settings
    generation: int = 1
    is_new_snapshot: bool = True
    has_memory: bool = True
    min_severities: Mapping[str, Severity] = field(default_factory=dict)

    def is_below(self, channel: str, severity: Severity) -> bool:
        """Whether the severity is lower than the lowest that this channel is told of."""
        min_severity = self.min_severities.get(channel)
        return min_severity is not None and RANK[severity] < RANK[min_severity]


def close_if_passed(old: Condition, lookback: Setting[float] | None, run: RunContext) -> Condition:
    """Return an occurrence: it leaves the list once its look-back is over, and never resolves."""
    own = run.settings[lookback] if lookback is not None else 0
    over = compute_seconds(old.noticed_at or old.first_seen, run.taken_at) > max(own, OCCURRENCE_LOOKBACK_SEC)
    if old.phase == "ended" or not over:
        return old
    return close_condition(old, "passed", run.taken_at, run)


def close_condition(old: Condition, ending: Ending, at: datetime, run: RunContext) -> Condition:
    """Return the condition at its end."""
    return replace(
        old,
        phase="ended",
        ending=ending,
        ended_at=at,
        escalated=False,
        because_of=None,
        transitions=add_transition(old, run, ending),
    )


def add_transition(old: Condition, run: RunContext, to: str) -> tuple[Transition, ...]:
    """Return the condition's transitions with one more, the newest kept."""
    return (*old.transitions, Transition(run.taken_at, to))[-_MAX_TRANSITIONS:]
