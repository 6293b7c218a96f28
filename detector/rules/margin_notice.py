"""Margin: the broker announces no liquidation."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, rule
from detector.formats.times import format_time
from detector.logs.bursts import find_repeated
from detector.logs.events import MARGIN, MAX_NEWS_AGE


@rule(
    OCCURRENCE,
    "critical",
    sees=["logs"],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    money=True,
    escalates=NOW,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The broker sent an urgent notice on margin, or one that speaks of liquidation."""
    history = known(facts.logs)
    recent = [
        notice
        for notice in find_repeated(history, MARGIN)
        if history.is_news(notice.last, facts.taken_at - MAX_NEWS_AGE)
    ]
    if recent:
        at = max(notice.at for notice in recent)
        yield Finding(
            CRITICAL,
            f"The broker sent an urgent notice on margin at {format_time(at)} ({recent[-1].note}).",
            at=at,
        )
