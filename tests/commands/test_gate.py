"""`gate` as a command: exit codes, the artifact from `before` to `after`, JSON by its schema.

And in `run`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from detector.render.schemas import build_gate_schema
from tests.support.gate_runs import MORNING, morning_at
from tests.support.loopback import says
from tests.support.program import Answer, answer
from tests.support.slack_server import everything, slack_on_loopback

VALIDATOR = Draft202012Validator(build_gate_schema())
STATED = ("--approved-by", "the owner at 08:40 ET")


def gate(
    stage: str, *words: str, minutes: float = 0, patch: dict[str, Any] | None = None, **more: Any
) -> Answer:
    """Run one stage so many minutes after the morning, on its document with a patch."""
    at = MORNING + timedelta(minutes=minutes)
    return answer("gate", stage, *words, "--now", at.isoformat(), stdin=morning_at(at, patch), **more)


@pytest.mark.parametrize(
    ("words", "patch", "code"),
    [
        (STATED, {}, 0),
        ((), {}, 3),
        (STATED, {"status_v3": {"stuck_exits": 1}}, 1),
        (STATED, {"status_v3": {"stuck_exits": None}}, 3),
    ],
    ids=["pass", "not approved", "a line is no", "a fact is gone"],
)
def test_the_exit_code_is_the_verdict_in_both_forms(words, patch, code):
    assert (
        gate("before", *words, patch=patch).code == gate("before", *words, "--json", patch=patch).code == code
    )


@pytest.mark.parametrize("stage", ["before", "after", "open"])
def test_json_is_as_its_schema_describes(stage):
    document: dict[str, Any] = {}
    for stdin in (None, {"status_v3": None, "broker": None, "logs": None, "ecs": None, "containers": None}):
        document = gate(stage, "--json", patch=stdin).document
        assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    broken = {**document, "verdict": "perhaps"}
    assert not VALIDATOR.is_valid(broken)


def test_after_reads_what_before_wrote(tmp_path):
    path = str(tmp_path / "before.json")
    assert gate("before", *STATED, "--artifact", path).code == 0
    words = ("--before", path, "--scan-cycles", "2")
    assert gate("after", *words, minutes=10).code == 0
    changed: dict[str, Any] = {"broker": {"positions": []}}
    failed = gate("after", *words, minutes=10, patch=changed)
    assert failed.code == 1
    assert b"broker position SPY" in failed.out


@pytest.mark.parametrize("damage", ["cut", "changed", "absent", "other runtime", "other stage", "no object"])
def test_an_artifact_of_before_that_is_unusable_is_not_proven(tmp_path, damage):
    path = tmp_path / "before.json"
    gate("before", *STATED, "--artifact", str(path))
    document = json.loads(path.read_text())
    if damage == "absent":
        path.unlink()
    elif damage == "other stage":
        gate("open", "--artifact", str(path))
    elif damage == "other runtime":
        gate("before", *STATED, "--artifact", str(path), patch={"runtime": "another"})
    else:
        texts = {"cut": path.read_text()[:-40], "no object": "[]"}
        path.write_text(texts.get(damage, json.dumps({**document, "verdict": "fail"})))
    ran = gate("after", "--before", str(path), "--json", minutes=10)
    assert ran.code == 3
    lines = {line["check"]: line["answer"] for line in ran.document["lines"]}
    assert lines["before_passed"] == lines["unchanged"] == "not proven"


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("open", STATED),
        ("before", ("--scan-cycles", "2")),
        ("before", ("--explain", "a=b")),
        ("after", ("--explain", "without a reason")),
        ("after", ("--scan-cycles", "many")),
        ("never", ()),
    ],
)
def test_an_option_of_another_stage_or_without_its_reason_is_refused(stage, words):
    assert gate(stage, *words).code == 2


def test_it_says_that_a_pass_is_no_approval_and_prints_the_header_of_can_close_and_plan():
    text = gate("before", *STATED).out.decode()
    assert text.splitlines()[-1].startswith("Neither this nor a green test run is approval")
    header = [
        "account: paper-1; broker truth: 0 s old, as of 2026-06-02 12:45:00 UTC",
        "not proven: nothing of it",
    ]
    now = ("--now", MORNING.isoformat())
    closing = answer("can-close", "--symbol", "SPY", "--quantity", "1", *now, stdin=morning_at()).out.decode()
    plan = answer("plan", *now, stdin=morning_at()).out.decode()
    for printed, start in ((text, 1), (closing, 2), (plan, 1)):  # can-close says first what to do
        assert [line.strip() for line in printed.splitlines()[start : start + 2]] == header


def test_what_a_person_states_is_redacted_and_on_one_line():
    ran = gate("before", "--approved-by", "U7654321\nof desk")
    assert b"U7654321" not in ran.out
    assert b"of desk" in ran.out


def test_an_artifact_that_cannot_be_written_is_told(tmp_path):
    ran = gate("before", *STATED, "--artifact", str(tmp_path / "no" / "such" / "file"))
    assert ran.code == 3
    assert "could not be written" in ran.err


def test_an_old_snapshot_is_not_proven():
    late = answer(
        "gate", "before", *STATED, "--now", (MORNING + timedelta(seconds=301)).isoformat(), stdin=morning_at()
    )
    assert late.code == 3


# --- the message before the open, in `run` ---------------------------------------------------------------


def run(slack: Any, folder: Any, minutes: float, preopen: str = "1", day: int = 0) -> Answer:
    at = MORNING + timedelta(days=day, minutes=minutes)
    (folder / "s.json").write_text(json.dumps(morning_at(at)))
    environ = {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, "AEGIS_PT_PREOPEN": preopen}
    words = ("run", "--state", str(folder / "state"), "--snapshot", str(folder / "s.json"))
    return answer(*words, "--now", at.isoformat(), environ=environ)


def told(slack: Any) -> list[str]:
    return [text for text in map(everything, slack.posts) if "before the open" in text.lower()]


def test_run_sends_it_once_a_session_from_an_hour_before_the_open_on(tmp_path):
    with slack_on_loopback() as slack:
        counts = []
        for minutes in (-31, -15, -5, 5, 40):  # the open is 45 minutes after the morning
            assert run(slack, tmp_path, minutes).code == 0
            counts.append(len(told(slack)))
        assert counts == [0, 1, 1, 1, 1]
        assert run(slack, tmp_path, 0, day=1).code == 0
        assert len(told(slack)) == 2
        assert "GO before the open: 0 no, 0 not proven" in told(slack)[0]
        assert slack.faults == []


def test_run_sends_it_again_where_the_channel_did_not_take_it(tmp_path):
    with slack_on_loopback() as slack:
        run(slack, tmp_path, -40)
        slack.then(*[says(b"down", 503)] * 3)
        run(slack, tmp_path, -10)
        assert told(slack) == []
        run(slack, tmp_path, 0)
        run(slack, tmp_path, 10)
        assert len(told(slack)) == 1


def test_run_sends_none_where_nobody_asked_for_it(tmp_path):
    with slack_on_loopback() as slack:
        run(slack, tmp_path, 0, preopen="0")
        assert told(slack) == []
