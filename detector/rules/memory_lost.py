"""The monitor: the memory of the previous run is available."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule


@rule(OCCURRENCE, "warning", monitor=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A previous artifact was expected and could not be used, so that everything active is told again."""
    if facts.before.lost:
        has_older = facts.before.taken_at is not None
        summary = (
            "The newest memory was lost and an older one takes its place,"
            " so that what only it owed may never be told"
            if has_older
            else "The memory was lost, and everything active is told again"
        )
        yield Finding(WARNING, f"{summary}: {facts.before.lost}.", at=facts.taken_at)
