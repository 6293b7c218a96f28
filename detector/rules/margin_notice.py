"""Margin: the broker announces no liquidation."""

from __future__ import annotations

from detector.model.bursts import repeated
from detector.model.facts import Facts, known
from detector.model.loglines import LOOK_BACK, MARGIN
from detector.model.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, Verdicts, rule
from detector.model.times import text_of


@rule(OCCURRENCE, "critical", sees=["logs"], reads_back=LOOK_BACK.total_seconds(), money=True, escalates=NOW)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """The broker sent an urgent notice on margin, or one that speaks of liquidation."""
    book = known(facts.logs)
    news = [one for one in repeated(book, MARGIN) if book.is_news(one.last, facts.taken_at - LOOK_BACK)]
    if news:
        at = max(one.at for one in news)
        yield Finding(
            CRITICAL,
            f"The broker sent an urgent notice on margin at {text_of(at)} ({news[-1].note}).",
            at=at,
        )
