"""The monitor: times in the data are not in the future."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import STATE, WARNING, Finding, Healthy, Limits, RuleResults, exceeds, rule
from detector.formats.times import format_above, format_over
from detector.settings import CLOCK_SKEW_SEC


@rule(STATE, "warning", limits=[exceeds(CLOCK_SKEW_SEC)], monitor=True, of_section=True, explicit_good=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A time in the data lies too far in the future; it is not seen, never fresh."""
    limit, furthest = limits[CLOCK_SKEW_SEC], dict[str, float]()
    for path, ahead in facts.skewed:
        furthest[path] = max(ahead, furthest.get(path, 0.0))
    for path, ahead in furthest.items():
        yield Finding(
            WARNING,
            f"{path} is ignored: it lies {format_above(ahead, limit)} in the future ({format_over(limit)}).",
            subject=path,
            observed=ahead,
            limit=CLOCK_SKEW_SEC,
            source=path.partition(".")[0],
        )
    yield Healthy(facts.provenance.has_read)
