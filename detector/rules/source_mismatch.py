"""The monitor: every section is about the runtime that is watched."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import (
    CRITICAL,
    NOW,
    SECTION_CAUSE,
    STATE,
    Finding,
    Healthy,
    Limits,
    RuleResults,
    rule,
)


@rule(STATE, "critical", money=True, monitor=True, of_section=True, explicit_good=True, escalates=NOW)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A section names another runtime, account, cluster, service, region or AWS account than configured."""
    for section, difference in facts.mismatched.items():
        yield Finding(
            CRITICAL,
            f"Section {section} is about something else and is ignored: it names {difference}.",
            subject=section,
            source=section,
            cause=f"{SECTION_CAUSE}{section}",
        )
    yield Healthy(
        lambda section: section in facts.sections and section not in {*facts.mismatched, *facts.unproven}
    )
