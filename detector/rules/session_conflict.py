"""Broker link: no other session or client takes this one's place."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NEVER, NOW, OCCURRENCE, Finding, Limits, RuleResults, rule
from detector.formats.times import text_of
from detector.logs.bursts import find_session_conflicts
from detector.logs.events import MAX_NEWS_AGE


@rule(OCCURRENCE, "critical", sees=["logs"], reads_back=MAX_NEWS_AGE.total_seconds())
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The log names an existing session, a session from a different IP address, or a client id in use."""
    book = known(facts.logs)
    found = find_session_conflicts(book)
    news = [one for one in found if book.is_news(one.last, facts.taken_at - MAX_NEWS_AGE)]
    if news:
        newest = news[-1]
        near = [one for one in found if one.at <= newest.at and newest.at - one.at <= MAX_NEWS_AGE]
        often = f", {len(near)} times within an hour" if len(near) > 1 else ""
        yield Finding(
            CRITICAL,
            f"Another session is in the way since {text_of(newest.at)} ({newest.note}){often}.",
            observed=len(near),
            at=newest.at,
            escalates=NOW if len(near) > 1 else NEVER,
        )
