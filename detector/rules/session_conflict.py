"""Broker link: no other session or client replaces this one."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NEVER, NOW, OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.formats.times import format_utc
from detector.logs.bursts import find_session_conflicts
from detector.logs.events import CLIENT_ID_NOTE, MAX_NEWS_AGE
from detector.market.maintenance import is_within_maintenance
from detector.settings import IBKR_REGION


@rule(
    OCCURRENCE,
    "critical; warning for a client id in IBKR's reset window",
    sees=["logs"],
    limits=[IBKR_REGION],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The log names an existing session, a session from a different IP address, or a client id in use."""
    history = known(facts.logs)
    all_conflicts = find_session_conflicts(history)
    recent = [
        conflict
        for conflict in all_conflicts
        if history.is_news(conflict.last, facts.taken_at - MAX_NEWS_AGE)
    ]
    if recent:
        newest = recent[-1]
        is_expected = newest.note.endswith(CLIENT_ID_NOTE) and is_within_maintenance(
            newest.since, newest.last, limits[IBKR_REGION], facts.closures
        )
        within_hour = [
            conflict
            for conflict in all_conflicts
            if conflict.at <= newest.at and newest.at - conflict.at <= MAX_NEWS_AGE
        ]
        repeat_note = f", {len(within_hour)} times within an hour" if len(within_hour) > 1 else ""
        window_note = ", in IBKR's reset window" if is_expected else ""
        yield Finding(
            WARNING if is_expected else CRITICAL,
            f"Another session has been in the way since {format_utc(newest.at)} ({newest.note}){repeat_note}"
            f"{window_note}.",
            observed=len(within_hour),
            at=newest.at,
            escalates=NOW if len(within_hour) > 1 and not is_expected else NEVER,
        )
