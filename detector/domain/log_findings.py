"""Orders of which a log line says that something is wrong: an occurrence inside a rule about a state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, OCCURRENCE, Finding
from detector.formats.plural import counted
from detector.formats.times import text_of
from detector.logs.bursts import repeated
from detector.logs.events import LOOK_BACK, UNNAMED

MOST_ORDERS = 20
"""Orders that are told one by one; a flood of them is told as one more event."""

OTHERS = "others"


def orders_in_logs(facts: Facts, kind: str, words: str) -> Iterator[Finding]:
    """Yield a finding for each order of that kind of mark; `words` say what is wrong with it."""
    book = facts.logs
    if book is None:
        return
    oldest = facts.taken_at - LOOK_BACK
    news = sorted(
        (one for one in repeated(book, kind) if book.is_news(one.last, oldest)),
        key=lambda one: (one.at, one.key),
    )
    first, others = news[:MOST_ORDERS], news[MOST_ORDERS:]
    for one in first:
        yield _finding(
            one.key,
            one.at,
            words,
            "an order that it does not name" if one.key == UNNAMED else f"order {one.key}",
        )
    if others:
        yield _finding(OTHERS, others[-1].at, words, counted(len(others), "further order"))


def _finding(subject: str, at: datetime, words: str, order: str) -> Finding:
    return Finding(
        CRITICAL,
        f"The log said at {text_of(at)} that {words} {order}.",
        subject=subject,
        at=at,
        kind=OCCURRENCE,
        facts=("logs",),
    )
