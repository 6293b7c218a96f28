"""What the sources of the broker section share: when they ask, and which accounts are paper or live."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from detector.collectors.collector import SourceContext
from detector.formats.errors import MAINTENANCE, ExternalError
from detector.market.maintenance import is_in_maintenance
from detector.settings import IBKR_REGION

PAUSE_SEC = 60.0


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
