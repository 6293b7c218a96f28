"""Exit attribution: every closed trade has a realized P&L."""

from __future__ import annotations

from collections.abc import Mapping

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.formats.numbers import format_list

_HARM = ("stuck_exits", "open_positions_drift", "send_outcome_unknown", "unknown_fill")


@rule(
    OCCURRENCE,
    "warning; critical with stuck exits, drift, an unknown fill or an unknown send outcome",
    sees=["recent_trades"],
    given=_HARM,
    signal="exit_attribution",
)
def check(facts: Facts, limits: Limits, findings: Mapping[str, list[Finding]]) -> RuleResults:
    """A recent trade was closed without a known P&L."""
    harm = [name for name in _HARM if findings[name]]
    harm_note = f" while {format_list(harm)} hold{'s' if len(harm) == 1 else ''}" if harm else ""
    for trade in known(facts.recent_trades):
        if trade.pnl_unknown:
            yield Finding(
                CRITICAL if harm else WARNING,
                f"Trade {trade.title} was closed with its P&L unknown{harm_note}.",
                subject=trade.identity,
                at=trade.closed_at,
            )
