"""Local runtime: processes, and the gateway, are not started again and again."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.formats.numbers import format_count
from detector.formats.times import format_duration
from detector.logs.bursts import find_gateway_starts
from detector.settings import RESTART_CRITICAL, RESTART_WINDOW_SEC

_GATEWAY = "gateway"


@rule(
    OCCURRENCE,
    "critical",
    any_of=["processes", "logs"],
    limits=[reaches(RESTART_CRITICAL), RESTART_WINDOW_SEC],
    lookback=RESTART_WINDOW_SEC,
    reads_back=RESTART_WINDOW_SEC,
    escalates=NOW,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A process, or the gateway as its log shows, started too often within the window."""
    window = format_duration(limits[RESTART_WINDOW_SEC])
    for process in facts.processes or ():
        starts = process.starts_recent
        if starts is not None and process.name and limits.is_broken(RESTART_CRITICAL, starts):
            yield Finding(
                CRITICAL,
                f"Process {process.name} started {format_count(starts, 'time')} within {window}"
                f" (critical at {limits[RESTART_CRITICAL]}).",
                subject=process.name,
                observed=starts,
                limit=RESTART_CRITICAL,
                at=process.started_at or facts.taken_at,
                facts=("processes",),
            )
    if not any(process.name == _GATEWAY for process in facts.processes or ()):
        yield from _judge_gateway(facts, limits, window)


def _judge_gateway(facts: Facts, limits: Limits, window: str) -> Iterator[Finding]:
    starts = find_gateway_starts(facts.logs) if facts.logs else []
    recent = [at for at in starts if facts.age_of(at) <= limits[RESTART_WINDOW_SEC]]
    if limits.is_broken(RESTART_CRITICAL, len(recent)):
        yield Finding(
            CRITICAL,
            f"The log shows that the gateway started {format_count(len(recent), 'time')} within {window}"
            f" (critical at {limits[RESTART_CRITICAL]}).",
            subject=_GATEWAY,
            observed=len(recent),
            limit=RESTART_CRITICAL,
            at=recent[-1],
            facts=("logs",),
        )
