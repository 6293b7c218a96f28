"""The monitor: every required fact is present."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, STATE, WARNING, Finding, Healthy, Limits, RuleResults, rule
from detector.domain.snapshot import STATUS_SECTIONS
from detector.formats.numbers import format_list
from detector.settings import REQUIRED


@rule(STATE, "warning; critical for the heartbeat in the regular session", monitor=True, explicit_good=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A fact named in AEGIS_PT_REQUIRED was not seen."""
    collected = [name for name in STATUS_SECTIONS if facts.is_collected(name)]
    for name in limits[REQUIRED]:
        if getattr(facts, name) is None and (collected or not limits.is_default(REQUIRED)):
            is_urgent = name == "heartbeat_at" and facts.market.is_open
            source_note = f", though {format_list(collected)} answered" if collected else ""
            yield Finding(
                CRITICAL if is_urgent else WARNING,
                f"The required fact {name} was not seen{source_note}.",
                subject=name,
            )
    yield Healthy(lambda name: name is not None and getattr(facts, name, None) is not None)
