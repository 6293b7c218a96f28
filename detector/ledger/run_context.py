"""The run that advances the ledger, as each step of it sees the run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from detector.domain.condition import Condition
from detector.domain.rule import CRITICAL, RANK, Severity
from detector.formats.times import compute_seconds
from detector.settings import OBSERVATION_SEC, Rung, Settings

_EVERYTHING = Rung("warning")


class RunContext(Struct, frozen=True):
    """The run that advances the ledger.

    `is_new_snapshot` is False where the snapshot is not newer than the memory: the same moment confirms
    nothing twice. `generation` is that of the artifact that this run will write. `rungs` say
    what each channel receives; one without a rung receives everything at once. `sections` are those that
    this run's lane reads; None is all of them.
    """

    taken_at: datetime
    settings: Settings
    generation: int = 1
    is_new_snapshot: bool = True
    has_memory: bool = True
    rungs: Mapping[str, Rung] = field(default_factory=dict)
    sections: frozenset[str] | None = None

    def is_of_other_lane(self, condition: Condition) -> bool:
        """Return whether this run's lane reads none of the sections that raised the condition."""
        raised_by = {entry.partition(":")[0] for entry in condition.evidence}
        return bool(raised_by) and self.sections is not None and raised_by.isdisjoint(self.sections)

    def is_below(self, channel: str, severity: Severity, escalated: bool | None, money: bool) -> bool:
        """Return whether a condition is less than the least that the channel receives; no escalation is."""
        floor = self.get_rung(channel).floor
        if escalated or floor == "escalated":
            return not escalated
        if floor == "urgent":
            return not (money and severity == CRITICAL)
        return RANK[severity] < RANK[floor]

    def is_too_early(self, channel: str, waiting_since: datetime | None) -> bool:
        """Return whether a later channel has to wait on: nobody acknowledged for less than it waits for."""
        after_sec = self.get_rung(channel).after_sec
        if not after_sec:
            return False
        return waiting_since is None or compute_seconds(waiting_since, self.taken_at) < after_sec

    def get_rung(self, channel: str) -> Rung:
        """Return the rung of a channel: everything at once where it has none of its own."""
        return self.rungs.get(channel, _EVERYTHING)

    def is_next_observation(self, counted_at: datetime | None) -> bool:
        """Return whether a verdict of this run is more than a part of the observation counted last."""
        near = counted_at is not None and (
            compute_seconds(counted_at, self.taken_at) < self.settings[OBSERVATION_SEC]
        )
        return self.is_new_snapshot and not near
