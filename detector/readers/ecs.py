"""The `ecs` section: AWS's responses to DescribeServices and DescribeTasks.

Shapes: Amazon ECS API reference, Service, Task, Container and Failure. Times come as RFC 3339 (AWS CLI
v2) or epoch seconds (v1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from detector.domain.columns import HEALTH, ROLLOUT, SERVICE_STATUS, STOP_CODE, TASK_STATUS
from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import LIST, OBJECT, TIME_KEYS, Key, Need, Shape, build_keys
from detector.domain.task_rows import Service, Task, TaskContainer
from detector.domain.vendor_keys import (
    DESCRIBE_ANSWER,
    ECS_CONTAINER_KEYS,
    ECS_DEPLOYMENT_KEYS,
    ECS_EVENT_KEYS,
    ECS_FAILURE_KEYS,
    ECS_SERVICE_KEYS,
    ECS_TASK_KEYS,
    EVENTBRIDGE_KEYS,
)
from detector.settings import ECS_SERVICE

SECTIONS = ("ecs",)
_DEPLOYMENT = Shape(
    build_keys({"rolloutState": ROLLOUT, "createdAt": "time"}), ECS_DEPLOYMENT_KEYS, vendor=True
)
_EVENT = Shape(build_keys({"message": "text", "createdAt": "time"}), ECS_EVENT_KEYS, vendor=True)
_COUNTS = ("desiredCount", "runningCount", "pendingCount")
_SERVICE = Shape(
    {
        **build_keys(dict.fromkeys(_COUNTS, "count")),
        "status": Key(SERVICE_STATUS),
        "serviceName": Key("text", "name"),
        "serviceArn": Key("text", "name"),
        "clusterArn": Key("text"),
        "deployments": Key(LIST, inner=_DEPLOYMENT),
        "events": Key(LIST, inner=_EVENT),
    },
    ECS_SERVICE_KEYS,
    vendor=True,
    named_by=("name",),
    needs=(*(Need((name,), "count", always=True) for name in _COUNTS), Need(("status",), SERVICE_STATUS)),
)
_CONTAINER = Shape(
    build_keys(
        {
            "name": "id",
            "lastStatus": TASK_STATUS,
            "healthStatus": HEALTH,
            "exitCode": "exit code",
            "reason": "text",
        }
    ),
    ECS_CONTAINER_KEYS,
    vendor=True,
    needs=(
        Need(("name",), "id", always=True),
        Need(("lastStatus",), TASK_STATUS, always=True),
        Need(("healthStatus",), HEALTH),
    ),
)
_TASK_KEYS: dict[str, Key] = {
    **build_keys(
        {
            **dict.fromkeys(("taskArn", "clusterArn", "group", "stoppedReason"), "text"),
            **dict.fromkeys(("lastStatus", "desiredStatus"), TASK_STATUS),
            "stopCode": STOP_CODE,
        }
    ),
    **build_keys(dict.fromkeys(("createdAt", "startedAt", "stoppingAt", "stoppedAt"), "time")),
    "containers": Key(LIST, inner=_CONTAINER),
}
_TASK = Shape(
    _TASK_KEYS,
    ECS_TASK_KEYS,
    vendor=True,
    named_by=("taskArn", "group", "containers"),
    needs=(
        Need(("lastStatus",), TASK_STATUS, always=True),
        Need(("group",), "text"),
        Need(("containers",), LIST),
        Need(("startedAt", "createdAt"), "time"),
    ),
)
_STOPPED_TASK = Shape(
    {
        **_TASK_KEYS,
        "detail": Key(OBJECT, inner=Shape(_TASK_KEYS, ECS_TASK_KEYS | EVENTBRIDGE_KEYS, vendor=True)),
        "detail-type": Key("text"),
    },
    ECS_TASK_KEYS | EVENTBRIDGE_KEYS,
    vendor=True,
    named_by=("taskArn", "group", "containers"),
)
_FAILURE = Shape(
    build_keys({"arn": "text", "reason": "text"}), ECS_FAILURE_KEYS, vendor=True, named_by=("arn",)
)
_SHAPE = Shape(
    {
        **TIME_KEYS,
        "services": Key(LIST, inner=_SERVICE, fact="service"),
        "tasks": Key(LIST, inner=_TASK, fact="tasks"),
        "stopped_tasks": Key(LIST, inner=_STOPPED_TASK, fact="stopped_tasks"),
        "failures": Key(LIST, inner=_FAILURE, fact="service"),
    },
    DESCRIBE_ANSWER,
    envelope=True,
    needs=(Need(("services",), LIST), Need(("tasks",), LIST)),
)
_CANNOT_START = "unable to consistently start tasks"  # wording of the ECS service event


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section and of Amazon's rows in it."""
    return _SHAPE


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the service, the cluster's tasks and the stopped ones; a missing list is unknown."""
    name = context.settings[ECS_SERVICE]
    for key, fact in (("tasks", "tasks"), ("stopped_tasks", "stopped_tasks")):
        items = reading.read_objects(f"ecs.{key}", raw.get(key), fact)
        if items is not None:
            items = _list_distinct_tasks(items) if key == "tasks" else items
            reading.values[fact] = tuple(
                _read_task(_get_event_task(item), f"ecs.{key}", reading, name, fact) for item in items
            )
    service = _read_service(raw, reading, name)
    if service is not None:
        reading.values["service"] = service


def _list_distinct_tasks(items: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return each task once, its newest row where two pages or readings list it."""
    newest: dict[str, Mapping[str, Any]] = {}
    for number, item in enumerate(items):
        arn = item.get("taskArn")
        key = arn if isinstance(arn, str) and arn else str(number)
        if key not in newest or _get_version(item) >= _get_version(newest[key]):
            newest[key] = item
    return list(newest.values())


def _get_version(item: Mapping[str, Any]) -> float:
    version = item.get("version")
    return version if isinstance(version, int | float) else 0


def _get_event_task(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the task of an EventBridge event (`ECS Task State Change`), any other row as it is."""
    detail = item.get("detail")
    return detail if isinstance(detail, dict) and "taskArn" not in item else item


def _read_service(raw: Mapping[str, Any], reading: Reading, name: str) -> Service | None:
    services = reading.read_objects("ecs.services", raw.get("services"), "service")
    failures = reading.read_objects("ecs.failures", raw.get("failures"), "service") or []
    named = [(_read_service_name(item, reading), item) for item in services or []]
    for service_name, item in named:
        if service_name == name or (service_name is None and len(named) == 1):
            return _build_service(item, reading, name)
    for failure in failures:
        arn = str(failure.get("arn") or name)
        if arn.rpartition("/")[2] == name and ":task/" not in arn:
            reason = reading.read_value("text", "ecs.failures.reason", failure.get("reason"))
            return Service(exists=False, name=name, why_missing=reason or "MISSING")
    if (
        services is None
        or "service" in reading.partial
        or any(service_name is None for service_name, _ in named)
    ):
        return None
    return Service(exists=False, name=name, why_missing="not in AWS's answer")


def _read_service_name(item: Mapping[str, Any], reading: Reading) -> str | None:
    """Return the service's name, else the one in its ARN, else None."""
    named = reading.read_value("text", "ecs.services.serviceName", item.get("serviceName"))
    arn = reading.read_value("text", "ecs.services.serviceArn", item.get("serviceArn"))
    return named or (arn or "").rpartition("/")[2] or None


def _build_service(item: Mapping[str, Any], reading: Reading, name: str) -> Service:
    path = "ecs.services"

    def get_value(kind: str, key: str) -> Any:
        return reading.read_value(kind, f"{path}.{key}", item.get(key))

    return Service(
        exists=True,
        name=name,
        status=get_value(SERVICE_STATUS, "status"),
        desired=get_value("count", "desiredCount"),
        running=get_value("count", "runningCount"),
        pending=get_value("count", "pendingCount"),
        replacing_since=max(_iter_replacements(item, reading), default=None),
        start_failures_at=max(_iter_start_failures(item, reading), default=None),
    )


def _iter_replacements(item: Mapping[str, Any], reading: Reading) -> Iterator[datetime]:
    path = "ecs.services.deployments"
    for deployment in reading.read_objects(path, item.get("deployments"), "service") or []:
        state = reading.read_value(ROLLOUT, f"{path}.rolloutState", deployment.get("rolloutState"))
        if state == "IN_PROGRESS":
            started_at = reading.read_value("time", f"{path}.createdAt", deployment.get("createdAt"))
            if started_at is not None:
                yield started_at
    for task in (*reading.values.get("tasks", ()), *reading.values.get("stopped_tasks", ())):
        if task.of_service:
            yield from (moment for moment in (task.created_at, task.stopped_at) if moment is not None)


def _iter_start_failures(item: Mapping[str, Any], reading: Reading) -> Iterator[datetime]:
    path = "ecs.services.events"
    for event in reading.read_objects(path, item.get("events"), "service") or []:
        if _CANNOT_START in str(event.get("message") or ""):
            at = reading.read_value("time", f"{path}.createdAt", event.get("createdAt"))
            if at is not None:
                yield at


def _read_task(item: Mapping[str, Any], path: str, reading: Reading, service: str, fact: str) -> Task:
    def get_value(kind: str, key: str) -> Any:
        return reading.read_value(kind, f"{path}.{key}", item.get(key))

    group = get_value("text", "group")
    is_stopped = item.get("lastStatus") == "STOPPED" or ("lastStatus" not in item and "stopCode" in item)
    if is_stopped and item.get("stoppedAt") is None and item.get("stoppingAt") is None:
        reading.add_fault(f"{path}.stoppedAt", "is not given: whether it stopped just now is not known")
    return Task(
        task_id=(get_value("text", "taskArn") or "").rpartition("/")[2],
        of_service=None if group is None else group == f"service:{service}",
        last_status=get_value(TASK_STATUS, "lastStatus"),
        desired_status=get_value(TASK_STATUS, "desiredStatus"),
        created_at=get_value("time", "createdAt"),
        started_at=get_value("time", "startedAt"),
        stopped_at=get_value("time", "stoppedAt") or get_value("time", "stoppingAt"),
        stop_code=get_value(STOP_CODE, "stopCode"),
        stopped_reason=get_value("text", "stoppedReason"),
        containers=_read_containers(item, f"{path}.containers", reading, fact),
    )


def _read_containers(
    item: Mapping[str, Any], path: str, reading: Reading, fact: str
) -> tuple[TaskContainer, ...] | None:
    containers = reading.read_objects(path, item.get("containers"), fact)
    if containers is None:
        return None
    return tuple(
        TaskContainer(
            name=reading.read_value("id", f"{path}.name", container.get("name")),
            last_status=reading.read_value(TASK_STATUS, f"{path}.lastStatus", container.get("lastStatus")),
            health=reading.read_value(HEALTH, f"{path}.healthStatus", container.get("healthStatus")),
            exit_code=reading.read_value("exit code", f"{path}.exitCode", container.get("exitCode")),
            reason=reading.read_value("text", f"{path}.reason", container.get("reason")),
        )
        for container in containers
    )
