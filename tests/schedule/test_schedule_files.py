"""The crons as they stand in the workflow and in the Worker's configuration.

Neither file is believed blindly.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from detector.domain.run_windows import StandBy
from detector.formats.errors import InputError
from detector.schedule.schedule_files import (
    get_title_prefix,
    parse_jsonc,
    parse_worker_lanes,
    parse_workflow_lanes,
    parse_yaml,
)

WORKFLOW = """
name: A workflow
on:
  schedule:
    - cron: "7,17,27,37,47,57 13-21 * * MON-FRI" # primary
    - cron: 12,22,32,42,52 13-21 * * MON-FRI
  repository_dispatch:
    types: [aws_ibkr_pt_health]
"""
WORKER = """
// a comment
{
  "name": "x", /* and
  another */ "vars": {"MODE": "absent", "PERIOD_MINUTES": "10", "ON_ITS_WAY_MINUTES": "5", "WATCH_TO_UTC": "22:00"},
  "main": "https://example.com/*no comment*/", // "crons": ["never"]
  "triggers": {"crons": ["0,30 13-21 * * 2-6", ],},
}
"""


def schedule(*entries: str) -> dict:
    return parse_yaml("on:\n  schedule:\n" + "".join(f"    - {entry}\n" for entry in entries))


def test_the_lanes_of_a_workflow_are_named_as_its_runs_are():
    lanes = parse_workflow_lanes(parse_yaml(WORKFLOW))
    assert [lane.name for lane in lanes] == [
        "schedule 7,17,27,37,47,57 13-21 * * MON-FRI",
        "schedule 12,22,32,42,52 13-21 * * MON-FRI",
    ]
    assert {(lane.trigger, lane.zone, lane.stand_by) for lane in lanes} == {("schedule", "UTC", None)}


def test_the_lanes_of_a_worker_are_named_by_the_source_that_it_sends():
    (lane,) = parse_worker_lanes(parse_jsonc(WORKER))
    assert lane.name == "dispatch cloudflare-cron:0,30 13-21 * * 2-6"
    assert lane.fires.endswith("1,2,3,4,5")
    assert lane.stand_by == StandBy(timedelta(minutes=10), timedelta(minutes=5), timedelta(hours=22))


def test_what_stands_in_a_string_is_no_comment():
    text = r'{"a": "x // y", "b": "\"/*", "c": "*/ // \\", "d": [1, 2, /* , */ ], "e": ",]",}'
    assert parse_jsonc(text) == {"a": "x // y", "b": '"/*', "c": "*/ // \\", "d": [1, 2], "e": ",]"}


def test_a_fault_behind_a_comment_keeps_its_line():
    with pytest.raises(InputError, match="line 4"):
        parse_jsonc('{ /* one\n two */\n // three\n "a": nothing }')


def test_a_worker_in_always_mode_never_stands_by():
    document = parse_jsonc('{"triggers": {"crons": ["0 13 * * *"]}, "vars": {"MODE": "always"}}')
    assert parse_worker_lanes(document)[0].stand_by is None


def test_a_timezone_is_the_lanes():
    (lane,) = parse_workflow_lanes(schedule('{cron: "30 9 * * 1-5", timezone: America/New_York}'))
    assert lane.zone == "America/New_York"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("on: [push", "is not YAML (line", id="no YAML"),
        pytest.param("- a", "the file is not a mapping", id="a list"),
        pytest.param("on: push", "has no on.schedule", id="on is a word"),
        pytest.param("on: {push: {}}", "has no on.schedule", id="no schedule"),
        pytest.param("on: {schedule: []}", "has no on.schedule", id="an empty one"),
        pytest.param("on: {schedule: [{cron: }]}", "on.schedule number 1: '' has 0 fields", id="an empty cron"),
        pytest.param("on: {schedule: [{corn: x}]}", "on.schedule number 1: has no cron", id="a key misspelt"),
        pytest.param("on: {schedule: ['0 1 * * *']}", "on.schedule number 1: has no cron", id="no mapping"),
        pytest.param("on: {schedule: [{cron: '0 1 * * 7'}]}", "on.schedule number 1: the weekday field '7'", id="a dialect error"),
        pytest.param("on: {schedule: [{cron: 0 1 * * *}, {cron: 0 1 * * *}]}", "the cron '0 1 * * *' is there twice", id="twice"),
        pytest.param("on: {schedule: [{cron: 0 1 * * *, timezone: Mars/Olympus}]}", "on.schedule number 1: timezone 'Mars/Olympus' is not known", id="no zone"),
        pytest.param("on: {schedule: [{cron: 0 1 * * *, timezone: ../etc}]}", "on.schedule number 1: timezone '../etc'", id="a path"),
        pytest.param("on: {schedule: [{cron: 0 1 * * *, timezone: [a]}]}", "on.schedule number 1: timezone is no text", id="a list for a zone"),
        pytest.param("&a [*a, *a]", "is not YAML", id="a list of itself"),
    ],
)  # fmt: skip
def test_a_workflow_that_cannot_be_read_says_why(text, says):
    with pytest.raises(InputError) as caught:
        parse_workflow_lanes(parse_yaml(text))
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON (line 1)"),
        ("[]", "the file is not a mapping"),
        ("{}", "has no list of texts at triggers.crons"),
        ('{"triggers": {"crons": [7]}}', "has no list of texts at triggers.crons"),
        ('{"triggers": {"crons": ["0 13 * * 0"]}}', "triggers.crons number 1: the weekday field '0'"),
        ('{"triggers": {"crons": ["0 1 * * *"]}, "vars": {"MODE": "abesnt"}}', "vars.MODE: 'abesnt' is neither"),
        ('{"triggers": {"crons": ["0 1 * * *"]}, "vars": {"MODE": "absent"}}', "vars.PERIOD_MINUTES: '' is not"),
        ('{"triggers": {"crons": ["0 1 * * *"]}, "vars": {"MODE": "absent", "PERIOD_MINUTES": "-1"}}', "vars.PERIOD_MINUTES"),
        ('{"triggers": {"crons": ["0 1 * * *"]}, "vars": {"MODE": "absent", "PERIOD_MINUTES": "10", "ON_ITS_WAY_MINUTES": "5"}}', "vars.WATCH_TO_UTC: '' is not"),
        ('{"triggers": {"crons": ["0 1 * * *"]}, "vars": {"MODE": "absent", "PERIOD_MINUTES": "10", "ON_ITS_WAY_MINUTES": "5", "WATCH_TO_UTC": "24:00"}}', "vars.WATCH_TO_UTC: '24:00' is not a time of day"),
        ('{"triggers": {"crons": ["0 1 * * *"]}, "vars": 3}', "vars is not a mapping"),
        ("[" * 100_000, "is nested too deep"),
    ],
)  # fmt: skip
def test_a_workers_configuration_that_cannot_be_read_says_why(text, says):
    with pytest.raises(InputError) as caught:
        parse_worker_lanes(parse_jsonc(text))
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("run_name", "begins"),
    [
        pytest.param(
            "PT health | ${{ github.event_name }}", "PT health | ", id="a fixed text before the lane"
        ),
        pytest.param("${{ github.event_name }}", "", id="nothing before it"),
        pytest.param("PT health", "PT health", id="no lane in it"),
        pytest.param(None, "", id="no run-name: no title names a lane"),
    ],
)
def test_what_a_title_begins_with_stands_in_the_workflow(run_name, begins):
    assert get_title_prefix({} if run_name is None else {"run-name": run_name}) == begins
