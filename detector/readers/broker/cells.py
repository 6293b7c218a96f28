"""The cells of a broker row: a column's name without case and punctuation, and a time as RFC 3339."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.formats.patterns import build_pattern
from detector.market.session_plan import NEW_YORK

_DAY, _HOUR = r"(\d{4})-?(\d\d)-?(\d\d)", r"(\d\d):?(\d\d):?(\d\d)"
_TWS = build_pattern(rf"{_DAY}(-| +){_HOUR}(?: +([A-Za-z][\w/+-]{{1,40}}))?", re.ASCII)
_FLEX = build_pattern(rf"{_DAY}[;,] ?{_HOUR}(?: +([A-Za-z][\w/+-]{{1,40}}))?", re.ASCII)
_EPOCH = build_pattern(r"\d{10}(\d{3})?", re.ASCII)  # of ibapi with formatDate=2, as text
_SHORT_NAMES = {
    "EST": NEW_YORK, "EDT": NEW_YORK, "CST": "America/Chicago", "CDT": "America/Chicago",
    "MST": "America/Denver", "MDT": "America/Denver", "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles", "BST": "Europe/London", "CEST": "Europe/Paris", "JST": "Asia/Tokyo",
    "HKT": "Asia/Hong_Kong",
}  # fmt: skip


@cache
def normalize_name(key: str) -> str:
    """Return a column's name without case and punctuation: `conid` for `con_id`, `putcall` for `Put/Call`."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


def normalize_broker_time(raw: Any) -> Any:
    """Return the time as RFC 3339: with its offset where it is known, naive where TWS names no zone.

    TWS: `20260506 14:49:00 US/Central`, and `20260506-19:49:00` in UTC. Flex: `20260506;144900`, in New
    York time unless a zone follows. Any other value is returned as it is; the reader then refuses it.
    """
    if not isinstance(raw, str):
        return raw
    tws, flex = _TWS.fullmatch(raw.strip()), _FLEX.fullmatch(raw.strip())
    if tws:
        year, month, day, separator, hour, minute, second, zone = tws.groups()
        local_time = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        return f"{local_time}Z" if separator == "-" else _apply_zone(local_time, zone, raw)
    if flex:
        year, month, day, hour, minute, second, zone = flex.groups()
        return _apply_zone(f"{year}-{month}-{day}T{hour}:{minute}:{second}", zone or NEW_YORK, raw)
    return int(raw) if _EPOCH.fullmatch(raw.strip()) else raw


def _apply_zone(local_time: str, zone: str | None, raw: str) -> str:
    if zone is None:
        return local_time
    try:
        moment = datetime.fromisoformat(local_time).replace(tzinfo=ZoneInfo(_SHORT_NAMES.get(zone, zone)))
        return moment.isoformat()
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return raw
