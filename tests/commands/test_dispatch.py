"""`dispatch`: one event for GitHub; what it is told, what it refuses, and what is tried again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from typing import Any

import pytest

from detector.clients import github_api as client
from detector.commands.dispatch import EVENT_TYPE
from tests.support.github_runs import FakeGitHub, github_on_loopback, rate_limited
from tests.support.loopback import closed_port, hangs, resets, says, serving
from tests.support.program import Answer, answer
from tests.support.snapshots import ROOT

TOKEN = "github_pat_11AAAAAAA0123456789_sesame"


def dispatch(url: str, *words: str, token: str = TOKEN, **environ: str) -> Answer:
    return answer(
        "dispatch",
        "--repo",
        "owner/name",
        *words,
        environ={"GITHUB_API_URL": url, "GH_TOKEN": token, **environ},
    )


def faulty(github: FakeGitHub, *statuses: int) -> None:
    """Let it answer with these statuses, one an attempt, and 204 from then on."""

    def fault(asked) -> tuple[int, Any, dict[str, str]] | None:
        left = statuses[asked.number - 1 : asked.number]
        return (left[0], {"message": "Some words"}, {}) if left else None

    github.fault = fault


def test_it_sends_the_event_that_the_workflow_waits_for():
    with github_on_loopback() as github:
        found = dispatch(github.url, "--source", "my-host")
    (body,) = github.dispatched
    payload = body["client_payload"]
    assert (found.code, body["event_type"], payload["source"]) == (0, "aws_ibkr_pt_health", "my-host")
    assert str(uuid.UUID(payload["correlation_id"])) == payload["correlation_id"]
    assert found.out.decode() == (
        "dispatched aws_ibkr_pt_health to owner/name as my-host,"
        f" correlation id {payload['correlation_id']}\n"
    )
    assert github.asked[0].path == "/repos/owner/name/dispatches"
    assert github.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_each_dispatch_has_an_id_of_its_own():
    with github_on_loopback() as github:
        for _ in range(2):
            dispatch(github.url)
    first, second = (body["client_payload"]["correlation_id"] for body in github.dispatched)
    assert first != second


def test_without_a_name_the_source_is_this_machine():
    with github_on_loopback() as github:
        dispatch(github.url)
    assert github.dispatched[0]["client_payload"]["source"].startswith("cli:")


def test_the_workflow_waits_for_this_event_type():
    text = (ROOT / ".github" / "workflows" / "notify-aws-ibkr-pt-health.yml").read_text()
    assert re.search(rf"types: \[{EVENT_TYPE}[],]", text)


def test_a_dry_run_sends_nothing_and_needs_no_token():
    with github_on_loopback() as github:
        found = dispatch(github.url, "--dry-run", "--source", "x", token="")
    assert github.asked == []
    assert found.document["post"] == "/repos/owner/name/dispatches"
    assert found.document["body"]["client_payload"]["source"] == "x"


def test_the_other_names_of_the_token_and_the_repository_are_those_of_a_workflow():
    with github_on_loopback() as github:
        found = answer(
            "dispatch",
            environ={"GITHUB_API_URL": github.url, "GITHUB_TOKEN": "t0ken", "GITHUB_REPOSITORY": "a/b"},
        )
    assert found.code == 0
    assert (github.asked[0].path, github.asked[0].headers["authorization"]) == (
        "/repos/a/b/dispatches",
        "Bearer t0ken",
    )


# ---- refused by us -----------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder that is no checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/owner/bot.git",
        "https://x-access-token:secret@github.com/owner/bot",
        "git@github.com:owner/bot.git",
        "ssh://git@github.com/owner/bot/",
    ],
)
def test_in_a_checkout_it_is_the_repository_of_the_remote_origin(address, tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", address], check=True)
    given = answer("dispatch", "--dry-run", environ={"PATH": os.environ["PATH"]})
    assert given.document["post"] == "/repos/owner/bot/dispatches"


def test_a_remote_elsewhere_names_no_repository_of_github(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", "https://example.com/a/b"], check=True)
    given = answer("dispatch", "--dry-run", environ={"PATH": os.environ["PATH"]})
    assert (given.code, "name the repository: --repo OWNER/NAME" in given.err) == (2, True)


@pytest.mark.parametrize(
    ("source", "says_"),
    [
        pytest.param("cloudflare-cron:by-hand", "is the Worker's", id="the Worker's name"),
        pytest.param("Cloudflare-Cron:x", "is the Worker's", id="in other letters"),
        pytest.param("cloudflare-cron:0,10 22 * * MON-FRI", "is the Worker's", id="a whole lane"),
        pytest.param(
            "x schedule 7,17 13-21 * * MON-FRI", "is not a name", id="the end of a lane of GitHub's"
        ),
        pytest.param("a b", "is not a name", id="a space"),
        pytest.param("a|b", "is not a name", id="what parts a title"),
        pytest.param("a,b", "is not a name", id="a comma"),
        pytest.param("*", "is not a name", id="a star"),
        pytest.param(":a", "is not a name", id="it begins with a sign"),
    ],
)
def test_a_source_that_could_pass_for_a_lane_is_refused(source, says_):
    found = answer("dispatch", "--repo", "a/b", "--source", source, environ={"GH_TOKEN": "t"})
    assert (found.code, found.out) == (2, b"")
    assert says_ in found.err


@pytest.mark.parametrize("source", ["my-host", "cli:host.example", "cron@host/1", "a+b_c", "x" * 100])
def test_a_source_is_a_name(source):
    found = answer("dispatch", "--repo", "a/b", "--source", source, "--dry-run")
    assert found.document["body"]["client_payload"]["source"] == source


@pytest.mark.parametrize(
    ("words", "environ", "says_"),
    [
        pytest.param([], {"GH_TOKEN": "t"}, "name the repository: --repo OWNER/NAME", id="no repository"),
        pytest.param(["--repo", "a"], {"GH_TOKEN": "t"}, "--repo: 'a' is not OWNER/NAME", id="no owner"),
        pytest.param(
            ["--repo", "a/.."], {"GH_TOKEN": "t"}, "--repo: 'a/..' is not OWNER/NAME", id="a way up"
        ),
        pytest.param(["--repo", "a/b"], {}, "set GH_TOKEN to a fine-grained token", id="no token"),
        pytest.param(["--repo", "a/b"], {"GH_TOKEN": " "}, "set GH_TOKEN", id="a blank one"),
        pytest.param(
            ["--repo", "a/b"],
            {"GH_TOKEN": "a\nb"},
            "GH_TOKEN has a character that a token cannot have",
            id="two lines",
        ),
        pytest.param(
            ["--repo", "a/b", "--source", "x\ny"],
            {"GH_TOKEN": "t"},
            "--source: 'x y' is not a name",
            id="a source of two lines",
        ),
        pytest.param(
            ["--repo", "a/b", "--source", "x" * 101], {"GH_TOKEN": "t"}, "--source: ", id="a long source"
        ),
        pytest.param(
            ["--repo", "a/b"],
            {"GH_TOKEN": "t", "GITHUB_API_URL": "ftp://x"},
            "GITHUB_API_URL must begin with http",
            id="no API",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused(words, environ, says_):
    found = answer("dispatch", *words, environ=environ)
    assert (found.code, found.out) == (2, b"")
    assert found.err.startswith(f"detector: {says_}")


# ---- refused by GitHub -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "GH_TOKEN is not accepted: it is mistyped, expired or revoked."),
        (403, "a fine-grained token needs Contents: read and write"),
        (404, "There is no such repository, or GH_TOKEN cannot see it"),
        (301, "the repository's new name"),
        (307, "the repository's new name"),
        (422, "GitHub refused the event itself"),
        (429, "asked too often"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_mend(status, mend):
    with github_on_loopback() as github:
        answers = {422: {"message": "Some words", "documentation_url": "x"}}
        github.fault = lambda asked: (
            status,
            answers.get(status, {"message": "Some words"}),
            {"retry-after": "1"},
        )
        found = dispatch(github.url)
    assert (found.code, found.out, len(github.asked)) == (3, b"", 1)
    assert found.err.startswith("dispatch: not dispatched: it answered")
    assert mend in found.err
    assert TOKEN not in found.err


def test_a_used_up_rate_limit_says_until_when():
    with github_on_loopback() as github:
        github.fault = lambda asked: rate_limited()
        found = dispatch(github.url)
    assert "its rate limit is used up until 15:00:00 UTC" in found.err
    assert len(github.asked) == 1


def test_an_answer_that_is_no_204_is_no_yes():
    with github_on_loopback() as github:
        github.fault = lambda asked: (200, {}, {})
        assert dispatch(github.url).code == 3


def test_a_redirect_is_not_followed_with_the_token():
    with github_on_loopback() as github, github_on_loopback() as other:
        github.fault = lambda asked: (307, {}, {"location": f"{other.url}/repos/x/y/dispatches"})
        assert dispatch(github.url).code == 3
    assert other.asked == []


# ---- tried again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "code", "attempts"),
    [
        ([500], 0, 2),
        ([502, 503], 0, 3),
        ([500, 500, 500], 3, 3),
        ([500, 401], 3, 2),
    ],
)
def test_a_5xx_is_tried_again_three_times_in_all(statuses, code, attempts):
    with github_on_loopback() as github:
        faulty(github, *statuses)
        found = dispatch(github.url)
    assert (found.code, len(github.asked)) == (code, attempts)


def test_a_refused_connection_is_tried_again():
    found = dispatch(f"http://127.0.0.1:{closed_port()}")
    assert found.code == 3
    assert "the connection was refused" in found.err


@pytest.mark.parametrize(
    "behaviour",
    [pytest.param(resets(b""), id="a reset"), pytest.param(hangs(), id="a hang")],
)
def test_what_broke_off_is_tried_again_with_the_same_id(behaviour, monkeypatch):
    monkeypatch.setattr(client, "_ATTEMPT_SEC", 0.3)
    taken = says(b"", 204)
    with serving(behaviour, taken) as server:
        found = dispatch(server.url)
    assert (found.code, len(server.requests)) == (0, 2)
    first, second = (request.partition(b"\r\n\r\n")[2] for request in server.requests)
    assert first == second


def test_a_hang_for_ever_says_that_it_may_have_been_taken(monkeypatch):
    monkeypatch.setattr(client, "_ATTEMPT_SEC", 0.1)
    with serving(hangs()) as server:
        found = dispatch(server.url)
    assert (found.code, len(server.requests)) == (3, 3)
    assert "may still have been accepted" in found.err


def test_nothing_of_the_token_is_shown_by_a_whole_process():
    with github_on_loopback() as github:
        github.fault = lambda asked: (401, {"message": f"Bad credentials {TOKEN}"}, {})
        done = subprocess.run(
            [sys.executable, "-m", "detector", "dispatch", "--repo", "owner/name"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "GH_TOKEN": TOKEN, "GITHUB_API_URL": github.url},
            capture_output=True,
            check=False,
        )
    assert done.returncode == 3
    assert b"sesame" not in done.stdout + done.stderr
    assert b"Bad credentials [redacted]" in done.stderr
