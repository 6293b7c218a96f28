"""Market data: the runtime's own status of its data is ok."""

from __future__ import annotations

from detector.domain.facts import EXPOSURE_FACTS, Facts, is_ok, known
from detector.domain.rule import NEVER, PAST_GRACE, STATE, WARNING, Finding, Limits, RuleResults, lasts, rule
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import format_exactly
from detector.settings import MARKET_DATA_DEGRADED_SEC

_BLIND_WITH_POSITIONS = lasts(3600)


@rule(
    STATE,
    "warning, listed once it lasted; critical with positions open, once it lasted 1 h",
    sees=["market_data_status"],
    severity_inputs=EXPOSURE_FACTS,
    during=PAST_GRACE,
    limits=[MARKET_DATA_DEGRADED_SEC],
    listed_after=lasts(MARKET_DATA_DEGRADED_SEC),
    signal="market_data",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The runtime's own market-data status stays other than ok."""
    status = known(facts.market_data_status)
    if not is_ok(status):
        yield Finding(
            WARNING,
            f"Market data has been called {redact_excerpt(status) or 'nothing'} for"
            f" {format_exactly(limits[MARKET_DATA_DEGRADED_SEC])} or more.",
            critical_after=_BLIND_WITH_POSITIONS if facts.exposure else NEVER,
        )
