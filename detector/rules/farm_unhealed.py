"""Market data: broken data farms recover soon, and their streams with them."""

from __future__ import annotations

from datetime import datetime, timedelta

from detector.domain.facts import Facts, known
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Healthy, Limits, RuleResults, rule
from detector.formats.times import compute_seconds, format_above, format_over, format_utc
from detector.logs.events import MAX_NEWS_AGE, LogIncident
from detector.logs.outages import find_dead_streams, find_farm_outages
from detector.market.maintenance import compute_alert_time
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
    signal="market_data",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A data farm broke and did not heal within 5 min, or a live stream died and does not resume."""
    history = known(facts.logs)
    farm_outages, stream_outages = find_farm_outages(history), find_dead_streams(history)
    farms: dict[str, list[LogIncident]] = {}
    for outage in (*farm_outages, *stream_outages):
        if _should_report(
            outage, compute_alert_time(outage.since, limits[IBKR_REGION], facts.closures), facts
        ):
            farms.setdefault(outage.key, []).append(outage)
    for outages in list(farms.values())[-_MOST_FARMS:]:
        yield _build_finding(
            max(outages, key=lambda outage: (outage.is_open, outage.is_stream, outage.at)), outages, facts
        )
    broken = {outage.key for outage in (*farm_outages, *stream_outages) if outage.until is None}
    healthy = {outage.key for outage in farm_outages} - broken
    yield Healthy(lambda farm: farm in healthy)


def _should_report(outage: LogIncident, alert_from: datetime, facts: Facts) -> bool:
    """Whether it outlasted its maintenance window and 300 s, and is open or recent."""
    history, until = known(facts.logs), outage.until or facts.taken_at
    if until < alert_from or (not outage.is_stream and until - outage.since <= _HEALS_WITHIN):
        return False
    return outage.is_open or history.is_news(
        max(outage.until or outage.last, alert_from), facts.taken_at - MAX_NEWS_AGE
    )


def _build_finding(reported: LogIncident, outages: list[LogIncident], facts: Facts) -> Finding:
    lasted = compute_seconds(reported.since, reported.until or facts.taken_at)
    return Finding(
        WARNING,
        _summarize_outage(reported, lasted),
        subject=reported.key,
        observed=None if reported.is_stream else lasted,
        at=max(outage.at for outage in outages),
        ongoing=reported.is_open,
        over=reported.until is not None,
    )


def _summarize_outage(outage: LogIncident, lasted: float) -> str:
    if outage.is_stream:
        return (
            f"Live data of {outage.key} died at {format_utc(outage.since)} and does not resume by"
            f" itself ({outage.note}), "
            f"so it must be asked for again."
        )
    state = "was broken from" if outage.until else "has been broken since"
    return (
        f"Data farm {outage.key} {state} {format_utc(outage.since)},"
        f" for {format_above(lasted, _HEALS_WITHIN.total_seconds())} ({outage.note}, "
        f"{format_over(_HEALS_WITHIN.total_seconds())})."
    )
