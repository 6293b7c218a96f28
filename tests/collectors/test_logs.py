"""Log lines over real HTTP: how far back, in which order, how many, and what is said when they were cut."""

from __future__ import annotations

import json

import pytest

from detector.collectors import logs
from detector.formats import errors
from tests.support.aws_server import AT, CLUSTER, GROUP, REGION, AwsError, aws_on_loopback, task
from tests.support.program import answer
from tests.support.snapshots import settings_of

ENVIRON = {
    "AEGIS_PT_LOG_GROUP": GROUP,
    "AEGIS_PT_AWS_REGION": REGION,
    "AEGIS_PT_AWS_PROFILE": "reader",
    "AEGIS_PT_SOURCE_TIMEOUT_SEC": "5",
}
HOUR = 3600


@pytest.fixture
def aws(machine):
    with aws_on_loopback() as there:
        machine(there.url)
        yield there


def line(ago: float, message: str = "INFO all is well", **more):
    """A line of so many seconds ago."""
    return {
        "logStreamName": "trader/1",
        "timestamp": int((AT - ago) * 1000),
        "message": message,
        "eventId": "1",
        **more,
    }


def collected(previous=None, tmp_path=None, **more):
    words = ["collect"]
    if previous is not None:
        (tmp_path / "previous.json").write_text(json.dumps(previous))
        words += ["--previous", str(tmp_path / "previous.json")]
    ran = answer(*words, environ={**ENVIRON, **more})
    assert ran.code == 0, ran.err
    return ran.document


def previous(ago: int, state: str | None = "ok"):
    """The part of an artifact of so many seconds ago that tells whether the logs were seen."""
    sources = {} if state is None else {"logs": {"name": "logs", "state": state}}
    at = {600: "14:50:00", 2 * HOUR: "13:00:00", 9 * HOUR: "06:00:00", 300: "14:55:00"}[ago]
    return {"taken_at": f"2026-06-02T{at}Z", "sources": sources}


def asked_back(aws) -> float:
    """How many seconds back the lines were asked for."""
    starts = [one["startTime"] for one in aws.said if one["operation"] == "FilterLogEvents"]
    return AT - min(starts) / 1000


def test_lines_arrive_in_the_contracts_shape_and_order(aws):
    aws.events = [line(10, "newest"), line(50 * 60, "oldest"), line(20 * 60, "between")]
    section = collected()["logs"]
    assert [one["message"] for one in section["events"]] == ["oldest", "between", "newest"]
    assert set(section["events"][0]) == {"timestamp", "message", "logStreamName"}
    assert (section["to"], section["truncated"]) == ("2026-06-02T15:00:00Z", False)


def test_no_line_is_read_twice_and_none_is_lost_between_two_stretches(aws):
    aws.events = [line(ago, f"line {ago}") for ago in range(0, 3590, 5)]
    found = [one["message"] for one in collected()["logs"]["events"]]
    assert found == [f"line {ago}" for ago in sorted(range(0, 3590, 5), reverse=True)]


def test_no_line_at_all_is_read_as_none(aws):
    section = collected()["logs"]
    assert (section["events"], section["truncated"]) == ([], False)


def test_without_a_memory_it_looks_back_as_far_as_the_rules(aws):
    collected()
    longest = logs.compute_lookback(answer_settings()).total_seconds()
    assert asked_back(aws) == longest
    assert longest >= 1800


def answer_settings():
    from tests.support.snapshots import DEFAULTS

    return DEFAULTS


@pytest.mark.parametrize(
    ("memory", "wanted"),
    [
        pytest.param(previous(600), None, id="a run ten minutes ago: as far as the rules"),
        pytest.param(
            previous(2 * HOUR), 2 * HOUR + 120, id="a run two hours ago: since then, and late lines"
        ),
        pytest.param(previous(9 * HOUR), 6 * HOUR, id="a run nine hours ago: at most six"),
        pytest.param(previous(600, "failed"), 6 * HOUR, id="the logs failed then: nobody knows since when"),
        pytest.param(previous(9 * HOUR, None), None, id="the logs were not read then"),
        pytest.param({"events": [], "new_events": []}, None, id="a bare output"),
        pytest.param({"taken_at": "soon", "sources": {"logs": {"state": "ok"}}}, None, id="a broken time"),
        pytest.param({"taken_at": 1, "sources": []}, None, id="a broken memory"),
    ],
)
def test_it_looks_back_to_the_end_of_the_last_reading(memory, wanted, aws, tmp_path):
    collected(memory, tmp_path)
    assert asked_back(aws) == (wanted or logs.compute_lookback(answer_settings()).total_seconds())


def test_detect_looks_back_to_its_own_previous_run(aws, tmp_path):
    memory = tmp_path / "memory.json"
    first = answer("detect", "--artifact", str(memory), "--now", "2026-06-02T12:00:00Z", environ=ENVIRON)
    assert first.code == 0, first.err
    aws.said.clear()
    answer("detect", "--previous", str(memory), environ=ENVIRON)
    assert asked_back(aws) == 3 * HOUR + 120


def test_every_page_is_read(aws):
    aws.log_page = 10
    aws.events = [line(ago) for ago in range(95)]
    assert len(collected()["logs"]["events"]) == 95


def test_a_page_may_be_empty_and_not_the_last(aws, monkeypatch):
    """FilterLogEvents answers so while it searches."""
    whole = aws._FilterLogEvents
    aws._FilterLogEvents = lambda asked: (
        whole({**asked, "nextToken": "0"}) if "nextToken" in asked else {"events": [], "nextToken": "0"}
    )
    aws.events = [line(10)]
    assert len(collected()["logs"]["events"]) == 1


@pytest.mark.parametrize("bound", ["_MAX_EVENTS", "_MAX_BYTES"])
def test_the_newest_lines_are_kept_when_there_are_too_many(bound, aws, monkeypatch):
    monkeypatch.setattr(logs, bound, 1000 if bound == "_MAX_EVENTS" else 24_000)
    aws.events = [line(ago, f"line {ago:04}".ljust(16)) for ago in range(3600)]
    document = collected()
    section, entry = document["logs"], document["sources"]["logs"]
    assert 900 <= len(section["events"]) <= 1000
    assert section["events"][-1]["message"].startswith("line 0000")
    assert section["from"] == "2026-06-02T14:45:00Z"
    assert section["to"] == "2026-06-02T15:00:00Z"
    assert section["truncated"] is True
    assert entry["state"] == "ok"
    assert entry["detail"].startswith("cut: the lines of 15 min")


def test_what_was_cut_is_no_hole_where_the_last_run_saw_it(aws, monkeypatch, tmp_path):
    monkeypatch.setattr(logs, "_MAX_EVENTS", 1000)
    aws.events = [line(ago) for ago in range(3600)]
    document = collected(previous(300), tmp_path)
    assert document["logs"]["truncated"] is False
    assert "cut" in document["sources"]["logs"]["detail"]


def test_a_flood_in_the_newest_stretch_says_up_to_when_it_was_read(aws, monkeypatch):
    monkeypatch.setattr(logs, "_MAX_EVENTS", 100)
    aws.events = [line(ago) for ago in range(800)]
    section = collected()["logs"]
    assert len(section["events"]) == 100
    assert section["truncated"] is True
    assert section["to"] == "2026-06-02T14:48:20Z"


def test_what_was_read_counts_when_the_time_is_over(aws):
    aws.events = [line(10, "newest"), line(3000, "old")]
    whole = aws._FilterLogEvents

    def refuses_when_old(asked):
        if asked["startTime"] < (AT - 1000) * 1000:
            raise AwsError("ThrottlingException")  # counts as a time that ran out
        return whole(asked)

    aws._FilterLogEvents = refuses_when_old
    document = collected()
    assert [one["message"] for one in document["logs"]["events"]] == ["newest"]
    assert document["logs"]["truncated"] is True
    assert document["sources"]["logs"]["state"] == "ok"


def test_the_pages_of_the_newest_stretch_that_were_read_count_when_the_time_is_over(aws):
    aws.log_page = 10
    aws.events = [line(600 - second) for second in range(0, 300, 10)]
    whole = aws._FilterLogEvents

    def refuses_the_third_page(asked):
        if asked.get("nextToken") and len([one for one in aws.said if one.get("nextToken")]) > 1:
            raise AwsError("ThrottlingException")
        return whole(asked)

    aws._FilterLogEvents = refuses_the_third_page
    section = collected()["logs"]
    assert len(section["events"]) == 20
    assert section["truncated"] is True
    assert section["to"] == "2026-06-02T14:53:10Z"


def test_a_page_that_names_itself_as_the_next_ends_the_reading(aws):
    whole = aws._FilterLogEvents
    aws._FilterLogEvents = lambda asked: {**whole({**asked, "nextToken": "0"}), "nextToken": "again"}
    aws.events = [line(10)]
    document = collected()
    assert document["logs"]["truncated"] is True
    assert document["sources"]["logs"]["state"] == "ok"


def test_pages_that_name_each_other_in_turn_end_the_reading(aws):
    whole = aws._FilterLogEvents
    turn = {"a": "b", "b": "a"}
    aws._FilterLogEvents = lambda asked: {
        **whole({**asked, "nextToken": "0"}),
        "nextToken": turn.get(asked.get("nextToken"), "a"),
    }
    aws.events = [line(10)]
    document = collected()
    assert document["logs"]["truncated"] is True
    assert document["sources"]["logs"]["state"] == "ok"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (AwsError("AccessDeniedException"), errors.DENIED),
        (AwsError("ExpiredTokenException"), errors.EXPIRED),
        (AwsError("ResourceNotFoundException"), errors.MISSING),
        (AwsError("ThrottlingException"), errors.THROTTLED),
    ],
    ids=lambda given: getattr(given, "code", ""),
)
def test_logs_that_fail_are_a_failed_source_and_ecs_is_fine(fault, reason, aws):
    aws.tasks = [task(1)]
    aws.fails("FilterLogEvents", fault)
    environ = {**ENVIRON, "AEGIS_PT_ECS_CLUSTER": CLUSTER}
    document = answer("collect", environ=environ).document
    assert document["sources"]["logs"]["reason"] == reason
    assert "logs" not in document
    assert len(document["ecs"]["tasks"]) == 1
    assert answer("detect", environ=environ).types == ["source_unavailable"]


def test_half_a_character_in_a_line_is_replaced(aws, tmp_path):
    aws.events = [line(10, "\ud800 broken, 連線 whole")]
    ran = answer("collect", "--to", str(tmp_path / "s.json"), environ=ENVIRON)
    assert ran.code == 0, ran.err
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["logs"]["events"][0]["message"] == "\ufffd broken, 連線 whole"


def test_what_the_lines_say_is_judged(aws):
    aws.events = [
        line(10, "2026-06-02 14:59:50 ERROR Error 1100: Connectivity between IBKR and TWS has been lost.")
    ]
    assert "connectivity_lost" in answer("detect", environ=ENVIRON).types


def test_the_longest_look_back_of_any_rule_is_read():
    assert logs.compute_lookback(answer_settings()).total_seconds() == 3600
    longer = settings_of({"RECONCILE_PROOF_SEC": "7200"})
    assert logs.compute_lookback(longer).total_seconds() == 7200
