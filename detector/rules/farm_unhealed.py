"""Market data: a data farm that broke is well again soon, and so are the streams that it carried."""

from __future__ import annotations

from datetime import datetime, timedelta

from detector.domain.facts import Facts, known
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Healthy, Limits, RuleResults, rule
from detector.formats.times import seconds_between, span, text_of
from detector.logs.events import MAX_NEWS_AGE, LogIncident
from detector.logs.outages import find_dead_streams, find_farm_outages
from detector.market.grace import compute_alert_time
from detector.settings import IBKR_REGION

_MOST_FARMS = 40  # IBKR has fewer
_HEALS_WITHIN = timedelta(seconds=300)  # EVENTS; Lean restarts its gateway after the same five minutes


@rule(
    OCCURRENCE,
    "warning",
    sees=["logs"],
    limits=[IBKR_REGION],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    explicit_good=True,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A data farm broke and did not heal within 300 s, or a live stream died and does not resume."""
    book = known(facts.logs)
    episodes, streams = find_farm_outages(book), find_dead_streams(book)
    farms: dict[str, list[LogIncident]] = {}
    for one in (*episodes, *streams):
        if _is_told(one, compute_alert_time(one.since, limits[IBKR_REGION], facts.closures), facts):
            farms.setdefault(one.key, []).append(one)
    for found in list(farms.values())[-_MOST_FARMS:]:
        yield _finding(max(found, key=lambda one: (one.is_open, one.is_stream, one.at)), found, facts)
    ill = {one.key for one in (*episodes, *streams) if one.until is None}
    well = {one.key for one in episodes} - ill
    yield Healthy(lambda farm: farm in well)


def _is_told(one: LogIncident, loud: datetime, facts: Facts) -> bool:
    """Whether it outlived its quiet window and 300 s, and is news or goes on."""
    book, until = known(facts.logs), one.until or facts.taken_at
    if until < loud or (not one.is_stream and until - one.since <= _HEALS_WITHIN):
        return False
    return one.is_open or book.is_news(max(one.until or one.last, loud), facts.taken_at - MAX_NEWS_AGE)


def _finding(one: LogIncident, found: list[LogIncident], facts: Facts) -> Finding:
    lasted = seconds_between(one.since, one.until or facts.taken_at)
    return Finding(
        WARNING,
        _summary(one, lasted),
        subject=one.key,
        observed=None if one.is_stream else lasted,
        at=max(other.at for other in found),
        ongoing=one.is_open,
        over=one.until is not None,
    )


def _summary(one: LogIncident, lasted: float) -> str:
    if one.is_stream:
        return (
            f"Live data of {one.key} died at {text_of(one.since)} and does not resume by itself ({one.note}), "
            f"so it must be asked for again."
        )
    state = "was" if one.until else "is"
    return (
        f"Data farm {one.key} {state} broken since {text_of(one.since)}, for {span(lasted)} ({one.note}, "
        f"limit {_HEALS_WITHIN.total_seconds():.0f} s)."
    )
