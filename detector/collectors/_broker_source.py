"""What the sources of the broker share: when they ask, how often, and which accounts are paper or live."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from detector.clients.collector_state import open_observations
from detector.collectors.collector import SourceContext
from detector.formats.errors import MAINTENANCE, THROTTLED, ExternalError
from detector.market.maintenance import is_in_maintenance
from detector.settings import IBKR_REGION

PAUSE_SEC = 60.0
_MAX_WAIT_SEC = 3.0  # a schedule of once a minute is not exact
_ASKED_AT = "asked_at"


def check_maintenance(context: SourceContext) -> datetime:
    """Return the time; raises ExternalError while IBKR resets its servers, when logins are left alone."""
    now = context.clock()
    if is_in_maintenance(now, context.settings[IBKR_REGION]):
        raise ExternalError("IBKR resets its servers now, and the gateway is left alone", reason=MAINTENANCE)
    return now


def describe_accounts(accounts: Iterable[str]) -> dict[str, Any]:
    """Return `account` where there is one, and `mode` where all are paper or all are live (paper: D…)."""
    names = tuple(accounts)
    kinds = {name.upper().startswith("D") for name in names}
    return {
        **({"account": names[0]} if len(names) == 1 else {}),
        **({"mode": "paper" if kinds == {True} else "live"} if len(kinds) == 1 else {}),
    }


@contextmanager
def lock_turn(context: SourceContext, subject: str) -> Iterator[None]:
    """Hold the turn at a service: one process of this user at a time, and PAUSE_SEC between two.

    Raises ExternalError where it was asked less than that ago, where another process asks it, and where the
    time cannot be kept. Up to 3 s of the pause are waited for.
    """
    name = f"turn-{hashlib.sha256(subject.encode()).hexdigest()[:16]}"
    with open_observations(context.environ, name) as observations:
        _wait_for_pause(observations.values.get(_ASKED_AT), context)
        # Before the request: a process that is killed in between must not ask again at once.
        observations.values = {_ASKED_AT: context.clock().timestamp()}
        observations.store()
        yield


def _wait_for_pause(last: object, context: SourceContext) -> None:
    elapsed = context.clock().timestamp() - last if isinstance(last, int | float) else PAUSE_SEC
    if not 0 <= elapsed < PAUSE_SEC:  # a time in the future is of another clock
        return
    rest = PAUSE_SEC - elapsed
    if rest > min(_MAX_WAIT_SEC, context.network.deadline.get_remaining() / 2):
        raise ExternalError(
            f"it was asked {elapsed:.0f} s ago, and is asked every {PAUSE_SEC:g} s at most", reason=THROTTLED
        )
    time.sleep(rest)
