"""The door: what goes in, what comes out, and which exit code says what."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import detector
from detector.app.context import AppContext
from detector.cli import commands, main, run
from detector.formats.serialize import compute_checksum
from detector.formats.strict_json import MAX_BYTES
from detector.profiles import list_builtin_profiles
from tests.support.merge_patch import apply_patch
from tests.support.program import Answer, answer
from tests.support.snapshots import NOW, ROOT, SNAPSHOTS, healthy

EMPTY = b'{\n  "events": [],\n  "new_events": []\n}\n'
STANDBY = {"containers": [{"Names": ["/aegis-lt-ibkr-trader"], "State": "running"}]}
"""The smallest snapshot with a critical event; it says nothing about the hour."""
TWO_ORDERS = {"status_v3": {"pending_orders": 2}}
"""The smallest one with a warning."""
NOTHING_CHECKED = "NOTHING WAS CHECKED: no section holds a fact that a rule needs; 0 events"


def shell(words: str, stdin: bytes = b"{}", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which `detector` is this program, in an environment of its own."""
    line = words.replace("detector", f"{sys.executable} -m detector", 1)
    return subprocess.run(
        ["bash", "-c", line],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environ},
    )


def refusal(given: Answer) -> str:
    """The one line that refuses; nothing on stdout, exit 2."""
    assert (given.code, given.out) == (2, b""), given
    (line,) = given.err.splitlines()
    return line.removeprefix("detector: ")


# ---- the runbook's expected healthy result -----------------------------------------------------------------


def test_an_empty_snapshot_gives_the_two_keys_to_the_letter():
    ran = shell("detector <<<'{}'")
    assert (ran.returncode, ran.stdout) == (0, EMPTY)
    (line,) = ran.stderr.decode().splitlines()
    assert line.startswith(NOTHING_CHECKED)


def test_a_healthy_snapshot_gives_the_same_and_says_what_was_seen():
    given = answer(stdin=healthy())
    assert (given.code, given.out) == (0, EMPTY)
    assert re.match(r"decision: observe \(\d+ of 11 signals seen\): 0 events", given.err)


def test_alone_it_is_detect():
    assert answer("detect", stdin=STANDBY) == answer(stdin=STANDBY)
    assert answer("--quiet", stdin=STANDBY) == answer("detect", "--quiet", stdin=STANDBY)


def test_the_shipped_snapshot_is_taken():
    given = answer(stdin=(SNAPSHOTS / "regular-session.json").read_bytes())
    assert given.code == 0
    assert set(given.document) == {"events", "new_events"}


def test_an_event_has_the_fields_of_the_contract_in_both_lists():
    document = answer(stdin=STANDBY).document
    fields = {"type", "severity", "signature", "subject", "summary", "observed", "limit", "setting"}
    fields |= {"since", "held", "because_of", "runbook"}
    assert set(document["events"][0]) == fields
    assert set(document["new_events"][0]) == fields | {"reason"}
    assert document["events"][0] == {
        "type": "standby_running",
        "severity": "critical",
        "signature": "standby_running:aegis-pt-core:aegis-lt-ibkr-trader",
        "subject": "aegis-lt-ibkr-trader",
        "summary": "Standby container aegis-lt-ibkr-trader is running, not exited.",
        "observed": None,
        "limit": None,
        "setting": None,
        "since": "2026-06-02T15:00:00Z",
        "held": False,
        "because_of": None,
        "runbook": "RUNBOOK.md#standby_running",
    }


# ---- documents that are refused ----------------------------------------------------------------------------

REFUSED = [
    pytest.param(b"", "the document is empty", id="empty"),
    pytest.param(b" \n", "the document is empty", id="blank"),
    pytest.param(b"nonsense", "line 1 column 1: expecting value; this is not JSON", id="not JSON"),
    pytest.param(
        b"<!doctype html><title>Sign in</title>", "line 1 column 1: expecting value", id="a login page"
    ),
    pytest.param(b"{} x", "line 1 column 4: text after the end of the document", id="trailing text"),
    pytest.param(b"{}{}", "line 1 column 3: text after the end of the document", id="two documents"),
    pytest.param(b"[]", "the document is an array, not an object", id="an array"),
    pytest.param(b"null", "the document is null, not an object", id="null"),
    pytest.param(
        b'{"status_v2": {}}',
        "unknown section 'status_v2'; the nearest known one is 'status_v3'",
        id="a mistyped section",
    ),
    pytest.param(
        b'{"ECS": {}}', "unknown section 'ECS'; the nearest known one is 'ecs'", id="a section in capitals"
    ),
    pytest.param(b'{"ecs": []}', "ecs is an array, not an object", id="a section of the wrong kind"),
    pytest.param(b'{"containers": {}}', "containers is an object, not an array", id="another"),
    pytest.param(b'{"logs": "x"}', "logs is text, not an array or an object", id="a third"),
    pytest.param(b'{"sources": 3}', "sources is a number, not an object", id="a fourth"),
    pytest.param(b'{"status_v3": false}', "status_v3 is true or false, not an object", id="a fifth"),
    pytest.param(
        b'{"taken_at": "2026-06-02T15:00:00"}',
        "taken_at '2026-06-02T15:00:00' names no offset from UTC",
        id="a naive time",
    ),
    pytest.param(
        b'{"taken_at": 1780412400}',
        "taken_at is a number, not an RFC 3339 time with an offset",
        id="an epoch",
    ),
    pytest.param(b'{"runtime": ""}', "runtime is not a name", id="a runtime without a name"),
    pytest.param(
        b'{"ecs": {}, "ecs": {}}', "the key 'ecs' stands twice at the top level", id="a section twice"
    ),
    pytest.param(
        b'{"status_v3": {"orders": [{"a": {"b": 1, "b": 1}}]}}',
        "the key 'b' stands twice in status_v3.orders[0].a",
        id="a key twice, deep",
    ),
    pytest.param(
        b'{"status_v3": {"pending_orders": NaN}}', "line 1 column 34: NaN is not a finite number", id="NaN"
    ),
    pytest.param(b'{"a": [Infinity]}', "line 1 column 8: Infinity is not a finite number", id="Infinity"),
    pytest.param(b'{"a": -Infinity}', "line 1 column 7: -Infinity is not a finite number", id="-Infinity"),
    pytest.param(b'{"a": 1e400}', "line 1 column 7: 1e400 is not a finite number", id="1e400"),
    pytest.param(
        b'{"a": ' + b"1" * 5000 + b"}",
        "line 1 column 7: a number of 5000 digits is not a finite number",
        id="5,000 digits",
    ),
    pytest.param(b'{"a": ' * 100_000, "the document is nested over 64 deep", id="100,000 objects deep"),
    pytest.param(
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "the document is nested over 64 deep",
        id="100,000 arrays deep",
    ),
    pytest.param(
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "the document is nested over 64 deep", id="65 deep"
    ),
    pytest.param(b'{"a": "\xff\xfe"}', "the document is not UTF-8 (byte 7)", id="invalid UTF-8"),
    pytest.param(b'{"a": "\xed\xa0\x80"}', "the document is not UTF-8 (byte 7)", id="a surrogate in UTF-8"),
    pytest.param(
        "{}".encode("utf-16"),
        "the document is not UTF-8 (it looks like UTF-16 or UTF-32)",
        id="UTF-16 with a mark",
    ),
    pytest.param(
        "{}".encode("utf-16-le"),
        "the document is not UTF-8 (it looks like UTF-16 or UTF-32)",
        id="UTF-16 without",
    ),
    pytest.param(
        "{}".encode("utf-16-be"),
        "the document is not UTF-8 (it looks like UTF-16 or UTF-32)",
        id="UTF-16, big end first",
    ),
    pytest.param(b"{}" + b" " * (MAX_BYTES - 1), "the document is over 16 MiB", id="a byte over 16 MiB"),
]


@pytest.mark.parametrize(("data", "says"), REFUSED)
def test_a_bad_document_is_refused_in_one_line_with_nothing_on_stdout(data, says):
    assert refusal(answer(stdin=data)).startswith(says)


@pytest.mark.parametrize(
    "words", [["--report"], ["--quiet"], ["--fail-on", "warning"], ["--artifact", "/nowhere/x"]]
)
def test_and_so_it_is_with_any_option(words):
    assert refusal(answer(*words, stdin=b"[]")) == "the document is an array, not an object"


def test_the_old_artifact_stays_untouched(tmp_path):
    old = tmp_path / "last.json"
    old.write_text("old")
    refusal(answer("--artifact", str(old), stdin=b"[]"))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("last.json", "old")]


@pytest.mark.parametrize(
    "data",
    [REFUSED[index].values[0] for index in (0, 24, 25, 26, 28, 30)],
    ids=["empty", "5,000 digits", "100,000 objects", "100,000 arrays", "invalid UTF-8", "UTF-16"],
)
def test_no_traceback_ever_reaches_the_terminal(data):
    ran = shell("detector", stdin=data)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith(b"detector: ")


# ---- documents that are taken ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbf{}", id="a byte-order mark"),
        pytest.param(b"{}" + b" " * (MAX_BYTES - 2), id="exactly 16 MiB"),
        pytest.param(
            b'{"status_v3": {"mode": null, "a":' + b"[" * 62 + b"]" * 62 + b"}}", id="exactly 64 deep"
        ),
        pytest.param(b'{"status_v3": {"mode": "paper", "own_note": "\\ud800"}}', id="a lone surrogate"),
        pytest.param(
            b'{"logs": [], "containers": [], "previous": null, "taken_at": null}',
            id="lists of nothing, and null",
        ),
    ],
)
def test_a_document_is_taken(data):
    assert answer("--quiet", stdin=data) == Answer(0, EMPTY, "")


def test_a_lone_surrogate_comes_out_as_valid_utf_8():
    row = {"Names": ["/aegis-lt-ibkr-\ud800x"], "State": "run\udfffning"}
    given = answer(stdin=json.dumps({"containers": [row]}))
    event, unknown = given.document["events"]
    assert "run\ufffdning, which is no known container state" in unknown["summary"]
    assert event["subject"] == "aegis-lt-ibkr-\ufffdx"
    assert event["summary"] == "Standby container aegis-lt-ibkr-\ufffdx is run\ufffdning, not exited."


def test_letters_of_every_script_come_out_as_they_went_in():
    given = answer(stdin={"containers": [{"Names": ["/aegis-lt-ibkr-é漢😀"], "State": "running"}]})
    assert "aegis-lt-ibkr-é漢😀".encode() in given.out


# ---- options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "stdin", "since"),
    [
        pytest.param([], STANDBY, "2026-06-02T15:00:00Z", id="the clock at the door"),
        pytest.param(["--now", "2026-06-02T12:00:00-04:00"], STANDBY, "2026-06-02T16:00:00Z", id="--now"),
        pytest.param(
            ["--now", "2026-06-02T12:00:00Z"],
            {**STANDBY, "taken_at": "2026-06-02T13:00:00Z"},
            "2026-06-02T13:00:00Z",
            id="taken_at wins",
        ),
    ],
)
def test_what_time_it_is(words, stdin, since):
    assert answer(*words, stdin=stdin).document["events"][0]["since"] == since


@pytest.mark.parametrize(
    "moment", ["1970-01-01T00:00:00Z", "2037-01-01T00:00:00Z", "8999-12-31T23:59:59.999999Z"]
)
@pytest.mark.parametrize("other", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_run_may_be_at_any_time_and_the_data_of_any_other(moment, other):
    stdin = (
        json.dumps(healthy())
        .replace("2026-06-02T1", "@")
        .replace('"taken_at": "@5:00:00Z"', f'"taken_at": "{moment}"')
    )
    stdin = re.sub(r'"@[^"]*"', json.dumps(other), stdin)
    document = {
        **json.loads(stdin),
        "logs": [{"timestamp": 0, "message": f"{other} ERROR 1100 lost"}, f"{other} x"],
    }
    for words in ([], ["--report"]):
        assert answer(*words, stdin=document).code == 0


def test_with_all_times_given_the_clock_is_of_no_consequence():
    words = ["--report", "--now", "2026-06-02T15:00:00Z"]
    stdin = json.dumps({**STANDBY, "taken_at": "2026-06-02T15:00:00Z"}).encode()
    first, second = (
        shell(f"detector {' '.join(words)}", stdin, PYTHONHASHSEED=seed, TZ=zone)
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    )
    assert first.stdout == second.stdout == answer(*words, stdin=stdin).out


def test_quiet_silences_the_line_for_people_and_nothing_else():
    loud, quiet = answer(stdin=STANDBY), answer("--quiet", stdin=STANDBY)
    assert loud.err.startswith("decision: escalate (1 of 11 signals seen): 1 event; ")
    assert quiet == Answer(loud.code, loud.out, "")


@pytest.mark.parametrize(
    ("level", "stdin", "code"),
    [
        pytest.param("warning", {}, 0, id="warning: nothing"),
        pytest.param("warning", TWO_ORDERS, 1, id="warning: a warning"),
        pytest.param("warning", STANDBY, 1, id="warning: a critical one"),
        pytest.param("critical", {}, 0, id="critical: nothing"),
        pytest.param("critical", TWO_ORDERS, 0, id="critical: a warning"),
        pytest.param("critical", STANDBY, 1, id="critical: a critical one"),
        pytest.param("critical", {**TWO_ORDERS, **STANDBY}, 1, id="critical: both"),
        pytest.param(None, STANDBY, 0, id="without it: a critical one"),
    ],
)
def test_fail_on_sets_the_exit_code_and_nothing_else(level, stdin, code):
    words = ["--fail-on", level] if level else []
    given = answer(*words, stdin=stdin)
    assert given.code == code
    assert given.out == answer(stdin=stdin).out


def test_a_failed_source_is_an_event_and_no_failure():
    given = answer(stdin={"sources": {"ecs": {"state": "failed", "reason": "denied"}}})
    assert (given.code, given.types) == (0, ["source_unavailable"])


def test_offline_collects_nothing_which_is_all_there_is_to_collect():
    assert answer("--offline", stdin=STANDBY) == answer(stdin=STANDBY)


# ---- the plugin line ---------------------------------------------------------------------------------------

PERFDATA = re.compile(r"^[^|\n]+ \| (?:[a-z_]+=\d+(?:;\d*){0,4}(?: |\n$))+\Z")
"""Monitoring plugins guidelines: 'label'=value[UOM];[warn];[crit];[min];[max], one line, one bar."""
HELD = {
    "previous": {
        "events": [
            {
                "type": "stuck_exits",
                "severity": "critical",
                "signature": "stuck_exits:aegis-pt-core",
                "subject": None,
                "summary": "2 exits are stuck.",
                "since": "2026-06-02T14:00:00Z",
            }
        ],
        "new_events": [],
    }
}


@pytest.mark.parametrize(
    ("stdin", "code", "begins", "counts"),
    [
        pytest.param(
            healthy(),
            0,
            "PT HEALTH OK - no events; ",
            "events_critical=0;;0;0 events_warning=0;0;;0 held=0",
            id="healthy",
        ),
        pytest.param(
            TWO_ORDERS,
            1,
            "PT HEALTH WARNING - ",
            "events_critical=0;;0;0 events_warning=1;0;;0 held=0",
            id="a warning",
        ),
        pytest.param(
            STANDBY,
            2,
            "PT HEALTH CRITICAL - ",
            "events_critical=1;;0;0 events_warning=0;0;;0 held=0",
            id="a critical one",
        ),
        pytest.param(
            {**TWO_ORDERS, **STANDBY},
            2,
            "PT HEALTH CRITICAL - ",
            "events_critical=1;;0;0 events_warning=1;0;;0 held=0",
            id="both",
        ),
        pytest.param(
            HELD,
            2,
            "PT HEALTH CRITICAL - ",
            "events_critical=1;;0;0 events_warning=0;0;;0 held=1",
            id="held counts as firing",
        ),
        pytest.param(
            {},
            3,
            "PT HEALTH UNKNOWN - nothing could be checked",
            "events_critical=0;;0;0 events_warning=0;0;;0 held=0",
            id="nothing seen",
        ),
    ],
)
def test_nagios_prints_one_line_with_perfdata(stdin, code, begins, counts):
    given = answer("--nagios", stdin=stdin)
    text = given.out.decode()
    assert given.code == code
    assert text.startswith(begins)
    assert PERFDATA.match(text), text
    assert counts in text


@pytest.mark.parametrize(("orders", "code"), [(1, 0), (2, 1), (3, 2)])
def test_the_plugin_s_exit_code_follows_the_worst_event(orders, code):
    assert answer("--nagios", stdin={"status_v3": {"pending_orders": orders}}).code == code


@pytest.mark.parametrize(
    ("count", "more"),
    [(2, None), (3, None), (4, "(+1 more)"), (12, "(+9 more)")],
    ids=["below", "at", "above", "many"],
)
def test_three_events_are_told_and_the_rest_counted(count, more):
    rows = [{"Names": [f"/aegis-lt-ibkr-{n:02}"], "State": "running"} for n in range(count)]
    text = answer("--nagios", stdin={"containers": rows}).out.decode()
    assert text.count("Standby container") == min(count, 3)
    assert ("more)" in text) is (more is not None)
    assert (more or "") in text
    assert f"events_critical={count};" in text


def test_a_bar_a_line_feed_or_a_colour_in_the_data_stays_text():
    name = "/aegis-lt-ibkr-|x=1\n\r\x1b[31m\u2028"
    text = answer("--nagios", stdin={"containers": [{"Names": [name], "State": "running"}]}).out.decode()
    assert PERFDATA.match(text), text
    assert text[:-1].isprintable()


def test_what_is_refused_is_unknown_to_the_plugin():
    for words, data in (
        (["--nagios"], b"[]"),
        (["--nagios", "--now", "soon"], b"{}"),
        (["--nagios", "--fail-on", "x"], b"{}"),
    ):
        given = answer(*words, stdin=data)
        assert given.code == 3
        assert given.out.startswith(b"PT HEALTH UNKNOWN - ")
        assert given.out.count(b"\n") == given.err.count("\n") == 1


# ---- the whole report --------------------------------------------------------------------------------------


def test_the_report_holds_what_the_design_names():
    given = answer("--report", stdin=STANDBY)
    report = given.document
    assert given.code == 0
    assert set(report) >= {
        "schema_version",
        "generation",
        "taken_at",
        "runtime",
        "run",
        "decision",
        "events",
        "new_events",
        "resolved_events",
        "held",
        "coverage",
        "sources",
        "conditions",
        "carried",
        "channels",
        "gap",
        "snapshot",
        "checksum",
    }
    assert report["checksum"] == compute_checksum(report)
    assert report["decision"]["action"] == "escalate"
    assert report["decision"]["note"] == "Stopping or scaling the runtime needs explicit approval."
    assert len(report["coverage"]) == 11
    assert report["snapshot"] == {"taken_at": "2026-06-02T15:00:00Z", "runtime": "aegis-pt-core", **STANDBY}


def test_the_ledger_alone_leaves_the_snapshot_out():
    given = answer("--report", stdin=STANDBY, environ={"AEGIS_PT_ARTIFACT": "ledger"})
    assert "snapshot" not in given.document


def test_its_events_are_those_of_the_document():
    report, document = answer("--report", stdin=STANDBY).document, answer(stdin=STANDBY).document
    assert {key: report[key] for key in document} == document


# ---- settings ----------------------------------------------------------------------------------------------


def test_a_setting_of_the_environment_is_in_force():
    assert answer(stdin=TWO_ORDERS, environ={"AEGIS_PT_PENDING_ORDER_WARN": "3"}).types == []


def test_all_faults_of_the_settings_are_told_at_once(tmp_path):
    file = tmp_path / "x.env"
    file.write_text("AEGIS_PT_GAP_SEC=soon\n\nnonsense\nAEGIS_PT_GAP_SEC=1\n")
    given = answer(
        "--env-file",
        str(file),
        environ={"AEGIS_PT_PENDING_ORDER_WARN": "4", "AEGI_PT_RUNTIME": "x", "AEGIS_PT_EXPECTED_TASKS": "-1"},
    )
    assert (given.code, given.out) == (2, b"")
    assert given.err.splitlines() == [
        f"detector: {file} line 3: expected NAME=value",
        f"detector: {file} line 4: AEGIS_PT_GAP_SEC is set twice",
        "detector: AEGIS_PT_EXPECTED_TASKS (environment): '-1' is not a whole number",
        "detector: AEGIS_PT_PENDING_ORDER_WARN (4) is above AEGIS_PT_PENDING_ORDER_CRITICAL (3)",
        "detector: AEGI_PT_RUNTIME (environment): unknown setting; did you mean AEGIS_PT_RUNTIME?",
    ]


def test_all_faults_of_the_files_are_told_at_once(tmp_path):
    for name, text in (("p.toml", "status = 3"), ("c.toml", "[[closed"), ("m.toml", "x = " + "[" * 5000)):
        (tmp_path / name).write_text(text)
    given = answer(
        environ={
            "AEGIS_PT_PROFILE": f"{tmp_path}/p.toml",
            "AEGIS_PT_MARKET_CLOSURES": f"{tmp_path}/c.toml",
            "AEGIS_PT_MUTES": f"{tmp_path}/m.toml",
            "AEGIS_PT_REQUIRED": "heart,beat",
            "AEGIS_PT_DISPLAY_ZONES": "UTC,Mars/Base,America",
        }
    )
    assert (given.code, given.out) == (2, b"")
    said = given.err.splitlines()
    assert said[:4] == [
        "detector: AEGIS_PT_REQUIRED: no fact is named 'heart'",
        "detector: AEGIS_PT_REQUIRED: no fact is named 'beat'",
        "detector: AEGIS_PT_DISPLAY_ZONES: 'Mars/Base' is not a known time zone",
        "detector: AEGIS_PT_DISPLAY_ZONES: 'America' is not a known time zone",
    ]
    assert said[4] == f"detector: AEGIS_PT_PROFILE: {tmp_path}/p.toml: line 1: status: must be a table"
    assert said[5].startswith(f"detector: AEGIS_PT_MARKET_CLOSURES: {tmp_path}/c.toml: ")
    assert said[6] == f"detector: AEGIS_PT_MUTES: {tmp_path}/m.toml: is nested too deep"
    assert len(said) == 7


def test_a_file_of_settings_is_read_and_the_environment_wins_over_it(tmp_path):
    file = tmp_path / "x.env"
    file.write_text("AEGIS_PT_PENDING_ORDER_WARN=3\n")
    for words, environ in ((["--env-file", str(file)], {}), ([], {"AEGIS_PT_ENV_FILE": str(file)})):
        assert answer(*words, stdin=TWO_ORDERS, environ=environ).types == []
        both = {**environ, "AEGIS_PT_PENDING_ORDER_WARN": "2"}
        assert answer(*words, stdin=TWO_ORDERS, environ=both).types == ["pending_orders_high"]


def test_the_file_that_the_option_names_wins_over_the_one_of_the_environment(tmp_path):
    for name, count in (("a", 3), ("b", 2)):
        (tmp_path / name).write_text(f"AEGIS_PT_PENDING_ORDER_WARN={count}\n")
    environ = {"AEGIS_PT_ENV_FILE": str(tmp_path / "a")}
    assert answer("--env-file", str(tmp_path / "b"), stdin=TWO_ORDERS, environ=environ).types != []


@pytest.mark.parametrize("path", ["nowhere.env", "."])
def test_a_file_of_settings_that_cannot_be_read_is_refused(tmp_path, path):
    said = refusal(answer("--env-file", str(tmp_path / path)))
    assert said in (
        f"--env-file: {tmp_path / path}: No such file or directory",
        f"--env-file: {tmp_path}: Is a directory",
    )


def test_a_file_of_settings_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x.env").write_bytes(b"\xff\xfe")
    assert refusal(answer("--env-file", f"{tmp_path}/x.env")).endswith("is not UTF-8 text")


def test_a_file_of_settings_may_begin_with_a_byte_order_mark(tmp_path):
    """PowerShell and Notepad write one; the line that it hid looked right to whoever read it."""
    (tmp_path / "x.env").write_bytes(b"\xef\xbb\xbfAEGIS_PT_GAP_SEC=1600\r\n")
    done = answer("settings", "AEGIS_PT_GAP_SEC", "--env-file", f"{tmp_path}/x.env")
    assert (done.code, b"1600" in done.out) == (0, True)


def test_a_profile_that_does_not_exist_is_refused_with_those_that_do():
    said = refusal(answer(environ={"AEGIS_PT_PROFILE": "egis"}))
    assert said.startswith("AEGIS_PT_PROFILE: no built-in profile 'egis' (there are: aegis")


def test_bytes_in_the_environment_that_are_no_text_come_out_as_valid_utf_8():
    ran = shell("AEGIS_PT_RUNTIME=$'\\xff' detector --quiet", json.dumps(STANDBY).encode())
    assert ran.returncode == 0
    assert (
        json.loads(ran.stdout.decode())["events"][0]["signature"]
        == "standby_running:\ufffd:aegis-lt-ibkr-trader"
    )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("plan",), id="plan"),
        pytest.param(("gate", "open"), id="gate"),
        pytest.param(("report",), id="report"),
        pytest.param(("can-close", "--symbol", "SPY", "--quantity", "1"), id="can-close"),
        pytest.param(("profile", "new", "-"), id="profile"),
        pytest.param(("schema", "snapshot", "--check", "-"), id="schema"),
    ],
)
def test_no_name_in_a_snapshot_moves_the_cursor_of_a_terminal(words):
    hostile = "a\x1b[31mb\x07\x9b2Jc\r"
    found = answer(*words, stdin={"runtime": hostile, "status_v3": {"stuck_exit" + hostile: hostile}})
    assert not re.search(r"[^\n -~\u00a0-\U0010ffff]", found.out.decode() + found.err)


# ---- usage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["detekt"], "No such command 'detekt'. Did you mean 'detect'?"),
        (
            ["snapshot.json"],
            "No such command 'snapshot.json'. A snapshot is read from standard input: detector <",
        ),
        (["--nosuch"], "No such option '--nosuch'. `detector detect --help` lists them."),
        (["run", "--targets", "x"], "No such option '--targets'. `detector run --help` lists them."),
        (["run", "--snapshott", "x"], "No such option '--snapshott'. Did you mean '--snapshot'?"),
        (["--hlep"], "No such option '--hlep'. Did you mean '--help'?"),
        (["watch", "--every", "abc", "--state", "x"], "Invalid value for '--every': 'abc' is not a number."),
        (["--fail-on", "info"], "Invalid value for '--fail-on': 'info' is not one of 'warning', 'critical'."),
        (["--fail-on"], "Option '--fail-on' requires an argument."),
        (["--now", "soon"], "--now: 'soon' is not an RFC 3339 time"),
        (["--now", "2026-06-02T15:00:00"], "--now: '2026-06-02T15:00:00' names no offset from UTC"),
        (
            ["--now", "9999-12-31T23:59:59Z"],
            "--now: '9999-12-31T23:59:59Z' is outside the years 1970 to 8999",
        ),
        (["--quiet", "extra"], "Got unexpected extra argument (extra)"),
        (["detect", "detect"], "Got unexpected extra argument (detect)"),
        (["--report=yes"], "Option '--report' does not take a value."),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(words, says):
    assert refusal(answer(*words)).startswith(says)


@pytest.mark.parametrize("text", ["soon", "2026-06-02T15:00:00", ""])
def test_a_time_that_cannot_be_read_is_refused_with_one_that_can(text):
    assert refusal(answer("--now", text)).endswith("; a time is such as 2026-06-02T15:00:00Z")


PATH_OPTIONS = [
    (name, parameter.opts[0])
    for name in sorted(commands.list_commands(click.Context(commands)))
    for parameter in getattr(commands.get_command(click.Context(commands), name), "params", ())
    if isinstance(parameter, click.Option) and parameter.metavar in ("FILE", "DIR")
]


@pytest.mark.parametrize(("name", "option"), PATH_OPTIONS)
def test_an_option_that_names_a_file_or_a_folder_is_never_empty(name, option):
    """As `--state "$FOLDER"` is where the variable is not set: neither this folder nor no file is meant."""
    assert refusal(answer(name, option, "")).startswith(f"Invalid value for '{option}'")


def test_a_refusal_without_an_end_is_cut():
    assert [len(refusal(answer("detect", "x" * length))) for length in (367, 368, 369, 9_999)] == [
        399,
        400,
        400,
        400,
    ]


def test_help_that_nobody_reads_is_not_delivered():
    stdout = nobody_reads()
    ran = subprocess.run(
        [sys.executable, "-m", "detector", "--help"],
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        cwd=ROOT,
    )
    os.close(stdout)
    assert (ran.returncode, ran.stderr) == (3, b"")


def test_every_command_stands_in_the_help_on_one_whole_line_of_80_columns():
    lines = shell("detector --help", COLUMNS="80").stdout.decode().splitlines()
    for name in commands.list_commands(click.Context(commands)):
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(line) <= 80
        assert line.endswith("."), line  # neither cut nor wrapped


@pytest.mark.parametrize("name", commands.list_commands(click.Context(commands)))
def test_help_is_printed_on_a_terminal_that_does_not_know_every_letter(name):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert main([name, "--help"], {}) == 0


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("setings", "Did you mean 'settings'?"), ("can_close", "Did you mean 'can-close'?"), ("zzz", "--help")],
)
def test_a_command_that_does_not_exist_gets_the_one_that_was_meant(typed, hint):
    assert hint in refusal(answer(typed))


def test_help_has_an_example_that_runs_and_the_exit_codes():
    given = answer("--help")
    assert (given.code, given.err) == (0, "")
    for word in (b"detect", b"Example: echo ", b"Exit codes:"):
        assert word in given.out


def test_the_version_is_the_package_s():
    assert answer("--version") == Answer(0, f"detector, version {detector.__version__}\n".encode(), "")


@pytest.mark.parametrize(
    "name", sorted(path.stem.replace("_", "-") for path in (ROOT / "detector" / "commands").glob("[a-z]*.py"))
)
def test_every_command_has_its_line_and_its_example(name):
    assert re.search(rf"^  {name} +\w", answer("--help").out.decode(), re.MULTILINE)
    given = answer(name, "--help")
    assert given.code == 0
    assert b"Example: " in given.out


# ---- streams that are closed, full or broken ---------------------------------------------------------------


def receipts(path: Path) -> list[Any]:
    """The receipts of every condition of an artifact."""
    return [condition.get("receipts", {}) for condition in json.loads(path.read_text())["conditions"]]


def nobody_reads() -> int:
    """The writing end of a pipe of which the reading end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


FULL = Path("/dev/full")
if_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.mark.parametrize(
    ("closing", "where"),
    [
        pytest.param(" >&-", lambda: subprocess.DEVNULL, id="closed"),
        pytest.param("", lambda: os.open(FULL, os.O_WRONLY), marks=if_full, id="full"),
        pytest.param("", nobody_reads, id="a pipe that nobody reads"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_stdout_that_takes_nothing_is_no_receipt(closing, where, unbuffered, tmp_path):
    kept = tmp_path / "last.json"
    stdout = where()
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m detector --artifact {kept}{closing}"],
        input=json.dumps(STANDBY).encode(),
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": unbuffered},
    )
    if stdout != subprocess.DEVNULL:
        os.close(stdout)
    first, second, third = ran.stderr.decode().splitlines()
    assert ran.returncode == 3
    assert first.startswith("detector: standard output could not be written (")
    assert second == "detector: undelivered alerts will be sent again"
    assert third.startswith("decision: escalate (1 of 11 signals seen): 1 event")
    assert receipts(kept) == [{}]
    again = answer("--previous", str(kept), "--artifact", str(kept), stdin=STANDBY)
    assert [event["type"] for event in again.document["new_events"]] == ["standby_running"]
    assert receipts(kept) != [{}]
    assert answer("--previous", str(kept), stdin=STANDBY).document["new_events"] == []


class Half(io.RawIOBase):
    """A stdout that takes a few bytes at a time, as an unbuffered pipe may, and none after `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if len(self.taken) >= self.most:
            raise OSError(28, "No space left on device")
        self.taken += bytes(data[:7])
        return len(data[:7])


def test_what_cannot_be_encoded_is_shown_all_the_same():
    out = io.BytesIO()
    assert AppContext({}, lambda: NOW, io.BytesIO(), out, io.StringIO()).print_stdout("a\ud800b")
    assert out.getvalue() == b"a b"


def test_a_line_for_people_moves_no_cursor_and_is_one():
    given = answer("--previous", "nowhere/\x1b[31mx\ny", stdin=STANDBY)
    assert given.err.splitlines()[0] == "No previous artifact at nowhere/ [31mx y: this is a first run."


def test_a_stdout_that_takes_a_part_at_a_time_gets_it_all():
    stdout: Any = Half(10_000)
    assert answer(stdin=STANDBY, stdout=stdout).code == 0
    assert stdout.taken == answer(stdin=STANDBY).out


def test_a_stdout_that_takes_only_a_part_is_no_receipt():
    stdout: Any = Half(50)
    assert answer(stdin=STANDBY, stdout=stdout).code == 3


@pytest.mark.parametrize(
    "where", [pytest.param("2>&-", id="closed"), pytest.param("2>/dev/full", marks=if_full, id="full")]
)
def test_a_stderr_that_takes_nothing_changes_nothing(where):
    ran = shell(f"detector {where}", json.dumps(STANDBY).encode())
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["events"][0]["type"] == "standby_running"
    assert shell(f"detector {where}", b"[]").returncode == 2


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("<&-", "the document is empty"),
        ("0>/dev/null", "standard input could not be read (Bad file descriptor)"),
    ],
    ids=["closed", "open for writing"],
)
def test_a_stdin_that_gives_nothing_is_bad_input(where, says):
    ran = shell(f"detector {where}")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode().startswith(f"detector: {says}")


def test_the_plugin_says_unknown_even_where_nobody_hears_it():
    assert shell("detector --nagios >&-", b"[]").returncode == 3


# ---- when a part of the detector itself raises -------------------------------------------------------------


class Broken(io.BytesIO):
    """A stdin that breaks in a way that nobody thought of."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise ZeroDivisionError("hunter2 was in the data")


def test_a_module_that_a_full_disk_cut_is_a_failure_and_no_interruption(tmp_path):
    """Python raises EOFError for such a file of its cache, at every start until somebody removes it."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPYCACHEPREFIX": str(tmp_path)}
    words = [sys.executable, "-m", "detector", "detect"]
    subprocess.run(words, cwd=ROOT, env=environ, input=b"{}", capture_output=True, check=True)
    (cached,) = tmp_path.rglob("commands/detect.*.pyc")
    os.truncate(cached, 100)
    ran = subprocess.run(words, cwd=ROOT, env=environ, input=b"{}", capture_output=True, check=False)
    assert ran.returncode == 4
    assert json.loads(ran.stdout)["new_events"][0]["type"] == "detector_error"
    assert b"the detector itself failed: EOFError" in ran.stderr


def test_whatever_happens_a_valid_document_is_printed():
    given = answer(stdin=Broken())
    assert given.code == 4
    assert given.types == ["detector_error"]
    (event,) = given.document["new_events"]
    assert event["summary"] == "The detector itself failed with ZeroDivisionError; nothing was judged."
    assert (event["severity"], event["reason"], event["since"]) == ("critical", "new", "2026-06-02T15:00:00Z")
    assert re.fullmatch(
        r"detector: the detector itself failed: ZeroDivisionError at test_cli\.py:\d+\n", given.err
    )
    assert "hunter2" not in given.out.decode() + given.err


def test_the_plugin_calls_it_unknown():
    given = answer("--nagios", stdin=Broken())
    assert given.code == 3
    assert given.out.startswith(b"PT HEALTH UNKNOWN - the detector itself failed: ZeroDivisionError at ")
    assert given.out.count(b"\n") == 1


class BreaksLate(io.StringIO):
    """A stderr that breaks in a way that nobody thought of, after the document was printed."""

    def write(self, text: str) -> int:
        raise ZeroDivisionError


def test_a_second_document_never_follows_the_first():
    out = io.BytesIO()
    with pytest.raises(ZeroDivisionError):
        run(AppContext({}, lambda: NOW, io.BytesIO(b"{}"), out, BreaksLate()), [])
    assert out.getvalue() == EMPTY


@pytest.mark.parametrize(
    ("module", "function", "subject"),
    [
        pytest.param("rules.stuck_exits", "check", "stuck_exits", id="a rule"),
        pytest.param("readers.containers", "read", "reader of containers", id="a reader"),
    ],
)
def test_a_part_that_raises_is_an_event_and_exit_4_and_all_others_ran(module, function, subject):
    code = f"""
import sys
import detector.{module} as part
sound = part.{function}
def broken(*given):
    raise ZeroDivisionError('hunter2')
broken.__dict__.update(sound.__dict__)
part.{function} = broken
from detector.cli import main
sys.exit(main([]))
"""
    stdin = {**apply_patch(healthy(), STANDBY), "status_v3": {"pending_orders": 2, "stuck_exits": 0}}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(stdin).encode(),
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    assert ran.returncode == 4
    events = {event["type"]: event for event in json.loads(ran.stdout)["events"]}
    assert events["detector_error"]["subject"] == subject
    assert "pending_orders_high" in events
    assert b"hunter2" not in ran.stdout + ran.stderr
    assert b"Traceback" not in ran.stderr


# ---- what the stdin path loads -----------------------------------------------------------------------------

HEAVY = (
    "httpx",
    "pydantic",
    "boto3",
    "botocore",
    "slack_sdk",
    "jsonschema",
    "pandas",
    "jmespath",
    "sqlite3",
    "exchange_calendars",
    "holidays",
    "yaml",
    "importlib.resources",
    "pkgutil",
    "tempfile",
    "zipfile",
    "hashlib",
    "base64",
)


def list_loaded(names: tuple[str, ...], environ: dict[str, str]) -> list[str]:
    """Run the stdin path and return which of these libraries it loaded."""
    code = (
        "import sys\nfrom detector.cli import main\ncode = main([])\n"
        f"print(*[name for name in {names!r} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    stdin = (SNAPSHOTS / "regular-session.json").read_bytes()
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environ},
    )
    assert ran.returncode == 0
    return ran.stderr.decode().splitlines()[-1].split()


def test_the_stdin_path_loads_none_of_the_heavy_libraries():
    assert list_loaded(HEAVY, {}) == []


@pytest.mark.parametrize("name", list_builtin_profiles())
def test_a_built_in_profile_never_loads_pydantic(name):
    assert list_loaded(("pydantic",), {"AEGIS_PT_PROFILE": name}) == []


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("PROFILE", '[status]\nheartbeat_at = "heartbeat_at"\n'),
        ("MUTES", "[[mute]]\nsignature = 'x'\nuntil = 2026-06-06T06:00:00Z\nreason = 'r'\nby = 'b'\n"),
        ("MARKET_CLOSURES", "[[closed]]\ndate = 2026-06-10\n"),
    ],
)
def test_a_file_that_a_person_wrote_is_checked_with_pydantic(tmp_path, setting, text):
    path = tmp_path / "written.toml"
    path.write_text(text)
    assert list_loaded(("pydantic",), {f"AEGIS_PT_{setting}": str(path)}) == ["pydantic"]


def test_at_its_exit_the_process_searches_nothing_for_cycles():
    code = (
        "import atexit, gc, runpy, sys\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000 > len(gc.get_objects()), file=sys.stderr))\n"
        "runpy.run_module('detector', run_name='__main__')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], input="{}", capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (ran.returncode, ran.stderr.splitlines()[-1:]) == (0, ["True"])


def test_without_its_packages_the_program_says_so_in_one_line(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-S", "-m", "detector"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )
    assert (ran.returncode, ran.stdout) == (4, "")
    assert re.fullmatch(
        r"detector: its packages are missing \(\w+\): in a clone run `make run` once.*\n", ran.stderr
    )


def test_the_command_of_a_clone_s_environment_is_the_module(tmp_path):
    recipe = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "bin/detector &&" in line)
    folder = tmp_path / "a b" / ".venv" / "bin"
    folder.mkdir(parents=True)
    makefile = f"PY := python\nVENV := .venv\nall:\n{recipe}\n"
    (tmp_path / "a b" / "Makefile").write_text(makefile)
    subprocess.run(["make", "-s", "-C", str(tmp_path / "a b"), "all"], check=True)
    python = tmp_path / "a b" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    ran = subprocess.run(
        [str(folder / "detector"), "--version"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (ran.returncode, ran.stdout.startswith("detector")) == (0, True), ran.stderr


@pytest.mark.parametrize("words", [("--env-file", "x", "doctor"), ("--quiet", "settings")])
def test_options_before_a_command_are_told_to_go_after_it(words):
    ran = answer(*words)
    assert ran.code == 2
    assert f"Options go after the command: `detector {words[-1]} ...`." in ran.err


@pytest.mark.parametrize(("name", "meant"), [("gatway", "gateway_failure"), ("hartbeat", "heartbeat_stale")])
def test_a_word_of_an_event_that_is_mistyped_is_suggested_with_its_events(name, meant):
    assert meant in answer("explain", name).err


def test_an_unknown_code_has_a_next_step():
    assert "look it up in IBKR's API message codes" in answer("explain", "999999").err


@pytest.mark.parametrize("name", ["explain", "ack", "gate", "init", "can-close", "watch", "notify", "gaps"])
def test_a_command_that_misses_a_part_says_where_its_example_is(name):
    ran = answer(name)
    assert (ran.code, ran.out) == (2, b"")
    assert f"`detector {name} --help` shows an example." in ran.err
