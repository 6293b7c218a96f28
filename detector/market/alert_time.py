"""From when on an episode is loud: IBKR's quiet windows make it expected, and no longer than they last.

What outlives its window is told, and so is what lasts into the hour before the open: a suppression that swallowed
a link that never came back cost three days (Lean PR #258).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from detector.market.closures import Closures
from detector.market.hours import get_market_at
from detector.market.maintenance import find_maintenance_end

BEFORE_OPEN = timedelta(seconds=3600)


def compute_alert_time(since: datetime, region: str, closures: Closures) -> datetime:
    """Return from when on what began at `since` is told: at once, or when its quiet window is over.

    The hour before the open is never quiet. Where the calendar cannot say, nothing is.
    """
    ends_at = find_maintenance_end(since, region, closures)
    if ends_at is None:
        return since
    opens_in = get_market_at(since, closures).opens_in
    if opens_in is not None:
        ends_at = min(ends_at, since + timedelta(seconds=opens_in) - BEFORE_OPEN)
    return max(ends_at, since)


def is_within_maintenance(since: datetime, until: datetime, region: str, closures: Closures) -> bool:
    """Whether an episode ended, or goes on until now, before it became loud."""
    return since <= until < compute_alert_time(since, region, closures)
