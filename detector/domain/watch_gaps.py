"""A time in the session without any run: whether it is news in its session, for the rule and its memory."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from detector.domain.previous_run import NoticedGap
from detector.market.hours import MarketUnknown, get_session_on, to_new_york_day

if TYPE_CHECKING:
    from detector.domain.facts import Facts

_TIMES_LONGER = 2  # EVENTS: a further gap of a session is news from twice the longest noticed one on


def measure_gap(facts: Facts, limit_sec: float) -> NoticedGap | None:
    """Return the gap before this run as the session's noticed one, where it is longer than the limit.

    It is news, and its `at` this run's time, where it is the first of its session, at least twice as long as
    the longest noticed one, or the first with positions open; otherwise `at` is that of the noticed one.
    """
    seconds, before = facts.open_unwatched, facts.before
    if seconds is None or seconds <= limit_sec:
        return None
    noticed = before.noticed_gap
    gap = NoticedGap(
        facts.taken_at, _get_session_day(facts).isoformat(), seconds, bool(before.open_positions)
    )
    if noticed is None or noticed.session != gap.session:
        return gap
    is_news = seconds >= _TIMES_LONGER * noticed.seconds or gap.with_positions > noticed.with_positions
    return gap if is_news else noticed


def _get_session_day(facts: Facts) -> date:
    """Return the day of the session that the gap ended in: today's once it has begun."""
    today = to_new_york_day(facts.taken_at)
    try:
        session = get_session_on(today, facts.closures)
    except MarketUnknown:
        return today
    has_begun = session is not None and session.opens < facts.taken_at
    before = facts.before.taken_at
    return today if has_begun or before is None else to_new_york_day(before)
