"""Standby guard: the standby host's own runtime stays exited."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.settings import STANDBY_PATTERN

_AT_REST = ("exited", "created", "stopped", "dead")  # `stopped` is Podman's


@rule(
    STATE,
    "critical",
    sees=["containers"],
    limits=[STANDBY_PATTERN],
    money=True,
    escalates=NOW,
    signal="standby_guard",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A standby container is not at rest, so that two primaries may trade."""
    pattern = limits[STANDBY_PATTERN]
    standby = [container for container in known(facts.containers) if container.is_named_like(pattern)]
    if not standby:
        yield Undecided(f"no container is named like {pattern}")
    for container in standby:
        if container.state is None:
            yield Undecided(f"the state of {container.name} was not seen", [container.name])
        elif container.state not in _AT_REST:
            yield Finding(
                CRITICAL,
                f"Standby container {container.name} is {container.state}, not exited.",
                subject=container.name,
            )
