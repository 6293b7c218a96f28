"""The previous run as rules may compare with it, from the previous artifact's `carried`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from msgspec import Struct, field

from detector.domain.lane_memory import LaneMemory, SectionContent
from detector.logs.events import LogMemory
from detector.market.hours import MarketUnknown, find_begun_session, to_new_york_day
from detector.market.session_plan import Closures

_TIMES_LONGER = 2  # EVENTS: a further gap of a session is news from twice the longest noticed one on
# The open cuts the first gap of a slow schedule, and a whole one after it would be twice as long. No schedule
# is slower than twice this; after a night without a run a gap of four hours is news again.
_CADENCE_SEC = 7200


class NoticedGap(Struct, frozen=True):
    """The longest time without a run that was noticed in a session, and whether positions were open.

    `at` is when it was noticed, `session` the day of the session in New York. `seconds` are those of the
    session, with what a usual cadence has before its open.
    """

    at: datetime
    session: str
    seconds: float
    with_positions: bool = False


class PreviousRun(Struct, frozen=True):
    """The previous run, as far as rules may compare with it.

    `taken_at` is None on a first run. `looked_at` is when a later run looked whose
    memory is missing. `lost` says why an expected memory could not be used.
    `open_positions` is the last known number of open positions, over any number of runs, `positions_at` when
    it was known (None in an older memory: at its run). `logs` is the log
    memory: open outages, proofs, proofs that are due. `noticed_gap` is the last noticed time without a run.
    `prices` are the last prices by symbol, unchanged since `prices_at`. `lanes` are the facts that were
    seen, by lane and profile; `contents` are, by lane and profile and section, payloads without a time;
    `sections` those that were given or configured. `closed` are, by store, the
    trades that were seen closed there. `lineage` are the ids of the memories that went into this one, the
    newest first.
    """

    taken_at: datetime | None = None
    looked_at: datetime | None = None
    lost: str | None = None
    open_positions: int | None = None
    positions_at: datetime | None = None
    prices: Mapping[str, float] = field(default_factory=dict)
    prices_at: datetime | None = None
    noticed_gap: NoticedGap | None = None
    closed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    logs: LogMemory | None = None
    lanes: Mapping[str, LaneMemory] = field(default_factory=dict)
    contents: Mapping[str, SectionContent] = field(default_factory=dict)
    sections: tuple[str, ...] | None = None
    lineage: tuple[str, ...] = ()

    def measure_gap(
        self, at: datetime, open_sec: float | None, limit_sec: float, closures: Closures
    ) -> NoticedGap | None:
        """Return the gap before the run of that time as the session's noticed one, None within the limit.

        `open_sec` is what of the gap lay in the session, None where that is not known. It is news, and its
        `at` this run's time, where it is the first of its session, at least twice as long as the longest
        noticed one, or the first with positions open; otherwise `at` is that of the noticed one.
        """
        if open_sec is None or open_sec <= limit_sec:
            return None
        noticed = self.noticed_gap
        whole = open_sec if self.taken_at is None else (at - self.taken_at).total_seconds()
        size = max(open_sec, min(whole, _CADENCE_SEC))
        gap = NoticedGap(at, _get_session_day(at, closures).isoformat(), size, bool(self.open_positions))
        if noticed is None or noticed.session != gap.session:
            return gap
        is_news = open_sec >= _TIMES_LONGER * noticed.seconds or gap.with_positions > noticed.with_positions
        return gap if is_news else noticed


NO_PREVIOUS_RUN = PreviousRun()


def _get_session_day(at: datetime, closures: Closures) -> date:
    """Return the day of the session that a gap ended in: the newest that has begun."""
    try:
        begun = find_begun_session(at, closures)
    except MarketUnknown:
        begun = None
    return begun[0] if begun is not None else to_new_york_day(at)
