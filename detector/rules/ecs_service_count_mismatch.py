"""Runtime: the ECS service runs exactly one primary task."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    CRITICAL,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Severity,
    Undecided,
    lasts,
    rule,
)
from detector.domain.task_rows import Service
from detector.formats.numbers import format_count
from detector.settings import DEPLOY_GRACE_SEC, ESCALATE_AFTER_SEC, EXPECTED_TASKS


@rule(
    STATE,
    "critical; warning while a replacement is under way",
    sees=["service"],
    limits=[EXPECTED_TASKS, DEPLOY_GRACE_SEC],
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="runtime_primary",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The service's desired, running or pending count is not what it should be, or it is gone."""
    service, expected = known(facts.service), limits[EXPECTED_TASKS]
    if not service.exists:
        yield Finding(CRITICAL, f"Service {service.name} was not found by AWS ({service.why_missing}).")
    elif service.status not in (None, "ACTIVE"):
        yield Finding(
            CRITICAL, f"Service {service.name} is {service.status}, not ACTIVE.", observed=service.running
        )
    elif _has_mismatch(service, expected):
        yield Finding(
            _choose_severity(facts, service, limits),
            f"Service {service.name}: {_render_count(service.running)} running,"
            f" {_render_count(service.desired)} desired and {_render_count(service.pending)} pending"
            f" ({format_count(expected, 'running task')} expected).",
            observed=service.running,
            limit=EXPECTED_TASKS,
            cause="no runtime task" if service.running == 0 else None,
        )
    elif None in (service.status, service.desired, service.running, service.pending):
        yield Undecided("a count or the status of the service was not seen")


def _has_mismatch(service: Service, expected: int) -> bool:
    counts = ((service.desired, expected), (service.running, expected), (service.pending, 0))
    return any(actual is not None and actual != required for actual, required in counts)


def _choose_severity(facts: Facts, service: Service, limits: Limits) -> Severity:
    expected = limits[EXPECTED_TASKS]
    if service.desired == expected and service.running == expected:
        return WARNING
    started_at = service.replacing_since
    replacing = started_at is not None and facts.age_of(started_at) < limits[DEPLOY_GRACE_SEC]
    is_starting = service.desired == expected and service.running is not None and service.running < expected
    return WARNING if replacing and is_starting else CRITICAL


def _render_count(count: int | None) -> str:
    return "unknown" if count is None else str(count)
