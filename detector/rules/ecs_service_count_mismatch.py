"""Runtime: the ECS service runs exactly its one primary."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    CRITICAL,
    STATE,
    WARNING,
    Undecided,
    Finding,
    Limits,
    Severity,
    RuleResults,
    lasts,
    rule,
)
from detector.domain.runtime_rows import Service
from detector.settings import DEPLOY_GRACE_SEC, ESCALATE_AFTER_SEC, EXPECTED_TASKS


@rule(
    STATE,
    "critical; warning while a replacement is under way",
    sees=["service"],
    limits=[EXPECTED_TASKS, DEPLOY_GRACE_SEC],
    escalates=lasts(ESCALATE_AFTER_SEC),
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
    elif _mismatch(service, expected):
        yield Finding(
            _severity(facts, service, limits),
            f"Service {service.name} runs {_number(service.running)} of {expected} tasks "
            f"(desired {_number(service.desired)}, pending {_number(service.pending)}).",
            observed=service.running,
            limit=EXPECTED_TASKS,
            cause="no runtime task" if service.running == 0 else None,
        )
    elif None in (service.status, service.desired, service.running, service.pending):
        yield Undecided("a count or the status of the service was not seen")


def _mismatch(service: Service, expected: int) -> bool:
    counts = ((service.desired, expected), (service.running, expected), (service.pending, 0))
    return any(seen is not None and seen != wanted for seen, wanted in counts)


def _severity(facts: Facts, service: Service, limits: Limits) -> Severity:
    expected = limits[EXPECTED_TASKS]
    if service.desired == expected and service.running == expected:
        return WARNING
    began = service.replacing_since
    replacing = began is not None and facts.age_of(began) < limits[DEPLOY_GRACE_SEC]
    in_order = service.desired == expected and service.running is not None and service.running < expected
    return WARNING if replacing and in_order else CRITICAL


def _number(count: int | None) -> str:
    return "?" if count is None else str(count)
