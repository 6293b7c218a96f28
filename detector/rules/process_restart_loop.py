"""Local runtime: processes are not started again and again."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.formats.times import format_duration
from detector.settings import RESTART_CRITICAL, RESTART_WINDOW_SEC


@rule(
    OCCURRENCE,
    "critical",
    sees=["processes"],
    limits=[reaches(RESTART_CRITICAL), RESTART_WINDOW_SEC],
    lookback=RESTART_WINDOW_SEC,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A process started too often within the window."""
    for process in known(facts.processes):
        starts = process.starts_recent
        if starts is not None and process.name and limits.is_broken(RESTART_CRITICAL, starts):
            yield Finding(
                CRITICAL,
                f"Process {process.name} started {starts} times within"
                f" {format_duration(limits[RESTART_WINDOW_SEC])} (critical at {limits[RESTART_CRITICAL]}).",
                subject=process.name,
                observed=starts,
                limit=RESTART_CRITICAL,
                at=process.started_at or facts.taken_at,
            )
