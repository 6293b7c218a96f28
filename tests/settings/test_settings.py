"""Every setting, once: names and defaults, what each takes and refuses, where a value came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.engine.coverage import SIGNALS
from detector.formats.errors import InputError
from detector.formats.similar_names import measure_edit_distance
from detector.settings import (
    DECLARED,
    ENV_FILE,
    HEARTBEAT_STALE_SEC,
    PREFIX,
    REQUIRED,
    RUNTIME,
    Setting,
    parse_env_file,
    resolve_settings,
)
from tests.support.program import answer
from tests.support.snapshots import healthy, settings_of

RUNBOOK = {
    "AEGIS_PT_HEARTBEAT_STALE_SEC": 300,
    "AEGIS_PT_PENDING_ORDER_WARN": 2,
    "AEGIS_PT_PENDING_ORDER_CRITICAL": 3,
    "AEGIS_PT_MARKET_DATA_10197_WARN": 10,
    "AEGIS_PT_HIGH_EXIT_ATTEMPT_WARN": 12,
    "AEGIS_PT_HIGH_EXIT_ATTEMPT_CRITICAL": 20,
    "AEGIS_PT_OPEN_GRACE_MINUTE": 35,
}
"""The seven of the runbook, to the letter."""
EVENTS = {
    "EXPECTED_TASKS": 1,
    "TRADER_CONTAINER": "lt-ibkr-trader",
    "GATEWAY_CONTAINER": "ibkr-gateway",
    "STANDBY_PATTERN": "aegis-lt-ibkr-*",
    "START_GRACE_SEC": 240,
    "DEPLOY_GRACE_SEC": 600,
    "RESTART_WINDOW_SEC": 3600,
    "RESTART_CRITICAL": 3,
    "CLOCK_SKEW_SEC": 120,
    "PENDING_ORDER_STALE_SEC": 300,
    "PENDING_EXIT_PERSIST_SEC": 480,
    "MARKET_DATA_DEGRADED_SEC": 900,
    "SOURCE_STALE_SEC": 300,
    "ESCALATE_AFTER_SEC": 480,
    "RECONCILE_PROOF_SEC": 1800,
    "SEVERE_LOG_CRITICAL": 5,
    "GAP_SEC": 1500,
    "REOPEN_WITHIN_SEC": 7200,
    "ESCALATION_REMIND_SEC": 3600,
    "REMIND_AFTER_SEC": 0,
    "IBKR_REGION": "america",
    "REQUIRED": ("heartbeat_at",),
    "RUNTIME": "aegis-pt-core",
    "PROFILE": "aegis",
}
"""Defaults that EVENTS.md and DESIGN.md name."""


def read(texts: Mapping[str, str], origin: str = "environment") -> Any:
    return resolve_settings((origin, {PREFIX + name: text for name, text in texts.items()}))


def faults(*layers: tuple[str, Mapping[str, str]]) -> list[str]:
    with pytest.raises(InputError) as caught:
        resolve_settings(*layers)
    return list(caught.value.lines)


def fault(name: str, text: str) -> str:
    """The one sentence that refuses that value, without the setting's name."""
    (said,) = faults(("environment", {PREFIX + name: text}))
    head = f"{PREFIX}{name} (environment): "
    assert said.startswith(head)
    return said.removeprefix(head)


def value(name: str, text: str) -> Any:
    return read({name: text}).values[PREFIX + name]


# ---- names and defaults ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNBOOK)
def test_the_seven_of_the_runbook_keep_their_names_and_defaults(name):
    found = resolve_settings().values[name]
    assert (found, type(found)) == (RUNBOOK[name], int)
    assert DECLARED[name].default == RUNBOOK[name]


@pytest.mark.parametrize("name", EVENTS)
def test_a_default_is_that_of_the_contract(name):
    assert resolve_settings().values[PREFIX + name] == EVENTS[name]


def test_every_setting_says_what_it_is_and_keeps_its_own_default_readable():
    for name, setting in DECLARED.items():
        assert name == setting.name
        assert re.fullmatch(r"AEGIS_PT_[A-Z][A-Z0-9_]*", name)
        assert setting.unit
        assert setting.help.endswith(".")
        default = setting.default
        text = ",".join(default) if isinstance(default, tuple) else str(default)
        assert setting.parse(text) == default


def test_nothing_said_is_the_defaults():
    found = resolve_settings(("environment", {}))
    assert found.values == {name: setting.default for name, setting in DECLARED.items()}
    assert set(found.origins.values()) == {"default"}


# ---- values that are taken ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "taken"),
    [
        ("PENDING_ORDER_WARN", "3", 3),
        ("PENDING_ORDER_WARN", " 1 ", 1),
        ("PENDING_ORDER_WARN", "01", 1),
        ("EXPECTED_TASKS", "0", 0),
        ("RESTART_CRITICAL", "1000000000", 1_000_000_000),
        ("HEARTBEAT_STALE_SEC", "0", 0),
        ("HEARTBEAT_STALE_SEC", "90", 90),
        ("HEARTBEAT_STALE_SEC", "90.0", 90),
        ("HEARTBEAT_STALE_SEC", "90.5", 90.5),
        ("HEARTBEAT_STALE_SEC", "1000000000", 1_000_000_000),
        ("OPEN_GRACE_MINUTE", "30", 30),
        ("OPEN_GRACE_MINUTE", "89", 89),
        ("RUNTIME", " my bot ", "my bot"),
        ("IBKR_REGION", "asia", "asia"),
        ("ARTIFACT", "ledger", "ledger"),
        ("MUTES", "", ""),
        ("REQUIRED", "heartbeat_at, open_positions ,", ("heartbeat_at", "open_positions")),
        ("REQUIRED", "", ()),
    ],
)
def test_a_value_is_taken(name, text, taken):
    found = value(name, text)
    assert (found, type(found)) == (taken, type(taken))


# ---- values that are refused -------------------------------------------------------------------------

COUNTS = sorted(name.removeprefix(PREFIX) for name, one in DECLARED.items() if one.unit == "count")
SECONDS = sorted(name.removeprefix(PREFIX) for name, one in DECLARED.items() if one.unit == "seconds")


@pytest.mark.parametrize(
    "text", ["", "x", "3.0", "1e3", "-1", "+1", "0x10", "1_000", "NaN", "٣", "3 4", "True"]
)
@pytest.mark.parametrize("name", [*COUNTS, "OPEN_GRACE_MINUTE"])
def test_a_count_is_a_whole_number(name, text):
    assert fault(name, text) == f"{text!r} is not a whole number"


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "-0.5", "+5", "1e3", ".5", "5.", "NaN", "nan", "inf", "Infinity", "5 s", "٣"]
)
@pytest.mark.parametrize("name", SECONDS)
def test_a_duration_is_a_number_of_seconds(name, text):
    assert fault(name, text) == f"{text!r} is not a number of seconds (0 or more)"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("PENDING_ORDER_WARN", "0", "'0' must be from 1 to 1000000000"),
        ("PENDING_ORDER_WARN", "1000000001", "'1000000001' must be from 1 to 1000000000"),
        ("PENDING_ORDER_WARN", "9" * 50, f"'{'9' * 50}' must be from 1 to 1000000000"),
        ("PENDING_ORDER_WARN", "9" * 5000, "a text of 5000 letters must be from 1 to 1000000000"),
        ("OPEN_GRACE_MINUTE", "29", "'29' must be from 30 to 89"),
        ("OPEN_GRACE_MINUTE", "90", "'90' must be from 30 to 89"),
        ("HEARTBEAT_STALE_SEC", "1000000000.5", "'1000000000.5' must be at most 1000000000"),
        ("HEARTBEAT_STALE_SEC", "9" * 400, "a text of 400 letters must be at most 1000000000"),
        ("IBKR_REGION", "America", "'America' must be one of america, europe, asia"),
        ("ARTIFACT", "none", "'none' must be one of full, ledger"),
        ("RUNTIME", "", "'' is empty"),
        ("RUNTIME", "  ", "'  ' is empty"),
        ("ECS_SERVICE", "", "'' is empty"),
        ("STANDBY_PATTERN", "", "'' is empty"),
        ("PROFILE", "", "'' is empty"),
    ],
)
def test_a_value_outside_its_bounds_is_refused(name, text, says):
    assert fault(name, text) == says


@pytest.mark.parametrize(
    ("length", "shown"), [(58, True), (60, True), (61, False)], ids=["below", "at", "above"]
)
def test_a_long_value_is_counted_and_never_cut(length, shown):
    """Half a secret looks like none to whoever redacts the message."""
    text = "x" * length
    assert fault("GAP_SEC", text).startswith(repr(text) if shown else f"a text of {length} letters ")


def test_a_secret_setting_is_never_shown(monkeypatch):
    def parse(text: str) -> str:
        raise ValueError("is no hook")

    hidden = Setting(PREFIX + "HOOK", "", "url", "A hook.", parse, secret=True)
    monkeypatch.setitem(DECLARED, hidden.name, hidden)
    assert fault("HOOK", "hunter2") == "the value is no hook"


# ---- warn above critical -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "warn", "critical"),
    [
        ("PENDING_ORDER", 2, 3),
        ("PENDING_ORDER", 3, 3),
        ("HIGH_EXIT_ATTEMPT", 19, 20),
        ("HIGH_EXIT_ATTEMPT", 20, 20),
    ],
)
def test_a_warning_limit_may_reach_its_critical_one(pair, warn, critical):
    found = read({f"{pair}_WARN": str(warn), f"{pair}_CRITICAL": str(critical)})
    assert found.values[f"{PREFIX}{pair}_WARN"] == warn


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (
            {"PENDING_ORDER_WARN": "4"},
            "AEGIS_PT_PENDING_ORDER_WARN (4) is above AEGIS_PT_PENDING_ORDER_CRITICAL (3)",
        ),
        (
            {"PENDING_ORDER_CRITICAL": "1"},
            "AEGIS_PT_PENDING_ORDER_WARN (2) is above AEGIS_PT_PENDING_ORDER_CRITICAL (1)",
        ),
        (
            {"HIGH_EXIT_ATTEMPT_WARN": "21"},
            "AEGIS_PT_HIGH_EXIT_ATTEMPT_WARN (21) is above AEGIS_PT_HIGH_EXIT_ATTEMPT_CRITICAL (20)",
        ),
    ],
)
def test_a_warning_limit_is_not_above_the_critical_one(texts, says):
    assert faults(("environment", {PREFIX + name: text for name, text in texts.items()})) == [says]


# ---- misspelt names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        pytest.param("AEGIS_PT_HEARTBEAT_STALE_SECS", "AEGIS_PT_HEARTBEAT_STALE_SEC", id="a letter more"),
        pytest.param("AEGIS_PT_HEARTBEAT_STALE_SE", "AEGIS_PT_HEARTBEAT_STALE_SEC", id="a letter less"),
        pytest.param("AEGIS_PT_HEARTBEAT_STALE_S", "AEGIS_PT_HEARTBEAT_STALE_SEC", id="two less"),
        pytest.param("AEGIS_PT_HEARTBAET_STALE_SEC", "AEGIS_PT_HEARTBEAT_STALE_SEC", id="two turned round"),
        pytest.param("AEGIS_TP_HEARTBEAT_STALE_SEC", "AEGIS_PT_HEARTBEAT_STALE_SEC", id="in the prefix"),
        pytest.param("AEGI_PT_HEARTBEAT_STALE_SEC", "AEGIS_PT_HEARTBEAT_STALE_SEC", id="in its first word"),
        pytest.param("AEGIS_PT_PENDING_ORDERS_WARN", "AEGIS_PT_PENDING_ORDER_WARN", id="a plural"),
        pytest.param("AEGIS_PT_RUNTIMES", "AEGIS_PT_RUNTIME", id="another"),
    ],
)
def test_a_name_one_or_two_letters_from_a_real_one_is_refused(name, meant):
    assert faults(("environment", {name: "x"})) == [
        f"{name} (environment): unknown setting; did you mean {meant}?"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "AEGIS_PT_HEARTBEAT_STALE",
        "AEGIS_PT_HEARTBEAT_STALE_",
        "AEGIS_PT_HEARTBEAT_STALE_SECONDS",
        "AEGIS_PT_DB_PATH",
        "AEGIS_PT_",
        "AEGIS_PT_IBKR_HOST",
        "aegis_pt_heartbeat_stale_sec",
        "HEARTBEAT_STALE_SEC",
        "PATH",
    ],
)
def test_other_names_belong_to_the_bot_and_are_left_alone(name):
    assert resolve_settings(("environment", {name: "-1"})).values == resolve_settings().values


@pytest.mark.parametrize(
    ("one", "other", "most", "distance"),
    [
        ("", "", 2, 0),
        ("abc", "abc", 2, 0),
        ("abc", "abd", 2, 1),
        ("abc", "ab", 2, 1),
        ("abc", "acb", 2, 1),
        ("abc", "xyz", 2, 3),
        ("abcdef", "ab", 2, 3),
        ("kitten", "sitting", 3, 3),
    ],
)
def test_letters_are_counted_and_a_swap_of_neighbours_is_one_edit(one, other, most, distance):
    assert measure_edit_distance(one, other, most) == measure_edit_distance(other, one, most) == distance


@given(one=st.text("abc", max_size=6), other=st.text("abc", max_size=6), most=st.integers(0, 3))
def test_the_distance_is_exact_up_to_the_most_and_one_more_beyond(one, other, most):
    def full(left: str, right: str) -> int:
        if not left or not right:
            return len(left) + len(right)
        same = full(left[1:], right[1:]) + (left[0] != right[0])
        least = min(same, full(left[1:], right) + 1, full(left, right[1:]) + 1)
        is_swap = len(left) > 1 and len(right) > 1 and left[:2] == right[1::-1]
        return min(least, full(left[2:], right[2:]) + 1) if is_swap else least

    assert measure_edit_distance(one, other, most) == min(full(one, other), most + 1)


# ---- all faults at once, and where a value came from -------------------------------------------------


def test_all_faults_are_told_at_once_in_the_order_of_their_names():
    said = faults(
        ("file.env", {"AEGIS_PT_GAP_SEC": "soon", "AEGIS_PT_RUNTIMES": "x"}),
        (
            "environment",
            {
                "AEGIS_PT_PENDING_ORDER_WARN": "9",
                "AEGIS_PT_HIGH_EXIT_ATTEMPT_WARN": "-1",
                "AEGIS_PT_IBKR_REGION": "mars",
            },
        ),
    )
    assert said == [
        "AEGIS_PT_GAP_SEC (file.env): 'soon' is not a number of seconds (0 or more)",
        "AEGIS_PT_HIGH_EXIT_ATTEMPT_WARN (environment): '-1' is not a whole number",
        "AEGIS_PT_IBKR_REGION (environment): 'mars' must be one of america, europe, asia",
        "AEGIS_PT_PENDING_ORDER_WARN (9) is above AEGIS_PT_PENDING_ORDER_CRITICAL (3)",
        "AEGIS_PT_RUNTIMES (file.env): unknown setting; did you mean AEGIS_PT_RUNTIME?",
    ]


def test_a_pair_of_which_one_cannot_be_read_is_not_compared():
    assert (
        len(faults(("e", {"AEGIS_PT_PENDING_ORDER_WARN": "9", "AEGIS_PT_PENDING_ORDER_CRITICAL": "x"}))) == 1
    )


def test_a_bad_value_never_becomes_a_default_even_where_a_later_layer_is_good():
    layers = ("file", {"AEGIS_PT_GAP_SEC": "soon"}), ("environment", {"AEGIS_PT_GAP_SEC": "900"})
    assert faults(*layers) == ["AEGIS_PT_GAP_SEC (file): 'soon' is not a number of seconds (0 or more)"]


def test_the_later_layer_wins_and_its_name_is_kept():
    found = resolve_settings(
        ("file", {"AEGIS_PT_GAP_SEC": "900", "AEGIS_PT_RUNTIME": "mine"}),
        ("environment", {"AEGIS_PT_GAP_SEC": "901"}),
    )
    assert found.values["AEGIS_PT_GAP_SEC"] == 901
    assert found.origins["AEGIS_PT_GAP_SEC"] == "environment"
    assert (found[RUNTIME], found.origins["AEGIS_PT_RUNTIME"]) == ("mine", "file")
    assert (found[HEARTBEAT_STALE_SEC], found.origins["AEGIS_PT_HEARTBEAT_STALE_SEC"]) == (300, "default")


def test_a_default_that_someone_wrote_down_is_no_default():
    assert read({"REQUIRED": "heartbeat_at"}).origins[REQUIRED.name] == "environment"


@given(texts=st.dictionaries(st.sampled_from(sorted(DECLARED)), st.text(max_size=8), max_size=5))
def test_any_text_is_taken_or_refused_in_a_sentence(texts):
    said: list[str] = []
    try:
        resolve_settings(("environment", texts))
    except InputError as error:
        said = list(error.lines)
    assert all(any(name in sentence for name in texts) for sentence in said)
    assert sorted(said) == said


# ---- a file of settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("A=1", {"A": "1"}, id="plain"),
        pytest.param("  A = 1  ", {"A": "1"}, id="with blanks"),
        pytest.param("export A=1", {"A": "1"}, id="as a shell exports it"),
        pytest.param("A=", {"A": ""}, id="empty"),
        pytest.param("A=b=c", {"A": "b=c"}, id="an equals sign in the value"),
        pytest.param("A=a b", {"A": "a b"}, id="a blank in the value"),
        pytest.param('A="a b"', {"A": "a b"}, id="double quotes"),
        pytest.param("A='a \"b\"'", {"A": 'a "b"'}, id="single quotes"),
        pytest.param('A=""', {"A": ""}, id="quotes around nothing"),
        pytest.param('A="a # b"', {"A": "a # b"}, id="a hash in quotes"),
        pytest.param('A="a b" # why', {"A": "a b"}, id="a comment behind quotes"),
        pytest.param("A=1 # why", {"A": "1"}, id="a comment"),
        pytest.param("A= # why", {"A": ""}, id="a comment behind nothing"),
        pytest.param("A=a#b", {"A": "a#b"}, id="a hash inside a word"),
        pytest.param('A="', {"A": '"'}, id="a quote alone"),
        pytest.param("A=\"a'", {"A": "\"a'"}, id="quotes that do not match"),
        pytest.param("# A=1", {}, id="a comment alone"),
        pytest.param("", {}, id="nothing"),
        pytest.param("   ", {}, id="blanks"),
        pytest.param("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}, id="lines of Windows"),
        pytest.param("a_1=x", {"a_1": "x"}, id="small letters"),
    ],
)
def test_a_line_of_a_file_is_read(line, found):
    assert parse_env_file(line, "file") == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("A", ["f line 1: expected NAME=value"], id="no equals sign"),
        pytest.param("=1", ["f line 1: expected NAME=value"], id="no name"),
        pytest.param("1A=1", ["f line 1: expected NAME=value"], id="a digit first"),
        pytest.param("A B=1", ["f line 1: expected NAME=value"], id="a blank in the name"),
        pytest.param("A-B=1", ["f line 1: expected NAME=value"], id="a dash in the name"),
        pytest.param("A=1\n\nA=2", ["f line 3: A is set twice"], id="twice"),
        pytest.param(
            "A\nB=1\nB=1\nC D",
            ["f line 1: expected NAME=value", "f line 3: B is set twice", "f line 4: expected NAME=value"],
            id="all at once",
        ),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named_by_its_number_and_not_by_what_it_says(text, said):
    with pytest.raises(InputError) as caught:
        parse_env_file(text, "f")
    assert list(caught.value.lines) == said


def test_a_file_may_not_name_another_one_but_it_may_be_written_there():
    assert resolve_settings(("file", {ENV_FILE.name: "other.env"}))[ENV_FILE] == "other.env"


def test_a_test_that_names_no_setting_is_refused():
    with pytest.raises(InputError, match="AEGIS_PT_LAST_YEAR_SEC"):
        settings_of({"LAST_YEAR_SEC": "1"})


def test_a_setting_without_the_middle_of_its_prefix_is_a_doubt_and_in_our_own_file_a_fault(tmp_path):
    assert "AEGIS_RUNTIME (AEGIS_PT_RUNTIME?)" in answer("settings", environ={"AEGIS_RUNTIME": "x"}).err
    assert "AEGIS_OTHER" not in answer("settings", environ={"AEGIS_OTHER": "x"}).err
    (tmp_path / "x.env").write_text("AEGIS_RUNTIME=x\n")
    ran = answer("settings", "--env-file", str(tmp_path / "x.env"))
    assert (ran.code, "did you mean AEGIS_PT_RUNTIME?" in ran.err) == (2, True)


@pytest.mark.parametrize(("restarts", "is_refused"), [(4, False), (5, True)])
def test_a_day_of_planned_restarts_is_refused(restarts, is_refused):
    """Each is quiet for 300 s: one every five minutes would hide any outage."""
    entries = ",".join(f"0{hour}:00 UTC" for hour in range(restarts))
    ran = answer("settings", environ={"AEGIS_PT_RESTART_AT": entries})
    assert (ran.code, "names more than 4 restarts a day" in ran.err) == (
        (2, True) if is_refused else (0, False)
    )


LIMITS = [setting for setting in DECLARED.values() if setting.unit in ("seconds", "count", "share")]
BOUNDED = {"SOURCE_TIMEOUT_SEC", "COLLECT_TIMEOUT_SEC", "CHANNEL_TIMEOUT_SEC", "TWS_CLIENT_ID"}


def test_every_limit_has_a_sensible_range_around_its_default_or_is_bounded_by_its_reader():
    without = {setting.name.removeprefix(PREFIX) for setting in LIMITS if setting.sensible is None}
    assert without == BOUNDED
    ranges = [(setting, setting.sensible) for setting in LIMITS if setting.sensible]
    assert [setting for setting, (low, high) in ranges if not low <= setting.default <= high] == []


@pytest.mark.parametrize(
    ("name", "value", "is_told"),
    [
        ("SOURCE_STALE_SEC", "999999999", True), ("SOURCE_STALE_SEC", "23400", False),
        ("SOURCE_STALE_SEC", "23401", True), ("SOURCE_STALE_SEC", "0", False),
        ("RESTART_WINDOW_SEC", "0", True), ("ENTRY_BURST_WINDOW_SEC", "0", True), ("UPS_RUNTIME_SEC", "0", True),
        ("CUSHION_CRITICAL", "0", True), ("CUSHION_WARN", "1", False), ("ESCALATION_REMIND_SEC", "0", False),
        ("PENDING_ORDER_CRITICAL", "1000", False), ("PENDING_ORDER_CRITICAL", "1001", True),
        ("ACK_FOR_SEC", "86401", True), ("EXPECTED_TASKS", "0", False), ("TRUTH_MAX_AGE_SEC", "604800", True),
    ],
)  # fmt: skip
def test_a_limit_that_is_so_far_out_that_it_watches_nothing_is_one_warning(name, value, is_told):
    ran = answer("settings", environ={PREFIX + name: value})
    assert (ran.code, ran.err.count(f"{PREFIX}{name}=")) == (0, int(is_told)), ran.err


def test_a_senseless_limit_is_told_wherever_a_reader_looks_and_in_a_file_of_settings_too(tmp_path):
    page, file = tmp_path / "page.md", tmp_path / "x.env"
    file.write_text("AEGIS_PT_GAP_SEC=99999999\n")
    text = (
        f'AEGIS_PT_GAP_SEC=99999999 ({file}) is above 23 400 (seconds), beyond which the limit has no use: "'
    )
    job = ("run", "--stdout", "--state", str(tmp_path / "state"), "--summary", str(page))
    for words in (("settings",), ("doctor",), ("report",), ("detect", "--report", "--offline"), job):
        ran = answer(*words, stdin=healthy(), environ={"AEGIS_PT_ENV_FILE": str(file)})
        shown = ran.err + ran.out.decode() + (unescape(page.read_text()) if words is job else "")
        assert text in shown.replace('\\"', '"'), (words, ran.err)


IDLE = {
    "STATUS_TOKEN=t0ken-of-ann": "STATUS_URL",
    "STATUS_USER=ann": "STATUS_URL",
    "STATUS_PASSWORD=ann-s-pass": "STATUS_USER",
    "BOT_STATUS_TOKEN=t0ken-of-ann": "BOT_STATUS_URL",
    "GATEWAY_HANDSHAKE=1": "GATEWAY_PORT",
    "FLEX_QUERY=4711": "FLEX_TOKEN",
    "ACK_FROM=ann=slack:U0123": "SLACK_TOKEN",
    "ACK_FROM=bob=github:bob,ann=telegram:4711": "TELEGRAM_TOKEN",
    "ACK_FROM=ann=pagerduty:*": "PAGERDUTY_TOKEN",
}


@pytest.mark.parametrize(("line", "needed"), IDLE.items())
def test_a_setting_that_does_nothing_without_another_one_is_a_warning(line, needed, tmp_path):
    name, _, value = line.partition("=")
    page = tmp_path / "page.md"
    job = ("run", "--stdout", "--state", str(tmp_path / "state"), "--summary", str(page))
    for words in (("settings",), ("doctor",), job):
        ran = answer(*words, environ={PREFIX + name: value})
        shown = ran.err + (unescape(page.read_text()) if words is job else "")
        assert f"{PREFIX}{name}" in shown, (words, ran.err)
        assert f"{PREFIX}{needed} is not set." in shown, (words, ran.err)


@pytest.mark.parametrize("environ", [{}, {"GATEWAY_HANDSHAKE": "0"}, {"ACK_FROM": "bob=github:bob"}])
def test_a_setting_that_says_nothing_and_a_dispatch_need_no_other(environ):
    ran = answer("settings", environ={PREFIX + name: value for name, value in environ.items()})
    assert ran.err == ""


def test_a_warning_of_the_cushion_below_its_critical_limit_is_refused():
    ran = answer("settings", environ={"AEGIS_PT_CUSHION_WARN": "0.01"})
    assert (ran.code, ran.err) == (
        2,
        "detector: AEGIS_PT_CUSHION_CRITICAL (0.05) is above AEGIS_PT_CUSHION_WARN (0.01)\n",
    )


@pytest.mark.parametrize("route", ["setting", "profile", "both"])
@pytest.mark.parametrize("left", [0, 1])
def test_a_run_that_watches_no_golden_signal_is_one_warning_and_no_refusal(tmp_path, route, left):
    names = [signal.title if number % 2 else signal.name for number, signal in enumerate(SIGNALS)][left:]
    page, profile = tmp_path / "page.md", tmp_path / "bot.toml"
    own = names if route == "profile" else names[:5]
    aegis = answer("profile", "show", "aegis").out.decode()
    profile.write_text(f"{aegis}\n[signals]\noff = {own}\n")
    environ = {"AEGIS_PT_SIGNALS_OFF": ",".join({"setting": names, "both": names[5:], "profile": []}[route])}
    if route != "setting":
        environ["AEGIS_PT_PROFILE"] = str(profile)
    job = ("run", "--stdout", "--state", str(tmp_path / "state"), "--summary", str(page))
    for words in (("settings",), ("doctor",), ("report",), ("detect", "--report", "--offline"), job):
        ran = answer(*words, stdin=healthy(), environ=environ)
        shown = ran.err + ran.out.decode() + (unescape(page.read_text()) if words is job else "")
        assert shown.count("No golden signal is watched") == (not left), (words, shown)
        assert ("every golden signal was seen" in shown) <= bool(left)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("AEGIS_PT_RUNTIME", "aegis_pt_runtime"),
        ("AEGIS_PT_RUNTIME", "Aegis-Pt-Runtime"),
        ("AEGIS_PT_HEARTBEAT_STALE_SEC", "aegis_pt_heartbeat_stale_sec"),
        ("AEGIS_PT_HEARTBEAT_STALE_SEC", "AEGIS-PT-HEARTBEAT-STALE-SEC"),
        ("AEGIS_PT_HEARTBEAT_STALE_SEC", "aegis_pt_heartbeat_stale_secs"),
    ],
)
def test_a_name_in_small_letters_or_with_dashes_is_a_warning_and_in_our_own_file_a_fault(
    tmp_path, setting, name
):
    page = tmp_path / "page.md"
    job = ("run", "--stdout", "--state", str(tmp_path / "state"), "--summary", str(page))
    for words in (("settings",), ("doctor",), ("report",), ("detect", "--report", "--offline"), job):
        ran = answer(*words, stdin=healthy(), environ={name: "5"})
        shown = ran.err + ran.out.decode() + (unescape(page.read_text()) if words is job else "")
        assert f"{name} ({setting}?)" in shown, (words, ran.err)
    assert "aegis_pt_db_path" not in answer("settings", environ={"aegis_pt_db_path": "x"}).err
    if "-" not in name:
        (tmp_path / "x.env").write_text(f"{name}=5\n")
        ran = answer("settings", "--env-file", str(tmp_path / "x.env"))
        assert (ran.code, f"did you mean {setting}?" in ran.err) == (2, True)
