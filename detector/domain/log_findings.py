"""Orders of which a log line says that something is wrong: an occurrence inside a rule about a state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, OCCURRENCE, Finding
from detector.formats.plural import format_count
from detector.formats.times import format_time
from detector.logs.bursts import find_repeated
from detector.logs.events import MAX_NEWS_AGE, UNNAMED

MOST_ORDERS = 20
"""Orders that are told one by one; a flood of them is told as one more event."""

OTHERS = "others"


def find_orders_in_logs(facts: Facts, kind: str, problem: str) -> Iterator[Finding]:
    """Yield a finding for each order of that kind of mark; `words` say what is wrong with it."""
    history = facts.logs
    if history is None:
        return
    oldest = facts.taken_at - MAX_NEWS_AGE
    news = sorted(
        (incident for incident in find_repeated(history, kind) if history.is_news(incident.last, oldest)),
        key=lambda incident: (incident.at, incident.key),
    )
    first, rest = news[:MOST_ORDERS], news[MOST_ORDERS:]
    for incident in first:
        yield _build_finding(
            incident.key,
            incident.at,
            problem,
            "an order that it does not name" if incident.key == UNNAMED else f"order {incident.key}",
        )
    if rest:
        yield _build_finding(OTHERS, rest[-1].at, problem, format_count(len(rest), "further order"))


def _build_finding(subject: str, at: datetime, problem: str, order: str) -> Finding:
    return Finding(
        CRITICAL,
        f"The log said at {format_time(at)} that {problem} {order}.",
        subject=subject,
        at=at,
        kind=OCCURRENCE,
        facts=("logs",),
    )
