"""The scheduled job in whole: what it remembers, tells, stores and says, and in which order it does so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from detector.app import pipeline
from detector.engine.catalog import load_rules
from detector.engine.evaluate import evaluate
from detector.storage import artifact_file, memory_artifact
from tests.support.github_memory import FORK_ID, NAME, TOKEN, github_with_memory
from tests.support.loopback import closed_port, reply, says, serving
from tests.support.program import Answer
from tests.support.program import answer as run_program
from tests.support.slack_server import everything, slack_on_loopback
from tests.support.smtp_server import mail_on_loopback
from tests.support.snapshots import NOW, ROOT, healthy, later

FIRING = {"status_v3": {"pending_orders": 3, "unknown_fills": 1}}
TYPES = ["pending_orders_high", "unknown_fill"]
LASTS_LONG = {"AEGIS_PT_ESCALATE_AFTER_SEC": "999999"}  # escalation has its own tests


def answer(*words: str, environ: Mapping[str, str] | None = None, **more: Any) -> Answer:
    """Run one command in whose time nothing lasts long enough to escalate."""
    return run_program(*words, environ={**LASTS_LONG, **(environ or {})}, **more)


@pytest.fixture
def slack():
    with slack_on_loopback() as made:
        yield made


@pytest.fixture
def switch():
    with serving(says(b"OK")) as made:
        yield made


@pytest.fixture
def github():
    with github_with_memory() as made:
        yield made


@pytest.fixture
def snapshot(tmp_path):
    """Write the snapshot of a moment after NOW, healthy or with what is given, and return its path."""

    def write(seconds: float = 0, **sections: dict[str, object]) -> str:
        document = later(healthy(), seconds)
        for name, patch in sections.items():
            document[name] = {**document[name], **patch}
        path = tmp_path / "snapshot.json"
        path.write_text(json.dumps(document))
        return str(path)

    return write


def to_slack(slack, **more):
    return {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **more}


def pinged(switch) -> list[str]:
    return [request.split()[1].decode() for request in switch.requests]


# --- one run after the other, with a folder ---------------------------------------------------------------


def test_told_once_and_remembered(slack, snapshot, tmp_path):
    for seconds, owed in ((0, TYPES), (600, []), (1200, [])):
        done = answer(
            "run",
            "--state",
            str(tmp_path / "s"),
            "--snapshot",
            snapshot(seconds, **FIRING),
            environ=to_slack(slack),
        )
        assert (
            done.code,
            sorted(done.types),
            sorted(one["type"] for one in done.document["new_events"]),
        ) == (0, TYPES, owed)
    assert len(slack.posts) == 1


def test_a_channel_that_was_down_is_told_by_the_next_run_and_the_other_one_is_not_told_twice(
    slack, snapshot, tmp_path
):
    with mail_on_loopback() as box:
        environ = to_slack(slack, **box.environ())
        words = ("run", "--state", str(tmp_path / "s"), "--snapshot")
        slack.then(*[says(b"down", 503)] * 3)
        down = answer(*words, snapshot(0, **FIRING), environ=environ)
        assert (down.code, len(slack.posts), len(box.mails)) == (3, 0, 1)
        assert "detector: not delivered to slack: " in down.err
        healed = answer(*words, snapshot(600, **FIRING), environ=environ)
        assert (healed.code, len(slack.posts), len(box.mails)) == (0, 1, 1)
        assert all(name in everything(slack.posts[0]) for name in TYPES)


def test_a_disk_that_is_full_costs_a_duplicate_and_never_an_alert(slack, snapshot, tmp_path, monkeypatch):
    words = ("run", "--state", str(tmp_path / "s"), "--snapshot")
    with monkeypatch.context() as broken:
        broken.setattr(
            os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        full = answer(*words, snapshot(0, **FIRING), environ=to_slack(slack))
    assert (full.code, len(slack.posts)) == (3, 1)
    assert "the memory could not be written (No space left on device)" in full.err
    again = answer(*words, snapshot(600, **FIRING), environ=to_slack(slack))
    assert (again.code, len(slack.posts)) == (0, 2)


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize(("option", "code"), [("--artifact", 3), ("--summary", 0)])
def test_a_pipe_that_nobody_reads_keeps_no_run_waiting(option, code, is_open, tmp_path, monkeypatch):
    monkeypatch.setattr(artifact_file, "_READER_SEC", 0.05)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    if is_open:  # somebody holds it open, and it is full
        writer = os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while os.write(writer, bytes(4096)):
                pass
        os.close(writer)
    else:
        os.close(reader)
    words = ("run", "--stdout", "--state", str(tmp_path / "s"), "--snapshot", "-")
    done = answer(*words, option, str(tmp_path / "pipe"), stdin=healthy())
    if is_open:
        os.close(reader)
    assert done.code == code
    assert re.search(rf"{tmp_path}/pipe could not be written \(nobody reads the pipe\)", done.err), done.err


def test_a_run_that_breaks_leaves_the_memory_of_the_one_before(slack, snapshot, tmp_path, monkeypatch):
    words = ("run", "--state", str(tmp_path / "s"), "--snapshot")
    answer(*words, snapshot(0, **FIRING), environ=to_slack(slack))
    before = sorted(path.name for path in (tmp_path / "s").iterdir())
    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "evaluate_snapshot", lambda *given: 1 / 0)
        done = answer(*words, snapshot(600, **FIRING), environ=to_slack(slack))
    assert (done.code, done.types) == (4, ["detector_error"])
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == before
    assert answer(*words, snapshot(1200, **FIRING), environ=to_slack(slack)).document["new_events"] == []


def test_lost_memory_is_told_and_everything_again_in_one_message(slack, snapshot, tmp_path):
    words = ("run", "--state", str(tmp_path / "s"), "--snapshot")
    answer(*words, snapshot(0, **FIRING), environ=to_slack(slack))
    (tmp_path / "s" / "memory-aegis-pt-core-00000001.json").write_text("{")
    done = answer(*words, snapshot(600, **FIRING), environ=to_slack(slack))
    assert (done.code, sorted(done.types), len(slack.posts)) == (0, ["memory_lost", *TYPES], 2)
    assert "memory-aegis-pt-core-00000001.json" in everything(slack.posts[1])


def test_a_snapshot_that_is_handed_over_is_held_against_the_clock(slack, switch, snapshot, tmp_path):
    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u")
    words = ("--state", str(tmp_path / "s"), "--snapshot")
    answer("run", "--now", "2026-06-02T15:11:00Z", *words, snapshot(600), environ=environ)
    late = answer("run", "--now", "2026-06-02T15:21:00Z", *words, snapshot(0, **FIRING), environ=environ)
    assert "source_stale" in late.types
    assert not {*TYPES} & {*late.types}
    assert late.code == 3  # nothing in it was of this moment
    assert pinged(switch) == ["/u", "/u/fail"]


def test_standard_output_is_a_channel_where_somebody_is_said_to_read_it(switch, snapshot, tmp_path):
    environ = {"AEGIS_PT_PING_URL": f"{switch.url}/u"}
    words = ("run", "--stdout", "--state", str(tmp_path / "s"), "--snapshot")
    first, second = (answer(*words, snapshot(at, **FIRING), environ=environ) for at in (0, 600))
    assert (first.code, len(first.document["new_events"])) == (0, 2)
    assert (second.code, second.document["new_events"]) == (0, [])
    assert "NOBODY IS ALERTED" not in first.err
    assert pinged(switch) == ["/u", "/u"]


# --- nobody to tell, nothing to look at -------------------------------------------------------------------


@pytest.mark.parametrize(
    "environ", [{}, {"AEGIS_PT_SLACK_WEBHOOK": "https://hooks.example/x"}], ids=["none", "misspelt"]
)
@pytest.mark.parametrize("quiet", [(), ("--quiet",)], ids=["", "quiet"])
def test_without_a_channel_what_is_owed_is_undelivered_on_every_run(
    environ, quiet, switch, snapshot, tmp_path
):
    environ = {**environ, "AEGIS_PT_PING_URL": f"{switch.url}/u"}
    for at in (0, 600):
        done = answer(
            "run",
            *quiet,
            "--state",
            str(tmp_path / "s"),
            "--snapshot",
            snapshot(at, **FIRING),
            environ=environ,
        )
        assert (done.code, owed(done)) == (3, TYPES)
        assert "2 alerts undelivered, and there is no channel to send to" in done.err
        assert "NOBODY IS ALERTED: no channel is configured. Set " in done.err
        assert "AEGIS_PT_SLACK_WEBHOOK_URL" in done.err
    assert pinged(switch) == ["/u/fail"] * 2


def test_without_a_channel_a_run_that_owes_nothing_says_so_and_is_not_well(switch, snapshot, tmp_path):
    environ = {"AEGIS_PT_PING_URL": f"{switch.url}/u", "GITHUB_ACTIONS": "true"}
    page = tmp_path / "page.md"
    words = (
        "run",
        "--quiet",
        "--summary",
        str(page),
        "--state",
        str(tmp_path / "s"),
        "--snapshot",
        snapshot(),
    )
    done = answer(*words, environ=environ)
    assert (done.code, pinged(switch)) == (3, ["/u/fail"])
    assert "::error title=PT health::NOBODY IS ALERTED" in done.err
    assert "NOBODY IS ALERTED" in page.read_text()


def test_a_channel_that_comes_later_is_told_what_nobody_heard(slack, snapshot, tmp_path):
    words = ("run", "--state", str(tmp_path / "s"), "--snapshot")
    answer(*words, snapshot(0, **FIRING))
    done = answer(*words, snapshot(600, **FIRING), environ=to_slack(slack))
    assert (done.code, owed(done), len(slack.posts)) == (0, TYPES, 1)


def test_a_dry_run_without_a_channel_says_so_and_is_no_fault(snapshot, tmp_path):
    done = answer("run", "--dry-run", "--state", str(tmp_path / "s"), "--snapshot", snapshot(0, **FIRING))
    assert (done.code, "NOBODY IS ALERTED" in done.err) == (0, True)


def test_where_no_source_is_configured_nothing_was_checked_and_the_switch_hears_it(slack, switch, tmp_path):
    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u")
    for _ in range(2):
        done = answer("run", "--quiet", "--state", str(tmp_path / "s"), environ=environ)
        assert (done.code, "NOTHING WAS CHECKED: no source is configured." in done.err) == (3, True)
    assert pinged(switch) == ["/u/fail"] * 2


def test_where_no_source_answers_nothing_was_seen_and_the_switch_hears_it(slack, switch, tmp_path):
    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u")
    environ["AEGIS_PT_STATUS_URL"] = f"http://127.0.0.1:{closed_port()}/status"
    done = answer("run", "--quiet", "--state", str(tmp_path / "s"), environ=environ)
    assert (done.code, "NOTHING WAS CHECKED: no source gave a fact" in done.err) == (3, True)
    assert pinged(switch) == ["/u/fail"]


def test_a_market_that_is_closed_is_well(slack, switch, tmp_path):
    sunday = {**later(healthy(), 5 * 86_400), "taken_at": "2026-06-07T15:00:00Z"}
    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u")
    words = ("run", "--now", "2026-06-07T15:00:00Z", "--state", str(tmp_path / "s"), "--snapshot", "-")
    done = answer(*words, stdin=sunday, environ=environ)
    assert (done.code, "NOTHING WAS" in done.err, pinged(switch)) == (0, False, ["/u"])


# --- a folder that cannot be held or written ----------------------------------------------------------------


def test_a_folder_that_cannot_be_made_keeps_no_alert_back(slack, switch, snapshot, tmp_path):
    (tmp_path / "file").write_text("")
    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u")
    done = answer(
        "run", "--state", str(tmp_path / "file" / "s"), "--snapshot", snapshot(0, **FIRING), environ=environ
    )
    assert (done.code, len(slack.posts), pinged(switch)) == (3, 1, ["/u/fail"])
    assert "cannot be held (Not a directory)" in done.err
    assert "cannot be" in done.err.split("detector: ")[-1]


def test_a_folder_that_became_read_only_is_read_and_the_alert_goes_out(
    slack, snapshot, tmp_path, monkeypatch
):
    words = ("run", "--state", str(tmp_path / "s"), "--snapshot")
    answer(*words, snapshot(0, status_v3={"pending_orders": 3}), environ=to_slack(slack))

    opened = os.open

    def read_only(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(30, "Read-only file system")
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    done = answer(*words, snapshot(600, **FIRING), environ=to_slack(slack))
    assert (done.code, owed(done), len(slack.posts)) == (3, ["unknown_fill"], 2)
    assert "memory_lost" not in done.types
    assert "the memory could not be written (Read-only file system)" in done.err


def test_two_runtimes_in_one_folder_keep_what_each_owes(slack, snapshot, tmp_path):
    def at(seconds, runtime, hook=slack.hook, **status):
        environ = {"AEGIS_PT_RUNTIME": runtime, "AEGIS_PT_SLACK_WEBHOOK_URL": hook}
        document = {**healthy(), "runtime": runtime}
        document["status_v3"] = {**document["status_v3"], **status}
        words = ("run", "--state", str(tmp_path / "s"), "--snapshot", "-")
        return answer(*words, stdin=later(document, seconds), environ=environ)

    at(0, "a")
    at(300, "a", f"http://127.0.0.1:{closed_port()}/", unknown_fills=1)
    assert "memory_lost" not in at(600, "b").types
    assert "memory_lost" not in at(900, "a", unknown_fills=1).types
    assert "unknown_fill" in everything(slack.posts[-1])
    assert not list((tmp_path / "s").glob("*.bad"))


def test_without_a_place_nothing_is_remembered_and_that_is_said(snapshot):
    for _ in range(2):
        done = answer("run", "--stdout", "--snapshot", snapshot(0, **FIRING))
        assert (done.code, len(done.document["new_events"])) == (0, 2)
        assert "No --state: every run repeats every alert" in done.err


def test_a_second_run_does_not_look_while_the_first_one_holds_the_folder(slack, switch, snapshot, tmp_path):
    from detector.storage.state_dir import StateDir

    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u", AEGIS_PT_COLLECT_TIMEOUT_SEC="0.1")
    with StateDir(tmp_path / "s").lock("aegis-pt-core", 0):
        done = answer(
            "run", "--state", str(tmp_path / "s"), "--snapshot", snapshot(0, **FIRING), environ=environ
        )
    assert (done.code, done.out, slack.posts, pinged(switch)) == (3, b"", [], ["/u/fail"])
    assert "nothing was looked at: another run of this runtime holds" in done.err


def test_two_processes_at_once_tell_once(slack, snapshot, tmp_path):
    words = [
        "run",
        "--now",
        "2026-06-02T15:00:00Z",
        "--state",
        str(tmp_path / "s"),
        "--snapshot",
        snapshot(0, **FIRING),
    ]
    environ = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **to_slack(slack),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "detector", *words],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [json.loads(one.communicate(timeout=600)[0])["new_events"] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert (sorted(map(len, said)), len(slack.posts)) == ([0, 2], 1)
    assert (tmp_path / "s" / "memory-aegis-pt-core-00000002.json").exists()


def test_a_dry_run_leaves_nothing_behind_and_is_as_blind_as_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = answer("run", "--state", "memory", "--dry-run")
    assert (done.code, "NOTHING WAS CHECKED" in done.err) == (3, True)
    assert list(tmp_path.iterdir()) == []


# --- what it takes ----------------------------------------------------------------------------------------


def test_a_snapshot_is_read_from_standard_input():
    done = answer("run", "--snapshot", "-", stdin={**healthy(), **FIRING})
    assert sorted(done.types) == TYPES


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1"),
        ("[]", "not an object"),
        ('{"ecss": {}}', "unknown section"),
        ('{"previous": {}}', "finds its memory"),
    ],
    ids=["no JSON", "a list", "a mistyped section", "a memory of its own"],
)
def test_a_snapshot_that_cannot_be_used_is_refused(text, why, tmp_path):
    (tmp_path / "x.json").write_text(text)
    done = answer("run", "--state", str(tmp_path / "s"), "--snapshot", str(tmp_path / "x.json"))
    assert (done.code, done.out) == (2, b"")
    assert why in done.err


def test_settings_that_contradict_are_refused_before_anything_is_looked_at(slack, switch, snapshot):
    environ = to_slack(slack, AEGIS_PT_SLACK_TOKEN="xoxb-1", AEGIS_PT_SLACK_CHANNEL="#a")
    done = answer("run", "--snapshot", snapshot(), environ=environ)
    assert (done.code, done.out) == (2, b"")
    assert "are both set; Slack is reached in one way, so leave one out" in done.err


def test_sources_that_fail_are_events_and_no_failure(slack, tmp_path):
    environ = to_slack(slack, AEGIS_PT_STATUS_URL=f"http://127.0.0.1:{closed_port()}/status")
    done = answer("run", "--state", str(tmp_path / "s"), environ=environ)
    assert done.code == 3  # with no other source nothing was checked
    assert "source_unavailable" in done.types
    assert "source_unavailable" in everything(slack.posts[0])


# --- dry run ----------------------------------------------------------------------------------------------


def test_a_dry_run_shows_exactly_what_the_next_one_sends_and_changes_nothing(
    slack, switch, snapshot, tmp_path
):
    environ = to_slack(
        slack, AEGIS_PT_PING_URL=f"{switch.url}/u", GITHUB_STEP_SUMMARY=str(tmp_path / "page.md")
    )
    words = ("--state", str(tmp_path / "s"), "--artifact", str(tmp_path / "a.json"), "--snapshot")
    before = snapshot(0, **FIRING)
    dry = answer("run", "--dry-run", *words, before, environ=environ)
    assert (dry.code, slack.posts, switch.requests) == (0, [], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snapshot.json"]
    wet = answer("run", *words, before, environ=environ)
    assert wet.code == 0
    head, how, shown = dry.out.decode().split("\n", 2)
    assert (head, how) == ("=== slack: an incoming webhook", "POST")
    assert json.loads(shown) == slack.posts[0]


def test_a_dry_run_keeps_no_copy_of_a_broken_memory(snapshot, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "memory-aegis-pt-core-00000001.json").write_text("{")
    done = answer("run", "--dry-run", "--state", str(tmp_path / "s"), "--snapshot", snapshot())
    assert done.types == ["memory_lost"]
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["memory-aegis-pt-core-00000001.json"]


# --- the dead-man's switch --------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["nothing", "slack", "folder", "artifact", "program"])
def test_the_switch_hears_of_success_only_where_it_looked_told_and_stored(
    broken, slack, switch, snapshot, tmp_path, monkeypatch
):
    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u")
    state, artifact = tmp_path / "s", tmp_path / "a.json"
    if broken == "slack":
        slack.then(says(b"no_service", 404))
    if broken == "artifact":
        artifact = tmp_path / "none" / "a.json"
    if broken == "folder":
        state.mkdir()
        (state / "memory-aegis-pt-core-00000001.json").mkdir()
        monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(30, "Read-only")))
    if broken == "program":
        monkeypatch.setattr(pipeline, "evaluate_snapshot", lambda *given: 1 / 0)
    done = answer(
        "run",
        "--state",
        str(state),
        "--artifact",
        str(artifact),
        "--snapshot",
        snapshot(0, **FIRING),
        environ=environ,
    )
    assert pinged(switch) == (["/u"] if broken == "nothing" else ["/u/fail"])
    assert done.code == {"nothing": 0, "program": 4}.get(broken, 3)


@pytest.mark.parametrize("status", [500, 404])
def test_a_switch_that_does_not_answer_fails_nothing(status, slack, snapshot, tmp_path):
    with serving(says(b"no", status)) as switch:
        environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u-secret-uuid")
        done = answer("run", "--state", str(tmp_path / "s"), "--snapshot", snapshot(), environ=environ)
    assert done.code == 0
    assert f"The dead-man's switch could not be pinged: it answered {status}." in done.err
    assert "u-secret-uuid" not in done.err


REFUSED = {
    "a setting": ({"AEGIS_PT_SLACK_MIN": "x"}, ()),
    "settings that contradict": ({"AEGIS_PT_SLACK_TOKEN": "xoxb-1", "AEGIS_PT_SLACK_CHANNEL": "#a"}, ()),
    "a file of settings that is not there": ({}, ("--env-file", "none.env")),
    "a clock": ({}, ("--now", "yesterday")),
    "a snapshot": ({}, ("--snapshot", "none.json")),
}


@pytest.mark.parametrize(("more", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_the_switch_hears_of_a_run_that_is_refused(more, words, slack, switch, tmp_path):
    environ = to_slack(slack, AEGIS_PT_PING_URL=f"{switch.url}/u?create=1", **more)
    done = answer("run", "--state", str(tmp_path / "s"), *words, environ=environ)
    assert (done.code, pinged(switch)) == (2, ["/u/fail?create=1"])
    assert answer("run", "--dry-run", *words, environ=environ).code == 2
    assert len(switch.requests) == 1


def test_the_switch_may_stand_in_a_file_of_settings_that_is_refused(switch, tmp_path):
    file = tmp_path / "health.env"
    file.write_text(f"what is this\nAEGIS_PT_PENDING_ORDER_WARN=three\nAEGIS_PT_PING_URL={switch.url}/u\n")
    done = answer("run", "--env-file", str(file), "--state", str(tmp_path / "s"))
    assert (done.code, pinged(switch)) == (2, ["/u/fail"])


def test_a_switch_that_is_refused_itself_is_only_said(tmp_path):
    done = answer("run", "--state", str(tmp_path / "s"), environ={"AEGIS_PT_PING_URL": "nowhere"})
    assert (done.code, "AEGIS_PT_PING_URL" in done.err) == (2, True)


# --- what the steps after it are told ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "code", "told"),
    [
        ("nothing", 0, True),
        ("one channel of two", 3, True),
        ("the only channel", 3, False),
        ("no channel", 3, False),
        ("the artifact", 3, False),
        ("a rule, in the first run", 4, True),
        ("a rule, later", 4, True),
        ("the program", 4, False),
    ],
)
def test_it_says_to_the_next_steps_whether_somebody_heard_what_is_wrong(
    broken, code, told, slack, snapshot, tmp_path, monkeypatch
):
    outputs = tmp_path / "outputs"
    environ = to_slack(slack, GITHUB_OUTPUT=str(outputs))
    artifact = tmp_path / ("none" if broken == "the artifact" else "") / "a.json"
    words = ("run", "--state", str(tmp_path / "s"), "--artifact", str(artifact), "--snapshot")
    with mail_on_loopback() as box:
        if broken == "one channel of two":
            environ |= box.environ()
        if "channel" in broken:
            slack.then(*[says(b"no_service", 404)] * 2)
        if broken == "no channel":
            del environ["AEGIS_PT_SLACK_WEBHOOK_URL"]
        if broken.startswith("a rule"):
            monkeypatch.setattr(pipeline, "evaluate_snapshot", with_a_broken_rule)
        if broken == "a rule, later":
            answer(*words, snapshot(0), environ=environ)
            outputs.unlink()
        if broken == "the program":
            monkeypatch.setattr(pipeline, "evaluate_snapshot", lambda *given: 1 / 0)
        done = answer(*words, snapshot(600, **FIRING), environ=environ)
    assert done.code == code
    assert (outputs.exists() and outputs.read_text() == "told=yes\n") is told


def with_a_broken_rule(snapshot, memory, settings, channels):
    """Evaluate as `evaluate` does, with one rule in the catalog that breaks."""

    def breaks(facts, limits):
        yield 1 / 0

    rules = load_rules()
    broken = replace(next(one for one in rules if one.name == "heartbeat_stale"), check=breaks)
    others = [one for one in rules if one.name != "heartbeat_stale"]
    return evaluate(snapshot, memory, settings, channels, [*others, broken])


def test_the_clock_at_the_door_is_the_channels_too(slack, snapshot, tmp_path):
    words = ("run", "--now", "2026-06-02T15:07:00Z", "--state", str(tmp_path / "s"), "--snapshot")
    answer(*words, snapshot(0, **FIRING), environ=to_slack(slack))
    stored = json.loads(next((tmp_path / "s").glob("memory-*")).read_text())
    assert stored["channels"]["slack"]["last_success"] == "2026-06-02T15:07:00Z"


# --- in a workflow ----------------------------------------------------------------------------------------


def in_workflow(github, tmp_path, snapshot, run_id=9000, attempt=1, seconds=0.0, uploads=True, **environ):
    """Run in the workflow, and upload what it leaves as the workflow's next step does."""
    artifact = tmp_path / "pt-health.json"
    artifact.unlink(missing_ok=True)
    if not any(run["id"] == run_id for run in github.runs):
        github.run(run_id, minutes=seconds / 60, conclusion=None, status="in_progress")
    variables = {**github.environ(run_id, attempt), **environ}
    done = answer(
        "run", "--artifact", str(artifact), "--snapshot", snapshot(seconds, **FIRING), environ=variables
    )
    run = next(run for run in github.runs if run["id"] == run_id)
    run |= {"status": "completed", "conclusion": "success" if done.code == 0 else "failure"}
    if artifact.exists() and uploads:
        github.upload(run_id, artifact.read_text(), attempt)
    return done


def owed(done) -> list[str]:
    return sorted(one["type"] for one in done.document["new_events"])


LONG_RUNTIME = "東京取引所自動売買システム" + "二" * 20


@pytest.mark.parametrize(
    ("runtime", "earlier"),
    [
        ("aegis-pt-core", "pt-health-memory"),
        (LONG_RUNTIME, "pt-health-memory"),
        (LONG_RUNTIME, f"pt-health-memory-{quote(LONG_RUNTIME, safe='')[:100]}"),
    ],
    ids=["without the runtime", "a long one, without it", "a long one, cut"],
)
def test_the_first_run_after_an_upgrade_finds_the_memory_under_its_earlier_name(
    github, slack, snapshot, tmp_path, runtime, earlier
):
    """Slack refused before the upgrade: nothing that the terminal had is repeated, nothing due is lost."""
    environ = {"AEGIS_PT_RUNTIME": runtime}
    refused = {"AEGIS_PT_SLACK_WEBHOOK_URL": f"http://127.0.0.1:{closed_port()}/services/T0/B0/x"}
    in_workflow(github, tmp_path, snapshot, 9000, **environ, **refused)
    github.artifacts[-1]["name"] = f"{earlier}-9000-1"
    done = in_workflow(github, tmp_path, snapshot, 9001, seconds=600, **to_slack(slack, **environ))
    assert done.code == 0
    assert json.loads((tmp_path / "pt-health.json").read_text())["generation"] == 2
    assert len(slack.posts) == 1
    assert "memory_lost" not in everything(slack.posts[0])
    assert "late: an earlier attempt" in everything(slack.posts[0])


def test_runs_of_a_workflow_remember_each_other(github, slack, snapshot, tmp_path):
    for number, expected in enumerate((TYPES, [], [])):
        done = in_workflow(github, tmp_path, snapshot, 9000 + number, seconds=600 * number, **to_slack(slack))
        assert (done.code, owed(done)) == (0, expected)
    assert len(slack.posts) == 1
    stored = json.loads((tmp_path / "pt-health.json").read_text())
    assert stored["generation"] == 3
    assert stored["run"] == {"lane": None, "run_id": "9002", "attempt": 1, "source": None}


def test_a_run_says_which_lane_it_was_and_links_to_itself(github, slack, snapshot, tmp_path):
    environ = to_slack(
        slack, AEGIS_PT_RUN_LANE="repository_dispatch", AEGIS_PT_RUN_SOURCE="cloudflare-cron:x"
    )
    in_workflow(github, tmp_path, snapshot, attempt=2, **environ)
    assert json.loads((tmp_path / "pt-health.json").read_text())["run"] == {
        "lane": "repository_dispatch",
        "run_id": "9000",
        "attempt": 2,
        "source": "cloudflare-cron:x",
    }
    assert "https://github.com/owner/bot/actions/runs/9000" in everything(slack.posts[0])


def test_a_re_run_tells_nothing_that_its_first_attempt_told(github, slack, snapshot, tmp_path):
    in_workflow(github, tmp_path, snapshot, 9000, **to_slack(slack))
    again = in_workflow(github, tmp_path, snapshot, 9000, attempt=2, seconds=60, **to_slack(slack))
    assert (owed(again), len(slack.posts)) == ([], 1)


def test_two_lanes_at_once_tell_at_most_twice_and_the_later_look_is_remembered(
    github, slack, snapshot, tmp_path
):
    in_workflow(github, tmp_path, snapshot, 9000, seconds=-600, AEGIS_PT_PENDING_ORDER_CRITICAL="9")
    github.run(9001, minutes=0)
    github.run(9002, minutes=0.1)
    stored = []
    for run_id, seconds in ((9001, 5), (9002, 0)):  # both read 9000's memory before either has stored its own
        artifact = tmp_path / f"{run_id}.json"
        answer(
            "run",
            "--artifact",
            str(artifact.with_name("pt-health.json")),
            "--snapshot",
            snapshot(seconds, **FIRING),
            environ={**github.environ(run_id), **to_slack(slack)},
        )
        stored.append((run_id, artifact.with_name("pt-health.json").read_text()))
    for run_id, text in stored:
        github.upload(run_id, text)
    done = in_workflow(github, tmp_path, snapshot, 9003, seconds=600, **to_slack(slack))
    assert (owed(done), len(slack.posts)) == ([], 2)
    assert json.loads((tmp_path / "pt-health.json").read_text())["gap"]["seconds"] == 595


def test_a_run_that_left_no_artifact_hides_no_older_one(github, slack, snapshot, tmp_path, monkeypatch):
    in_workflow(github, tmp_path, snapshot, 9000, **to_slack(slack))
    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "evaluate_snapshot", lambda *given: 1 / 0)
        assert in_workflow(github, tmp_path, snapshot, 9001, seconds=600, **to_slack(slack)).code == 4
    done = in_workflow(github, tmp_path, snapshot, 9002, seconds=1200, **to_slack(slack))
    assert (done.code, owed(done)) == (0, [])


def test_an_upload_that_failed_costs_one_duplicate_with_the_same_ids(github, slack, snapshot, tmp_path):
    in_workflow(github, tmp_path, snapshot, 9000, seconds=-600, AEGIS_PT_PENDING_ORDER_CRITICAL="9")
    for number in (1, 2, 3):
        done = in_workflow(
            github,
            tmp_path,
            snapshot,
            9000 + number,
            seconds=300 * number,
            uploads=number > 1,
            **to_slack(slack),
        )
        assert done.code == 0
    ids = [sorted(set(re.findall(r"\bid ([0-9a-f]{16})", everything(post)))) for post in slack.posts]
    assert (len(ids), ids[0]) == (2, ids[1])


def test_the_first_run_of_a_workflow_has_lost_nothing(github, snapshot, tmp_path):
    assert "memory_lost" not in in_workflow(github, tmp_path, snapshot).types


@pytest.mark.parametrize("missing", ["GITHUB_TOKEN", "GITHUB_RUN_ID", "GITHUB_WORKFLOW_REF"])
def test_a_workflow_that_does_not_hand_over_what_is_needed_has_lost_its_memory(
    missing, github, snapshot, tmp_path
):
    done = in_workflow(github, tmp_path, snapshot, **{missing: ""})
    assert "memory_lost" in done.types
    assert missing in done.out.decode()


def test_an_api_that_cannot_be_asked_is_lost_memory_and_the_run_goes_on(github, slack, snapshot, tmp_path):
    github.fails("/repos/{owner}/{repo}", 503)
    done = in_workflow(github, tmp_path, snapshot, **to_slack(slack))
    assert (done.code, "memory_lost" in done.types, len(slack.posts)) == (3, True, 1)
    assert "nothing was stored, so that the memory that was not read is not hidden" in done.err


def test_runs_that_could_not_ask_hide_nothing_that_is_owed(github, slack, snapshot, tmp_path):
    """A fill while Slack is down; GitHub fails for longer than artifacts are compared; then both work."""
    dead = to_slack(slack, AEGIS_PT_SLACK_WEBHOOK_URL=f"http://127.0.0.1:{closed_port()}/")

    def at(number, patch, **environ):
        seen = snapshot(600 * number, status_v3=patch)
        words = ("run", "--artifact", str(tmp_path / "pt-health.json"), "--snapshot", seen)
        (tmp_path / "pt-health.json").unlink(missing_ok=True)
        github.run(9000 + number, minutes=10 * number, conclusion="failure")
        done = answer(*words, environ={**github.environ(9000 + number), **environ})
        if (tmp_path / "pt-health.json").exists():
            github.upload(9000 + number, (tmp_path / "pt-health.json").read_text())
        return done

    at(0, {}, **to_slack(slack))
    at(1, {"pending_orders": 3}, **dead)
    for number in (2, 3):
        at(number, {}, **dead)
    for number in range(4, 12):
        github.fails("/repos/{owner}/{repo}", 403)
        assert at(number, {}, **to_slack(slack)).code == 3
        assert not (tmp_path / "pt-health.json").exists()
    github.faults.clear()
    assert not any("pending_orders_high" in everything(post) for post in slack.posts)
    assert at(12, {}, **to_slack(slack)).code == 0
    assert "pending_orders_high" in everything(slack.posts[-1])


def test_a_newest_artifact_that_is_damaged_is_unread_and_hidden_by_nothing(github, slack, snapshot, tmp_path):
    page = tmp_path / "page.md"
    for number in (0, 1):
        in_workflow(github, tmp_path, snapshot, 9000 + number, seconds=600 * number, **to_slack(slack))
    github.archives[github.artifacts[-1]["id"]] = b"broken"
    environ = to_slack(slack, GITHUB_STEP_SUMMARY=str(page))
    done = in_workflow(github, tmp_path, snapshot, 9002, seconds=1200, **environ)
    assert (done.code, owed(done)) == (3, [])
    assert "nothing was stored, so that the memory that was not read is not hidden" in done.err
    assert "::warning title=PT health::Passed over: pt-health-memory-aegis-pt-core-9001-1" in done.err
    assert "Passed over" in page.read_text()


def test_an_artifact_that_stays_damaged_is_passed_over_after_six_hours_and_said(
    github, slack, snapshot, tmp_path
):
    """Until then nothing is stored, so that it is not hidden.

    For ever would be a memory that stands still.
    """
    for number in (0, 1):
        in_workflow(github, tmp_path, snapshot, 9000 + number, seconds=600 * number, **to_slack(slack))
    github.archives[github.artifacts[-1]["id"]] = b"broken"
    codes = {}
    for number, seconds in ((2, 1200), (3, 600 + 6 * 3600), (4, 601 + 6 * 3600), (5, 1200 + 6 * 3600)):
        done = in_workflow(github, tmp_path, snapshot, 9000 + number, seconds=seconds, **to_slack(slack))
        codes[number] = int(done.code)
    assert codes == {2: 3, 3: 3, 4: 0, 5: 0}
    assert any("its SHA-256 differs); it is over 6 h old" in everything(post) for post in slack.posts)


def test_a_flood_that_was_not_told_is_stored_so_that_it_can_be_read_and_told(
    github, slack, tmp_path, monkeypatch
):
    """Some thousand debts once made an artifact that the next run refused to read; here a sixth of them."""
    monkeypatch.setattr(memory_artifact, "MOST_STORED", memory_artifact.MOST_STORED // 6)

    def at(number, count, hook):
        orders = [
            {
                "order_id": f"o{one}",
                "symbol": f"S{one}",
                "kind": "exit",
                "age_sec": 99_999,
                "status": "PendingSubmit",
            }
            for one in range(count)
        ]
        document = later(healthy(), 600 * number)
        document["status_v3"] = {**document["status_v3"], "orders": orders, "pending_orders": 0}
        artifact = tmp_path / "pt-health.json"
        github.run(9000 + number, minutes=10 * number, conclusion=None, status="in_progress")
        environ = {**github.environ(9000 + number), "AEGIS_PT_SLACK_WEBHOOK_URL": hook}
        done = answer("run", "--artifact", str(artifact), "--snapshot", "-", stdin=document, environ=environ)
        github.upload(9000 + number, artifact.read_text())
        return done

    at(0, 0, slack.hook)
    flooded = at(1, 700, f"http://127.0.0.1:{closed_port()}/")
    assert flooded.code == 3
    assert re.search(r"\d+ conditions of least worth left out of the memory", flooded.err)
    for number in (2, 3):
        after = at(number, 0, slack.hook)
        assert (after.code, "Passed over" in after.err, "memory_lost" in after.types) == (0, False, False)
    assert len(slack.posts) < 12
    told = "\n".join(everything(post) for post in slack.posts)
    assert re.search(r"CRITICAL .*(order_limbo|pending_order_stale)", told)
    assert re.search(r"Good \S+ \S+ UTC, its end not confirmed; it was: ", told)


def test_a_forks_artifact_silences_nothing(github, slack, snapshot, tmp_path):
    in_workflow(github, tmp_path, snapshot, 9000)
    told = (tmp_path / "pt-health.json").read_text()
    github.artifacts.clear()
    github.runs.clear()
    github.run(9001, minutes=1, head_repository_id=FORK_ID)
    github.upload(9001, told, workflow_run={"head_repository_id": FORK_ID})
    done = in_workflow(github, tmp_path, snapshot, 9002, seconds=600, **to_slack(slack))
    assert (owed(done), len(slack.posts)) == (TYPES, 1)


@pytest.mark.parametrize(
    ("private", "named", "holds"),
    [
        (True, {}, True),
        (False, {}, False),
        (False, {"AEGIS_PT_ARTIFACT": "full"}, True),
        (True, {"AEGIS_PT_ARTIFACT": "ledger"}, False),
    ],
    ids=["private", "public", "public and asked for", "private and not wanted"],
)
def test_where_anyone_can_download_it_an_artifact_holds_no_snapshot(
    private, named, holds, github, snapshot, tmp_path
):
    github.private = private
    in_workflow(github, tmp_path, snapshot, **named)
    assert ("snapshot" in json.loads((tmp_path / "pt-health.json").read_text())) is holds


def test_where_nobody_knows_who_can_download_it_there_is_no_artifact(github, snapshot, tmp_path):
    github.fails("/repos/{owner}/{repo}", 500)
    in_workflow(github, tmp_path, snapshot)
    assert not (tmp_path / "pt-health.json").exists()


def test_a_workflow_must_name_what_it_uploads(github, snapshot):
    done = answer("run", "--snapshot", snapshot(), environ=github.environ())
    assert (done.code, "--artifact" in done.err) == (2, True)


def test_a_folder_wins_over_the_workflow(github, snapshot, tmp_path):
    answer("run", "--state", str(tmp_path / "s"), "--snapshot", snapshot(), environ=github.environ())
    assert (github.api.requests, (tmp_path / "s" / "memory-aegis-pt-core-00000001.json").exists()) == (
        [],
        True,
    )


def test_the_token_stands_in_nothing_that_is_written(github, slack, snapshot, tmp_path):
    page = tmp_path / "page.md"
    done = in_workflow(github, tmp_path, snapshot, **to_slack(slack, GITHUB_STEP_SUMMARY=str(page)))
    written = [done.out.decode(), done.err, (tmp_path / "pt-health.json").read_text(), page.read_text()]
    assert not any(TOKEN in text or slack.hook in text for text in written)
    assert NAME in github.artifacts[0]["name"]


# --- the run's page and log -------------------------------------------------------------------------------

HOSTILE = "::error::x ##[add-mask]y <!channel> | [a](javascript:b) `c` <script>d</script>"


def hostile(tmp_path, **environ):
    document = {
        **healthy(),
        **FIRING,
        "containers": [{"Names": [f"/aegis-lt-ibkr-{HOSTILE}"], "State": "running"}],
    }
    document["processes"] = [{"name": HOSTILE, "running": False}]
    document["status_v3"] = {**healthy()["status_v3"], "open_positions": [{"symbol": HOSTILE, "quantity": 0}]}
    page = tmp_path / "page.md"
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page), **environ}
    return answer("run", "--stdout", "--snapshot", "-", stdin=document, environ=environ), page


def test_no_line_of_the_log_that_holds_data_is_a_command(tmp_path):
    done, _ = hostile(tmp_path)
    assert "add-mask" in done.out.decode()
    for line in (done.out.decode() + done.err).splitlines():
        assert not line.lstrip().startswith("::") or line.startswith("::warning title=PT health::No")
        assert "##[" not in line


def test_nothing_on_the_page_that_is_data_is_markdown_or_html(tmp_path):
    _, page = hostile(tmp_path)
    text = page.read_text()
    assert "add" in text
    assert not any(sign in text for sign in ("<", "`", "](", "::", "##["))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} <= {4, 5}


def test_five_hundred_conditions_are_one_message_a_channel_and_a_page_that_fits(slack, tmp_path):
    orders = [
        {
            "order_id": number,
            "symbol": f"SYM{number}" * 9,
            "kind": "exit" if number % 2 else "entry",
            "age_sec": 900,
            "status": "Submitted",
        }
        for number in range(500)
    ]
    document = {**healthy(), "status_v3": {**healthy()["status_v3"], "orders": orders, "pending_orders": 500}}
    page = tmp_path / "page.md"
    with mail_on_loopback() as box:
        environ = to_slack(slack, **box.environ())
        words = ("run", "--state", str(tmp_path / "s"), "--summary", str(page), "--snapshot", "-")
        done = answer(*words, stdin=document, environ=environ)
        again = answer(*words, "--now", "2026-06-02T15:00:01Z", stdin=document, environ=environ)
    severities = [event["severity"] for event in done.document["events"]]
    assert (done.code, severities.count("critical"), severities.count("warning")) == (0, 251, 250)
    assert (again.code, owed(again), len(slack.posts), len(box.mails)) == (0, [], 1, 1)
    text = everything(slack.posts[0])
    assert "CRITICAL" in text.splitlines()[0]
    assert all(str(order["order_id"]) in text for order in orders)
    assert 10_000 < len(page.read_bytes()) < 1024 * 1024


def test_a_page_that_is_new_is_its_owner_s_alone_and_a_link_is_not_followed(snapshot, tmp_path):
    page, link, target = tmp_path / "page.md", tmp_path / "link.md", tmp_path / "target.md"
    link.symlink_to(target)
    answer("run", "--summary", str(page), "--snapshot", snapshot())
    assert page.stat().st_mode & 0o777 == 0o600
    done = answer("run", "--summary", str(link), "--snapshot", snapshot())
    assert "could not be written" in done.err
    assert not target.exists()


def test_a_page_is_added_to_what_is_there(snapshot, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n")
    answer("run", "--summary", str(page), "--snapshot", snapshot())
    assert page.read_text().startswith("before\n### decision&#58; observe")


def test_the_page_ends_with_the_reports_final_line_and_where_its_whole_page_is(snapshot, tmp_path):
    page = tmp_path / "page.md"
    answer("run", "--summary", str(page), "--snapshot", snapshot())
    text = page.read_text()
    assert "#### CONTINUE&#58; every golden signal was seen" in text
    assert "detector report --format html --to page.html FILE" in text.splitlines()[-1]


def test_what_was_not_told_or_stored_is_an_error_on_the_runs_page(slack, snapshot, tmp_path):
    slack.then(says(b"no_service", 404))
    environ = to_slack(slack, GITHUB_ACTIONS="true")
    words = (
        "run",
        "--state",
        str(tmp_path / "s"),
        "--artifact",
        str(tmp_path / "none" / "a,b:c%.json"),
        "--snapshot",
    )
    done = answer(*words, snapshot(0, **FIRING), environ=environ)
    lines = [line for line in done.err.splitlines() if line.startswith("::")]
    assert done.code == 3
    assert [line.split("::")[1] for line in lines] == ["error title=PT health"] * 2
    assert "a,b:c%25.json could not be written" in lines[1]


def test_a_page_that_cannot_be_written_fails_nothing(snapshot, tmp_path):
    done = answer("run", "--stdout", "--summary", str(tmp_path), "--snapshot", snapshot())
    assert (done.code, "could not be written" in done.err) == (0, True)


def test_the_memory_of_another_clock_is_not_trusted_for_ever(slack, snapshot, tmp_path):
    words = ("run", "--state", str(tmp_path / "s"), "--snapshot")
    ahead = (NOW + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer(*words, snapshot(7200), "--now", ahead, environ=to_slack(slack))
    done = answer(*words, snapshot(60, **FIRING), environ=to_slack(slack))
    assert (done.code, len(slack.posts), "ESCALATE" in slack.texts[-1]) == (0, 2, True)
    assert "lies in the future" in done.err


@pytest.mark.parametrize("ahead_sec", [3600, 86_400 * 3])
def test_after_a_clock_that_was_ahead_is_set_back_an_alert_and_its_end_are_told_once(
    ahead_sec, slack, snapshot, tmp_path
):
    """Of the memories in the folder, the one with the latest time is then the oldest."""
    environ = to_slack(slack, AEGIS_PT_REOPEN_WITHIN_SEC="0")
    told = []
    for offset in (ahead_sec, 0):
        for minutes in range(0, 60, 10):
            now = (NOW + timedelta(minutes=minutes, seconds=offset)).isoformat()
            path = snapshot(offset + 60 * minutes, **(FIRING if 10 <= minutes < 30 else {}))
            ran = answer(
                "run", "--state", str(tmp_path / "s"), "--snapshot", path, "--now", now, environ=environ
            )
            assert ran.code == 0
            told.append(len(slack.posts))
    assert told == [1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5]


# --- secrets ----------------------------------------------------------------------------------------------

CANARIES = {
    "AEGIS_PT_STATUS_TOKEN": "canaryStatusToken1",
    "AEGIS_PT_PING_URL": "/canaryPingUuid2",
    "AEGIS_PT_SLACK_WEBHOOK_URL": "/services/T0/B0/canaryHook3",
    "AEGIS_PT_EMAIL_TO": "canary.recipient4@example.com",
    "AEGIS_PT_EMAIL_FROM": "canary.sender5@example.org",
    "AEGIS_PT_SMTP_PASSWORD": "canaryPassword6",
    "GITHUB_TOKEN": "ghs_canaryOfThisVeryRun7aaaaaaaaaaaaaaaa",
}


@pytest.mark.parametrize("crashes", [False, True], ids=["everything refuses", "and the program breaks"])
def test_no_secret_is_in_anything_that_a_failing_run_leaves(crashes, snapshot, tmp_path, monkeypatch):
    """Everything that is asked answers with what it was asked, and is refused."""

    def echoes(served, conn, request):
        conn.sendall(reply(500, json.dumps({"message": request.decode("latin-1")}).encode()))

    def breaks(*given):
        raise KeyError(CANARIES["AEGIS_PT_STATUS_TOKEN"])

    if crashes:
        monkeypatch.setattr(pipeline, "evaluate_snapshot", breaks)
    page, artifact = tmp_path / "page.md", tmp_path / "pt-health.json"
    with serving(echoes) as mirror:
        environ = {
            **CANARIES,
            "AEGIS_PT_STATUS_URL": f"{mirror.url}/status?key=canaryQueryKey8",
            "AEGIS_PT_PING_URL": mirror.url + CANARIES["AEGIS_PT_PING_URL"],
            "AEGIS_PT_SLACK_WEBHOOK_URL": mirror.url + CANARIES["AEGIS_PT_SLACK_WEBHOOK_URL"],
            "AEGIS_PT_SMTP_HOST": "localhost",
            "AEGIS_PT_SMTP_PORT": str(mirror.address[1]),
            "AEGIS_PT_SMTP_TLS": "none",
            "AEGIS_PT_SMTP_USER": "reader",
            "AEGIS_PT_SOURCE_TIMEOUT_SEC": "3",
            "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "3",
            "GITHUB_API_URL": mirror.url,
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "owner/bot",
            "GITHUB_WORKFLOW_REF": "owner/bot/.github/workflows/x.yml@refs/heads/main",
            "GITHUB_RUN_ID": "1",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_STEP_SUMMARY": str(page),
        }
        done = answer("run", "--artifact", str(artifact), environ=environ)
        assert len(mirror.requests) > 4
    assert done.code == (4 if crashes else 3)
    left = (
        done.out.decode() + done.err + "".join(path.read_text() for path in (page, artifact) if path.exists())
    )
    assert "canary" not in left.lower(), left[max(0, left.lower().index("canary") - 200) :][:400]


def test_at_a_pretended_time_the_time_of_the_file_says_nothing(tmp_path):
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(FIRING))
    words = ["run", "--stdout", "--snapshot", str(path)]
    assert "clock_skew" in json.dumps(answer(*words).document["events"]), (
        "the file is of today, the clock is not"
    )
    pretended = answer(*words, "--now", "2026-06-02T15:00:00Z")
    assert [event["type"] for event in pretended.document["events"]] == TYPES
