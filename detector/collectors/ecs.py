"""ECS: the service, and every task of the cluster, running and stopped.

Shapes: Amazon ECS API reference, DescribeServices, ListTasks, DescribeTasks. The tasks of the *cluster* are
listed, not those of the service: a second runtime that someone ran by hand belongs to no service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from detector.collectors._source import Answer, Ask, Offer, Source, picked
from detector.formats.edge_error import DENIED, TOO_LARGE, EdgeError
from detector.formats.serialize import plain
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

OFFERS = (
    Offer(
        "ecs",
        (ECS_CLUSTER, ECS_SERVICE, AWS_REGION, AWS_PROFILE, AWS_AMBIENT, AWS_ACCOUNT),
        "the runtime's tasks and its gateway: exactly one primary, healthy, not restarting",
    ),
)
_MOST_DESCRIBED = 100  # DescribeTasks takes no more
_MOST_PAGES = 100
_EVENTS = 20  # of the hundred that DescribeServices returns, newest first
_SERVICE = (
    "serviceName", "serviceArn", "status", "desiredCount", "runningCount", "pendingCount", "deployments",
    "events", "taskDefinition", "launchType", "createdAt",
)  # fmt: skip
_DEPLOYMENT = (
    "id", "status", "taskDefinition", "desiredCount", "pendingCount", "runningCount", "failedTasks",
    "createdAt", "updatedAt", "rolloutState", "rolloutStateReason",
)  # fmt: skip
# Without `overrides`, where a hand-run task keeps its environment and its secrets.
_TASK = (
    "taskArn", "group", "lastStatus", "desiredStatus", "healthStatus", "createdAt", "startedAt", "stoppingAt",
    "stoppedAt", "stopCode", "stoppedReason", "startedBy", "taskDefinitionArn", "launchType", "containers",
)  # fmt: skip
_CONTAINER = ("name", "lastStatus", "healthStatus", "exitCode", "reason")


def sources(settings: Settings) -> Iterator[Source]:
    """Yield the cluster, where it is named."""
    if settings[ECS_CLUSTER]:
        place = f"cluster {settings[ECS_CLUSTER]}, service {settings[ECS_SERVICE]}"
        yield Source("ecs", ECS_CLUSTER, place, _read, AWS_REGION)


def _read(ask: Ask) -> Answer:
    """Read the service and all tasks; raises EdgeError, which names every permission that is missing."""
    aws, cluster = ask.aws(), ask.settings[ECS_CLUSTER]
    aws.check_account()
    denied: list[EdgeError] = []
    service = _allowed(lambda: _service(aws, cluster, ask.settings[ECS_SERVICE]), denied)
    arns = _allowed(lambda: _task_arns(aws, cluster), denied)
    tasks = _allowed(lambda: _tasks(aws, cluster, arns or ()), denied)
    if denied:
        raise EdgeError("; ".join(map(str, denied)), reason=DENIED)
    described, failures = tasks
    stopped = [task for task in described if task.get("lastStatus") == "STOPPED"]
    section = {
        "services": service["services"],
        "tasks": [task for task in described if task.get("lastStatus") != "STOPPED"],
        "stopped_tasks": stopped,
        "failures": [*service["failures"], *failures],
    }
    return Answer(plain(section), ask.clock())


def _allowed(ask: Any, denied: list[EdgeError]) -> Any:
    """Return the answer, or None where it is denied: the other permissions are still tried, to name them all."""
    try:
        return ask()
    except EdgeError as error:
        if error.reason != DENIED:
            raise
        denied.append(error)
        return None


def _service(aws: Aws, cluster: str, name: str) -> dict[str, Any]:
    answer = aws.call("ecs", "describe_services", "services", cluster=cluster, services=[name])
    services = [picked(item, _SERVICE) for item in answer["services"]]
    for item in services:
        item["deployments"] = [picked(one, _DEPLOYMENT) for one in item.get("deployments", ())]
        item["events"] = [picked(one, ("createdAt", "message")) for one in item.get("events", ())[:_EVENTS]]
    return {"services": services, "failures": list(answer.get("failures", ()))}


def _task_arns(aws: Aws, cluster: str) -> list[str]:
    """Return the ARNs of all tasks of the cluster; one that stops in between is in the second list."""
    found: dict[str, None] = {}
    for status in ("RUNNING", "STOPPED"):
        more: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            answer = aws.call("ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus=status, **more)
            found.update(dict.fromkeys(answer["taskArns"]))
            if not answer.get("nextToken"):
                break
            more = {"nextToken": answer["nextToken"]}
        else:
            raise EdgeError(f"the cluster lists over {_MOST_PAGES} pages of tasks", reason=TOO_LARGE)
    return list(found)


def _tasks(aws: Aws, cluster: str, arns: Sequence[str]) -> tuple[list[dict[str, Any]], list[Any]]:
    tasks: list[dict[str, Any]] = []
    failures: list[Any] = []
    for start in range(0, len(arns), _MOST_DESCRIBED):
        some = list(arns[start : start + _MOST_DESCRIBED])
        answer = aws.call("ecs", "describe_tasks", "tasks", cluster=cluster, tasks=some)
        failures += answer.get("failures", ())
        tasks += [picked(item, _TASK) for item in answer["tasks"]]
    for task in tasks:
        if "containers" in task:
            task["containers"] = [picked(one, _CONTAINER) for one in task["containers"]]
    return tasks, failures
