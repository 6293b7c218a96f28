"""Orders of which a log line says that something is wrong: an occurrence inside a rule about a state."""

from __future__ import annotations

from collections.abc import Iterator

from detector.model.bursts import repeated
from detector.model.facts import Facts
from detector.model.loglines import LOOK_BACK, UNNAMED
from detector.model.rule import CRITICAL, OCCURRENCE, Finding
from detector.model.times import text_of


def orders_in_logs(facts: Facts, kind: str, words: str) -> Iterator[Finding]:
    """Yield a finding for each order of that kind of mark; `words` say what is wrong with it."""
    book = facts.logs
    if book is None:
        return
    for one in repeated(book, kind):
        if book.is_news(one.last, facts.taken_at - LOOK_BACK):
            named = "an order that it does not name" if one.key == UNNAMED else f"order {one.key}"
            yield Finding(
                CRITICAL,
                f"The log said at {text_of(one.at)} that {words} {named}.",
                subject=one.key,
                at=one.at,
                kind=OCCURRENCE,
                facts=("logs",),
            )
