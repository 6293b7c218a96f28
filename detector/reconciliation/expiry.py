"""Whether a contract has expired: the last moment at which it can be traded, as far as its row gives it.

Source: contract specifications of Cboe (SPXW 16:00, AM-settled index options the close before, options on
ETFs until 16:15) and of CME (quarterly equity-index futures 09:30 on the third Friday), all in New York time.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, Literal

from detector.domain.instrument import Instrument, normalize
from detector.domain.instrument_names import FUTURE
from detector.market.hours import MarketUnknown, get_session_on, load_zone
from detector.market.session_plan import NEW_YORK
from detector.reconciliation.instrument_aliases import get_days, get_names, get_roots

ExpiryState = Literal["live", "unclear", "expired"]
ContractKey = tuple[str, str, float | None, str | None]
"""The shortest of its names, its first day, and an option's strike and right."""
LIVE: Final = "live"
EXPIRED: Final = "expired"
UNCLEAR_END: Final = "unclear"
_EQUITY_INDEX_FUTURES = frozenset(["ES", "MES", "NQ", "MNQ", "YM", "MYM", "RTY", "M2K"])
_SETTLED_AT_CLOSE = frozenset(["SPXW", "XSP", "NDXP", "RUTW"])
_SETTLED_AT_OPEN = frozenset(["SPX", "NDX", "RUT", "VIX", "VIXW", "DJX"])
# Settled in cash: index options, options and futures on volatility, futures on equity indices and on crypto.
_CASH_SETTLED = _SETTLED_AT_CLOSE | _SETTLED_AT_OPEN | _EQUITY_INDEX_FUTURES | frozenset(
    ["OEX", "XEO", "MRUT", "MXEA", "MXEF", "VX", "VXM", "VIXM", "MBT", "MET", "BRR", "ETHUSDRR", "ESTX50",
     "FESX", "OESX", "DAX", "FDAX", "FDXM", "FDXS", "ODAX", "SMI", "FSMI", "N225", "N225M",
     "HSI", "MHI", "Z", "NIFTY"]
)  # fmt: skip
_MOST_DAYS_LEFT = 10  # of calendar; beyond it no last session is near
_DAY_LENGTH = len("2026-06-19")
# The earliest and the latest last moment, as hour and minute of the day that the row gives.
_CLOSE, _LATE_CLOSE = timedelta(hours=16), timedelta(hours=16, minutes=15)
_INDEX_OPEN = timedelta(hours=9, minutes=30)
_CLOSE_BEFORE, _MIDNIGHT, _NEXT_DAY = timedelta(hours=-8), timedelta(0), timedelta(hours=24)


def get_expiry_state(row: Instrument, now: datetime) -> ExpiryState:
    """Return whether it can still be traded: from the earliest plausible last moment on it is unclear."""
    named = normalize(row)
    days = _list_days(named)
    if not days:  # a contract of a month has expired by the end of the month
        months = max(get_days(named), default=None)
        return EXPIRED if months is not None and months < f"{now:%Y%m}" else LIVE
    earliest, latest = _get_bounds(named)
    try:
        zone = load_zone(NEW_YORK)
        first, last = (
            datetime.combine(date.fromisoformat(day), datetime.min.time()) for day in (days[0], days[-1])
        )
        session = get_session_on(first.date()) if named.is_option else None
    except (ValueError, MarketUnknown):
        return UNCLEAR_END
    if session is not None:  # a half day ends early
        earliest = min(earliest, session.closes.astimezone(zone).replace(tzinfo=None) - first)
    local_now = now.astimezone(zone).replace(tzinfo=None)
    return LIVE if local_now < first + earliest else EXPIRED if local_now >= last + latest else UNCLEAR_END


def _list_days(row: Instrument) -> list[str]:
    """Return the days that a normalized row gives as its expiry, in order; a month is none."""
    return sorted(day for day in get_days(row) if len(day) == _DAY_LENGTH)


def _get_bounds(row: Instrument) -> tuple[timedelta, timedelta]:
    names = get_names(row) | {row.trading_class}
    if row.is_option:
        if names & _SETTLED_AT_CLOSE:
            return _CLOSE, _CLOSE
        is_own_day = row.expiry is not None and row.expiry < max(_list_days(row), default="")
        is_day_after = bool(names & _SETTLED_AT_OPEN) and not is_own_day  # else its symbol has the day after
        return (_CLOSE_BEFORE if is_day_after else _CLOSE), _LATE_CLOSE
    if row.sec_type == FUTURE and names & _EQUITY_INDEX_FUTURES:
        return _INDEX_OPEN, _INDEX_OPEN
    return _MIDNIGHT, _NEXT_DAY


def is_last_day_missing(row: Instrument) -> bool:
    """Whether it is an option or a future of which the row gives no day, or only its month."""
    named = normalize(row)
    return (named.is_option or named.sec_type == FUTURE) and not _list_days(named)


def build_contract_key(row: Instrument) -> ContractKey:
    """Return what two lists of one expiring contract share, however they spell its class (SPXW, SPX)."""
    named = normalize(row)
    root = min(get_roots(named), key=lambda name: (name.isdigit(), len(name), name), default="")
    return root, min(get_days(named), default=""), named.strike, named.right


def is_cash_settled(row: Instrument) -> bool:
    """Whether it pays cash at its end: no shares, no future and no goods come of it. Unknown is no."""
    named = normalize(row)
    if named.is_option and named.sec_type == "FOP":
        return False  # it turns into a future
    return bool((get_names(named) | {named.trading_class}) & _CASH_SETTLED)


def count_sessions_left(row: Instrument, today: date) -> int | None:
    """Return the sessions from today to the row's last one, both included: 1 in the last one.

    None where it has no last day, where that is past or far, and where a session is not known.
    """
    named = normalize(row)
    days = _list_days(named)
    if not days:
        return None
    earliest, _ = _get_bounds(named)
    try:
        last = (datetime.combine(date.fromisoformat(days[0]), datetime.min.time()) + earliest).date()
        if not 0 <= (last - today).days <= _MOST_DAYS_LEFT:
            return None
        between = (today + timedelta(days=number) for number in range((last - today).days + 1))
        return sum(get_session_on(day) is not None for day in between) or None
    except (ValueError, MarketUnknown):
        return None
