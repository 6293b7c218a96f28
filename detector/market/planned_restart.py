"""The gateway's planned restarts: each day at a local time, quiet while they may last.

TWS and the gateway restart once a day at a time of the owner's choice; a soft restart takes 60 to 90 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from detector.market.hours import to_utc

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
