"""The `ecs` section: AWS's own answers to DescribeServices and DescribeTasks.

Shapes: Amazon ECS API reference, Service, Task, Container and Failure. Times come as RFC 3339 (AWS CLI
v2) or epoch seconds (v1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from detector.domain.read_context import ReadContext
from detector.domain.runtime_rows import Service, Task, TaskContainer
from detector.domain.section_reading import Reading
from detector.settings import ECS_SERVICE

SECTIONS = ("ecs",)
_CANNOT_START = "unable to consistently start tasks"  # wording of the ECS service event


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the service, the cluster's tasks and the stopped ones; a missing list is not seen."""
    name = context.settings[ECS_SERVICE]
    for key, fact in (("tasks", "tasks"), ("stopped_tasks", "stopped_tasks")):
        found = reading.read_objects(f"ecs.{key}", raw.get(key), fact)
        if found is not None:
            reading.values[fact] = tuple(_task(item, f"ecs.{key}", reading, name, fact) for item in found)
    service = _service(raw, reading, name)
    if service is not None:
        reading.values["service"] = service


def _service(raw: Mapping[str, Any], reading: Reading, name: str) -> Service | None:
    services = reading.read_objects("ecs.services", raw.get("services"), "service")
    failures = reading.read_objects("ecs.failures", raw.get("failures"), "service") or []
    named = [(_name_of(item, reading), item) for item in services or []]
    for own, item in named:
        if own == name or (own is None and len(named) == 1):
            return _described(item, reading, name)
    for failure in failures:
        arn = str(failure.get("arn") or name)
        if arn.rpartition("/")[2] == name and ":task/" not in arn:
            why = reading.read_value("text", "ecs.failures.reason", failure.get("reason"))
            return Service(exists=False, name=name, why_missing=why or "MISSING")
    if services is None or "service" in reading.partial or any(own is None for own, _ in named):
        return None
    return Service(exists=False, name=name, why_missing="not in AWS's answer")


def _name_of(item: Mapping[str, Any], reading: Reading) -> str | None:
    """Return the service's name, out of its ARN where it stands nowhere else; None where nothing names it."""
    named = reading.read_value("text", "ecs.services.serviceName", item.get("serviceName"))
    arn = reading.read_value("text", "ecs.services.serviceArn", item.get("serviceArn"))
    return named or (arn or "").rpartition("/")[2] or None


def _described(item: Mapping[str, Any], reading: Reading, name: str) -> Service:
    path = "ecs.services"

    def value(kind: str, key: str) -> Any:
        return reading.read_value(kind, f"{path}.{key}", item.get(key))

    return Service(
        exists=True,
        name=name,
        status=value("text", "status"),
        desired=value("count", "desiredCount"),
        running=value("count", "runningCount"),
        pending=value("count", "pendingCount"),
        replacing_since=max(_replacements(item, reading), default=None),
        start_failures_at=max(_start_failures(item, reading), default=None),
    )


def _replacements(item: Mapping[str, Any], reading: Reading) -> Iterator[datetime]:
    path = "ecs.services.deployments"
    for deployment in reading.read_objects(path, item.get("deployments"), "service") or []:
        if deployment.get("rolloutState") == "IN_PROGRESS":
            began = reading.read_value("time", f"{path}.createdAt", deployment.get("createdAt"))
            if began is not None:
                yield began
    for task in (*reading.values.get("tasks", ()), *reading.values.get("stopped_tasks", ())):
        if task.of_service:
            yield from (moment for moment in (task.created_at, task.stopped_at) if moment is not None)


def _start_failures(item: Mapping[str, Any], reading: Reading) -> Iterator[datetime]:
    path = "ecs.services.events"
    for event in reading.read_objects(path, item.get("events"), "service") or []:
        if _CANNOT_START in str(event.get("message") or ""):
            at = reading.read_value("time", f"{path}.createdAt", event.get("createdAt"))
            if at is not None:
                yield at


def _task(item: Mapping[str, Any], path: str, reading: Reading, service: str, fact: str) -> Task:
    def value(kind: str, key: str) -> Any:
        return reading.read_value(kind, f"{path}.{key}", item.get(key))

    group = value("text", "group")
    return Task(
        task_id=(value("text", "taskArn") or "").rpartition("/")[2],
        of_service=None if group is None else group == f"service:{service}",
        last_status=value("text", "lastStatus"),
        desired_status=value("text", "desiredStatus"),
        created_at=value("time", "createdAt"),
        started_at=value("time", "startedAt"),
        stopped_at=value("time", "stoppedAt") or value("time", "stoppingAt"),
        stop_code=value("text", "stopCode"),
        stopped_reason=value("text", "stoppedReason"),
        containers=_containers(item, f"{path}.containers", reading, fact),
    )


def _containers(
    item: Mapping[str, Any], path: str, reading: Reading, fact: str
) -> tuple[TaskContainer, ...] | None:
    found = reading.read_objects(path, item.get("containers"), fact)
    if found is None:
        return None
    return tuple(
        TaskContainer(
            name=reading.read_value("id", f"{path}.name", one.get("name")),
            last_status=reading.read_value("text", f"{path}.lastStatus", one.get("lastStatus")),
            health=reading.read_value("text", f"{path}.healthStatus", one.get("healthStatus")),
        )
        for one in found
    )
