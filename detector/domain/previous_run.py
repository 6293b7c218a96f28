"""The previous run as rules may compare with it, from the previous artifact's `carried`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from detector.domain.seen_facts import LaneMemory
from detector.logs.events import LogMemory


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """The previous run, as far as rules may compare with it.

    `taken_at` is None on a first run. `lost` says why an expected memory could not be used.
    `open_positions` is the last known number of open positions, over any number of runs. `logs` is the log
    memory: open outages, proofs, proofs that are due. `prices` are the last prices by symbol, unchanged
    since `prices_at`. `lanes` are the facts that were seen, by lane and profile; `sections` those that were
    given or configured. `closed` are, by store, the trades that were seen closed there.
    """

    taken_at: datetime | None = None
    lost: str | None = None
    seen: frozenset[str] = frozenset()
    open_positions: int | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    prices_at: datetime | None = None
    closed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    logs: LogMemory | None = None
    lanes: Mapping[str, LaneMemory] = field(default_factory=dict)
    sections: tuple[str, ...] | None = None


NO_PREVIOUS_RUN = PreviousRun()
