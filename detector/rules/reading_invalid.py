"""The monitor: every value of a source is readable."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import STATE, WARNING, Finding, Healthy, Limits, RuleResults, rule


@rule(STATE, "warning", monitor=True, explicit_good=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A fact was there and could not be read; it is not seen."""
    for fault in facts.invalid:
        yield Finding(
            WARNING,
            f"{fault.path} {fault.problem}, so it is not seen.",
            subject=fault.path,
            source=fault.path.partition(".")[0],
        )
    yield Healthy(facts.provenance.has_read)
