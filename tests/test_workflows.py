"""The workflows as they are written.

Who may do what, what is pinned, which secrets arrive, and when they run.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from detector.clients.aws import READ_OPERATIONS
from detector.settings import DECLARED, parse_env_file, resolve_settings
from tests.support.github_memory import WORKFLOW
from tests.support.snapshots import ROOT
from tests.support.workflow_files import WORKFLOWS, expressions, workflow

MONITOR = workflow(WORKFLOW)
JOB = MONITOR["jobs"]["check"]
STEPS = {step["name"]: step for step in JOB["steps"]}
RUN = STEPS["Collect, evaluate, notify"]
FILES = sorted(path.name for path in WORKFLOWS.glob("*.yml"))
ENV_FILE = ROOT / ".github" / "aws-ibkr-pt-health.env"
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


def steps_of(name: str) -> list[Any]:
    return [step for job in workflow(name)["jobs"].values() for step in job.get("steps", ())]


# --- of every workflow ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_nobody_may_do_anything_unless_a_job_says_what(name):
    made = workflow(name)
    assert made.get("permissions") in ({}, "{}"), (
        "write `permissions: {}` at its top, and each job's own below"
    )
    for job in made["jobs"].values():
        assert "permissions" in job, "name what the job may do, such as `contents: read`"
        assert set(job["permissions"].values()) <= {"read", "write"}
        writes = {scope for scope, may in job["permissions"].items() if may == "write"}
        assert writes <= {"id-token"}


@pytest.mark.parametrize("name", FILES)
def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it(name):
    lines = [line for line in (WORKFLOWS / name).read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        used, _, version = line.partition("uses:")[2].partition("#")
        assert PINNED.fullmatch(used.strip()), line
        assert re.fullmatch(r"v\d+\.\d+\.\d+", version.strip()), line


@pytest.mark.parametrize("name", FILES)
def test_no_expression_stands_in_a_shell_script(name):
    assert not [step["run"] for step in steps_of(name) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", FILES)
def test_a_checkout_leaves_no_credentials_behind(name):
    for step in steps_of(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@pytest.mark.parametrize("name", FILES)
def test_every_job_ends(name):
    assert all(int(job["timeout-minutes"]) <= 30 for job in workflow(name)["jobs"].values())


# --- of the monitor ---------------------------------------------------------------------------------------


def test_its_name_and_what_starts_it_are_the_runbooks():
    assert MONITOR["name"] == "Notify — AWS IBKR PT health"
    assert [one["cron"] for one in MONITOR["on"]["schedule"]] == [
        "7,17,27,37,47,57 13-21 * * MON-FRI",
        "12,22,32,42,52 13-21 * * MON-FRI",
    ]
    assert MONITOR["on"]["repository_dispatch"]["types"] == [
        "aws_ibkr_pt_health",
        "aws_ibkr_pt_health_ack",
    ]
    assert {"workflow_dispatch", "workflow_call"} <= MONITOR["on"].keys()


def test_all_lanes_share_one_group_and_none_is_thrown_away():
    assert MONITOR["concurrency"] == {
        "group": "${{ inputs.concurrency_group || 'aws-ibkr-pt-health' }}",
        "cancel-in-progress": "false",
        "queue": "max",
    }


def test_it_may_read_its_code_and_its_memory_and_say_who_it_is():
    assert JOB["permissions"] == {"contents": "read", "actions": "read", "id-token": "write"}


def test_every_secret_that_is_used_can_be_handed_over_by_a_caller():
    used = {one.removeprefix("secrets.") for one in expressions(JOB) if one.startswith("secrets.")}
    assert used == MONITOR["on"]["workflow_call"]["secrets"].keys()


def test_every_secret_setting_is_handed_to_the_program():
    wanted = {name for name, one in DECLARED.items() if one.secret}
    given = {name for name, value in RUN["env"].items() if value == f"${{{{ secrets.{name} }}}}"}
    assert wanted <= given
    assert given <= DECLARED.keys()


def test_an_empty_text_is_taken_away_before_the_program_sees_it():
    """A secret that nobody set is one, and not every setting can be empty."""
    assert 'for name in "${!AEGIS_PT_@}"' in RUN["run"]
    with pytest.raises(ValueError, match="is empty"):
        DECLARED["AEGIS_PT_RUNTIME"].parse("")


def test_the_artifact_is_named_by_run_and_attempt_and_uploaded_whatever_happened():
    step = STEPS["The memory of the next run"]
    assert step["if"] == "${{ always() }}"
    assert step["with"]["name"].endswith("-${{ github.run_id }}-${{ github.run_attempt }}")
    assert step["with"]["path"] in RUN["run"]


def test_the_ways_that_may_not_open_do_not_stop_the_run():
    for name in ("The way to the dashboard", "The way to AWS, for fifteen minutes and for reading only"):
        assert STEPS[name]["continue-on-error"] == "true"
    assert STEPS["The way to the dashboard"]["with"]["tags"] == "tag:ci"


def test_the_session_may_ask_aws_what_the_program_asks_and_nothing_else():
    given = json.loads(
        STEPS["The way to AWS, for fifteen minutes and for reading only"]["with"]["inline-session-policy"]
    )
    policy = json.loads((ROOT / "policies" / "iam-read-only.json").read_text())
    asked = sorted(f"{service}:{operation}" for service, operation in READ_OPERATIONS)
    assert sorted(given["Statement"][0]["Action"]) == asked
    assert sorted(one["Action"] for one in policy["Statement"]) == asked


def test_the_role_trusts_this_branch_and_no_pull_request():
    trust = json.loads((ROOT / "policies" / "oidc-trust.json").read_text())
    condition = trust["Statement"][0]["Condition"]["StringEquals"]
    assert condition["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert condition["token.actions.githubusercontent.com:sub"].endswith(":ref:refs/heads/main")
    assert "*" not in json.dumps(trust)


def test_the_plain_step_needs_nothing_of_the_program():
    step = STEPS["Say that the monitor itself is red"]
    assert "python" not in step["run"]
    assert "curl" in step["run"]


def test_the_committed_settings_are_settings_and_no_secrets():
    texts = parse_env_file(ENV_FILE.read_text(), ENV_FILE.name)
    commented = re.sub(r"(?m)^#(?=AEGIS_PT_)", "", ENV_FILE.read_text())
    every = parse_env_file(commented, ENV_FILE.name)
    assert texts.items() <= every.items()
    assert every.keys() <= DECLARED.keys()
    assert not [name for name in every if DECLARED[name].secret]
    resolve_settings((ENV_FILE.name, every))


def test_every_weekday_has_a_window_at_least_every_ten_minutes():
    minutes = sorted(
        60 * hour + int(minute)
        for one in MONITOR["on"]["schedule"]
        for hour in range(13, 22)
        for minute in one["cron"].split()[0].split(",")
    )
    assert (len(minutes), minutes[0], minutes[-1]) == (99, 13 * 60 + 7, 21 * 60 + 57)
    assert {later - earlier for earlier, later in pairwise(minutes)} == {5, 10}
    assert not [minute for minute in minutes if minute % 10 == 0]
