"""Broker imports: no open position comes from a repair."""

from __future__ import annotations

from collections.abc import Mapping

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, STATE, WARNING, Finding, Limits, RuleResults, Undecided, rule
from detector.formats.numbers import format_list

_HARM = ("stuck_exits", "open_positions_drift", "send_outcome_unknown", "unknown_fill")


@rule(
    STATE,
    "warning; critical with stuck exits, drift, an unknown fill or an unknown send outcome",
    sees=["open_positions"],
    given=_HARM,
    signal="broker_imports",
)
def check(facts: Facts, limits: Limits, findings: Mapping[str, list[Finding]]) -> RuleResults:
    """An open position was imported from the broker after the fact."""
    harm = [name for name in _HARM if findings[name]]
    harm_note = f" while {format_list(harm)} hold{'s' if len(harm) == 1 else ''}" if harm else ""
    for position in known(facts.open_positions):
        if position.tags is None:
            yield Undecided(f"the tags of {position.identity} were not seen", [position.identity])
            continue
        tag = position.import_tag
        if tag is not None:
            yield Finding(
                CRITICAL if harm else WARNING,
                f"Open position {position.identity} was imported from the broker (tag {tag}){harm_note}.",
                subject=position.identity,
            )
