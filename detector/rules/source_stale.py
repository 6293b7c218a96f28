"""The monitor: no section is too old to be used."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import (
    AS_DECLARED,
    SECTION_CAUSE,
    STATE,
    WARNING,
    Finding,
    Healthy,
    Limits,
    RuleResults,
    exceeds,
    lasts,
    rule,
)
from detector.domain.snapshot import STALE_SEC
from detector.formats.times import format_above, format_over
from detector.settings import SOURCE_STALE_SEC


@rule(
    STATE,
    "warning; critical at the second observation when heartbeat or positions are seen nowhere else",
    limits=[exceeds(SOURCE_STALE_SEC)],
    monitor=True,
    of_section=True,
    explicit_good=True,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A section is older than it may be, even when what it says looks fresh; its facts are not seen."""
    for name, age in facts.stale.items():
        limit = STALE_SEC.get(name, limits[SOURCE_STALE_SEC])
        text = format_above(age, limit)
        is_unchanged = name in facts.unchanged
        what = f"names no time and has not changed for {text}" if is_unchanged else f"is {text} old"
        yield Finding(
            WARNING,
            f"Section {name} is ignored: it {what} ({format_over(limit)}).",
            subject=name,
            observed=age,
            limit=None if name in STALE_SEC else SOURCE_STALE_SEC,
            source=name,
            cause=f"{SECTION_CAUSE}{name}",
            critical_after=lasts(observations=2) if facts.is_blind_without(name) else AS_DECLARED,
        )
    yield Healthy(lambda name: name in facts.sections and name not in facts.stale)
