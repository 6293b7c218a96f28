"""The monitor: rules and readers that broke."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, STATE, Finding, Good, Limits, Verdicts, rule


@rule(STATE, "critical", monitor=True, proves=True)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """A rule or a reader of the detector itself raised; all others still ran."""
    for name, error in facts.errors:
        yield Finding(
            CRITICAL,
            f"The detector's own {name} failed with {error}; what it judges was not judged.",
            subject=name,
        )
    broken = {name for name, _ in facts.errors}
    yield Good(lambda name: name in facts.ran and name not in broken)
