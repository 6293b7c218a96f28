"""Standby guard: the standby host's own runtime stays exited."""

from __future__ import annotations

from fnmatch import fnmatchcase

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, STATE, Undecided, Finding, Limits, RuleResults, rule
from detector.settings import STANDBY_PATTERN

_AT_REST = ("exited", "created", "dead")


@rule(
    STATE,
    "critical",
    sees=["containers"],
    limits=[STANDBY_PATTERN],
    money=True,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A standby container is not at rest, so that two primaries may trade."""
    standby = [one for one in known(facts.containers) if fnmatchcase(one.name, limits[STANDBY_PATTERN])]
    if not standby:
        yield Undecided(f"no container is named like {limits[STANDBY_PATTERN]}")
    for one in standby:
        if one.state is None:
            yield Undecided(f"the state of {one.name} was not seen", [one.name])
        elif one.state not in _AT_REST:
            yield Finding(
                CRITICAL, f"Standby container {one.name} is {one.state}, not exited.", subject=one.name
            )
