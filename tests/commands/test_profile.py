"""`profile`: print a built-in one, check a file, propose one for a payload."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.app.profile_document import parse_profile_text
from detector.domain.facts import STATUS_FACTS
from detector.domain.vendor_keys import ALSO_NAMED
from detector.profiles import list_builtin_profiles
from tests.domain.test_own_rule import EXAMPLES, RULE
from tests.support.command_output import told
from tests.support.loopback import says, serving
from tests.support.program import answer
from tests.support.snapshots import ROOT, healthy

PAYLOAD = {
    "runner": {"last_seen": "2026-06-02T15:00:00Z", "connected": True},
    "positions": [{"symbol": "SPY", "qty": 2, "entry_price": 3.5, "colour": "red"}],
    "pending_order_count": 2,
    "a b": {"c.d": "x\ny"},
    "stuck_exits": "none",
    "empty": {},
}
BY_SYMBOL = {
    "bot": {"lastBeat": 1759320000000, "orders": {"open": 2}},
    "positions": {"AAPL": {"qty": "10", "avgCost": "187.2"}},
}


def test_without_a_name_it_lists_the_built_in_profiles():
    assert told("profile", "show").lines == list_builtin_profiles()


@pytest.mark.parametrize("name", list_builtin_profiles())
def test_a_built_in_profile_is_printed_as_it_is(name):
    assert told("profile", "show", name).out == (ROOT / "detector/profiles" / f"{name}.toml").read_text(
        "utf-8"
    )


def test_a_profile_that_is_not_built_in_is_refused_with_those_that_are():
    answer = told("profile", "show", "aegus")
    assert answer.code == 2
    assert "there are: aegis" in answer.err


@pytest.mark.parametrize("name", list_builtin_profiles())
def test_a_copy_of_a_built_in_profile_is_good(tmp_path: Path, name):
    path = tmp_path / "copy.toml"
    path.write_text(told("profile", "show", name).out)
    answer = told("profile", "check", str(path))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith(": good\n")


def test_a_good_profile_is_counted(tmp_path: Path):
    path = tmp_path / "own.toml"
    path.write_text('[profile]\nname = "own"\n[status]\nmode = "mode"\n' + RULE + EXAMPLES)
    answer = told("profile", "check", str(path))
    assert answer.out == f"{path}: own: 1 fact, 1 rule of its own, 3 examples: good\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[status]\nmode = "a["\npending = "x"\n', ["line 2: [status] mode: ", "line 3: [status] pending: "]),
        (RULE, ["no_signals: has no [[rule.example]] with fires = true", "with fires = false"]),
        (RULE + EXAMPLES.replace("= 0", "= 7"), ["example 1 gives false, not true"]),
    ],
)
def test_every_fault_of_a_profile_is_a_line_and_exit_2(tmp_path: Path, text, says):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    answer = told("profile", "check", str(path))
    assert (answer.code, answer.out) == (2, "")
    lines = answer.err.splitlines()
    assert len(lines) == len(says)
    for line, part in zip(lines, says, strict=True):
        assert line.startswith(f"detector: {path}: ")
        assert part in line


def test_a_file_without_a_suffix_is_checked_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("mybot").write_text('[status]\npending_orders = "orders.open"\n')
    assert (
        told("profile", "check", "mybot").out
        == "mybot: unnamed: 1 fact, 0 rules of its own, 0 examples: good\n"
    )


def test_a_profile_that_maps_nothing_is_not_called_good(tmp_path: Path):
    path = tmp_path / "empty.toml"
    path.write_text('[profile]\nname = "own"\n')
    answer = told("profile", "check", str(path))
    assert answer.code == 0
    assert answer.out.endswith("0 examples: it maps nothing yet, so that nothing would be checked\n")


def propose(payload: object) -> str:
    answer = told("profile", "new", "-", stdin=json.dumps(payload).encode())
    assert answer.code == 0, answer.err
    return answer.out


def test_a_proposal_maps_what_is_nearly_a_fact_and_shows_every_other_leaf():
    text = propose(PAYLOAD)
    profile = parse_profile_text(text)
    assert profile.paths == {
        "heartbeat_at": "runner.last_seen",
        "pending_orders": "pending_order_count",
        "open_positions": "positions",
        "broker_connected": "runner.connected",
    }
    row = PAYLOAD["positions"][0]  # type: ignore[index]
    columns = profile.column_extractors["open_positions"]
    assert {name: extract(row) for name, extract in columns.items()} == {"quantity": 2, "avg_price": 3.5}
    for leaf in ('# "a b"."c.d" = ', '# stuck_exits = "none"', '# "colour" = "red"', "# empty = "):
        assert leaf in text


def test_a_proposal_for_the_healthy_snapshot_maps_every_fact_under_its_own_name():
    payload = healthy()["status_v3"]
    assert parse_profile_text(propose(payload)).paths == {name: name for name in payload}


@pytest.mark.parametrize(
    "payload", [{}, {"a": {}}, {"a": [1, {"b": 2}]}, {'"': {"\\": 1}}, {"é": "\u2028# x"}]
)
def test_a_proposal_for_any_object_can_be_read(payload):
    parse_profile_text(propose(payload))


def test_camel_case_names_of_two_words_rows_by_symbol_and_numbers_in_text_are_proposed():
    text = propose(BY_SYMBOL)
    profile = parse_profile_text(text)
    assert profile.paths == {
        "heartbeat_at": "bot.lastBeat",
        "pending_orders": "bot.orders.open",
        "open_positions": "positions",
    }
    assert profile.row_keys == {"open_positions": "symbol"}
    assert profile.numbers_as_text
    columns = profile.column_extractors["open_positions"]
    assert {name: extract({"qty": "10", "avgCost": "187.2"}) for name, extract in columns.items()} == {
        "quantity": "10",
        "avg_price": "187.2",
    }
    assert "# Not mapped: 0." in text


@pytest.mark.parametrize(
    ("payload", "paths"),
    [
        ({"workingOrders": 3}, {"pending_orders": "workingOrders"}),
        ({"open_orders": [{"order_id": 1}]}, {"orders": "open_orders"}),
        ({"positions": 2}, {"open_position_count": "positions"}),
        ({"positions": {}}, {"open_positions": "positions"}),
        ({"positions": {"total": 3}}, {}),
        ({"heartbeat": 12}, {"heartbeat_age_sec": "heartbeat"}),
        ({"heartbeat": "2026-06-02T15:00:00Z"}, {"heartbeat_at": "heartbeat"}),
        ({"doors": {"open": 2}}, {}),
    ],
)
def test_a_name_of_two_facts_is_the_one_that_can_hold_the_value(payload, paths):
    assert parse_profile_text(propose(payload)).paths == paths


@pytest.mark.parametrize(
    "name",
    ["lastHeartbeatEpochMs", "last_beat_ts", "lastSeenAt", "last_seen_unix_ms", "LastHeartbeatTimestamp"],
)
def test_a_heartbeat_is_proposed_whatever_form_of_time_its_name_adds(name):
    profile = parse_profile_text(propose({"bot": {name: 1759320000000, f"{name}Interval": 1759320000000}}))
    assert profile.paths == {"heartbeat_at": f"bot.{name}"}


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        ({"bot": {"heartbeat": "2026-06-02T15:00:00"}}, "perhaps heartbeat_at: names no offset from UTC"),
        ({"pendingOrders": [{"id": 1}]}, 'perhaps pending_orders = "length(pendingOrders)"'),
        ({"ib": {"connected": "yes"}}, "perhaps broker_connected: is text, not true or false"),
        ({"recent_trades": 3}, "perhaps recent_trades: is not rows"),
        ({"positions": [{"colour": "red"}]}, "# No column by its name; docs/snapshot.md names the columns, "),
    ],
)
def test_what_is_a_fact_by_its_name_alone_says_why_it_is_not_mapped(payload, line):
    assert line in propose(payload)


@pytest.mark.parametrize("value", ["x\n[y", True, [], {}, [1], {"a": 1}, -1, 1e300, None, [{"a\nb": 1}]])
def test_whatever_value_stands_under_a_name_of_a_fact_the_proposal_can_be_read(value):
    parse_profile_text(propose(dict.fromkeys((*STATUS_FACTS, *ALSO_NAMED), value)))


def test_a_payload_without_text_numbers_is_not_proposed_to_have_them():
    assert "numbers_as_text" not in propose(PAYLOAD)


def test_a_payload_is_read_from_an_address_too():
    with serving(says(PAYLOAD, 503)) as served:
        answer = told("profile", "new", f"{served.url}/status")
    assert answer.code == 0, answer.err
    assert "runner.last_seen" in answer.out


@pytest.mark.parametrize(
    "words", [("check",), ("new",), ("new", "/nowhere.json"), ("check", "/nowhere.toml")]
)
def test_what_cannot_be_read_is_exit_2(words):
    answer = told("profile", *words)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('mode = "a"\nmode = "b"\npending_orders = "c"', "line 5: mode"),
        ('mode = "a"\nmode = "b"', "line 5: mode"),
        ('mode = "a"\nmode = [\n  "b",\n]\nx = 1', "line 7: mode"),
        ('mode = "a"\n[profile]\nname = "y"', "line 5: [profile]"),
        ('open_positions = "x"\n[status.open_positions]\nkey = "y"', "line 5: [status.open_positions]"),
        ("mode = { value = 1, value = 2 }", "line 4: mode"),
    ],
)
@pytest.mark.parametrize("setting", ["AEGIS_PT_PROFILE", "check"])
def test_a_key_that_is_written_twice_is_named_with_its_file_and_line(tmp_path, setting, text, fault):
    path = tmp_path / "p.toml"
    path.write_text(f'[profile]\nname = "x"\n[status]\n{text}\n')
    words = ("profile", "check", str(path)) if setting == "check" else ("detect", "--offline")
    ran = answer(*words, environ={} if setting == "check" else {setting: str(path)})
    assert ran.code == 2
    assert f"{path}: {fault} is written twice; leave one out" in ran.err, ran.err
