"""Market data: no competing session takes the data away."""

from __future__ import annotations

from collections.abc import Mapping

from detector.domain.facts import Facts, known
from detector.domain.rule import RTH, STATE, WARNING, Finding, Limits, RuleResults, Undecided, reaches, rule
from detector.formats.numbers import format_count, format_list
from detector.settings import MARKET_DATA_10197_WARN

_IN_LOGS = ("session_conflict", "connectivity_lost")
_HARM = ("heartbeat_stale", *_IN_LOGS, "pending_orders_high", "reconcile_pending")
_CONFLICT_SEC = 600  # EVENTS: a session conflict within 600 s


@rule(
    STATE,
    "warning",
    sees=["market_data_10197_recent"],
    during=RTH,
    limits=[reaches(MARKET_DATA_10197_WARN)],
    given=_HARM,
    signal="market_data",
)
def check(facts: Facts, limits: Limits, findings: Mapping[str, list[Finding]]) -> RuleResults:
    """Notices of a competing session are sustained, or come together with concrete harm."""
    count, limit = known(facts.market_data_10197_recent), limits[MARKET_DATA_10197_WARN]
    harm = [
        name for name in _HARM if any(_is_current_harm(name, finding, facts) for finding in findings[name])
    ]
    evidence = ("market_data_10197_recent", *(("logs",) if set(_IN_LOGS) & set(harm) else ()))
    if facts.market.past_grace and limits.is_broken(MARKET_DATA_10197_WARN, count):
        harm_note = f", together with {format_list(harm)}" if harm else ""
        yield Finding(
            WARNING,
            f"{_describe_notices(count)}{harm_note} (warning at {limit}).",
            observed=count,
            limit=MARKET_DATA_10197_WARN,
        )
    elif count > 0 and harm:
        yield Finding(
            WARNING,
            f"{_describe_notices(count)}, together with {format_list(harm)}.",
            observed=count,
            facts=evidence,
        )
    elif limits.is_broken(MARKET_DATA_10197_WARN, count):
        yield Undecided("within the open grace the number of 10197 notices says nothing")


def _describe_notices(count: int) -> str:
    return f"Another session has the market data: error 10197 came {format_count(count, 'time')} lately"


def _is_current_harm(name: str, finding: Finding, facts: Facts) -> bool:
    """Whether a finding is harm at present: a recent conflict, a link that is still lost."""
    if name == "session_conflict":
        return finding.at is not None and facts.age_of(finding.at) <= _CONFLICT_SEC
    return name != "connectivity_lost" or finding.ongoing
