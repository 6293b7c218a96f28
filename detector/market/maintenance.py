"""When a lost link is expected: IBKR's maintenance windows by region, and the gateway's planned restarts.

Daily windows: `america` is the union of the status page (00:15-01:45 ET), of IBAutomater (23:45-00:45 ET, 15
minutes either side) and of resets seen in Lean #227 and IBC #251; `europe` and `asia` are the status page's
rows (interactivebrokers.co.uk/pt/software/systemStatus.php) in the region's own time, so that they move
against New York with daylight saving. The weekend reset is one event for all regions, Friday 23:00 - Saturday
03:00 ET, and all have the same union with IBAutomater, which begins 15 minutes earlier in every region.
Every window is half-open and lasts `RELOGIN_MARGIN` longer than its row. The regular session is
never in maintenance.

TWS and the gateway restart once a day at a time of the owner's choice; a soft restart takes 60 to 90 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from detector.market.hours import (
    MarketUnknown,
    get_market_at,
    get_session_on,
    load_zone,
    to_new_york_day,
    to_utc,
)
from detector.market.session_plan import NEW_YORK, NO_CLOSURES, US_EQUITY, Closures

RELOGIN_MARGIN: Final = timedelta(seconds=600)
"""How much longer than its row a window lasts: a gateway logs in again after the reset."""

_FRIDAY: Final = 4


class MaintenanceWindow(Struct, frozen=True):
    """One row in its own zone; `ends` not after `starts` is on the next day; no `weekday` means daily."""

    zone: str
    starts: time
    ends: time
    weekday: int | None = None

    def compute_span(self, day: date) -> tuple[datetime, datetime] | None:
        """The window that starts on `day`, [start, end + `RELOGIN_MARGIN`) in UTC. Raises `MarketUnknown`."""
        if self.weekday not in (None, day.weekday()):
            return None
        end_day = day if self.starts < self.ends else day + timedelta(days=1)
        local_zone = load_zone(self.zone)
        starts = datetime.combine(day, self.starts, local_zone).astimezone(UTC)
        return starts, datetime.combine(end_day, self.ends, local_zone).astimezone(UTC) + RELOGIN_MARGIN


_WEEKEND: Final = MaintenanceWindow(NEW_YORK, time(22, 45), time(3), _FRIDAY)

MAINTENANCE_WINDOWS: Final[dict[str, tuple[MaintenanceWindow, ...]]] = {
    "america": (MaintenanceWindow(NEW_YORK, time(23, 30), time(2)), _WEEKEND),
    "europe": (MaintenanceWindow("Europe/Zurich", time(6, 25), time(7, 45)), _WEEKEND),
    "asia": (
        MaintenanceWindow("Asia/Hong_Kong", time(4, 45), time(6, 5)),
        MaintenanceWindow("Asia/Hong_Kong", time(20, 15), time(21, 15)),
        _WEEKEND,
    ),
}
REGIONS: Final = tuple(MAINTENANCE_WINDOWS)
"""The values of `AEGIS_PT_IBKR_REGION`: the region of the account's server."""


def is_in_maintenance(moment: datetime, region: str, closures: Closures = NO_CLOSURES) -> bool | None:
    """Whether IBKR may be resetting its servers at `moment` (aware); None when the market is unknown.

    Raises `ValueError` for a naive `moment` and for a region that is none of `REGIONS`.
    """
    try:
        return _find_end(moment, region, closures) is not None
    except MarketUnknown:
        return None


def find_maintenance_end(moment: datetime, region: str, closures: Closures = NO_CLOSURES) -> datetime | None:
    """The end of the maintenance at `moment`, in UTC, with `RELOGIN_MARGIN`; None outside and if unknown.

    The weekend reset outlasts every daily window that it overlaps. Raises as `is_in_maintenance` does.
    """
    try:
        return _find_end(moment, region, closures)
    except MarketUnknown:
        return None


def _find_end(moment: datetime, region: str, closures: Closures) -> datetime | None:
    if region not in MAINTENANCE_WINDOWS:
        raise ValueError(f"unknown region {region!r}; known are {', '.join(REGIONS)}")
    moment = to_utc(moment)
    # The regular session only: a runtime that trades around the clock meets every reset in its own session.
    session = get_session_on(to_new_york_day(moment), replace(closures, plan=US_EQUITY))
    spans = _list_spans(region, moment.date())
    if session is not None and session.is_open_at(moment):
        return None
    return max((end for start, end in spans if start <= moment < end), default=None)


@lru_cache(maxsize=4096)
def _list_spans(region: str, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Every window of the region that a moment of the UTC `day` may lie in. Raises `MarketUnknown`."""
    starts = [day + timedelta(days=ahead) for ahead in range(-1, 2)]
    return tuple(
        span
        for window in MAINTENANCE_WINDOWS[region]
        for start in starts
        if (span := window.compute_span(start))
    )


BEFORE_OPEN = timedelta(seconds=3600)


def compute_alert_time(since: datetime, region: str, closures: Closures) -> datetime:
    """Return the time from which an outage that began at `since` alerts: at once, or after its window.

    What lasts into the hour before the open alerts too: suppression of a link that never came back cost three
    days (Lean PR #258). Where the calendar is unknown, nothing is suppressed.
    """
    ends_at = find_maintenance_end(since, region, closures)
    if ends_at is None:
        return since
    opens_in = get_market_at(since, closures).opens_in
    if opens_in is not None:
        ends_at = min(ends_at, since + timedelta(seconds=opens_in) - BEFORE_OPEN)
    return max(ends_at, since)


def is_within_maintenance(since: datetime, until: datetime, region: str, closures: Closures) -> bool:
    """Whether an outage ended, or lasts until now, before its alert time."""
    return since <= until < compute_alert_time(since, region, closures)


QUIET_FOR: Final = timedelta(seconds=300)
"""How long a planned restart is quiet; one that lasts longer did not come back."""


class PlannedRestart(Struct, frozen=True):
    """One restart a day, at a local time of its zone."""

    at: time
    zone: tzinfo


def is_in_planned_restart(moment: datetime, restarts: Sequence[PlannedRestart]) -> bool:
    """Whether `moment` (aware) lies in [start, start + `QUIET_FOR`) of a planned restart.

    A local time that the clock skips or repeats counts as its first reading (PEP 495, fold 0).
    """
    moment = to_utc(moment)
    for restart in restarts:
        local = moment.astimezone(restart.zone)
        for day in (local.date(), local.date() - timedelta(days=1)):
            starts = datetime.combine(day, restart.at, restart.zone).astimezone(UTC)
            if starts <= moment < starts + QUIET_FOR:
                return True
    return False


@cache
def parse_planned_restarts(entries: tuple[str, ...]) -> tuple[PlannedRestart, ...]:
    """Return the restarts of `AEGIS_PT_RESTART_AT`, which holds only entries that can be read."""
    parts = (entry.partition(" ") for entry in entries)
    return tuple(PlannedRestart(time.fromisoformat(clock), ZoneInfo(zone)) for clock, _, zone in parts)
