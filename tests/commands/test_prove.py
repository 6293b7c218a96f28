"""`prove`: one fresh success that the Worker dispatched, and nothing less; what was seen in its place is said."""

from __future__ import annotations

import io
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from detector.cli import run
from detector.commands._door import Door
from tests.door import Answer, answer
from tests.github_runs import FakeGitHub, github_on_loopback, listed, rate_limited
from tests.loopback import closed_port, says, serving
from tests.runs import dispatched, item, scheduled
from tests.support import NOW

STARTED = "2026-06-02T14:00:00Z"
HEALTH = {
    "status": "ok",
    "problems": [],
    "mode": "absent",
    "last_tick": {"scheduled_for": "2026-06-02T14:50:00Z", "result": "nothing to dispatch: a run succeeded"},
}
FRESH = item("2026-06-02T14:10:03Z", **dispatched())


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder that is no checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def worker():
    with serving(says(HEALTH)) as served:
        yield served


def prove(github: FakeGitHub, worker: Any, *words: str, timeout: str = "0", **environ: str) -> Answer:
    given = {
        "GITHUB_API_URL": github.url,
        "STARTED_AT": STARTED,
        "WORKER_URL": worker.url,
        "GITHUB_REPOSITORY": "a/b",
    }
    return answer("prove", "--timeout", timeout, "--every", "0.05", *words, environ={**given, **environ})


def test_a_fresh_success_of_the_worker_is_the_proof(worker):
    with github_on_loopback(FRESH) as github:
        found = prove(github, worker)
    assert found.code == 0
    assert found.out.decode().splitlines() == [
        "healthz: ok, mode absent",
        "  last tick: 2026-06-02T14:50:00Z: nothing to dispatch: a run succeeded",
        f"proven: run 1000 of 2026-06-02T14:10:03Z, {FRESH['display_title']}",
    ]
    assert found.err == ""
    assert worker.requests[0].startswith(b"GET /healthz ")
    assert github.asked[0].path == "/repos/a/b/actions/workflows/notify-aws-ibkr-pt-health.yml/runs"


@pytest.mark.parametrize(
    ("created", "code"),
    [
        pytest.param("2026-06-02T13:59:59Z", 1, id="before STARTED_AT"),
        pytest.param("2026-06-02T14:00:00Z", 1, id="at STARTED_AT"),
        pytest.param("2026-06-02T14:01:00Z", 1, id="within the minute by which the clocks may differ"),
        pytest.param("2026-06-02T14:01:01Z", 0, id="after it"),
    ],
)
def test_a_run_is_fresh_when_no_clock_could_have_made_it_older(worker, created, code):
    with github_on_loopback({**FRESH, "created_at": created}) as github:
        assert prove(github, worker).code == code


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        pytest.param({"created_at": "2026-06-02T13:30:00Z"}, "1 run from the Worker, older: created before STARTED_AT", id="an older proof"),
        pytest.param(scheduled(), "1 run of GitHub's own schedule, which has recovered", id="the natural schedule recovered"),
        pytest.param(dispatched("cron-host"), "1 run dispatched by another source", id="another source"),
        pytest.param({"status": "in_progress", "conclusion": None}, "1 run from the Worker, still running", id="still running"),
        pytest.param({"status": "queued", "conclusion": None}, "1 run from the Worker, still running", id="queued"),
        pytest.param({"conclusion": "failure"}, "1 run from the Worker, not successful", id="failed"),
        pytest.param({"conclusion": "cancelled"}, "1 run from the Worker, not successful", id="cancelled"),
        pytest.param({"event": "workflow_dispatch"}, None, id="by hand, with the Worker's title"),
        pytest.param({"event": "schedule"}, "1 run of GitHub's own schedule", id="scheduled, with the Worker's title"),
        pytest.param({"run_attempt": 2, "created_at": "2026-06-02T13:30:00Z", "run_started_at": "2026-06-02T14:30:00Z"}, "1 run from the Worker, older", id="an older proof, run again"),
    ],
)  # fmt: skip
def test_anything_less_is_said_and_is_not_enough(worker, fresh, said):
    with github_on_loopback({**FRESH, **fresh}) as github:
        found = prove(github, worker)
    lines = found.out.decode().splitlines()
    assert found.code == 1
    assert [line for line in lines if line.startswith("seen: ")] == [
        line for line in lines if said and line.startswith(f"seen: {said}")
    ]
    assert (said is None) or any(line.startswith("seen: ") for line in lines)
    assert f"not proven: no such run since {STARTED}" in lines
    assert any("names cloudflare-cron:" in line for line in lines)


def test_in_absent_mode_it_says_why_there_may_be_nothing_to_prove(worker):
    with github_on_loopback(item("2026-06-02T14:17:00Z", **scheduled())) as github:
        found = prove(github, worker).out.decode()
    assert "In absent mode the Worker dispatches only where no run succeeded" in found
    assert found.count("nothing to dispatch: a run succeeded") == 2


def test_it_waits_until_the_run_has_succeeded(worker):
    running = {**FRESH, "status": "in_progress", "conclusion": None}
    with github_on_loopback() as github:

        def fault(asked):
            github.runs = listed([[], [running], [running], [FRESH]][min(asked.number, 4) - 1])

        github.fault = fault
        found = prove(github, worker, timeout="10")
    assert (found.code, len(github.asked)) == (0, 4)


def test_a_look_that_fails_is_no_end(worker):
    with github_on_loopback(FRESH) as github:
        github.fault = lambda asked: rate_limited() if asked.number < 3 else None
        found = prove(github, worker, timeout="10")
    assert (found.code, len(github.asked)) == (0, 3)


def test_it_ends_in_time(worker):
    began = time.monotonic()
    with github_on_loopback() as github:
        found = prove(github, worker, timeout="0.4")
    assert found.code == 1
    assert 0.3 < time.monotonic() - began < 5


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_cannot_be_waited_for(worker, status):
    with github_on_loopback() as github:
        github.fault = lambda asked: (status, {"message": "No"}, {})
        found = prove(github, worker, timeout="60")
    assert (found.code, len(github.asked)) == (3, 1)
    assert f"prove: could not tell: GitHub's list of runs: it answered {status}" in found.err


def test_when_the_last_look_failed_it_could_not_tell(worker):
    with github_on_loopback() as github:
        github.fault = lambda asked: rate_limited()
        found = prove(github, worker)
    assert found.code == 3
    assert "rate limit is used up until" in found.err


def test_a_terminal_is_told_what_is_waited_for(worker):
    said = Terminal()
    with github_on_loopback(item("2026-06-02T14:17:00Z", **scheduled())) as github:
        environ = {
            "GITHUB_API_URL": github.url,
            "STARTED_AT": STARTED,
            "WORKER_URL": worker.url,
            "GITHUB_REPOSITORY": "a/b",
        }
        door = Door(environ, lambda: NOW, io.BytesIO(), io.BytesIO(), said)
        assert run(door, ["prove", "--timeout", "0.3", "--every", "0.1"]) == 1
    lines = said.getvalue().split("\r")
    assert lines[1].rstrip() == "waiting, 0 s left; 1 of GitHub's own schedule, which has recovered"
    assert max(map(len, lines)) <= 78
    assert lines[-1] == ""


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


# ---- the Worker ------------------------------------------------------------------------------------------------------


def test_a_worker_that_says_that_something_is_wrong_is_there_all_the_same():
    failing = {**HEALTH, "status": "failing", "problems": ["no check succeeded for 45 min (limit 30)"]}
    with serving(says(failing, 503)) as served, github_on_loopback(FRESH) as github:
        found = prove(github, served)
    assert found.code == 0
    assert found.out.decode().splitlines()[:2] == [
        "healthz: failing, mode absent",
        "  problem: no check succeeded for 45 min (limit 30)",
    ]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        pytest.param(says({}, 404), "it answered 404", id="404: another address"),
        pytest.param(says(b"<!doctype html>"), "its answer is no JSON object", id="a page for people"),
        pytest.param(says([]), "its answer is no JSON object", id="a list"),
    ],
)
def test_without_a_healthy_answer_of_the_worker_nothing_is_waited_for(behaviour, said):
    with serving(behaviour) as served, github_on_loopback(FRESH) as github:
        found = prove(github, served)
    assert (found.code, found.out, github.asked) == (3, b"", [])
    assert said in found.err


def test_a_worker_that_does_not_answer_at_all():
    class Nobody:
        url = f"http://127.0.0.1:{closed_port()}"

    with github_on_loopback() as github:
        assert prove(github, Nobody).code == 3


def test_a_worker_that_is_new_may_take_a_moment():
    with serving(says({}, 404), says({}, 404), says(HEALTH)) as served, github_on_loopback(FRESH) as github:
        assert prove(github, served, timeout="10").code == 0


def test_what_the_worker_says_is_shown_as_one_line_and_without_secrets():
    hostile = {
        "status": "ok\n\x1b[31m",
        "mode": "x" * 500,
        "last_tick": "token github_pat_11AAAAAAA0123456789_sesame " + "x" * 5000,
    }
    with serving(says(hostile)) as served, github_on_loopback(FRESH) as github:
        found = prove(github, served).out.decode()
    assert "\x1b" not in found
    assert "sesame" not in found
    assert max(map(len, found.splitlines())) < 420


# ---- what it is given ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "says_"),
    [
        ({}, "say when the deployment began: STARTED_AT="),
        ({"STARTED_AT": "now"}, "STARTED_AT: 'now' is not an RFC 3339 time"),
        ({"STARTED_AT": "2026-06-02T14:00:00"}, "STARTED_AT: '2026-06-02T14:00:00' names no offset from UTC"),
        ({"STARTED_AT": "2026-06-02T15:02:00Z"}, "STARTED_AT: 2026-06-02T15:02:00Z has not come yet"),
        ({"STARTED_AT": STARTED}, "say where the Worker answers: WORKER_URL="),
        ({"STARTED_AT": STARTED, "WORKER_URL": "worker.example"}, "WORKER_URL must begin with https://"),
        ({"STARTED_AT": STARTED, "WORKER_URL": "https://u:p@worker.example"}, "WORKER_URL holds a user or a password"),
        ({"STARTED_AT": STARTED, "WORKER_URL": "https://worker.example"}, "name the repository: --repo OWNER/NAME"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(environ, says_):
    found = answer("prove", environ=environ)
    assert (found.code, found.out) == (2, b"")
    assert found.err.startswith(f"detector: {says_}")


def test_options_win_over_the_environment(worker):
    with github_on_loopback(FRESH) as github:
        later = (datetime.fromisoformat(STARTED) + timedelta(minutes=30)).isoformat()
        found = prove(github, worker, "--started-at", later, "--repo", "c/d", "--workflow", "other.yml")
    assert found.code == 1
    assert github.asked[0].path == "/repos/c/d/actions/workflows/other.yml/runs"
