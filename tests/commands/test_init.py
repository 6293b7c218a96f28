"""`init`: what it writes is whole and valid, what it says is enough, and nothing is overwritten."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from detector.app.context import AppContext
from detector.cli import run
from detector.domain import run_windows
from detector.render.setup_files import (
    ENV_PATH,
    GITHUB_WORKFLOW,
    MUTES_PATH,
    list_workflow_secrets,
)
from detector.schedule.schedule_files import get_title_prefix, parse_workflow_lanes, parse_yaml
from detector.settings import parse_env_file, resolve_settings
from tests.support.github_memory import WORKFLOW
from tests.support.snapshots import NOW, ROOT
from tests.support.workflow_files import workflow

COMMIT = "0123456789abcdef" * 2 + "01234567"


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def init(*words: str, typed: str | None = None) -> tuple[int, str, str]:
    stdin = io.BytesIO() if typed is None else Terminal(typed.encode())
    stdout, stderr = io.BytesIO(), io.StringIO()
    code = run(AppContext({}, lambda: NOW, stdin, stdout, stderr), ["init", *words])
    return code, stdout.getvalue().decode(), stderr.getvalue()


def github(folder: Path, *words: str) -> tuple[int, str, str]:
    return init("github", "--runtime", "my-bot", "--folder", str(folder), *words)


def test_the_workflow_hands_over_every_secret_that_the_shared_one_takes_by_its_name(tmp_path):
    assert github(tmp_path, "--program", f"owner/detector@{COMMIT}")[0] == 0
    job = yaml.safe_load((tmp_path / GITHUB_WORKFLOW).read_text())["jobs"]["health"]
    shared = workflow(WORKFLOW)
    assert job["secrets"] == {name: f"${{{{ secrets.{name} }}}}" for name in list_workflow_secrets()}
    assert job["secrets"].keys() == shared["on"]["workflow_call"]["secrets"].keys()
    assert job["with"].keys() <= shared["on"]["workflow_call"]["inputs"].keys()
    assert job["permissions"] == shared["jobs"]["check"]["permissions"]
    assert job["uses"] == f"owner/detector/{run_windows.WORKFLOW}@{COMMIT}"
    assert run_windows.WORKFLOW.endswith(WORKFLOW)


def test_its_schedules_and_titles_are_those_of_the_shared_workflow(tmp_path):
    github(tmp_path)
    written = parse_yaml((tmp_path / GITHUB_WORKFLOW).read_text())
    shared = parse_yaml((ROOT / run_windows.WORKFLOW).read_text())
    assert parse_workflow_lanes(written) == parse_workflow_lanes(shared)
    assert get_title_prefix(written) == get_title_prefix(shared)


def test_the_workflow_is_valid_to_githubs_schema_and_free_of_known_weaknesses(tmp_path):
    github(tmp_path, "--program", f"owner/detector@{COMMIT}")
    tools = Path(sys.executable).parent
    path = str(tmp_path / GITHUB_WORKFLOW)
    for command in (
        ["check-jsonschema", "--quiet", "--builtin-schema", "vendor.github-workflows", path],
        ["zizmor", "--quiet", "--offline", "--no-progress", "--persona", "auditor", path],
    ):
        done = subprocess.run(
            [str(tools / command[0]), *command[1:]], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", ["github", "box"])
def test_the_env_file_is_valid_and_holds_what_was_answered(place, tmp_path):
    options = ["--status-url", "http://dashboard.ts.net:8080/status", "--profile", "ops/bot.toml"]
    assert init(place, "--runtime", "my-bot", "--folder", str(tmp_path), *options)[0] == 0
    texts = parse_env_file((tmp_path / ENV_PATH).read_text(), ENV_PATH)
    resolve_settings((ENV_PATH, texts))
    assert texts["AEGIS_PT_STATUS_URL"] == "http://dashboard.ts.net:8080/status"
    assert (texts["AEGIS_PT_PROFILE"], texts["AEGIS_PT_RUNTIME"]) == ("ops/bot.toml", "my-bot")
    assert (tmp_path / texts["AEGIS_PT_MUTES"]).exists()


def test_the_steps_say_what_is_still_missing_and_name_no_founders_repository(tmp_path):
    code, stdout, _ = github(tmp_path)
    assert code == 0
    assert "1. Replace OWNER/REPOSITORY@COMMIT" in stdout
    assert "2. Name a source" in stdout
    for word in (
        "default branch",
        "AEGIS_PT_SLACK_WEBHOOK_URL",
        "AEGIS_PT_PING_URL",
        "60 days",
        "fork",
        "Run workflow",
    ):
        assert word in stdout
    assert "Replace" not in github(tmp_path / "..", "--dry-run", "--program", f"a/b@{COMMIT}")[1]


def test_nothing_is_overwritten_and_then_nothing_is_written(tmp_path):
    (tmp_path / "ops").mkdir()
    (tmp_path / MUTES_PATH).write_text("mine")
    code, stdout, stderr = github(tmp_path)
    assert (code, stdout) == (2, "")
    assert f"nothing was written: {MUTES_PATH} exists already" in stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(MUTES_PATH).name]
    assert (tmp_path / MUTES_PATH).read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path):
    (tmp_path / "ops").mkdir()
    (tmp_path / ENV_PATH).symlink_to(tmp_path / "elsewhere")
    assert github(tmp_path)[0] == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "warning"),
    [
        pytest.param(["--status-url", "http://127.0.0.1:80/x"], "no runner of GitHub reaches", id="loopback"),
        pytest.param(["--status-url", "http://localhost/x"], "no runner of GitHub reaches", id="localhost"),
        pytest.param(["--profile", "ops/none.toml"], "ops/none.toml does not exist", id="profile to come"),
        pytest.param(["--profile", "aegis", "--status-url", "https://bot.example/x"], "", id="all well"),
    ],
)
def test_what_is_written_and_cannot_work_yet_is_a_warning(words, warning, tmp_path):
    (tmp_path / ".git").mkdir()
    code, stdout, stderr = github(tmp_path, *words)
    assert code == 0
    assert "written" in stdout
    assert warning in stderr if warning else not stderr


def test_a_folder_that_is_no_root_of_a_repository_is_a_warning_for_github_alone(tmp_path):
    assert "is not the root of a git repository" in github(tmp_path)[2]
    assert not init("box", "--runtime", "b", "--folder", str(tmp_path), "--dry-run")[2]


def test_the_page_of_the_job_names_every_secret_of_the_workflow():
    page = (ROOT / "docs" / "github.md").read_text("utf-8")
    assert [name for name in list_workflow_secrets() if f"`{name}`" not in page] == []


def test_a_terminal_is_asked_for_what_was_not_given(tmp_path):
    typed = f"my-bot\n\nhttp://127.0.0.1:8080/status\nowner/detector@{COMMIT}\n"
    code, stdout, stderr = init("github", "--folder", str(tmp_path), typed=typed)
    assert code == 0
    assert stderr.count(":\n") == 4
    assert "Replace" not in stdout
    assert "Name a source" not in stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param([], "name the runtime: --runtime my-bot", id="no name"),
        pytest.param(["--runtime", "my bot: x"], "is not a name of letters", id="a name that is none"),
        pytest.param(["--runtime", "b", "--program", "a/b@main"], "with all 40 digits", id="a branch"),
        pytest.param(["--runtime", "b", "--status-url", "ftp://x"], "must begin with http", id="a scheme"),
        pytest.param(["--runtime", "b", "--profile", "a\nb=c"], "cannot carry", id="two lines in one"),
        pytest.param(["--runtime", "b", "--profile", "cortna"], "neither a path nor one of", id="no profile"),
        pytest.param(
            ["--runtime", "b", "--program", f"OWNER/REPOSITORY@{COMMIT}"],
            "put in its name",
            id="a placeholder",
        ),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_with_what_would_be_right(words, problem):
    code, stdout, stderr = init("github", "--dry-run", *words)
    assert (code, stdout) == (2, "")
    assert problem in stderr
