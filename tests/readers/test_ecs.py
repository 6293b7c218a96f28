"""AWS's own answers: the service, the cluster's tasks, and what an answer does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import ReadContext, parse_profile
from detector.domain.section_reading import Reading
from detector.domain.task_rows import Service, Task, TaskContainer
from detector.readers.ecs import SECTIONS, read
from tests.support.snapshots import settings_of

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
ARN = "arn:aws:ecs:us-east-1:[aws-account]"
NAME = "aegis-pt-core"
OURS = {"serviceName": NAME, "status": "ACTIVE", "desiredCount": 1, "runningCount": 1, "pendingCount": 0}
FOUND = Service(True, NAME, status="ACTIVE", desired=1, running=1, pending=0)
GONE = Service(False, NAME, why_missing="not in AWS's answer")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def reading(raw: dict[str, Any], **settings: str) -> Reading:
    one = Reading("ecs", NOW, 120)
    read(raw, one, ReadContext(settings_of(settings), parse_profile({}), NO_PREVIOUS_RUN))
    return one


def service(raw: dict[str, Any], **settings: str) -> Service | None:
    found: Service | None = reading(raw, **settings).values.get("service")
    return found


def faults(one: Reading) -> list[str]:
    return [fault.path for fault in one.invalid]


def test_it_reads_its_section():
    assert SECTIONS == ("ecs",)


# ---- what is not there ---------------------------------------------------------------------------


def test_a_missing_list_is_not_seen():
    one = reading({})
    assert (one.values, one.invalid) == ({}, [])


@pytest.mark.parametrize("key", ["services", "tasks", "stopped_tasks", "failures"])
def test_a_list_of_null_is_not_seen(key):
    one = reading({key: None})
    assert (one.values, one.invalid) == ({}, [])


def test_an_empty_list_was_read():
    assert reading({"tasks": [], "stopped_tasks": []}).values == {"tasks": (), "stopped_tasks": ()}


@pytest.mark.parametrize("key", ["services", "tasks", "stopped_tasks", "failures"])
def test_what_is_no_list_is_not_seen_and_noted(key):
    one = reading({key: {"a": 1}})
    assert (one.values, faults(one)) == ({}, [f"ecs.{key}"])


# ---- the service ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        pytest.param({"services": [OURS]}, FOUND, id="by its name"),
        pytest.param({"services": [{**OURS, "serviceName": "other"}, OURS]}, FOUND, id="among others"),
        pytest.param(
            {"services": [{**OURS, "serviceName": None, "serviceArn": f"{ARN}:service/aegis/{NAME}"}]},
            FOUND,
            id="by its ARN",
        ),
        pytest.param({"services": [{**OURS, "serviceName": None}]}, FOUND, id="the only one, without a name"),
        pytest.param({"services": [], "failures": []}, GONE, id="an empty answer"),
        pytest.param({"services": []}, GONE, id="an empty answer without failures"),
        pytest.param({"services": [{**OURS, "serviceName": "other"}]}, GONE, id="another one alone"),
        pytest.param(
            {"services": [], "failures": [{"arn": f"{ARN}:service/aegis/{NAME}", "reason": "MISSING"}]},
            Service(False, NAME, why_missing="MISSING"),
            id="a failure",
        ),
        pytest.param(
            {"failures": [{"arn": f"{ARN}:service/tasks/{NAME}"}]},
            Service(False, NAME, why_missing="MISSING"),
            id="a failure alone, of a cluster named tasks",
        ),
        pytest.param(
            {"failures": [{"arn": NAME}]}, Service(False, NAME, why_missing="MISSING"), id="a bare name"
        ),
        pytest.param(
            {"services": [], "failures": [{"arn": f"{ARN}:task/aegis/{NAME}", "reason": "MISSING"}]},
            GONE,
            id="a task's failure",
        ),
        pytest.param(
            {"services": [], "failures": [{"arn": f"{ARN}:service/aegis/other", "reason": "MISSING"}]},
            GONE,
            id="another's failure",
        ),
        pytest.param(
            {"services": [OURS], "failures": [{"arn": f"{ARN}:service/aegis/{NAME}"}]},
            FOUND,
            id="described and a failure",
        ),
        pytest.param({"failures": []}, None, id="no services, no failure: not seen"),
    ],
)
def test_the_service_is_found_gone_or_not_seen(raw, found):
    assert service(raw) == found


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param("junk", id="an entry that is no object"),
        pytest.param({**OURS, "serviceName": 3}, id="a name that cannot be read"),
        pytest.param({"status": "ACTIVE"}, id="an entry without a name"),
    ],
)
def test_a_service_that_may_be_ours_is_not_called_gone(odd):
    assert service({"services": [odd, {**OURS, "serviceName": "other"}]}) is None


def test_which_service_is_ours_can_be_set():
    assert service({"services": [{**OURS, "serviceName": "mine"}]}, ECS_SERVICE="mine") == Service(
        True, "mine", status="ACTIVE", desired=1, running=1, pending=0
    )


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("desiredCount", "1"),
        ("runningCount", True),
        ("pendingCount", -1),
        ("runningCount", 1.5),
        ("status", 1),
    ],
)
def test_a_value_that_cannot_be_read_takes_nothing_else_with_it(key, raw):
    one = reading({"services": [{**OURS, key: raw}]})
    assert faults(one) == [f"ecs.services.{key}"]
    short = {"desiredCount": "desired", "runningCount": "running", "pendingCount": "pending"}.get(key, key)
    found = one.values["service"]
    assert getattr(found, short) is None
    assert found.exists


# ---- a replacement, and starts that fail ---------------------------------------------------------


def task(**more: Any) -> dict[str, Any]:
    return {
        "taskArn": f"{ARN}:task/aegis/0123456789abcdef",
        "group": f"service:{NAME}",
        "lastStatus": "RUNNING",
        **more,
    }


@pytest.mark.parametrize(
    ("raw", "since"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param(
            {"deployments": [{"rolloutState": "IN_PROGRESS", "createdAt": 1780412000}]},
            400,
            id="a deployment",
        ),
        pytest.param(
            {"deployments": [{"rolloutState": "COMPLETED", "createdAt": 1780412000}]},
            None,
            id="one that is done",
        ),
        pytest.param({"deployments": [{"rolloutState": "IN_PROGRESS"}]}, None, id="one without a time"),
        pytest.param({"tasks": [task(createdAt=1780412000)]}, 400, id="a task that was created"),
        pytest.param({"stopped_tasks": [task(stoppedAt=1780412100)]}, 300, id="a task that stopped"),
        pytest.param(
            {"tasks": [task(createdAt=1780412000, group="service:other")]}, None, id="another service's"
        ),
        pytest.param({"tasks": [task(createdAt=1780412000, group=None)]}, None, id="a task of nobody"),
        pytest.param(
            {
                "deployments": [{"rolloutState": "IN_PROGRESS", "createdAt": 1780411000}],
                "tasks": [task(createdAt=1780412000)],
                "stopped_tasks": [task(createdAt=1780400000, stoppedAt=1780412200)],
            },
            200,
            id="the latest of all",
        ),
    ],
)
def test_a_replacement_is_under_way_since_its_latest_sign(raw, since):
    deployments = raw.pop("deployments", None)
    found = service({**raw, "services": [{**OURS, "deployments": deployments}]})
    assert found is not None
    assert found.replacing_since == (None if since is None else ago(since))


@pytest.mark.parametrize(
    ("events", "at"),
    [
        ([], None),
        ([{"message": "(service x) has reached a steady state.", "createdAt": 1780412000}], None),
        (
            [
                {
                    "message": "(service x) is unable to consistently start tasks successfully.",
                    "createdAt": 1780412000,
                }
            ],
            400,
        ),
        (
            [
                {"message": "(service x) is unable to consistently start tasks.", "createdAt": 1780412000},
                {"message": "(service x) is unable to consistently start tasks.", "createdAt": 1780412100},
            ],
            300,
        ),
        ([{"message": "is unable to consistently start tasks"}], None),
        ([{"message": 3, "createdAt": 1780412000}], None),
    ],
)
def test_starts_that_fail_are_the_service_s_own_words(events, at):
    found = service({"services": [{**OURS, "events": events}]})
    assert found is not None
    assert found.start_failures_at == (None if at is None else ago(at))


# ---- tasks ---------------------------------------------------------------------------------------


def test_a_task_is_read():
    raw = task(
        desiredStatus="STOPPED",
        createdAt="2026-06-02T14:50:00Z",
        startedAt=1780412000,
        stoppedAt=1780412100.5,
        stopCode="EssentialContainerExited",
        stoppedReason="Essential container in task exited",
        containers=[
            {"name": "ibkr-gateway", "lastStatus": "STOPPED", "healthStatus": "HEALTHY"},
            {"name": "x"},
        ],
    )
    assert reading({"tasks": [raw]}).values["tasks"] == (
        Task(
            "0123456789abcdef",
            of_service=True,
            last_status="RUNNING",
            desired_status="STOPPED",
            created_at=ago(600),
            started_at=ago(400),
            stopped_at=ago(299.5),
            stop_code="EssentialContainerExited",
            stopped_reason="Essential container in task exited",
            containers=(TaskContainer("ibkr-gateway", "STOPPED", "HEALTHY"), TaskContainer("x")),
        ),
    )


@pytest.mark.parametrize(
    ("group", "ours"),
    [(f"service:{NAME}", True), ("service:other", False), ("family:x", False), (None, None), (3, None)],
)
def test_a_task_is_of_the_service_or_not_or_not_said(group, ours):
    (found,) = reading({"tasks": [task(group=group)]}).values["tasks"]
    assert found.of_service is ours


def test_a_task_that_is_stopping_stopped_then():
    (found,) = reading({"tasks": [task(stoppingAt=1780412000)]}).values["tasks"]
    assert found.stopped_at == ago(400)


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"lastStatus": "STOPPED"}, ["ecs.stopped_tasks.stoppedAt"]),
        ({"lastStatus": "STOPPED", "stoppedAt": None}, ["ecs.stopped_tasks.stoppedAt"]),
        ({"stopCode": "EssentialContainerExited"}, ["ecs.stopped_tasks.stoppedAt"]),
        ({"lastStatus": "STOPPED", "stoppingAt": 1780412000}, []),
        ({"lastStatus": "RUNNING", "desiredStatus": "STOPPED"}, []),
        ({"lastStatus": "PENDING"}, []),
    ],
)
@pytest.mark.parametrize("is_event", [False, True], ids=["row", "event"])
def test_a_stopped_task_that_does_not_say_when_is_a_fault(row, path, is_event):
    rows = [{"detail-type": "ECS Task State Change", "detail": {"taskArn": ARN, **row}} if is_event else row]
    assert faults(reading({"stopped_tasks": rows})) == path


@pytest.mark.parametrize(
    ("containers", "seen", "named"),
    [
        pytest.param(None, None, False, id="no list"),
        pytest.param({}, None, False, id="no list that can be read"),
        pytest.param([], (), True, id="an empty list"),
        pytest.param([{"name": "a"}], (TaskContainer("a"),), True, id="one"),
        pytest.param([{}], (TaskContainer(None),), False, id="one without a name"),
        pytest.param([{"name": {}}], (TaskContainer(None),), False, id="one whose name cannot be read"),
    ],
)
def test_containers_are_seen_with_their_names_or_not(containers, seen, named):
    (found,) = reading({"tasks": [task(containers=containers)]}).values["tasks"]
    assert (found.containers, found.all_named) == (seen, named)


def test_an_entry_that_is_no_object_makes_the_tasks_partial():
    one = reading({"tasks": [task(), "junk"], "stopped_tasks": [task(containers=["junk"])]})
    assert len(one.values["tasks"]) == 1
    assert one.partial == {"tasks", "stopped_tasks"}
    assert faults(one) == ["ecs.tasks", "ecs.stopped_tasks.containers"]


def test_paths_leave_list_indices_out():
    one = reading({"tasks": [task(), task(createdAt="x", containers=[{}, {"name": "a", "healthStatus": 1}])]})
    assert faults(one) == ["ecs.tasks.createdAt", "ecs.tasks.containers.healthStatus"]


def test_a_task_that_two_pages_list_is_one():
    """Two rows of one task were two primaries."""
    row = {"taskArn": f"{ARN}:task/aegis/0a", "lastStatus": "RUNNING", "version": 4}
    stopped = {**row, "lastStatus": "STOPPED", "stoppedAt": "2026-06-02T14:59:00Z", "version": 5}
    other = {**row, "taskArn": f"{ARN}:task/aegis/0b"}
    for rows, states in (
        ([row, row], ["RUNNING"]),
        ([stopped, row], ["STOPPED"]),
        ([row, stopped, other], ["STOPPED", "RUNNING"]),
        ([{"lastStatus": "RUNNING"}, {"lastStatus": "RUNNING"}], ["RUNNING", "RUNNING"]),
    ):
        assert [task.last_status for task in reading({"tasks": rows}).values["tasks"]] == states
