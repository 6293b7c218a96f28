"""One session as the runs saw it: what the summary after the close is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from detector.domain.rule import Severity
from detector.formats.times import compute_seconds


@dataclass(frozen=True, slots=True)
class SessionDay:
    """One New York trading day: how often somebody looked, what was not seen, what was wrong.

    `day` is its date in New York. `gap_sec` is the longest time between two looks so far, the open counting as
    one. `unseen` are the golden signals that were not seen, by title, with the number of runs; `conditions` the
    highest severity of each signature that held, `more` how many others there were. `told` are the channels
    that took its summary.
    """

    day: str
    opens: datetime
    closes: datetime
    runs: int = 0
    last_run: datetime | None = None
    gap_sec: float = 0
    signals: int = 0
    unseen: dict[str, int] = field(default_factory=dict)
    conditions: dict[str, Severity] = field(default_factory=dict)
    more: int = 0
    told: tuple[str, ...] = ()

    @property
    def longest_gap_sec(self) -> float:
        """The longest time of the whole session in which nobody looked."""
        return max(self.gap_sec, compute_seconds(self.last_run or self.opens, self.closes))
