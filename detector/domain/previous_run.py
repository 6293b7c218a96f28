"""The previous run as rules may compare with it, from the previous artifact's `carried`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from detector.logs.events import LogMemory


@dataclass(frozen=True, slots=True)
class NoticedGap:
    """The longest time without a run that was noticed in a session, and whether positions were open.

    `at` is when it was noticed, `session` the day of the session in New York.
    """

    at: datetime
    session: str
    seconds: float
    with_positions: bool = False


@dataclass(frozen=True, slots=True)
class PreviousRun:
    """The previous run, as far as rules may compare with it.

    `taken_at` is None on a first run. `lost` says why an expected memory could not be used.
    `open_positions` is the last known number of open positions, over any number of runs. `logs` is the log
    memory: open outages, proofs, proofs that are due. `noticed_gap` is the last noticed time
    without a run. `prices` are the last prices by symbol, unchanged
    since `prices_at`. `closed` are, by store, the trades that were seen closed there.
    """

    taken_at: datetime | None = None
    lost: str | None = None
    seen: frozenset[str] = frozenset()
    open_positions: int | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    prices_at: datetime | None = None
    noticed_gap: NoticedGap | None = None
    closed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    logs: LogMemory | None = None


NO_PREVIOUS_RUN = PreviousRun()
