"""`settings`: what is in force, where it came from, and that nothing secret or wrong gets through."""

from __future__ import annotations

import re

import msgspec
import pytest

from detector.render.settings import MASK, build_settings_document, format_setting, render_env_example
from detector.settings import DECLARED, ENV_FILE, Setting, Settings, parse_env_file, resolve_settings
from tests.support.command_output import told

HEARTBEAT = "AEGIS_PT_HEARTBEAT_STALE_SEC"


def row(lines: list[str], name: str) -> list[str]:
    """The columns of one setting's line."""
    (found,) = [line for line in lines if line.startswith(f"{name} ")]
    return re.split(r" {2,}", found)


@pytest.fixture
def env_file(tmp_path):
    path = tmp_path / "settings.env"
    path.write_text(f"{HEARTBEAT}=120\nAEGIS_PT_GAP_SEC=900\n")
    return path


def test_every_setting_has_its_line_in_the_order_of_its_declaration():
    lines = told("settings").lines
    assert [line.split()[0] for line in lines] == ["setting", *DECLARED]


def test_a_default_says_that_it_is_one():
    assert row(told("settings").lines, HEARTBEAT) == [HEARTBEAT, "default", "300 seconds"]


def test_the_table_fits_a_terminal_but_for_long_addresses():
    assert [line for line in told("settings").lines if len(line) > 80 and "https://" not in line] == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("heartbeat", f"did you mean {HEARTBEAT}?", id="a part of one name"),
        pytest.param("tws", "did you mean AEGIS_PT_TWS_ADDRESS, AEGIS_PT_TWS_CLIENT_ID?", id="of several"),
        pytest.param("heartbeat_stale_sek", f"did you mean {HEARTBEAT}?", id="a typo"),
        pytest.param("zzzzzz", "`settings` lists them", id="nothing like it"),
    ],
)
def test_a_name_that_is_none_gets_those_that_hold_it_or_the_nearest(text, hint):
    answer = told("settings", text)
    assert (answer.code, answer.err.strip().endswith(hint)) == (2, True), answer.err


def test_a_value_of_the_environment_says_so_and_keeps_its_default_beside_it():
    lines = told("settings", environ={HEARTBEAT: "60"}).lines
    assert row(lines, HEARTBEAT) == [HEARTBEAT, "environment", "60 seconds (default 300)"]


def test_a_value_of_a_file_names_the_file(env_file):
    lines = told("settings", "--env-file", str(env_file)).lines
    assert row(lines, HEARTBEAT) == [HEARTBEAT, str(env_file), "120 seconds (default 300)"]


def test_the_environment_wins_over_the_file(env_file):
    lines = told("settings", environ={HEARTBEAT: "60", ENV_FILE.name: str(env_file)}).lines
    assert row(lines, HEARTBEAT)[1:] == ["environment", "60 seconds (default 300)"]
    assert row(lines, "AEGIS_PT_GAP_SEC")[1:] == [str(env_file), "900 seconds (default 1500)"]


def test_an_empty_value_is_shown_as_one():
    assert row(told("settings").lines, "AEGIS_PT_MUTES")[2] == "-"


def test_json_has_the_same_with_the_help():
    found = {one["name"]: one for one in told("settings", "--json", environ={HEARTBEAT: "60"}).json}
    assert list(found) == list(DECLARED)
    assert found[HEARTBEAT] == {
        "name": HEARTBEAT,
        "value": 60,
        "unit": "seconds",
        "default": 300,
        "from": "environment",
        "secret": False,
        "help": DECLARED[HEARTBEAT].help,
    }
    assert found["AEGIS_PT_REQUIRED"]["value"] == ["heartbeat_at"]


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        pytest.param({HEARTBEAT: "soon"}, "'soon' is not a number", id="not a number"),
        pytest.param({HEARTBEAT: "NaN"}, "'NaN' is not a number", id="NaN"),
        pytest.param({HEARTBEAT: "-1"}, "'-1' is not a number", id="negative"),
        pytest.param({"AEGIS_PT_PENDING_ORDER_WARN": "4"}, "is above", id="warn above critical"),
        pytest.param({"AEGIS_PT_GAP_SECS": "1"}, "did you mean AEGIS_PT_GAP_SEC", id="a letter too many"),
        pytest.param({"AEGIS_PT_MUTES": "nowhere.toml"}, "nowhere.toml", id="a file that is not there"),
    ],
)
def test_what_cannot_be_used_is_refused(environ, fault):
    answer = told("settings", environ=environ)
    assert (answer.code, answer.out) == (2, "")
    assert fault in answer.err


def test_all_faults_are_told_at_once():
    answer = told("settings", environ={HEARTBEAT: "soon", "AEGIS_PT_GAP_SEC": "late"})
    assert [line.partition(" (")[0] for line in answer.err.splitlines()] == [
        "detector: AEGIS_PT_GAP_SEC",
        f"detector: {HEARTBEAT}",
    ]


def test_the_names_of_the_bot_are_left_alone():
    assert told("settings", environ={"AEGIS_PT_STRATEGY": "momentum"}).code == 0


# --- secrets ------------------------------------------------------------------------------------------

CANARY = "xoxb-canary-5f1e"


@pytest.fixture
def secret():
    """A declared secret that is set, as a channel's token will be."""
    token = Setting("AEGIS_PT_TEST_TOKEN", "", "token", "A token for this test.", str, secret=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DECLARED, token.name, token)
        yield token


def test_a_secret_is_masked_in_both_forms(secret):
    for form in ([], ["--json"]):
        answer = told("settings", *form, environ={secret.name: CANARY})
        assert MASK in answer.out
        assert CANARY not in answer.out + answer.err


def test_a_secret_that_is_not_set_is_null(secret):
    settings = resolve_settings()
    (found,) = [one for one in build_settings_document(settings) if one["name"] == secret.name]
    assert (found["value"], found["default"], found["secret"]) == (None, None, True)
    assert format_setting(secret, settings) == "-"


def test_the_mask_says_nothing_about_the_length_of_the_secret(secret):
    long = Settings({secret.name: CANARY * 9}, {secret.name: "environment"})
    assert format_setting(secret, long) == MASK


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_a_secret_in_the_query_of_an_address_is_not_shown(words):
    said = told("settings", *words, environ={"AEGIS_PT_STATUS_URL": f"http://host/path?key={CANARY}"}).out
    assert "http://host/path?key=" in said
    assert CANARY not in said


def test_a_secret_has_no_value_in_the_example():
    token = msgspec.structs.replace(DECLARED["AEGIS_PT_RUNTIME"], secret=True, default=CANARY)
    assert list(render_env_example([token]))[-1] == "#AEGIS_PT_RUNTIME="


# --- the example --------------------------------------------------------------------------------------


def test_the_example_changes_nothing_as_it_stands():
    assert parse_env_file(told("settings", "--example").out, "example") == {}


def test_the_example_with_every_line_taken_over_is_the_default():
    taken = re.sub(r"^#(AEGIS)", r"\1", told("settings", "--example").out, flags=re.MULTILINE)
    texts = parse_env_file(taken, "example")
    assert texts.keys() == DECLARED.keys() - {ENV_FILE.name}
    assert resolve_settings(("example", texts)).values == resolve_settings().values


def test_the_example_ignores_what_is_in_force():
    assert told("settings", "--example", environ={HEARTBEAT: "60"}).out == told("settings", "--example").out


@pytest.mark.parametrize("name", [HEARTBEAT, "heartbeat-stale-sec", "HEARTBEAT_STALE_SEC"])
def test_a_named_setting_is_explained_however_its_name_is_written(name):
    lines = told("settings", name, environ={HEARTBEAT: "60"}).lines
    assert lines[0] == HEARTBEAT
    assert "value:   60 (from: environment)" in lines[2]
    assert (lines[3].strip(), lines[4].strip()) == ("default: 300", "unit:    seconds")


def test_a_secret_that_is_named_stays_masked():
    answer = told("settings", "AEGIS_PT_SLACK_TOKEN", environ={"AEGIS_PT_SLACK_TOKEN": "xoxb-secret"})
    assert MASK in answer.out
    assert "xoxb" not in answer.out


def test_a_name_that_is_no_setting_gets_the_one_that_was_meant():
    answer = told("settings", "hartbeat_stale_sec")
    assert (answer.code, f"did you mean {HEARTBEAT}?" in answer.err) == (2, True)
    for text in ("nonsense", "foo"):
        assert "did you mean" not in told("settings", text).err
