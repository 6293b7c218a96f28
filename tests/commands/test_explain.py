"""`explain`: one event or one code in words, and the nearest event where the name is wrong."""

from __future__ import annotations

import re

import pytest

from detector.app import input_documents
from detector.engine.catalog import load_rules
from detector.logs.codes import CODES
from detector.render.rules import COMMAND_SETTINGS
from tests.support.command_output import told
from tests.support.snapshots import ROOT


def labelled(lines: list[str]) -> dict[str, list[str]]:
    """The lines by their label; a line without one belongs to the label above."""
    found: dict[str, list[str]] = {}
    label = ""
    for line in lines[3 : lines.index("", 3)]:
        label = line[:13].strip().rstrip(":") or label
        found.setdefault(label, []).append(line[14:])
    return found


@pytest.mark.parametrize("name", [one.name for one in load_rules()])
def test_every_event_is_explained_with_its_section_of_the_runbook(name):
    answer = told("explain", name)
    assert answer.code == 0
    assert answer.lines[0].startswith(f"{name}  (")
    for part in ("Means:", "Look:", "Do:"):
        assert f"\n{part} " in answer.out
    section = answer.out.partition("Means:")[2]
    assert not re.search(r"`|\*\w|\]\(", section), "markup is left"


def test_a_state_says_what_it_sees_its_hours_its_limit_and_how_it_ends():
    ends = (
        "resolved after two runs in a row that saw it good; not seen is not good;"
        " the market's close ends nothing"
    )
    answer = told("explain", "heartbeat_stale", environ={"AEGIS_PT_HEARTBEAT_STALE_SEC": "90"})
    assert labelled(answer.lines) == {
        "sees": ["heartbeat_at: when the runtime last said that it is alive"],
        "hours": ["regular session"],
        "limits": ["AEGIS_PT_HEARTBEAT_STALE_SEC = 90 s, broken when exceeded (from: environment)"],
        "alerts": ["once, and again when it worsens"],
        "escalates": ["at the second observation in a row"],
        "ends": [ends],
        "runbook": ["RUNBOOK.md#heartbeat_stale"],
    }


@pytest.mark.parametrize(
    ("name", "label", "words"),
    [
        ("pnl_unknown", "ends", "it happened and never resolves; it leaves the list 1 h after its latest"),
        ("task_restart_loop", "ends", "or 1 h (AEGIS_PT_RESTART_WINDOW_SEC) where that is longer"),
        ("stuck_exits", "alerts", "at once and again on every return, for it is about money"),
        ("pending_exits", "alerts", "from its second observation on"),
        ("pending_exits", "critical", "once it lasted 8 min (AEGIS_PT_PENDING_EXIT_PERSIST_SEC)"),
        ("market_data_degraded", "listed", "once it lasted 15 min"),
        ("market_data_10197", "given", "what heartbeat_stale found in the same run"),
        ("broker_disconnected", "sees one of", "broker_connected: the runtime's link to the broker is up"),
        ("broker_disconnected", "weighs", "open_positions: positions held open"),
        ("farm_unhealed", "ends", "sooner when it was seen to be over"),
        ("connectivity_lost", "reads back", "log lines of the last 1 h"),
        ("reconcile_unproven", "reads back", "log lines of the last 30 min (AEGIS_PT_RECONCILE_PROOF_SEC)"),
        ("reading_invalid", "sees", "what the monitor itself could see and could not"),
    ],
)
def test_what_differs_between_rules_is_said(name, label, words):
    assert any(words in line for line in labelled(told("explain", name).lines)[label])


def test_a_limit_out_of_a_file_is_in_force(tmp_path):
    (tmp_path / "settings.env").write_text("AEGIS_PT_HEARTBEAT_STALE_SEC=90")
    path = str(tmp_path / "settings.env")
    (limit,) = labelled(told("explain", "heartbeat_stale", "--env-file", path).lines)["limits"]
    assert limit == f"AEGIS_PT_HEARTBEAT_STALE_SEC = 90 s, broken when exceeded (from: {path})"


HOST_ALONE = {"AEGIS_PT_BOT_STATUS_URL": "http://127.0.0.1:9/status"}


def test_a_bot_without_aws_gets_no_command_of_aws():
    environ = {**HOST_ALONE, "AEGIS_PT_RUNTIME": "my-bot"}
    for name in (rule.name for rule in load_rules()):
        out = told("explain", name, environ=environ).out
        commands = [line for line in out.splitlines() if line.startswith("    ")]
        assert not re.search(r"\baws (?:ecs|logs)\b|docker -H|--query", "\n".join(commands)), name
    out = told("explain", "heartbeat_stale", environ=environ).out
    assert "    # logs: no command, as AEGIS_PT_LOG_GROUP is not set\n    # status\n    curl " in out


def test_every_command_stays_where_its_source_or_none_at_all_is_configured():
    aws = {
        "AEGIS_PT_ECS_CLUSTER": "main",
        "AEGIS_PT_AWS_REGION": "us-east-1",
        "AEGIS_PT_STATUS_URL": "http://127.0.0.1:9/",
    }
    some = told("explain", "heartbeat_stale", environ=aws).out
    assert ("aws ecs " in some, "aws logs " in some, "curl " in some) == (True, False, True)
    assert "aws logs " in told("explain", "heartbeat_stale").out


OWN_PLACES = {
    "AEGIS_PT_ECS_CLUSTER": "main",
    "AEGIS_PT_ECS_SERVICE": "my-bot",
    "AEGIS_PT_TRADER_CONTAINER": "my-trader",
    "AEGIS_PT_GATEWAY_CONTAINER": "my-gateway",
    "AEGIS_PT_AWS_PROFILE": "read only",
    "AEGIS_PT_AWS_REGION": "eu-west-1",
    "AEGIS_PT_LOG_GROUP": "/ecs/my-bot",
    "AEGIS_PT_STATUS_URL": "https://dash.example/api?v=3&full=1",
    "AEGIS_PT_STANDBY_PATTERN": "my-standby-*",
    "AEGIS_PT_STANDBY_DOCKER_URL": "http://127.0.0.1:2375",
}


def test_the_commands_name_this_runtime_and_can_be_pasted_as_they_are():
    shown = "".join(told("explain", rule.name, environ=OWN_PLACES).out for rule in load_rules())
    commands = "\n".join(line for line in shown.splitlines() if line.startswith("    "))
    assert not re.search(r"\$(?:CLUSTER|PROFILE|LOG_GROUP|STATUS_URL|STANDBY)|aegis-|lt-ibkr", commands)
    assert not re.search(r"\baegis-pt-core\b|lt-ibkr-trader|\bibkr-gateway\b", shown)
    for part in (
        "aws ecs describe-services --region eu-west-1 --profile 'read only' --cluster main --services my-bot ",
        "aws logs tail /ecs/my-bot --region eu-west-1 --profile 'read only' --since 30m",
        "curl -fsS --max-time 10 'https://dash.example/api?v=3&full=1' | ",
        "docker -H tcp://127.0.0.1:2375 ps --all --filter name=my-standby- ",
    ):
        assert f"    {part}" in shown


def test_a_place_that_is_secret_or_that_the_command_does_not_take_stays_open():
    url = "https://dash.example/api?token=abcdefghijklmnop0123456789"
    environ = {
        **OWN_PLACES,
        "AEGIS_PT_STATUS_URL": url,
        "AEGIS_PT_STANDBY_DOCKER_URL": "https://127.0.0.1:2376",
    }
    assert 'curl -fsS --max-time 10 "$STATUS_URL" ' in told("explain", "heartbeat_stale", environ=environ).out
    assert 'docker -H "ssh://$STANDBY" ' in told("explain", "standby_running", environ=environ).out


def test_every_heading_of_a_command_is_one_that_names_its_settings():
    headings = set(re.findall(r"^# ([a-z ]+)\n", (ROOT / "RUNBOOK.md").read_text("utf-8"), re.MULTILINE))
    assert headings - set(COMMAND_SETTINGS) == {"broker", "monitor"}


def test_a_whole_signature_is_understood():
    signature = told("explain", "high_exit_attempts:aegis-pt-core:SPY 2026-05-06 727C")
    assert signature == told("explain", "high_exit_attempts")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("hartbeat_stale", "heartbeat_stale"), ("stuck", "stuck_exits"), ("PENDING_EXITS", "pending_exits")],
)
def test_an_unknown_event_is_refused_with_the_nearest_known_one(name, nearest):
    answer = told("explain", name)
    assert (answer.code, answer.out) == (2, "")
    assert f"no event is named {name!r}" in answer.err
    assert f"did you mean {nearest}?" in answer.err


# --- codes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_known_code_is_explained_with_its_source(code):
    answer = told("explain", str(code))
    assert answer.code == 0
    assert answer.lines[0] == f"{code}  (TWS message code; {CODES[code].kind})"
    assert any(line == f"source:       {CODES[code].source}" for line in answer.lines)


def test_a_code_names_the_event_that_speaks_of_it():
    lines = told("explain", "10197").lines
    assert lines[1] == "No market data during a competing live session."
    assert lines[3].startswith("event:        market_data_10197: ")
    assert lines[-1] == "runbook:      RUNBOOK.md#market_data_10197"


def test_a_code_without_an_event_says_so():
    assert "event:        none of this version" in told("explain", "202").lines


def test_a_code_that_is_also_an_exit_code_of_ibc_says_so():
    assert (
        "beware:       IBC's exit code of the same number: wrong number of arguments"
        in told("explain", "1102").lines
    )


def test_an_unlisted_code_of_the_band_of_warnings_is_one():
    assert told("explain", "2199").lines[:2] == ["2199  (TWS message code; notice)", "A warning of TWS."]


@pytest.mark.parametrize("code", ["4711", "0", "2200", "9" * 5000], ids=["4711", "0", "2200", "5000 digits"])
def test_an_unknown_code_is_refused(code):
    answer = told("explain", code)
    assert (answer.code, answer.out) == (2, "")
    assert "no known source says what code" in answer.err
    assert len(answer.err) < 200


def test_a_setting_that_cannot_be_used_does_not_matter_to_a_code():
    assert told("explain", "202", environ={"AEGIS_PT_GAP_SEC": "late"}).code == 0


# --- the runbook --------------------------------------------------------------------------------------


def test_without_the_runbook_beside_the_package_the_link_remains(tmp_path, monkeypatch):
    monkeypatch.setattr(input_documents, "RUNBOOK_PATHS", (tmp_path / "RUNBOOK.md",))
    answer = told("explain", "stuck_exits")
    assert answer.code == 0
    assert answer.lines[-1].endswith("RUNBOOK.md#stuck_exits")
