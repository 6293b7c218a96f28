"""Market data: a data farm that broke is well again soon, and so are the streams that it carried."""

from __future__ import annotations

from datetime import datetime, timedelta

from detector.domain.facts import Facts, known
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Healthy, Limits, RuleResults, rule
from detector.formats.times import seconds_between, span, text_of
from detector.logs.events import LOOK_BACK, Spell
from detector.logs.outages import dead_streams, farm_episodes
from detector.market.grace import loud_from
from detector.settings import IBKR_REGION

_MOST_FARMS = 40  # IBKR has fewer
_HEALS_WITHIN = timedelta(seconds=300)  # EVENTS; Lean restarts its gateway after the same five minutes


@rule(
    OCCURRENCE,
    "warning",
    sees=["logs"],
    limits=[IBKR_REGION],
    reads_back=LOOK_BACK.total_seconds(),
    explicit_good=True,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A data farm broke and did not heal within 300 s, or a live stream died and does not resume."""
    book = known(facts.logs)
    episodes, streams = farm_episodes(book), dead_streams(book)
    farms: dict[str, list[Spell]] = {}
    for one in (*episodes, *streams):
        if _is_told(one, loud_from(one.since, limits[IBKR_REGION], facts.closures), facts):
            farms.setdefault(one.key, []).append(one)
    for found in list(farms.values())[-_MOST_FARMS:]:
        yield _finding(max(found, key=lambda one: (one.is_open, one.is_stream, one.at)), found, facts)
    ill = {one.key for one in (*episodes, *streams) if one.until is None}
    well = {one.key for one in episodes} - ill
    yield Healthy(lambda farm: farm in well)


def _is_told(one: Spell, loud: datetime, facts: Facts) -> bool:
    """Whether it outlived its quiet window and 300 s, and is news or goes on."""
    book, until = known(facts.logs), one.until or facts.taken_at
    if until < loud or (not one.is_stream and until - one.since <= _HEALS_WITHIN):
        return False
    return one.is_open or book.is_news(max(one.until or one.last, loud), facts.taken_at - LOOK_BACK)


def _finding(one: Spell, found: list[Spell], facts: Facts) -> Finding:
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


def _summary(one: Spell, lasted: float) -> str:
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
