"""The windows at which a lane is expected to begin a run, and what kind of day they fall on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim

from detector.domain.schedule_windows import Lane
from detector.market.closures import CLOSES, NO_CLOSURES, SATURDAY, Closures
from detector.market.hours import NEW_YORK, MarketUnknown, get_session_on, load_zone, to_new_york_day

GRACE = timedelta(minutes=8)
"""How long after its window a run may begin, where nobody says otherwise."""

_BEFORE = timedelta(minutes=1)
_LONGEST = timedelta(days=31)


def iter_windows(lane: Lane, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the lane's windows in [start, end), in UTC.

    A lane in UTC knows no daylight saving. In another zone an hour that is skipped or doubled is handled as
    Debian's cron does.
    """
    lane_zone = UTC if lane.zone == "UTC" else load_zone(lane.zone)
    for moment in CronSim(lane.fires, start.astimezone(lane_zone) - _BEFORE):
        window = moment.astimezone(UTC)
        if window >= end:
            return
        if window >= start:
            yield window


@dataclass(frozen=True, slots=True)
class LaneTimetable:
    """The `Timetable` of these lanes together; two that are due at once are one window."""

    lanes: tuple[Lane, ...]

    def count_missed(self, since: datetime, until: datetime) -> int | None:
        """Return how many windows began after the run at `since` and were given up before the one at `until`.

        A window of which the grace is not over may be the one that the run at `until` answers: it does not
        count. None over longer than a month, in which nobody ran at all.
        """
        if until - since > _LONGEST:
            return None
        due = {window for lane in self.lanes for window in iter_windows(lane, since, until - GRACE)}
        return len(due - {since})


def describe_market_day(window: datetime, closures: Closures = NO_CLOSURES) -> tuple[str | None, bool | None]:
    """Return the market's day at a window, as `Judged.day` has it, and whether its session was open then."""
    try:
        day = to_new_york_day(window)
        session = get_session_on(day, closures)
    except MarketUnknown:
        return None, None
    if session is None:
        return ("weekend" if day.weekday() >= SATURDAY else "holiday"), False
    full = session.closes.astimezone(load_zone(NEW_YORK)).time() == CLOSES
    return ("session" if full else "half day"), session.is_open_at(window)
