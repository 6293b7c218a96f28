"""Standby guard: the standby host's own runtime stays exited."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.domain.task_rows import Container, is_at_rest, remove_recreate_ids
from detector.settings import STANDBY_PATTERN


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
    running: dict[str, Container] = {}
    for container in standby:
        # Each failed recreate puts another id before the name: the subject is the name without them.
        subject = remove_recreate_ids(container.name)
        if container.state is None:
            yield Undecided(f"the state of {container.name} was not seen", [subject])
        elif not is_at_rest(container.state):
            running.setdefault(subject, container)
    for subject, container in running.items():
        yield Finding(
            CRITICAL,
            f"Standby container {container.name} is {container.state}, not exited.",
            subject=subject,
        )
