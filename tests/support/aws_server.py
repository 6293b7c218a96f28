"""A small AWS on loopback: real HTTP and the real wire formats, its answers in the shapes of botocore's
models.

What it answers is held against those models by `sound`, which every answer passes before it is served.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.support.loopback import Served, reply, serving

ACCOUNT = "123456789012"
CLUSTER, SERVICE, GROUP, REGION = "aegis", "aegis-pt-core", "/ecs/aegis-pt", "us-east-1"
AT = 1780412400  # 2026-06-02T15:00:00Z
_TARGETS = {"AmazonEC2ContainerServiceV20141113": "ecs", "Logs_20140328": "logs"}


class AwsError(Exception):
    """An answer that is an error, with AWS's code."""

    def __init__(self, code: str, status: int = 400, message: str = "no") -> None:
        super().__init__(code)
        self.code, self.status, self.message = code, status, message


@cache
def _model(service: str) -> Any:
    # Not through a session: that would read this machine's profile and environment.
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service)


def sound(service: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer, if AWS's own model of the service allows it."""
    shape = _model(service).operation_model(operation).output_shape
    report = ParamValidator().validate(body, shape)
    assert not report.has_errors(), report.generate_report()
    return body


def task(number: int, **more: Any) -> dict[str, Any]:
    """Return one running task of the service as DescribeTasks shows it."""
    made = {
        "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{CLUSTER}/{number:032x}",
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{CLUSTER}",
        "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/aegis-pt:41",
        "group": f"service:{SERVICE}",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "healthStatus": "HEALTHY",
        "launchType": "FARGATE",
        "createdAt": AT - 7200,
        "startedAt": AT - 7100,
        "containers": [
            {"name": "lt-ibkr-trader", "lastStatus": "RUNNING", "healthStatus": "UNKNOWN"},
            {"name": "ibkr-gateway", "lastStatus": "RUNNING", "healthStatus": "HEALTHY"},
        ],
        "overrides": {
            "containerOverrides": [
                {"name": "lt-ibkr-trader", "environment": [{"name": "DSN", "value": "hidden"}]}
            ]
        },
        "attachments": [{"id": "1", "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": []}],
    }
    return {**made, **more}


def stopped(number: int, reason: str = "Essential container in task exited") -> dict[str, Any]:
    """Return a task that stopped by itself."""
    return task(
        number,
        lastStatus="STOPPED",
        desiredStatus="STOPPED",
        stopCode="EssentialContainerExited",
        stoppedReason=reason,
        stoppingAt=AT - 640,
        stoppedAt=AT - 600,
    )


def service(**more: Any) -> dict[str, Any]:
    """Return the service as DescribeServices shows it."""
    made = {
        "serviceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{CLUSTER}/{SERVICE}",
        "serviceName": SERVICE,
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{CLUSTER}",
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
        "launchType": "FARGATE",
        "createdAt": AT - 9_000_000,
        "deployments": [deployment("PRIMARY", "COMPLETED")],
        "events": [
            {"id": str(number), "createdAt": AT - 60 * number, "message": "has reached a steady state."}
            for number in range(1, 101)
        ],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    }
    return {**made, **more}


def deployment(status: str, rollout: str, **more: Any) -> dict[str, Any]:
    """Return one deployment."""
    made = {
        "id": f"ecs-svc/{status}",
        "status": status,
        "desiredCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
        "createdAt": AT - 86_400,
        "updatedAt": AT - 86_000,
        "rolloutState": rollout,
    }
    return {**made, **more}


@dataclass
class Aws:
    """What this AWS holds, how it misbehaves, and what was asked of it."""

    services: list[dict[str, Any]] = field(default_factory=lambda: [service()])
    tasks: list[dict[str, Any]] = field(default_factory=lambda: [task(1)])
    failures: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    log_page: int = 10_000
    faults: dict[str, list[AwsError | None]] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    account: str = ACCOUNT
    asked: Counter[str] = field(default_factory=Counter)
    said: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""
    server: Served = field(default_factory=lambda: Served(("", 0)))

    def fails(self, operation: str, *faults: AwsError | None) -> None:
        """Let an operation fail so, one call after the other; the last fault stays."""
        self.faults[operation] = list(faults)

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer one call; raises AwsError."""
        with self.lock:
            self.asked[operation] += 1
            self.said.append({"operation": operation, **asked})
            faults = self.faults.get(operation)
            fault = (faults.pop(0) if len(faults) > 1 else faults[0]) if faults else None
        if operation in self.after:
            threading.Event().wait(self.after[operation])
        if fault is not None:
            raise fault
        made: dict[str, Any] = getattr(self, f"_{operation}")(asked)
        return made

    def _DescribeServices(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"services": self.services, "failures": self.failures}

    def _ListTasks(self, asked: dict[str, Any]) -> dict[str, Any]:
        """List as ECS does: by the *desired* status, so that a draining task is among the stopped ones."""
        arns = [one["taskArn"] for one in self.tasks if one["desiredStatus"] == asked["desiredStatus"]]
        start = int(asked.get("nextToken", "0"))
        more = {"nextToken": str(start + 100)} if start + 100 < len(arns) else {}
        return {"taskArns": arns[start : start + 100], **more}

    def _DescribeTasks(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not 0 < len(asked["tasks"]) <= 100:
            raise AwsError("InvalidParameterException", message="Tasks must be 1 to 100")
        known = {one["taskArn"]: one for one in self.tasks}
        return {
            "tasks": [known[arn] for arn in asked["tasks"] if "gone" not in known[arn]],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked["tasks"] if "gone" in known[arn]],
        }

    def _FilterLogEvents(self, asked: dict[str, Any]) -> dict[str, Any]:
        window = range(asked["startTime"], asked["endTime"] + 1)
        inside = sorted(
            (one for one in self.events if one["timestamp"] in window), key=lambda one: one["timestamp"]
        )
        start = int(asked.get("nextToken", "0"))
        size = min(self.log_page, asked.get("limit", 10_000))
        more = {"nextToken": str(start + size)} if start + size < len(inside) else {}
        return {"events": inside[start : start + size], **more}

    def behave(self, served: Served, conn: socket.socket, request: bytes) -> None:
        """Answer one HTTP request."""
        head, _, body = request.partition(b"\r\n\r\n")
        if b"Action=GetCallerIdentity" in body:
            conn.sendall(self._identity())
            return
        target = next(
            line for line in head.decode().split("\r\n") if line.lower().startswith("x-amz-target:")
        )
        prefix, _, operation = target.partition(":")[2].strip().partition(".")
        try:
            answer = sound(_TARGETS[prefix], operation, self.answer(operation, json.loads(body)))
        except AwsError as fault:
            answer = {"__type": fault.code, "message": fault.message}
            conn.sendall(reply(fault.status, json.dumps(answer).encode(), _JSON))
        else:
            conn.sendall(reply(200, json.dumps(answer).encode(), _JSON))

    def _identity(self) -> bytes:
        try:
            self.asked["GetCallerIdentity"] += 1
            for fault in self.faults.get("GetCallerIdentity", ()):
                if fault is not None:
                    raise fault
        except AwsError as fault:
            body = f"<ErrorResponse><Error><Code>{fault.code}</Code><Message>no</Message></Error></ErrorResponse>"
            return reply(fault.status, body.encode(), {"content-type": "text/xml"})
        body = (
            "<GetCallerIdentityResponse><GetCallerIdentityResult>"
            f"<Arn>arn:aws:iam::{self.account}:user/x</Arn><UserId>AIDA</UserId><Account>{self.account}</Account>"
            "</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )
        return reply(200, body.encode(), {"content-type": "text/xml"})


_JSON = {"content-type": "application/x-amz-json-1.1"}


@contextmanager
def aws_on_loopback(aws: Aws | None = None) -> Iterator[Aws]:
    """Serve this AWS; its `url` is what AWS_ENDPOINT_URL names."""
    made = aws or Aws()
    with serving(made.behave) as server:
        made.url, made.server = server.url, server
        yield made


def environment(folder: Any, url: str, profiles: str | None = None) -> dict[str, str]:
    """Return the variables of a machine whose AWS configuration lies in `folder` and which reaches `url`."""
    (folder / "config").write_text(
        profiles if profiles is not None else f"[profile reader]\nregion = {REGION}\n"
    )
    (folder / "credentials").write_text(
        "[reader]\naws_access_key_id = AKIATESTTESTTEST1234\naws_secret_access_key = s\n"
    )
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "HOME": str(folder),
    }


Make = Callable[..., Any]
