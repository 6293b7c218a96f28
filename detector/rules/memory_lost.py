"""The monitor: its own memory of the previous run."""

from __future__ import annotations

from detector.model.facts import Facts
from detector.model.rule import OCCURRENCE, WARNING, Finding, Limits, Verdicts, rule


@rule(OCCURRENCE, "warning", monitor=True)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """A previous artifact was expected and could not be used, so that everything active is told again."""
    if facts.before.lost:
        yield Finding(
            WARNING,
            f"The memory was lost, and everything active is told again: {facts.before.lost}.",
            at=facts.taken_at,
        )
