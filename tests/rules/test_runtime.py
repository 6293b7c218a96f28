"""The runtime: ECS counts, tasks, containers, restarts and the standby host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, given, healthy, healthy_at, named, remembered

NAMES = ("lt-ibkr-trader", "ibkr-gateway")


def service(**counts: Any) -> dict[str, Any]:
    made = {
        "serviceName": "aegis-pt-core",
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
        **counts,
    }
    return {"ecs": {"services": [made]}}


def deployment(created: str, state: str = "IN_PROGRESS") -> list[dict[str, Any]]:
    return [{"status": "PRIMARY", "rolloutState": state, "createdAt": created}]


COUNT = "ecs_service_count_mismatch"


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param({}, [], id="1/1/0"),
        pytest.param({"runningCount": 0}, [f"critical {COUNT}"], id="none runs"),
        pytest.param({"desiredCount": 0, "runningCount": 0}, [f"critical {COUNT}"], id="scaled to zero"),
        pytest.param({"desiredCount": 2}, [f"critical {COUNT}"], id="two desired"),
        pytest.param({"runningCount": 2}, [f"critical {COUNT}"], id="two run"),
        pytest.param({"pendingCount": 1}, [f"warning {COUNT}"], id="only one pending"),
        pytest.param({"status": "DRAINING"}, [f"critical {COUNT}"], id="draining"),
        pytest.param({"status": "INACTIVE"}, [f"critical {COUNT}"], id="inactive"),
        pytest.param(
            {"runningCount": 0, "pendingCount": 1, "deployments": deployment("2026-06-02T14:50:01Z")},
            [f"warning {COUNT}"],
            id="replaced for 599 s",
        ),
        pytest.param(
            {"runningCount": 0, "pendingCount": 1, "deployments": deployment("2026-06-02T14:50:00Z")},
            [f"critical {COUNT}"],
            id="replaced for 600 s",
        ),
        pytest.param(
            {"runningCount": 0, "deployments": deployment("2026-06-02T14:59:00Z", "COMPLETED")},
            [f"critical {COUNT}"],
            id="a finished deployment excuses nothing",
        ),
        pytest.param(
            {"runningCount": 2, "deployments": deployment("2026-06-02T14:59:00Z")},
            [f"critical {COUNT}"],
            id="above is never excused",
        ),
        pytest.param(
            {"desiredCount": 0, "runningCount": 0, "deployments": deployment("2026-06-02T14:59:00Z")},
            [f"critical {COUNT}"],
            id="a wrong desired count is never excused",
        ),
    ],
)
def test_service_counts_other_than_one_are_told(counts, expected):
    assert given(service(**counts)) == expected


@pytest.mark.parametrize(
    "answer",
    [
        {
            "services": [],
            "failures": [{"arn": "arn:aws:ecs:r:1:service/c/aegis-pt-core", "reason": "MISSING"}],
        },
        {"services": []},
        {"services": [{"serviceName": "another", "desiredCount": 1, "runningCount": 1, "pendingCount": 0}]},
    ],
    ids=["MISSING", "an empty answer", "another service"],
)
def test_a_service_that_aws_does_not_know(answer):
    assert given({"ecs": answer}) == [f"critical {COUNT}"]


def test_a_service_that_was_not_asked_for_is_not_seen():
    report = evaluated(apply_patch(healthy(), {"ecs": {"services": None}}))
    assert named(report) == []
    assert report.coverage[0].state == "not seen"


def test_it_escalates_once_it_lasted_480_seconds():
    memory, actions = None, []
    for clock in ("15:00:00", "15:07:59", "15:08:00"):
        patch = {"taken_at": f"2026-06-02T{clock}Z", "status_v3": {"heartbeat_at": f"2026-06-02T{clock}Z"}}
        report = evaluated(apply_patch(healthy(), {**patch, **service(runningCount=0)}), memory)
        memory = remembered(report)
        actions.append(report.decision.action)
    assert actions == ["notify", "notify", "escalate"]


def task(number: int = 0, **columns: Any) -> dict[str, Any]:
    return {
        "taskArn": f"arn:aws:ecs:us-east-1:123456789012:task/aegis/{number:016x}",
        "group": "service:aegis-pt-core",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "startedAt": "2026-06-02T12:01:00Z",
        "containers": [
            {"name": NAMES[0], "lastStatus": "RUNNING", "healthStatus": "UNKNOWN"},
            {"name": NAMES[1], "lastStatus": "RUNNING", "healthStatus": "HEALTHY"},
        ],
        **columns,
    }


TASKS = "critical ecs_task_count_mismatch"


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param([task()], [], id="one"),
        pytest.param([task(), task(1, group="family:by-hand")], [TASKS], id="a second one by hand"),
        pytest.param([task(), task(1, desiredStatus="STOPPED")], [TASKS], id="a second one that drains"),
        pytest.param([task(), task(1, lastStatus="PENDING")], [], id="a second one that is pending"),
        pytest.param(
            [task(), task(1, containers=[{"name": "other", "lastStatus": "RUNNING"}])],
            ["critical trader_not_running"],
            id="a task of the service without a trader",
        ),
        pytest.param(
            [task(), task(1, group="service:else", containers=[{"name": "other", "lastStatus": "RUNNING"}])],
            [],
            id="another runtime",
        ),
        pytest.param([], [TASKS], id="none, though the service counts one"),
    ],
)
def test_more_or_fewer_runtime_tasks_than_one_are_told(tasks, expected):
    assert given({"ecs": {"tasks": tasks}}) == expected


def test_no_task_is_told_by_the_service_that_knows_it():
    assert given({"ecs": {"tasks": [], **service(runningCount=0)["ecs"]}}) == [f"critical {COUNT}"]


def test_no_task_is_told_when_the_service_was_not_seen():
    assert given({"ecs": {"tasks": [], "services": None}}) == [TASKS]


@pytest.mark.parametrize(
    ("ecs", "symptom"),
    [
        pytest.param({"tasks": [], "services": None}, True, id="no task runs"),
        pytest.param({"tasks": [task(), task(1)]}, False, id="two tasks run"),
        pytest.param(service(runningCount=0)["ecs"], True, id="the service runs none"),
        pytest.param(service(desiredCount=2)["ecs"], False, id="the service runs one of two"),
    ],
)
def test_only_where_no_task_runs_is_a_stale_heartbeat_a_symptom(ecs, symptom):
    stale = {"status_v3": {"heartbeat_at": "2026-06-02T14:50:00Z"}, "ecs": ecs}
    report = evaluated(apply_patch(healthy(), stale))
    heartbeat = next(event for event in report.events if event.type == "heartbeat_stale")
    told = [event.type for event in report.new_events]
    assert (heartbeat.because_of is not None, "heartbeat_stale" not in told) == (symptom, symptom)


def test_a_task_without_a_status_may_be_the_one_that_is_missing():
    report = evaluated(apply_patch(healthy(), {"ecs": {"tasks": [task(lastStatus=None)]}}))
    assert named(report) == ["warning reading_invalid:ecs.tasks.lastStatus"]
    assert report.coverage[0].why == "the containers or the status of a task were not seen"


def test_a_count_that_was_not_seen_is_shown_as_unknown():
    report = evaluated(apply_patch(healthy(), service(runningCount=0, pendingCount=None)))
    assert (
        report.events[0].summary
        == "Service aegis-pt-core: 0 running, 1 desired and unknown pending (1 running task expected)."
    )


def test_a_second_draining_task_is_said_to_drain():
    report = evaluated(apply_patch(healthy(), {"ecs": {"tasks": [task(), task(1, desiredStatus="STOPPED")]}}))
    assert report.events[0].summary == (
        "2 runtime tasks run in the cluster, 1 of them draining (expected 1): they may trade twice."
    )


def containers(gateway: Any, trader: Any = ("RUNNING", "UNKNOWN")) -> list[dict[str, Any]]:
    rows = zip(NAMES, (trader, gateway), strict=True)
    return [{"name": name, "lastStatus": row[0], "healthStatus": row[1]} for name, row in rows if row]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        pytest.param(
            {"containers": containers(("RUNNING", "UNHEALTHY"))}, ["critical gateway_unhealthy"], id="sick"
        ),
        pytest.param({"containers": containers(None)}, ["critical gateway_unhealthy"], id="absent"),
        pytest.param(
            {"containers": containers(("STOPPED", "HEALTHY"))}, ["critical gateway_unhealthy"], id="stopped"
        ),
        pytest.param(
            {"containers": containers(("RUNNING", "UNKNOWN")), "startedAt": "2026-06-02T14:56:00Z"},
            [],
            id="240 s",
        ),
        pytest.param(
            {"containers": containers(("RUNNING", "UNKNOWN")), "startedAt": "2026-06-02T14:55:59Z"},
            ["warning gateway_unhealthy"],
            id="241 s",
        ),
        pytest.param(
            {"containers": containers(("RUNNING", None))}, ["warning gateway_unhealthy"], id="no health"
        ),
        pytest.param(
            {
                "lastStatus": "STOPPED",
                "stoppedAt": "2026-06-02T14:59:00Z",
                "containers": containers(("STOPPED", "HEALTHY")),
            },
            [TASKS],
            id="ended",
        ),
    ],
)
def test_the_gateway_is_unhealthy_unless_it_runs_and_is_healthy(columns, expected):
    assert given({"ecs": {"tasks": [task(**columns)]}}) == expected


def test_a_gateway_that_was_sick_is_not_good_before_its_health_is_known():
    sick = task(containers=containers(("RUNNING", "UNHEALTHY")))
    fresh = task(7, startedAt="2026-06-02T15:04:00Z", containers=containers(("RUNNING", "UNKNOWN")))
    memory = remembered(evaluated(apply_patch(healthy(), {"ecs": {"tasks": [sick]}})))
    report = evaluated(healthy_at("2026-06-02T15:05:00Z", {"ecs": {"tasks": [fresh]}}), memory)
    assert named(report) == ["critical gateway_unhealthy"]
    assert report.events[0].held
    assert "the health of ibkr-gateway is not known yet" in report.events[0].summary


@pytest.mark.parametrize(
    ("trader", "expected"),
    [
        pytest.param(("RUNNING", "UNKNOWN"), [], id="its health is unknown, which is fine"),
        pytest.param(("STOPPED", "UNKNOWN"), ["critical trader_not_running"], id="stopped"),
        pytest.param(("PENDING", "UNKNOWN"), ["critical trader_not_running"], id="pending"),
    ],
)
def test_the_trader_runs_or_is_told(trader, expected):
    assert (
        given({"ecs": {"tasks": [task(containers=containers(("RUNNING", "HEALTHY"), trader))]}}) == expected
    )


def stopped(
    number: int, at: str, code: str | None = "EssentialContainerExited", **columns: Any
) -> dict[str, Any]:
    made = {
        "taskArn": f"arn:aws:ecs:us-east-1:123456789012:task/aegis/{number:016x}",
        "group": "service:aegis-pt-core",
        "lastStatus": "STOPPED",
        "stoppedAt": at,
        "stopCode": code,
        "containers": [],
        **columns,
    }
    return {key: value for key, value in made.items() if value is not None}


LOOP = ["critical task_restart_loop"]
FIRST, SECOND, THIRD = "2026-06-02T14:00:00Z", "2026-06-02T14:20:00Z", "2026-06-02T14:40:00Z"


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param([stopped(1, FIRST), stopped(2, SECOND)], [], id="two"),
        pytest.param(
            [stopped(1, FIRST), stopped(2, SECOND), stopped(3, THIRD)], LOOP, id="three, the first 3600 s ago"
        ),
        pytest.param(
            [stopped(1, "2026-06-02T13:59:59Z"), stopped(2, SECOND), stopped(3, THIRD)], [], id="3601 s ago"
        ),
        pytest.param([stopped(n, THIRD, "TaskFailedToStart") for n in (1, 2, 3)], LOOP, id="failed to start"),
        pytest.param([stopped(n, THIRD, "SpotInterruption") for n in (1, 2, 3)], LOOP, id="spot"),
        pytest.param([stopped(n, THIRD, "UserInitiated") for n in (1, 2, 3)], [], id="stopped by a user"),
        pytest.param([stopped(n, THIRD, "ServiceSchedulerInitiated") for n in (1, 2, 3)], [], id="deployed"),
        pytest.param(
            [
                stopped(
                    n, THIRD, "ServiceSchedulerInitiated", stoppedReason="Task failed container health checks"
                )
                for n in (1, 2, 3)
            ],
            LOOP,
            id="failed health checks",
        ),
        pytest.param(
            [stopped(n, THIRD, None, stoppedReason="Essential container in task exited") for n in (1, 2, 3)],
            LOOP,
            id="only the reason says it",
        ),
        pytest.param([stopped(n, THIRD, group="service:else") for n in (1, 2, 3)], [], id="another service"),
    ],
)
def test_a_restart_loop_is_three_stops_within_its_time(tasks, expected):
    assert given({"ecs": {"stopped_tasks": tasks}}) == expected


def test_a_restart_loop_names_three_different_ends_of_its_containers():
    tasks = [
        stopped(number, THIRD, containers=[{"name": "lt-ibkr-trader", "exitCode": number}])
        for number in range(1, 5)
    ]
    events = evaluated(apply_patch(healthy(), {"ecs": {"stopped_tasks": tasks}})).events
    (sentence,) = [event.summary for event in events if event.type == "task_restart_loop"]
    assert "(exit 1, exit 2, exit 3)" in sentence


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-06-02T14:00:00Z", LOOP), ("2026-06-02T13:59:59Z", [])],
    ids=["3600 s ago", "3601 s ago"],
)
def test_the_services_own_word_that_it_cannot_start_tasks(at, expected):
    message = "(service aegis-pt-core) is unable to consistently start tasks successfully."
    assert given(service(events=[{"createdAt": at, "message": message}])) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("exited", []),
        ("created", []),
        ("dead", []),
        ("running", ["critical standby_running:aegis-lt-ibkr-trader"]),
        ("restarting", ["critical standby_running:aegis-lt-ibkr-trader"]),
        ("paused", ["critical standby_running:aegis-lt-ibkr-trader"]),
    ],
)
def test_the_standby_host_is_told_unless_it_is_exited(state, expected):
    assert given({"containers": [{"Names": ["/aegis-lt-ibkr-trader"], "State": state}]}) == expected


def test_a_standby_container_that_is_recreated_again_and_again_is_one():
    rows = [
        {"Names": [f"/{prefix}aegis-lt-ibkr-trader"], "State": "running"}
        for prefix in ("3f9a1c7e5b2d_", "0b44d1aa93ce_3f9a1c7e5b2d_", "")
    ]
    for listed in (rows[:1], rows[1:2], rows):
        assert given({"containers": listed}) == ["critical standby_running:aegis-lt-ibkr-trader"]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"Names": ["/my-aegis-lt-ibkr-trader"], "State": "running"}],
        [{"Names": ["/aegis"], "State": "running"}],
    ],
    ids=["no container", "the name only contains it", "the name is shorter"],
)
def test_a_standby_host_without_its_containers_is_not_proven(rows):
    report = evaluated(apply_patch(healthy(), {"containers": rows}))
    standby = next(covered for covered in report.coverage if covered.signal == "standby_guard")
    assert named(report) == []
    assert standby.state == "not seen"
    assert "aegis-lt-ibkr-*" in standby.why


def stopped_task(number: int, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:ecs:us-east-1:123456789012:task/aegis/{number:016x}"
    return {
        "taskArn": arn,
        "group": "service:aegis-pt-core",
        "lastStatus": "STOPPED",
        "stoppedAt": f"2026-06-02T14:{20 + number}:00Z",
        **more,
    }


@pytest.mark.parametrize(
    ("more", "fires"),
    [
        pytest.param({"stopCode": "TerminationNotice"}, True, id="a termination notice"),
        pytest.param({"stopCode": "InfrastructureHealth"}, True, id="the infrastructure's health"),
        pytest.param({"containers": [{"name": "a", "exitCode": 137}]}, True, id="no code, an exit code"),
        pytest.param(
            {"containers": [{"name": "a", "reason": "OutOfMemoryError: killed"}]},
            True,
            id="no code, a reason",
        ),
        pytest.param(
            {"stoppedReason": "ResourceInitializationError: no image"}, True, id="no code, a stop reason"
        ),
        pytest.param(
            {"stoppedReason": "Host EC2 (instance i-0a1b) terminated."}, True, id="no code, a host that ended"
        ),
        pytest.param(
            {"containers": [{"name": "a", "reason": "DockerTimeoutError: timed out after waiting 4m0s"}]},
            True,
            id="no code, another error of the agent",
        ),
        pytest.param(
            {"stoppedReason": "ContainerRuntimeError: no"}, True, id="no code, an error of the runtime"
        ),
        pytest.param(
            {"containers": [{"name": "a", "reason": "OutOfMemory"}]}, True, id="no code, memory without Error"
        ),
        pytest.param({"stoppedReason": "Your Spot Task was interrupted."}, True, id="no code, a Spot notice"),
        pytest.param(
            {"stoppedReason": "Task failed container health checks"}, True, id="no code, failed health checks"
        ),
        pytest.param(
            {"stoppedReason": "Task failed ELB health checks in (target-group arn:aws:x)"},
            True,
            id="no code, failed health checks of a balancer",
        ),
        pytest.param({"containers": [{"name": "a", "exitCode": 137.0}]}, True, id="no code, a whole number"),
        pytest.param({"stoppedReason": "Stopped for a drill"}, False, id="no code, words of somebody"),
        pytest.param(
            {
                "stoppedReason": "Scaling activity initiated by (deployment ecs-svc/1)",
                "containers": [{"name": "a", "exitCode": 143}],
            },
            False,
            id="a deployment outranks the exit code",
        ),
        pytest.param({}, False, id="nothing that says why"),
    ],
)
def test_tasks_that_stop_by_themselves(more, fires):
    stops = [stopped_task(number, **more) for number in range(3)]
    assert any("task_restart_loop" in event for event in given({"ecs": {"stopped_tasks": stops}})) is fires


def eventbridge(number: int, **task: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(number),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "2026-06-02T14:30:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": stopped_task(number, stopCode="EssentialContainerExited", version=3, eventNote="x") | task,
    }


@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
def test_an_event_of_eventbridge_is_a_stopped_task(order):
    """A task has several events; those before its stop know no time of it."""
    starting = {"lastStatus": "RUNNING", "stoppedAt": None, "stopCode": None}
    events = [
        event for number in range(3) for event in (eventbridge(number, **starting), eventbridge(number))
    ]
    assert given({"ecs": {"stopped_tasks": events[::order]}}) == ["critical task_restart_loop"]


@pytest.mark.parametrize(
    "detail",
    [
        pytest.param(json.dumps(stopped_task(0)), id="its detail as text"),
        pytest.param({"eventName": "SERVICE_TASK_START_IMPAIRED", "eventType": "WARN"}, id="of a service"),
        pytest.param({}, id="empty"),
    ],
)
def test_an_event_of_eventbridge_that_holds_no_task_is_told(detail):
    event = {**eventbridge(0), "detail": detail}
    assert given({"ecs": {"stopped_tasks": [event]}}) == ["warning reading_invalid:ecs.stopped_tasks"]
