"""`prove`: only a fresh successful run that the Worker dispatched counts; other runs are listed."""

from __future__ import annotations

import io
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from detector.app.context import AppContext
from detector.cli import run
from tests.support.github_runs import FakeGitHub, github_on_loopback, listed, rate_limited
from tests.support.loopback import PATIENCE_SEC, closed_port, says, serving
from tests.support.program import Answer, answer
from tests.support.snapshots import NOW
from tests.support.workflow_runs import WORKER, dispatched, item, scheduled
from tools.generate_docs import exit_codes

STARTED = "2026-06-02T14:00:00Z"
HEALTH: dict[str, Any] = {
    "status": "ok",
    "problems": [],
    "mode": "absent",
    "last_tick": {
        "scheduled_for": "2026-06-02T14:50:00Z",
        "fired_at": "2026-06-02T14:50:02Z",
        "result": "nothing to dispatch: a run succeeded",
    },
    "newest_own_run": {"created_at": "2026-06-02T14:10:03Z", "status": "completed", "conclusion": "success"},
}
QUIET = {**HEALTH, "status": "failing", "problems": ["no check succeeded for 45 min (over 30)"]}
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
        f"proven: run 1000 of 2026-06-02 14:10:03 UTC, {FRESH['display_title']}",
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
        pytest.param(
            {"created_at": "2026-06-02T13:30:00Z"},
            "1 run from the Worker, older: created before STARTED_AT",
            id="an older proof",
        ),
        pytest.param(
            scheduled(),
            "1 run of GitHub's own schedule, which has recovered",
            id="the natural schedule recovered",
        ),
        pytest.param(dispatched("cron-host"), "1 run dispatched by another source", id="another source"),
        pytest.param(
            {"status": "in_progress", "conclusion": None},
            "1 run from the Worker, still running",
            id="still running",
        ),
        pytest.param(
            {"status": "queued", "conclusion": None}, "1 run from the Worker, still running", id="queued"
        ),
        pytest.param({"conclusion": "failure"}, "1 run from the Worker, not successful", id="failed"),
        pytest.param({"conclusion": "cancelled"}, "1 run from the Worker, not successful", id="cancelled"),
        pytest.param({"event": "workflow_dispatch"}, None, id="by hand, with the Worker's title"),
        pytest.param(
            {"event": "schedule"}, "1 run of GitHub's own schedule", id="scheduled, with the Worker's title"
        ),
        pytest.param(
            {
                "run_attempt": 2,
                "created_at": "2026-06-02T13:30:00Z",
                "run_started_at": "2026-06-02T14:30:00Z",
            },
            "1 run from the Worker, older",
            id="an older proof, run again",
        ),
    ],
)
def test_anything_less_is_said_and_is_not_enough(worker, fresh, said):
    with github_on_loopback({**FRESH, **fresh}) as github:
        found = prove(github, worker)
    lines = found.out.decode().splitlines()
    assert found.code == 1
    assert [line for line in lines if line.startswith("seen: ")] == [
        line for line in lines if said and line.startswith(f"seen: {said}")
    ]
    assert (said is None) or any(line.startswith("seen: ") for line in lines)
    assert "not proven: no such run since 2026-06-02 14:00:00 UTC" in lines
    assert any("names cloudflare-cron:" in line for line in lines)


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        pytest.param(
            dispatched("cloudflare-cron:by-hand"), "1 run dispatched by another source", id="no cron"
        ),
        pytest.param(
            dispatched(f"my dispatch cloudflare-cron:{WORKER}"),
            "1 run dispatched by another source",
            id="the Worker's lane at the end of another title",
        ),
        pytest.param(
            {"display_title": f"dispatch cloudflare-cron:{WORKER}"},
            "1 run dispatched by another source",
            id="without the beginning of the run-name",
        ),
        pytest.param(
            dispatched(f"cloudflare-cron:{WORKER} "),
            "1 run dispatched by another source",
            id="something behind it",
        ),
        pytest.param(
            {"created_at": "2026-06-02T15:01:01Z"},
            "1 run created in the future",
            id="created more than a minute from now",
        ),
        pytest.param(
            {"created_at": "2030-01-01T00:00:00Z"}, "1 run created in the future", id="created in years"
        ),
    ],
)
def test_what_only_looks_like_the_worker_proves_nothing(worker, fresh, said):
    with github_on_loopback({**FRESH, **fresh}) as github:
        found = prove(github, worker)
    assert found.code == 1
    assert f"seen: {said}" in found.out.decode()


@pytest.mark.parametrize(
    ("cron", "code"),
    [
        pytest.param("0,10 22 * * MON-FRI", 0, id="a cron of the file"),
        pytest.param("5 13 * * MON-FRI", 1, id="another: an old deployment still ticks"),
    ],
)
def test_where_the_workers_file_is_known_the_cron_is_one_of_it(tmp_path, worker, cron, code):
    (tmp_path / "wrangler.jsonc").write_text('{"triggers": {"crons": ["0,10 22 * * MON-FRI"]}}')
    with github_on_loopback({**FRESH, **dispatched(f"cloudflare-cron:{cron}")}) as github:
        found = prove(github, worker, "--worker", "wrangler.jsonc")
        (tmp_path / "scheduler").mkdir()
        (tmp_path / "wrangler.jsonc").rename(tmp_path / "scheduler" / "wrangler.jsonc")
        assert prove(github, worker).code == found.code == code
    assert ("from a Worker with another cron: an old deployment still ticks" in found.out.decode()) is bool(
        code
    )


def test_in_absent_mode_it_says_why_there_may_be_nothing_to_prove(worker):
    with github_on_loopback(item("2026-06-02T14:17:00Z", **scheduled())) as github:
        found = prove(github, worker).out.decode()
    assert "In absent mode the Worker dispatches only where no run succeeded" in found
    assert "the first tick of a day or its very last one" in found
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
    assert 0.3 < time.monotonic() - began < PATIENCE_SEC


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "GH_TOKEN is not accepted"),
        (403, "it needs Actions: read"),
        (404, "There is no such repository"),
    ],
)
def test_a_refusal_cannot_be_waited_for_and_says_what_to_mend(worker, status, mend):
    with github_on_loopback() as github:
        github.fault = lambda asked: (status, {"message": "No"}, {})
        found = prove(github, worker, timeout="60")
    assert (found.code, len(github.asked)) == (3, 1)
    assert f"prove: cannot tell: GitHub's list of runs: it answered {status}" in found.err
    assert f"prove: {mend}" in found.err or f"prove: GH_TOKEN may not do this: {mend}" in found.err


def test_a_run_that_cannot_be_read_is_no_fault_of_the_token(worker):
    with github_on_loopback() as github:
        github.fault = lambda asked: (200, {"total_count": 1, "workflow_runs": listed([item("soon")])}, {})
        found = prove(github, worker)
    assert found.code == 3
    assert (
        found.err == "prove: cannot tell: GitHub's list of runs: a run's created_at is not an RFC 3339 time\n"
    )


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
        door = AppContext(environ, lambda: NOW, io.BytesIO(), io.BytesIO(), said)
        assert run(door, ["prove", "--timeout", "0.3", "--every", "0.1"]) == 1
    lines = said.getvalue().split("\r")
    assert lines[1].rstrip() == "waiting, 0 s left; 1 of GitHub's own schedule, which has recovered"
    assert max(map(len, lines)) <= 78
    assert lines[-1] == ""


def test_off_a_terminal_it_says_at_once_what_it_waits_for_and_then_only_now_and_then(worker):
    with github_on_loopback(item("2026-06-02T14:17:00Z", **scheduled())) as github:
        found = prove(github, worker, timeout="0.5")
    assert found.err.splitlines() == [
        "prove: waiting, 0 s left; 1 of GitHub's own schedule, which has recovered"
    ]


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


# ---- the Worker --------------------------------------------------------------------------------------------


def test_a_worker_that_said_that_no_check_succeeded_is_proven_once_one_did():
    with (
        serving(says(QUIET, 503), says(QUIET, 503), says(HEALTH)) as served,
        github_on_loopback(FRESH) as github,
    ):
        found = prove(github, served, timeout="10")
    assert found.code == 0
    assert found.out.decode().splitlines()[:2] == [
        "healthz: failing, mode absent",
        "  problem: no check succeeded for 45 min (over 30)",
    ]


@pytest.mark.parametrize(
    ("health", "why"),
    [
        pytest.param(QUIET, "it says that it is failing: no check succeeded for 45 min (over 30)", id="503"),
        pytest.param(
            {**HEALTH, "last_tick": "none since this was deployed"},
            "it never ticked since it was deployed",
            id="it never ticked: the run is another's",
        ),
        pytest.param(
            {**HEALTH, "last_tick": {**HEALTH["last_tick"], "fired_at": "2026-06-02T14:00:00Z"}},
            "its last tick was at 2026-06-02 14:00:00 UTC, before STARTED_AT",
            id="its last tick was before",
        ),
        pytest.param(
            {**HEALTH, "last_tick": {"fired_at": "soon"}},
            "its last tick has no time",
            id="a tick without a time",
        ),
        pytest.param(
            {**HEALTH, "newest_own_run": {"created_at": "2026-06-02T14:10:02Z"}},
            "the newest run that it knows as its own is that of 2026-06-02 14:10:02 UTC",
            id="it knows an older run only",
        ),
        pytest.param(
            {**HEALTH, "newest_own_run": {}},
            "the newest run that it knows as its own has no time",
            id="a run without a time",
        ),
    ],
)
def test_a_run_that_the_worker_itself_does_not_bear_out_proves_nothing(health, why):
    with (
        serving(says(health, 503 if health is QUIET else 200)) as served,
        github_on_loopback(FRESH) as github,
    ):
        found = prove(github, served)
    assert found.code == 1
    assert (
        f"not proven: run 1000 of 2026-06-02 14:10:03 UTC is there, but /healthz does not bear it out: {why}"
        in found.out.decode()
    )


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(
            {"last_tick": {**HEALTH["last_tick"], "fired_at": "2026-06-02T14:00:01Z"}},
            id="a tick after STARTED_AT",
        ),
        pytest.param({"last_tick": "not known: it has no memory"}, id="without a memory"),
        pytest.param({"newest_own_run": "none among the newest runs"}, id="twenty others came since"),
        pytest.param({"newest_own_run": {"created_at": "2026-06-02T14:30:00Z"}}, id="a newer one of its own"),
    ],
)
def test_what_the_worker_cannot_know_is_not_held_against_it(known):
    with serving(says({**HEALTH, **known})) as served, github_on_loopback(FRESH) as github:
        assert prove(github, served).code == 0


def test_a_worker_that_fell_silent_while_it_was_waited_for_leaves_it_open():
    with serving(says(HEALTH), says({}, 404)) as served, github_on_loopback(FRESH) as github:
        found = prove(github, served)
    assert found.code == 3
    assert "prove: cannot tell: the run is there, but /healthz: it answered 404" in found.err


def test_a_worker_with_wrong_variables_can_prove_nothing():
    wrong = {"status": "failing", "problems": ["GITHUB_DISPATCH_TOKEN is missing"]}
    with serving(says(wrong, 503)) as served, github_on_loopback(FRESH) as github:
        found = prove(github, served)
    assert (found.code, github.asked) == (1, [])
    assert (
        "not proven: the Worker is configured wrongly: GITHUB_DISPATCH_TOKEN is missing" in found.out.decode()
    )


@pytest.mark.parametrize("path", ["", "/", "/healthz", "/healthz/"])
def test_the_address_may_be_that_of_healthz(worker, path):
    with github_on_loopback(FRESH) as github:
        assert prove(github, worker, "--worker-url", worker.url + path).code == 0
    assert worker.requests[0].startswith(b"GET /healthz ")


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        pytest.param(says({}, 404), "it answered 404", id="404: another address"),
        pytest.param(says(b"<!doctype html>"), "its answer is no JSON object", id="a page for people"),
        pytest.param(says([]), "its answer is no JSON object", id="a list"),
        pytest.param(says({"hello": "another site"}), "that is not the Worker's answer", id="another site"),
        pytest.param(
            says({**HEALTH, "status": "UP"}), "that is not the Worker's answer", id="another site's health"
        ),
        pytest.param(
            says({**HEALTH, "problems": 0}),
            "that is not the Worker's answer",
            id="problems that are a number",
        ),
        pytest.param(
            says({"status": "ok", "problems": []}),
            "that is not the Worker's answer",
            id="well, and nothing more",
        ),
        pytest.param(
            says({**HEALTH, "mode": "never"}),
            "that is not the Worker's answer",
            id="a mode that it does not have",
        ),
        pytest.param(
            says({name: value for name, value in HEALTH.items() if name != "last_tick"}),
            "that is not the Worker's answer",
            id="no last tick",
        ),
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
        **HEALTH,
        "status": "failing",
        "problems": ["\n\x1b[31m" + "x" * 5000, "token github_pat_11AAAAAAA0123456789_sesame " + "x" * 5000],
        "last_tick": "not known: token github_pat_11AAAAAAA0123456789_sesame " + "x" * 5000,
    }
    with serving(says(hostile, 503)) as served, github_on_loopback(FRESH) as github:
        found = prove(github, served).out.decode()
    assert "\x1b" not in found
    assert "sesame" not in found
    assert max(map(len, found.splitlines())) < 520


# ---- what it is given --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "says_"),
    [
        (
            {},
            (
                "say when the deployment began: export STARTED_AT=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
                ", before the deployment"
            ),
        ),
        ({"STARTED_AT": "now"}, "STARTED_AT: 'now' is not an RFC 3339 time"),
        ({"STARTED_AT": "2026-06-02T14:00:00"}, "STARTED_AT: '2026-06-02T14:00:00' names no offset from UTC"),
        ({"STARTED_AT": "2026-06-02T15:02:00Z"}, "STARTED_AT: 2026-06-02 15:02:00 UTC has not come yet"),
        (
            {"STARTED_AT": "2026-06-01T14:59:59Z"},
            (
                "STARTED_AT: 2026-06-01 14:59:59 UTC is more than a day ago,"
                " so a run since then may be of an earlier deployment"
            ),
        ),
        ({"STARTED_AT": "2026-06-01T15:00:00Z"}, "say where the Worker answers: WORKER_URL="),
        ({"STARTED_AT": STARTED}, "say where the Worker answers: WORKER_URL="),
        ({"STARTED_AT": STARTED, "WORKER_URL": "worker.example"}, "WORKER_URL must begin with https://"),
        (
            {"STARTED_AT": STARTED, "WORKER_URL": "https://u:p@worker.example"},
            "WORKER_URL holds a user or a password",
        ),
        (
            {"STARTED_AT": STARTED, "WORKER_URL": "https://worker.example"},
            "name the repository: --repo OWNER/NAME",
        ),
    ],
)
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


@pytest.mark.parametrize(
    ("code", "names"),
    [("1", ("gaps", "readiness", "prove")), ("3", ("gaps", "prove", "a dispatch or"))],
)
def test_the_table_of_exit_codes_knows_the_commands_of_the_schedule(code, names):
    (row,) = (line for line in exit_codes() if line.startswith(f"| `{code}` |"))
    assert [name for name in names if name not in row] == []
