"""Broker link: TWS holds its link to IBKR's servers, as its log says."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, WARNING, Finding, Limits, RuleResults, lasts, rule
from detector.formats.times import seconds_between, span, text_of
from detector.logs.events import MAX_NEWS_AGE, LogIncident
from detector.logs.outages import find_link_outages
from detector.market.grace import is_within_maintenance
from detector.market.hours import count_open_seconds
from detector.settings import IBKR_REGION

_OPEN = lasts(900)  # EVENTS: open for 900 s in the regular session


@rule(
    OCCURRENCE,
    "critical while open; warning once recovered",
    sees=["logs"],
    limits=[IBKR_REGION],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    escalates=_OPEN,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """TWS said that its link to IBKR's servers was lost (1100, 1300, 2110), or that it is back (1101, 1102)."""
    book = known(facts.logs)
    heard = (one for one in reversed(find_link_outages(book)) if not _is_quiet(one, facts, limits))
    newest, before = next(heard, None), next(heard, None)
    if newest is None:
        return
    again = before is not None and newest.at - before.at <= MAX_NEWS_AGE
    often = ", the second time within an hour" if again else ""
    if newest.until is None:
        yield Finding(
            CRITICAL,
            f"The link to IBKR's servers is lost since {text_of(newest.since)}, for "
            f"{span(facts.age_of(newest.since))} ({newest.note}){often}.",
            at=newest.at,
            ongoing=True,
            proven_sec=_open_in_session(newest, facts),
            escalates=NOW if again else _OPEN,
        )
    elif book.is_news(newest.until, facts.taken_at - MAX_NEWS_AGE):
        yield Finding(
            WARNING,
            f"{_recovered(newest)}{often}.",
            at=newest.at,
            proven_sec=0,
            escalates=NOW if again else _OPEN,
        )


def _is_quiet(one: LogIncident, facts: Facts, limits: Limits) -> bool:
    return is_within_maintenance(one.since, one.until or facts.taken_at, limits[IBKR_REGION], facts.closures)


def _open_in_session(one: LogIncident, facts: Facts) -> float:
    """Return for how long of the regular session it is open; where the calendar cannot say, its whole age."""
    held = count_open_seconds(one.since, facts.taken_at, facts.closures)
    return facts.age_of(one.since) if held is None else held


def _recovered(one: LogIncident) -> str:
    until = one.until or one.last
    if one.alone:
        said = (
            f"The link to IBKR's servers is back since {text_of(until)} ({one.note}), its loss was not seen"
        )
    else:
        lasted = span(seconds_between(one.since, until))
        said = f"The link to IBKR's servers was lost for {lasted} from {text_of(one.since)} ({one.note}) and is back"
    if one.farms:
        said += f", without {', '.join(one.farms)}: market data of these must be asked for again"
    elif one.data_lost:
        said += " with its data lost: market data must be asked for again"
    return said
