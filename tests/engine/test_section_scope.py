"""Whose the broker's rows are: AEGIS_PT_ACCOUNT against the accounts that they name, in every spelling."""

from __future__ import annotations

import pytest

from detector.readers.broker.row_columns import COLUMNS
from tests.support.program import answer
from tests.support.snapshots import evaluated, healthy, named, settings_of

NOW = "2026-06-02T15:00:00Z"
OURS, OTHER = "live-1", "live-2"  # as redaction leaves them
COIN, TESLA = {"symbol": "COIN", "sec_type": "STK", "quantity": 10}, {"symbol": "TSLA", "quantity": 5}
FILL = {"exec_id": "e", "symbol": "COIN", "side": "BOT", "quantity": 1, "at": NOW, "account": OTHER}
ORDER = {"order_id": 1, "symbol": "COIN", "side": "BUY", "quantity": 1, "status": "Submitted"}
STATUS = {"heartbeat_at": NOW, "open_positions": [COIN], "open_position_count": 1}
MISMATCH = ["critical source_mismatch:broker"]


def list_events(**lists):
    document = {
        "taken_at": NOW,
        "status_v3": STATUS,
        "broker": {"as_of": NOW, "connected": True, **lists},
    }
    return named(evaluated(document, settings=settings_of({"ACCOUNT": OURS})))


@pytest.mark.parametrize("key", COLUMNS["position"]["account"])
def test_rows_that_are_all_of_another_account_are_not_about_this_runtime(key):
    assert list_events(positions=[{**TESLA, key: OTHER}]) == MISMATCH
    assert list_events(positions=[{**TESLA, key: OTHER}, {**COIN, key: OURS}]) == []


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"positions": [COIN]}, []),
        ({"positions": [{**COIN, "account": "U***1111"}]}, []),
        ({"positions": [{**COIN, "account": f"{OURS}/GROWTH"}]}, []),
        ({"positions": [{**COIN, "account": OURS}], "executions": [FILL]}, []),
        ({"positions": [], "open_orders": [{**ORDER, "account": OTHER}]}, MISMATCH),
        (
            {"positions": [{**TESLA, "account": OTHER}], "open_orders": [{**ORDER, "account": OURS}]},
            ["critical open_positions_drift:COIN"],
        ),
    ],
    ids=["no account", "masked", "a model", "a fill of another", "orders of another", "flat beside another"],
)
def test_one_row_that_may_be_ours_makes_the_section_ours_and_no_other_accounts_row_counts(lists, expected):
    assert list_events(**lists) == expected


AWS_ACCOUNT, ZEROES = "111122223333", "000022223333"
CLUSTER = "arn:{}:ecs:{}:111122223333:cluster/aegis"
PLACES = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}


def list_mismatches(environ, **envelope):
    """Return the mismatches of the whole program, which redacts document and settings together."""
    document = healthy()
    document["ecs"]["tasks"][0]["taskArn"] = "arn:aws:ecs:us-east-1:[aws-account]:task/aegis/0a1b"
    document["ecs"] |= envelope
    names = {f"AEGIS_PT_{name}": value for name, value in environ.items()}
    done = answer("detect", "--offline", stdin=document, environ=names)
    return [event["type"] for event in done.document["events"]]


@pytest.mark.parametrize("key", ["account", "aws_account"])
@pytest.mark.parametrize(
    ("account", "named", "is_other"),
    [
        (AWS_ACCOUNT, AWS_ACCOUNT, False),
        (AWS_ACCOUNT, 111122223333, False),
        (AWS_ACCOUNT, "1111-2222-3333", False),
        (ZEROES, 22223333, False),  # a number has no leading zeroes
        (AWS_ACCOUNT, "our-paper-account", False),  # a name that somebody gave it
        (AWS_ACCOUNT, "999988887777", True),
        (AWS_ACCOUNT, 999988887777, True),
        (AWS_ACCOUNT, "9999-8888-7777", True),
    ],
    ids=["text", "number", "dashes", "zeroes", "name", "other text", "other number", "other dashes"],
)
def test_an_aws_account_is_compared_in_every_form(key, account, named, is_other):
    arnless = {
        "tasks": [],
        "services": [{**healthy()["ecs"]["services"][0], "runningCount": 0, "desiredCount": 0}],
    }
    found = list_mismatches({"AWS_ACCOUNT": account, "EXPECTED_TASKS": "0"}, **arnless, **{key: named})
    assert found == ["source_mismatch"] * is_other


@pytest.mark.parametrize(("partition", "region"), PLACES.items())
def test_a_cluster_and_a_service_are_named_by_an_arn_in_a_setting_too(partition, region):
    cluster, service = CLUSTER.format(partition, region), "aegis/aegis-pt-core"
    document = healthy()["ecs"]
    rows = {
        "services": [
            {
                **document["services"][0],
                "clusterArn": cluster,
                "serviceArn": cluster.replace("cluster/aegis", f"service/{service}"),
            }
        ],
        "tasks": [
            {
                **document["tasks"][0],
                "clusterArn": cluster,
                "taskArn": cluster.replace("cluster", "task") + "/0a",
            }
        ],
    }
    ours = {"ECS_CLUSTER": cluster, "ECS_SERVICE": rows["services"][0]["serviceArn"], "AWS_REGION": region}
    assert list_mismatches(ours | {"AWS_ACCOUNT": AWS_ACCOUNT}, **rows) == []
    for other in (
        {"ECS_CLUSTER": cluster.replace("/aegis", "/prod")},
        {"ECS_SERVICE": rows["services"][0]["serviceArn"] + "-2"},
        {"AWS_REGION": "eu-west-1"},
        {"AWS_ACCOUNT": "999988887777"},
    ):
        assert list_mismatches(ours | other, **rows) == ["source_mismatch"], other


@pytest.mark.parametrize("key", ["cluster", "clusterArn", "serviceArn", "logGroupArn"])
@pytest.mark.parametrize(("partition", "region"), PLACES.items())
def test_an_arn_of_the_envelope_is_compared_in_each_of_its_parts(key, partition, region):
    """An answer without rows has no other sign of whose it is."""
    resource = {"serviceArn": "service/aegis/aegis-pt-core", "logGroupArn": "log-group:/ecs/aegis"}
    arn = CLUSTER.format(partition, region).replace("cluster/aegis", resource.get(key, "cluster/aegis"))
    service = {**healthy()["ecs"]["services"][0], "runningCount": 0, "desiredCount": 0}
    rows = {"tasks": [], "services": [service], key: arn}
    if key == "logGroupArn":
        rows[key] = arn.replace(":ecs:", ":logs:")
    ours = {"EXPECTED_TASKS": "0", "AWS_REGION": region, "AWS_ACCOUNT": AWS_ACCOUNT, "ECS_CLUSTER": "aegis"}
    assert list_mismatches(ours, **rows) == []
    others = [{"AWS_REGION": "eu-west-1"}, {"AWS_ACCOUNT": "999988887777"}]
    others += [{"ECS_CLUSTER": "prod"}] if key != "logGroupArn" else []
    for other in others:
        assert list_mismatches(ours | other, **rows) == ["source_mismatch"], other
