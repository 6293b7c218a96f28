"""The cluster over real HTTP: the service, every task of the cluster, and failures that are kept."""

from __future__ import annotations

import pytest

from detector.formats import errors
from tests.support.aws_server import (
    ACCOUNT,
    CLUSTER,
    REGION,
    AwsError,
    aws_on_loopback,
    deployment,
    service,
    stopped,
    task,
)
from tests.support.loopback import says, serving
from tests.support.program import answer

ENVIRON = {
    "AEGIS_PT_ECS_CLUSTER": CLUSTER,
    "AEGIS_PT_AWS_REGION": REGION,
    "AEGIS_PT_AWS_PROFILE": "reader",
    "AEGIS_PT_SOURCE_TIMEOUT_SEC": "5",
}


@pytest.fixture
def aws(machine):
    with aws_on_loopback() as there:
        machine(there.url)
        yield there


def collected(**more):
    ran = answer("collect", environ={**ENVIRON, **more})
    assert ran.code == 0, ran.err
    return ran.document


def judged(**more):
    return answer("detect", environ={**ENVIRON, **more})


def entry(**more):
    return collected(**more)["sources"]["ecs"]


def test_a_healthy_cluster_gives_no_event(aws):
    assert judged().types == []
    section = collected()["ecs"]
    assert [one["serviceName"] for one in section["services"]] == ["aegis-pt-core"]
    assert len(section["tasks"]) == 1
    assert (section["stopped_tasks"], section["failures"]) == ([], [])


def test_times_are_as_the_contract_has_them(aws):
    assert collected()["ecs"]["tasks"][0]["createdAt"] == "2026-06-02T13:00:00Z"


def test_what_nobody_judges_is_not_collected(aws):
    section = collected()["ecs"]
    assert "overrides" not in section["tasks"][0]
    assert "attachments" not in section["tasks"][0]
    assert "networkConfiguration" not in section["services"][0]
    assert len(section["services"][0]["events"]) == 20


@pytest.mark.parametrize(("count", "described"), [(0, 0), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_all_tasks_are_read_over_every_page(count, described, aws):
    aws.tasks = [task(number, group="family:other", containers=[]) for number in range(count)]
    assert len(collected()["ecs"]["tasks"]) == count
    assert aws.asked["DescribeTasks"] == described
    assert aws.asked["ListTasks"] == max(1, -(-count // 100)) + 1


def test_no_task_at_all_is_read_as_none(aws):
    aws.tasks = []
    assert "ecs_task_count_mismatch" in judged().types


def test_a_second_task_that_someone_ran_by_hand_is_seen(aws):
    aws.tasks = [task(1), task(2, group="family:aegis-pt", startedBy="a person")]
    assert "ecs_task_count_mismatch" in judged().types


def test_a_draining_task_is_among_the_running_ones(aws):
    """ECS lists it with the stopped ones, by its desired status; it still trades."""
    aws.tasks = [task(1), task(2, desiredStatus="STOPPED")]
    section = collected()["ecs"]
    assert (len(section["tasks"]), section["stopped_tasks"]) == (2, [])
    assert "ecs_task_count_mismatch" in judged().types


def test_stopped_tasks_are_read_with_why(aws):
    aws.tasks = [task(1), *(stopped(number) for number in range(2, 5))]
    section = collected()["ecs"]
    assert len(section["stopped_tasks"]) == 3
    assert section["stopped_tasks"][0]["stopCode"] == "EssentialContainerExited"
    assert "task_restart_loop" in judged().types


def test_two_deployments_are_a_replacement_under_way(aws):
    under_way = deployment("PRIMARY", "IN_PROGRESS", createdAt=1780412400 - 60)
    aws.services = [service(deployments=[under_way, deployment("ACTIVE", "COMPLETED")], runningCount=0)]
    found = judged().document["events"]
    assert [(one["type"], one["severity"]) for one in found] == [("ecs_service_count_mismatch", "warning")]


def test_a_missing_service_is_a_failure_that_is_kept(aws):
    aws.services, aws.failures = (
        [],
        [{"arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/aegis-pt-core", "reason": "MISSING"}],
    )
    assert collected()["ecs"]["failures"][0]["reason"] == "MISSING"
    assert "ecs_service_count_mismatch" in judged().types


def test_a_task_that_is_gone_between_two_calls_is_a_failure_that_is_kept(aws):
    aws.tasks = [task(1), task(2, gone=True)]
    section = collected()["ecs"]
    assert (len(section["tasks"]), len(section["failures"])) == (1, 1)
    assert judged().types == []


def test_tasks_that_are_left_out_without_a_word_are_no_shorter_list(aws, monkeypatch):
    aws.tasks = [task(1), task(2)]
    monkeypatch.setattr(aws, "_DescribeTasks", lambda asked: {"tasks": [task(1)], "failures": []})
    failed = entry()
    assert (failed["state"], failed["detail"]) == ("failed", "it described 1 of 2 tasks")


def test_a_time_of_no_year_is_no_fault_of_the_collector(machine):
    with serving(says(b'{"services": [{"createdAt": 1e300}]}')) as server:
        machine(server.url)
        assert (entry()["state"], entry()["reason"]) == ("failed", errors.UNREADABLE)


def test_throttling_once_is_a_clean_read(aws):
    aws.fails("DescribeTasks", AwsError("ThrottlingException"), None)
    assert entry()["state"] == "ok"


@pytest.mark.parametrize("operation", ["DescribeServices", "ListTasks", "DescribeTasks"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (AwsError("ThrottlingException"), errors.THROTTLED),
        (AwsError("ExpiredTokenException"), errors.EXPIRED),
        (AwsError("AccessDeniedException"), errors.DENIED),
        (AwsError("ClusterNotFoundException"), errors.MISSING),
        (AwsError("ServerException", 500), errors.HTTP_STATUS),
    ],
    ids=lambda given: getattr(given, "code", ""),
)
def test_a_part_that_fails_is_a_failed_source_and_never_an_empty_list(operation, fault, reason, aws):
    aws.fails(operation, fault)
    document = collected()
    assert (document["sources"]["ecs"]["reason"], "ecs" in document) == (reason, False)


def test_every_permission_that_is_missing_is_named_at_once(aws):
    aws.fails("DescribeServices", AwsError("AccessDeniedException"))
    aws.fails("ListTasks", AwsError("AccessDeniedException"))
    detail = entry()["detail"]
    assert "ecs:DescribeServices" in detail
    assert "ecs:ListTasks" in detail


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"AEGIS_PT_AWS_PROFILE": "absent"}, errors.PROFILE_MISSING),
        ({"AEGIS_PT_AWS_PROFILE": ""}, errors.CREDENTIALS),
    ],
    ids=["no such profile", "none named"],
)
def test_credentials_that_are_missing_are_the_monitors_environment(more, reason, aws):
    assert entry(**more)["reason"] == reason
    (event,) = judged(**more).document["events"]
    assert event["type"] == "source_unavailable"
    assert "the monitor's environment" in event["summary"]
    assert "not AWS" in event["summary"]
    assert aws.asked == {}


def test_another_account_is_refused_before_anything_is_read(aws):
    aws.account = "999999999999"
    ran = judged(AEGIS_PT_AWS_ACCOUNT=ACCOUNT)
    assert ran.types == ["source_unavailable"]
    assert aws.asked == {"GetCallerIdentity": 1}
    assert not any(number in ran.out.decode() + ran.err for number in (ACCOUNT, "999999999999"))


def test_a_page_in_the_place_of_aws_is_no_empty_cluster(machine):
    from tests.support.loopback import says, serving

    with serving(
        says(b"<html>Sign in to the network</html>", headers={"content-type": "text/html"})
    ) as server:
        machine(server.url)
        document = collected()
    assert document["sources"]["ecs"]["reason"] == errors.UNREADABLE
    assert "ecs" not in document
