"""The monitor: no rule and no reader fails."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, STATE, Finding, Healthy, Limits, RuleResults, rule


@rule(STATE, "critical", monitor=True, explicit_good=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A rule or a reader of the detector itself raised; all others still ran."""
    for name, error in facts.errors:
        title = name if name.startswith("reader of ") else f"rule {name}"
        yield Finding(
            CRITICAL,
            f"The detector's own {title} failed ({error}): what it watches was not judged.",
            subject=name,
        )
    broken = {name for name, _ in facts.errors}
    yield Healthy(lambda name: name in facts.ran and name not in broken)
