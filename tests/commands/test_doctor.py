"""`doctor`: every source tried, what fails with what mends it, and what could be added."""

from __future__ import annotations

import pytest

from tests.support.aws_server import CLUSTER, GROUP, REGION, AwsError, aws_on_loopback
from tests.support.loopback import closed_port, says, serving
from tests.support.program import answer

STATUS = {"heartbeat_at": "2026-06-02T14:59:30Z", "pending_orders": 0}
AWS = {
    "AEGIS_PT_ECS_CLUSTER": CLUSTER,
    "AEGIS_PT_LOG_GROUP": GROUP,
    "AEGIS_PT_AWS_REGION": REGION,
    "AEGIS_PT_AWS_PROFILE": "reader",
}


def doctor(**environ):
    """What `doctor --json` says, with its exit code, and what it says to people."""
    ran = answer("doctor", "--json", environ=environ)
    told_people = answer("doctor", environ=environ)
    assert told_people.code == ran.code
    return ran.document, ran.code, told_people.out.decode()


def test_with_nothing_configured_it_lists_what_there_is():
    document, code, text = doctor()
    assert (document["sources"], document["off"], code) == ([], [], 0)
    sections = dict.fromkeys(offer["section"] for offer in document["not_configured"])
    assert [*sections][:5] == [
        "status_v3",
        "bot_status",
        "ecs",
        "containers",
        "logs",
    ]
    assert text.startswith("No source is configured.\n")
    assert "AEGIS_PT_STANDBY_DOCKER_URL: the standby guard" in text


def test_what_works_is_said_with_its_time_and_place():
    with serving(says(STATUS)) as server:
        document, code, text = doctor(AEGIS_PT_STATUS_URL=f"{server.url}/status?key=abcdefgh")
    (found,) = document["sources"]
    assert (found["name"], found["state"], found["place"], code) == (
        "status_v3",
        "ok",
        f"{server.url}/status",
        0,
    )
    assert "status_v3" not in [offer["section"] for offer in document["not_configured"]]
    assert f"{server.url}/status\n" in text
    assert "abcdefgh" not in text


def test_what_detect_would_ignore_is_not_ok():
    with serving(says({"generated_at": "2026-06-01T10:00:00Z", **STATUS})) as server:
        document, code, text = doctor(AEGIS_PT_STATUS_URL=f"{server.url}/status")
    (found,) = document["sources"]
    assert (found["state"], code) == ("ignored", 1)
    assert found["reading"].startswith("ignored: ")
    assert "  status_v3     IGNORED " in text


def test_a_payload_of_which_nothing_is_recognised_is_not_ok_and_it_names_the_profile():
    with serving(says({"loop": {"tick": 1}, "book": []})) as server:
        document, code, text = doctor(AEGIS_PT_SECTIONS=f"bot_status={server.url}/status")
    (found,) = document["sources"]
    assert (found["state"], code) == ("ignored", 1)
    assert found["reading"].startswith("ignored: nothing in it is recognised; 0 facts;")
    assert "AEGIS_PT_SECTIONS right, and does AEGIS_PT_PROFILE know this payload?" in text


def test_an_empty_text_is_shown_as_such():
    with serving(says({**STATUS, "connection_error": ""})) as server:
        _, _, text = doctor(AEGIS_PT_STATUS_URL=f"{server.url}/status")
    assert "connection_error ''" in text


def test_what_does_not_work_is_named_with_its_setting():
    document, code, text = doctor(AEGIS_PT_STATUS_URL=f"http://127.0.0.1:{closed_port()}/")
    (found,) = document["sources"]
    assert (found["state"], found["reason"], found["setting"], code) == (
        "failed",
        "refused",
        "AEGIS_PT_STATUS_URL",
        1,
    )
    assert (
        found["advice"]
        == "Nothing listens there: is it running, and is the port in AEGIS_PT_STATUS_URL right?"
    )
    assert "refused: the connection was refused" in text
    assert found["advice"] in text


@pytest.mark.parametrize(
    ("operation", "source", "permission"),
    [
        ("DescribeServices", "ecs", "ecs:DescribeServices"),
        ("ListTasks", "ecs", "ecs:ListTasks"),
        ("DescribeTasks", "ecs", "ecs:DescribeTasks"),
        ("FilterLogEvents", "logs", "logs:FilterLogEvents"),
    ],
)
def test_the_permission_that_is_missing_is_named(operation, source, permission, machine):
    with aws_on_loopback() as aws:
        aws.fails(operation, AwsError("AccessDeniedException"))
        machine(aws.url)
        document, code, text = doctor(**AWS)
    found = {one["name"]: one for one in document["sources"]}
    assert (found[source]["reason"], code) == ("denied", 1)
    assert permission in found[source]["detail"]
    assert "policies/iam-read-only.json" in found[source]["advice"]
    assert permission in text
    assert sum(one["state"] == "ok" for one in found.values()) == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"AEGIS_PT_AWS_PROFILE": "absent"}, "Name a profile of this machine's AWS configuration"),
        ({"AEGIS_PT_AWS_PROFILE": ""}, "Set AEGIS_PT_AWS_PROFILE"),
        ({"AEGIS_PT_AWS_ACCOUNT": "999999999999"}, "AEGIS_PT_AWS_ACCOUNT"),
    ],
)
def test_the_setting_that_is_missing_is_named(more, words, machine):
    with aws_on_loopback() as aws:
        machine(aws.url)
        document, code, _ = doctor(**{**AWS, **more})
    assert code == 1
    assert all(words in one["advice"] for one in document["sources"])


def test_a_region_that_is_none_is_named_where_its_host_cannot_be_reached(machine):
    machine(f"http://127.0.0.1:{closed_port()}")
    document, _, _ = doctor(**AWS)
    assert all("AEGIS_PT_AWS_REGION" in one["advice"] for one in document["sources"])


def test_what_is_switched_off_is_said_and_not_offered():
    document, code, text = doctor(AEGIS_PT_SOURCES_OFF="power,logs")
    assert (document["off"], code) == (["power", "logs"], 0)
    assert not {"power", "logs"} & {offer["section"] for offer in document["not_configured"]}
    assert "Switched off for good (AEGIS_PT_SOURCES_OFF): power, logs" in text


@pytest.mark.parametrize(
    ("environ", "warned"),
    [
        ({"AEGIS_PT_STATUS_URL": "http://dashboard.invalid/", "AEGIS_PT_STATUS_TOKEN": "t"}, True),
        ({"AEGIS_PT_STATUS_URL": "http://dashboard.invalid/", "AEGIS_PT_STATUS_USER": "u"}, True),
        ({"AEGIS_PT_BOT_STATUS_URL": "http://bot.invalid/", "AEGIS_PT_BOT_STATUS_TOKEN": "t"}, True),
        ({"AEGIS_PT_STATUS_URL": "http://dashboard.invalid/"}, False),
        ({"AEGIS_PT_STATUS_URL": "https://dashboard.invalid/", "AEGIS_PT_STATUS_TOKEN": "t"}, False),
        ({"AEGIS_PT_STATUS_URL": "http://127.0.0.1:1/", "AEGIS_PT_STATUS_TOKEN": "t"}, False),
    ],
)
def test_credentials_in_clear_text_are_warned_of(environ, warned):
    document, _, text = doctor(**environ, AEGIS_PT_SOURCE_TIMEOUT_SEC="0.3")
    assert ("warning" in document["sources"][0]) is warned
    assert ("clear text" in text) is warned


def test_each_fact_stands_by_its_name_with_its_value_or_age_and_an_account_redacted():
    payload = {
        "heartbeat_at": "2026-06-02T14:59:48Z",
        "pending_orders": 2,
        "broker_connected": True,
        "open_positions": [
            {"symbol": "AAPL", "quantity": 10, "account": "DU1234567"},
            {"symbol": "SPY", "quantity": -3},
        ],
        "orders": [],
        "market_data_status": "ok of DU1234567",
    }
    with serving(says(payload)) as server:
        document, code, text = doctor(AEGIS_PT_STATUS_URL=server.url)
    reading = document["sources"][0]["reading"]
    assert code == 0
    for part in (
        "heartbeat 12 s ago",
        "pending_orders 2",
        "broker_connected true",
        "open_positions AAPL 10 and SPY -3",
        "orders 0 rows",
    ):
        assert part in reading
    assert "DU1234567" not in text + str(document)
