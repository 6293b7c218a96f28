"""ECS: the service, and every task of the cluster, running and stopped.

Shapes: Amazon ECS API reference, DescribeServices, ListTasks, DescribeTasks. The tasks of the *cluster* are
listed, not those of the service: a second runtime that was started by hand belongs to no service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption, filter_keys
from detector.formats.errors import DENIED, TOO_LARGE, UNREADABLE, ExternalError
from detector.formats.serialize import to_json
from detector.settings import (
    AWS_ACCOUNT,
    AWS_AMBIENT,
    AWS_PROFILE,
    AWS_REGION,
    ECS_CLUSTER,
    ECS_SERVICE,
    Settings,
)

if TYPE_CHECKING:
    from detector.clients.aws import Aws

OPTIONS = (
    SourceOption(
        "ecs",
        (ECS_CLUSTER, ECS_SERVICE, AWS_REGION, AWS_PROFILE, AWS_AMBIENT, AWS_ACCOUNT),
        "the runtime's tasks and its gateway: exactly one primary, healthy, not restarting",
    ),
)
_MAX_DESCRIBED = 100  # DescribeTasks takes no more
_MAX_PAGES = 100
_MAX_EVENTS = 20  # of the hundred that DescribeServices returns, newest first
_SERVICE_KEYS = (
    "serviceName", "serviceArn", "status", "desiredCount", "runningCount", "pendingCount", "deployments",
    "events", "taskDefinition", "launchType", "createdAt",
)  # fmt: skip
_DEPLOYMENT_KEYS = (
    "id", "status", "taskDefinition", "desiredCount", "pendingCount", "runningCount", "failedTasks",
    "createdAt", "updatedAt", "rolloutState", "rolloutStateReason",
)  # fmt: skip
# Without `overrides`, where a hand-run task keeps its environment and its secrets.
_TASK_KEYS = (
    "taskArn", "group", "lastStatus", "desiredStatus", "healthStatus", "createdAt", "startedAt", "stoppingAt",
    "stoppedAt", "stopCode", "stoppedReason", "startedBy", "taskDefinitionArn", "launchType", "containers",
)  # fmt: skip
_CONTAINER_KEYS = ("name", "lastStatus", "healthStatus", "exitCode", "reason")


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the cluster, where its name is set."""
    if settings[ECS_CLUSTER]:
        location = f"cluster {settings[ECS_CLUSTER]}, service {settings[ECS_SERVICE]}"
        yield ConfiguredSource("ecs", ECS_CLUSTER, location, _read_cluster, AWS_REGION)


def _read_cluster(context: SourceContext) -> Answer:
    """Read the service and all tasks; raises ExternalError, which names every missing permission."""
    aws, cluster = context.open_aws(), context.settings[ECS_CLUSTER]
    aws.check_account()
    denied: list[ExternalError] = []
    service = _run_unless_denied(lambda: _fetch_service(aws, cluster, context.settings[ECS_SERVICE]), denied)
    arns = _run_unless_denied(lambda: _list_task_arns(aws, cluster), denied)
    tasks = _run_unless_denied(lambda: _fetch_tasks(aws, cluster, arns or ()), denied)
    if denied:
        raise ExternalError("; ".join(map(str, denied)), reason=DENIED)
    described, failures = tasks
    stopped = [task for task in described if task.get("lastStatus") == "STOPPED"]
    section = {
        "services": service["services"],
        "tasks": [task for task in described if task.get("lastStatus") != "STOPPED"],
        "stopped_tasks": stopped,
        "failures": [*service["failures"], *failures],
    }
    return Answer(to_json(section), context.clock())


def _run_unless_denied(fetch: Any, denied: list[ExternalError]) -> Any:
    """Return the response, or None where it is denied: the other operations are still tried."""
    try:
        return fetch()
    except ExternalError as error:
        if error.reason != DENIED:
            raise
        denied.append(error)
        return None


def _fetch_service(aws: Aws, cluster: str, name: str) -> dict[str, Any]:
    answer = aws.fetch("ecs", "describe_services", "services", cluster=cluster, services=[name])
    services = [filter_keys(item, _SERVICE_KEYS) for item in answer["services"]]
    for item in services:
        item["deployments"] = [
            filter_keys(deployment, _DEPLOYMENT_KEYS) for deployment in item.get("deployments", ())
        ]
        item["events"] = [
            filter_keys(event, ("createdAt", "message")) for event in item.get("events", ())[:_MAX_EVENTS]
        ]
    return {"services": services, "failures": list(answer.get("failures", ()))}


def _list_task_arns(aws: Aws, cluster: str) -> list[str]:
    """Return the ARNs of all tasks of the cluster; a task that stops meanwhile is in the second list."""
    arns: dict[str, None] = {}
    for status in ("RUNNING", "STOPPED"):
        next_page: dict[str, str] = {}
        for _ in range(_MAX_PAGES):
            answer = aws.fetch(
                "ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus=status, **next_page
            )
            arns.update(dict.fromkeys(answer["taskArns"]))
            if not answer.get("nextToken"):
                break
            next_page = {"nextToken": answer["nextToken"]}
        else:
            raise ExternalError(f"the cluster lists over {_MAX_PAGES} pages of tasks", reason=TOO_LARGE)
    return list(arns)


def _fetch_tasks(aws: Aws, cluster: str, arns: Sequence[str]) -> tuple[list[dict[str, Any]], list[Any]]:
    tasks: list[dict[str, Any]] = []
    failures: list[Any] = []
    for start in range(0, len(arns), _MAX_DESCRIBED):
        batch = list(arns[start : start + _MAX_DESCRIBED])
        answer = aws.fetch("ecs", "describe_tasks", "tasks", cluster=cluster, tasks=batch)
        described = len(answer["tasks"]) + len(answer.get("failures", ()))
        if described < len(batch):
            raise ExternalError(f"it described {described} of {len(batch)} tasks", reason=UNREADABLE)
        failures += answer.get("failures", ())
        tasks += [filter_keys(item, _TASK_KEYS) for item in answer["tasks"]]
    for task in tasks:
        if "containers" in task:
            task["containers"] = [filter_keys(container, _CONTAINER_KEYS) for container in task["containers"]]
    return tasks, failures
