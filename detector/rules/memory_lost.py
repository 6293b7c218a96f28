"""The monitor: the memory of the previous run is available."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import OCCURRENCE, WARNING, Finding, Limits, RuleResults, rule
from detector.formats.times import format_utc
from detector.settings import GAP_SEC


@rule(OCCURRENCE, "warning", limits=[GAP_SEC], monitor=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A previous artifact was expected and could not be used, so that everything active is reported again."""
    before = facts.before
    if before.lost:
        has_older = before.taken_at is not None
        summary = (
            "The newest record of sent alerts was lost and an older one is used instead,"
            " so that alerts which only the lost one knew may never be sent"
            if has_older
            else "The record of sent alerts was lost, so all active alerts are sent again"
        )
        yield Finding(WARNING, f"{summary}: {before.lost}.", at=facts.taken_at)
    elif before.looked_at and before.taken_at and facts.age_of(before.taken_at) > limits[GAP_SEC]:
        yield Finding(
            WARNING,
            f"Runs looked until {format_utc(before.looked_at)}, but the newest record of sent alerts is of"
            f" {format_utc(before.taken_at)}: theirs was not stored, so that some alerts may come twice.",
            at=before.looked_at,
        )
