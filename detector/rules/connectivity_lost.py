"""Broker link: TWS keeps its link to IBKR's servers, by its log."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, WARNING, Finding, Limits, RuleResults, lasts, rule
from detector.formats.times import compute_seconds, format_duration, format_utc
from detector.logs.events import MAX_NEWS_AGE, LogIncident
from detector.logs.outages import find_link_outages
from detector.market.hours import count_open_seconds
from detector.market.maintenance import is_within_maintenance
from detector.settings import IBKR_REGION

_OPEN = lasts(900)  # EVENTS: open for 900 s in the regular session


@rule(
    OCCURRENCE,
    "critical while open; warning once recovered",
    sees=["logs"],
    limits=[IBKR_REGION],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    escalates=_OPEN,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """TWS lost its link to IBKR's servers (1100, 1300, 2110), or has it back (1101, 1102)."""
    history = known(facts.logs)
    outages = (
        outage
        for outage in reversed(find_link_outages(history))
        if not _is_within_maintenance(outage, facts, limits)
    )
    newest, previous = next(outages, None), next(outages, None)
    if newest is None:
        return
    is_repeated = previous is not None and newest.at - previous.at <= MAX_NEWS_AGE
    repeat_note = ", the second time within an hour" if is_repeated else ""
    if newest.until is None:
        yield Finding(
            CRITICAL,
            f"The link to IBKR's servers has been lost since {format_utc(newest.since)}, for "
            f"{format_duration(facts.age_of(newest.since))} ({newest.note}){repeat_note}.",
            at=newest.at,
            ongoing=True,
            proven_sec=_measure_open_session_sec(newest, facts),
            escalates=NOW if is_repeated else _OPEN,
        )
    elif history.is_news(newest.until, facts.taken_at - MAX_NEWS_AGE):
        yield Finding(
            WARNING,
            f"{_describe_recovery(newest)}{repeat_note}.",
            at=newest.at,
            proven_sec=0,
            escalates=NOW if is_repeated else _OPEN,
        )


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
        )
    if outage.farms:
        summary += f", without {', '.join(outage.farms)}: market data of these must be asked for again"
    elif outage.data_lost:
        summary += " with its data lost: market data must be asked for again"
    return summary
