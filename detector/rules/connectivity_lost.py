"""Broker link: TWS keeps its link to IBKR's servers, by its log."""

from __future__ import annotations

from collections.abc import Sequence

from detector.domain.facts import Facts, known
from detector.domain.log_incidents import list_link_outages
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, WARNING, Finding, Limits, RuleResults, lasts, rule
from detector.formats.times import compute_seconds, format_duration, format_utc
from detector.logs.events import MAX_NEWS_AGE, LogIncident
from detector.market.hours import count_open_seconds
from detector.market.maintenance import is_within_maintenance
from detector.settings import IBKR_REGION, OBSERVATION_SEC, SOURCE_STALE_SEC

# EVENTS: open for 900 s in the regular session; within an hour two of 60 s and more, or three of any length
_OPEN, _LONG_SEC, _MOST_LONG, _MOST = lasts(900), 60, 2, 3


@rule(
    OCCURRENCE,
    "critical while open; warning once recovered",
    sees=["logs"],
    severity_inputs=["broker_connected"],
    limits=[IBKR_REGION, SOURCE_STALE_SEC, OBSERVATION_SEC],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    escalates=_OPEN,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """TWS lost its link to IBKR's servers (1100, 1300, 2110), or has it back (1101, 1102)."""
    history = known(facts.logs)
    outages = [
        outage
        for outage in list_link_outages(facts, limits)
        if not _is_within_maintenance(outage, facts, limits)
    ]
    if not outages:
        return
    newest = outages[-1]
    recent = [outage for outage in outages if newest.at - outage.at <= MAX_NEWS_AGE]
    count = "the second time" if len(recent) == _MOST_LONG else f"{len(recent)} times"
    repeat_note = f", {count} within an hour" if len(recent) > 1 else ""
    escalates = NOW if _is_flapping(recent, facts) else _OPEN
    if newest.until is None:
        hole_note = (
            f"; the log has a hole up to {format_utc(history.since)}, so that its end may not have been seen"
            if history.since > newest.last
            else ""
        )
        yield Finding(
            CRITICAL,
            f"The link to IBKR's servers has been lost since {format_utc(newest.since)}, for "
            f"{format_duration(facts.age_of(newest.since))} ({newest.note}){repeat_note}{hole_note}.",
            at=newest.at,
            ongoing=True,
            proven_sec=_measure_open_session_sec(newest, facts),
            escalates=escalates,
        )
    elif history.is_news(newest.until, facts.taken_at - MAX_NEWS_AGE):
        yield Finding(
            WARNING,
            f"{_describe_recovery(newest)}{repeat_note}.",
            at=newest.at,
            proven_sec=0,
            escalates=escalates,
        )


def _is_flapping(outages: Sequence[LogIncident], facts: Facts) -> bool:
    """Whether the link was lost again and again; of a loss that was not seen nobody knows how long it was."""
    long_ones = [
        outage
        for outage in outages
        if outage.alone or compute_seconds(outage.since, outage.until or facts.taken_at) >= _LONG_SEC
    ]
    return len(long_ones) >= _MOST_LONG or len(outages) >= _MOST


def _is_within_maintenance(outage: LogIncident, facts: Facts, limits: Limits) -> bool:
    return is_within_maintenance(
        outage.since, outage.until or facts.taken_at, limits[IBKR_REGION], facts.closures
    )


def _measure_open_session_sec(outage: LogIncident, facts: Facts) -> float:
    """Return the seconds of the regular session since it began; all seconds where the calendar is unknown."""
    open_sec = count_open_seconds(outage.since, facts.taken_at, facts.closures)
    return facts.age_of(outage.since) if open_sec is None else open_sec


def _describe_recovery(outage: LogIncident) -> str:
    until = outage.until or outage.last
    if outage.alone:
        summary = (
            f"The link to IBKR's servers has been back since {format_utc(until)} ({outage.note}),"
            " its loss was not seen"
        )
    else:
        lasted = format_duration(compute_seconds(outage.since, until))
        summary = (
            f"The link to IBKR's servers was lost for {lasted} from {format_utc(outage.since)}"
            f" ({outage.note}) and is back"
            + (", as the runtime says: the log has no line on it" if outage.is_seen_linked else "")
        )
    if outage.farms:
        summary += f", without {', '.join(outage.farms)}: market data of these must be asked for again"
    elif outage.data_lost:
        summary += " with its data lost: market data must be asked for again"
    return summary
