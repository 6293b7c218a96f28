"""Broker link: no other session or client replaces this one."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NEVER, NOW, OCCURRENCE, Finding, Limits, RuleResults, rule
from detector.formats.times import format_time
from detector.logs.bursts import find_session_conflicts
from detector.logs.events import MAX_NEWS_AGE


@rule(OCCURRENCE, "critical", sees=["logs"], reads_back=MAX_NEWS_AGE.total_seconds(), signal="severe_signals")
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
        within_hour = [
            conflict
            for conflict in all_conflicts
            if conflict.at <= newest.at and newest.at - conflict.at <= MAX_NEWS_AGE
        ]
        repeat_note = f", {len(within_hour)} times within an hour" if len(within_hour) > 1 else ""
        yield Finding(
            CRITICAL,
            f"Another session is in the way since {format_time(newest.at)} ({newest.note}){repeat_note}.",
            observed=len(within_hour),
            at=newest.at,
            escalates=NOW if len(within_hour) > 1 else NEVER,
        )
