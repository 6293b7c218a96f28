"""The monitor: sections whose content is too old to be believed."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import (
    DECLARED,
    STATE,
    WARNING,
    Finding,
    Good,
    Limits,
    Verdicts,
    exceeds,
    lasts,
    rule,
)
from detector.settings import SOURCE_STALE_SEC


@rule(
    STATE,
    "warning; critical at the second observation when heartbeat or positions are seen nowhere else",
    limits=[exceeds(SOURCE_STALE_SEC)],
    monitor=True,
    proves=True,
)
def check(facts: Facts, limits: Limits) -> Verdicts:
    """A section is older than it may be, even when what it says looks fresh; its facts are not seen."""
    for name, age in facts.stale.items():
        yield Finding(
            WARNING,
            f"Section {name} is {age:.0f} s old and is not believed (limit {limits[SOURCE_STALE_SEC]} s).",
            subject=name,
            observed=age,
            limit=SOURCE_STALE_SEC,
            source=name,
            proven_sec=None,
            worsens=lasts(observations=2) if facts.blind_without(name) else DECLARED,
        )
    yield Good(lambda name: name in facts.sections and name not in facts.stale)
