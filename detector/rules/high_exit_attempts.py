"""Exit safety: no exit is attempted again and again."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import (
    CRITICAL,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    lasts,
    reaches,
    rule,
)
from detector.formats.numbers import format_count
from detector.settings import ESCALATE_AFTER_SEC, HIGH_EXIT_ATTEMPT_CRITICAL, HIGH_EXIT_ATTEMPT_WARN


@rule(
    STATE,
    "warning / critical",
    any_of=["open_positions", "max_exit_attempt_count"],
    limits=[reaches(HIGH_EXIT_ATTEMPT_WARN), reaches(HIGH_EXIT_ATTEMPT_CRITICAL)],
    escalates=lasts(ESCALATE_AFTER_SEC, at=CRITICAL),
    signal="exit_safety",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """An open position's exit was tried many times, whatever the pending and stuck counters say."""
    max_listed = 0
    for position in facts.open_positions or ():
        attempts = position.exit_attempt_count
        if attempts is None:
            yield Undecided(f"the exit attempts of {position.identity} were not seen", [position.identity])
            continue
        max_listed = max(max_listed, attempts)
        yield from _judge_attempts(attempts, position.identity, "open_positions", limits)
    highest = facts.max_exit_attempt_count
    if highest is not None and highest > max_listed:
        yield from _judge_attempts(highest, None, "max_exit_attempt_count", limits)


def _judge_attempts(attempts: int, subject: str | None, fact: str, limits: Limits) -> RuleResults:
    label = subject or "a position that is not listed"
    for setting, severity in ((HIGH_EXIT_ATTEMPT_CRITICAL, CRITICAL), (HIGH_EXIT_ATTEMPT_WARN, WARNING)):
        if limits.is_broken(setting, attempts):
            yield Finding(
                severity,
                f"The exit of {label} was tried {format_count(attempts, 'time')}"
                f" ({severity} at {limits[setting]}).",
                subject=subject,
                observed=attempts,
                limit=setting,
                facts=(fact,),
            )
            return
