"""The memory as a workflow's artifact.

Which one is believed, in which order they are read, and where the token goes.
"""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.github_api import GitHub as Client
from detector.formats.errors import ExternalError
from detector.formats.serialize import compute_checksum
from detector.readers.previous import ExpectedMemory
from detector.render.document import build_artifact_document
from detector.storage.workflow_artifacts import OwnRun, WorkflowArtifacts, fetch_repository
from detector.storage.zip_archive import MOST_COMPRESSED
from tests.support.github_memory import (
    FORK_ID,
    MEMBER,
    NAME,
    REPOSITORY,
    TOKEN,
    WORKFLOW,
    github_with_memory,
    zipped,
)
from tests.support.snapshots import NOW, evaluated, healthy, later

EXPECTED = ExpectedMemory("aegis-pt-core", NOW, {})
HOME = "/repos/{owner}/{repo}"
RUNS = f"{HOME}/actions/workflows/{{workflow_id}}/runs"
ARTIFACTS = f"{HOME}/actions/artifacts"
ARCHIVE = f"{ARTIFACTS}/{{artifact_id}}/{{archive_format}}"


def artifact(generation: int, seconds: float = 0) -> dict[str, object]:
    """An artifact of that generation, taken so many seconds after NOW."""
    report = evaluated(later(healthy(), seconds))
    return build_artifact_document(replace(report, generation=generation), with_snapshot=False)


@pytest.fixture
def github():
    with github_with_memory() as made:
        yield made


def look(github, run_id=9000, attempt=1, token=TOKEN):
    client = Client(
        REPOSITORY, NetworkPolicy(Deadline(20)), lambda: NOW, token, github.api.url, pause=lambda _: None
    )
    own = OwnRun(WORKFLOW, run_id, attempt, NAME, MEMBER)
    return WorkflowArtifacts(client, fetch_repository(client), own).find(EXPECTED)


def generation(found) -> int | None:
    return found.memory.generation if found.memory.kept else None


# --- which is newest --------------------------------------------------------------------------------------


def test_a_workflow_that_never_ran_is_a_first_run(github):
    found = look(github)
    assert (found.memory.kept, found.memory.before.lost) == (False, None)


def test_the_newest_run_is_remembered(github):
    for number in (1, 2, 3):
        github.run(100 + number, minutes=10 * number)
        github.upload(100 + number, artifact(number, 600 * number))
    assert generation(look(github)) == 3


def test_all_lanes_are_one_history(github):
    for number, event in enumerate(("schedule", "repository_dispatch", "workflow_dispatch"), 1):
        github.run(100 + number, minutes=number, event=event)
        github.upload(100 + number, artifact(number, 60 * number))
        assert generation(look(github)) == number


def test_an_older_look_that_was_uploaded_last_is_not_the_newest(github):
    for number, (generation_, seconds) in enumerate([(6, 600), (7, 660), (5, 540)], 1):
        github.run(100 + number, minutes=number)
        github.upload(100 + number, artifact(generation_, seconds))
    assert generation(look(github)) == 7


def test_of_two_lanes_that_ran_at_once_the_later_look_counts(github):
    for number, seconds in enumerate((65, 60), 1):
        github.run(100 + number, minutes=number)
        github.upload(100 + number, artifact(4, seconds))
    assert look(github).memory.taken_at == NOW.replace(minute=1, second=5)


def test_a_re_run_sees_what_its_first_attempt_stored(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    github.run(101, minutes=2, status="in_progress", conclusion=None, run_attempt=2)
    github.upload(101, artifact(2, 60))
    assert generation(look(github, run_id=101, attempt=2)) == 2


def test_a_first_attempt_never_reads_itself(github):
    github.run(101, minutes=2, status="in_progress", conclusion=None)
    github.upload(101, artifact(2, 60))
    assert look(github, run_id=101).memory.kept is False


def test_an_old_run_that_was_run_again_counts_from_when_it_began_again(github):
    for number in range(1, 7):
        github.run(100 + number, minutes=number)
        github.upload(100 + number, artifact(number, 60 * number))
    github.runs[0] |= {"run_attempt": 2, "run_started_at": "2026-06-02T16:00:00Z"}
    github.upload(101, artifact(7, 3600), attempt=2)
    assert generation(look(github)) == 7


def test_runs_that_left_nothing_are_passed_over(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    for number in range(1, 31):
        github.run(100 + number, minutes=1 + number, conclusion="failure")
    assert generation(look(github)) == 1


# --- which are believed -----------------------------------------------------------------------------------

TAMPERED = artifact(9, 900) | {"generation": 10}
STRANGERS = {
    "a fork's run": ({"head_repository_id": FORK_ID}, {}),
    "another branch": ({"head_branch": "feature"}, {}),
    "a pull request": ({"event": "pull_request"}, {}),
    "a push": ({"event": "push"}, {}),
    "another workflow": ({"path": ".github/workflows/ci.yml@main"}, {}),
    "a workflow in a folder of that name": ({"path": f".github/workflows/{WORKFLOW}/x.yml@main"}, {}),
    "the artifact of a fork under a run's name": ({}, {"workflow_run": {"head_repository_id": FORK_ID}}),
    "the artifact of another run under a run's name": ({}, {"workflow_run": {"id": 666}}),
    "the artifact of another branch": ({}, {"workflow_run": {"head_branch": "feature"}}),
    "an artifact of another name": ({}, {"name": f"{NAME}-109-10"}),
    "an expired one": ({}, {"expired": True}),
}


@pytest.mark.parametrize(("run", "made"), STRANGERS.values(), ids=STRANGERS.keys())
def test_a_stranger_is_not_even_downloaded(github, run, made):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    github.run(109, minutes=5, **run)
    github.upload(109, artifact(9, 900), **made)
    found = look(github)
    assert (generation(found), found.note) == (1, None)
    assert len(github.store.requests) == 1


UNUSABLE = {
    "a digest that differs": ({"digest": "sha256:" + "0" * 64}, None, "SHA-256 differs"),
    "no digest": ({"digest": None}, None, "no digest"),
    "too large": ({"size_in_bytes": MOST_COMPRESSED + 1}, None, "larger than"),
    "no archive": ({}, b"not a zip", "cannot be read"),
    "another member": ({}, zipped("{}", "evil.json"), "not called pt-health.json"),
    "a changed body": ({}, zipped(json.dumps(TAMPERED)), "checksum"),
    "no JSON": ({}, zipped("{"), "line 1"),
    "a future schema": ({}, zipped(json.dumps(artifact(9) | {"schema_version": 99})), "schema version 99"),
}


def test_an_artifact_of_another_runtime_is_passed_over_without_a_word(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    for number in range(101, 107):
        github.run(number, minutes=number)
        body = artifact(9, 900) | {"runtime": "other"}
        github.upload(number, body | {"checksum": compute_checksum(body)})
    found = look(github)
    assert (generation(found), found.note, found.memory.before.lost) == (1, None, None)


@pytest.mark.parametrize(("made", "archive", "why"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_used_leads_to_the_next_and_is_said(github, made, archive, why):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    github.run(109, minutes=5)
    github.upload(109, archive or artifact(9, 900), **made)
    found = look(github)
    assert generation(found) == 1
    assert why in str(found.note)


def test_at_most_five_are_read(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    for number in range(1, 6):
        github.run(100 + number, minutes=1 + number)
        github.upload(100 + number, b"broken")
    found = look(github)
    assert found.memory.kept is False
    assert "and 4 more before it" in str(found.memory.before.lost)
    assert len(github.store.requests) == 5


# --- lost, or never there ---------------------------------------------------------------------------------


def test_runs_that_ended_well_and_no_artifact_is_lost_memory(github):
    github.run(100, minutes=1)
    assert "1 earlier runs ended well" in str(look(github).memory.before.lost)


def test_runs_that_all_failed_have_nothing_to_remember(github):
    github.run(100, minutes=1, conclusion="failure")
    found = look(github)
    assert (found.memory.kept, found.memory.before.lost) == (False, None)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
@pytest.mark.parametrize("operation", [HOME, RUNS], ids=["repository", "runs"])
def test_an_api_that_fails_is_not_an_empty_one(github, operation, status):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    github.fails(operation, status)
    with pytest.raises(ExternalError):
        look(github)


@pytest.mark.parametrize("operation", [ARTIFACTS, ARCHIVE], ids=["list", "archive"])
def test_artifacts_that_cannot_be_had_are_lost_memory(github, operation):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    github.fails(operation, 503)
    assert "503" in str(look(github).memory.before.lost)


def test_a_hiccup_is_asked_again(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    for operation in (HOME, RUNS, ARTIFACTS, ARCHIVE):
        github.fails(operation, 502, 200)
    assert generation(look(github)) == 1


# --- the token --------------------------------------------------------------------------------------------


def test_the_token_goes_to_the_api_and_to_no_other_host(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(1))
    assert generation(look(github)) == 1
    assert all(TOKEN.encode() in one for one in github.api.requests)
    assert len(github.store.requests) == 1
    assert not any(TOKEN.encode() in one or b"authorization" in one.lower() for one in github.store.requests)


def test_a_wrong_token_is_named_by_what_github_says_and_never_shown(github):
    with pytest.raises(ExternalError) as raised:
        look(github, token="ghs_wrong")
    assert "Bad credentials" in str(raised.value)
    assert "ghs_wrong" not in str(raised.value)


# --- how often it asks ------------------------------------------------------------------------------------


def test_a_usual_run_asks_twelve_times(github):
    """The repository, the runs, and of each of five runs the list and the redirect.

    The archives lie elsewhere.
    """
    for number in range(1, 101):
        github.run(100 + number, minutes=number)
        github.upload(100 + number, artifact(number, 60 * number) if number > 95 else b"not read")
    assert generation(look(github)) == 100
    assert (sum(github.asked.values()), len(github.store.requests)) == (12, 5)


def red(github, count: int) -> None:
    for number in range(count):
        github.run(1000 + number, minutes=10 + number, conclusion="failure")


@pytest.mark.parametrize("count", [9, 99, 100, 250])
def test_a_day_of_runs_that_left_nothing_hides_no_memory_and_asks_no_more(github, count):
    github.run(100, minutes=1, conclusion="failure")  # it told, and one channel did not take it
    github.upload(100, artifact(4))
    red(github, count)
    assert generation(look(github)) == 4
    assert sum(github.asked.values()) <= 16


def test_where_other_workflows_fill_the_list_the_runs_that_ended_well_lead_there(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(4))
    red(github, 100)
    for number in range(301):
        github.upload(1000, b"x", name=f"coverage-{number}")
    assert generation(look(github)) == 4
    assert sum(github.asked.values()) <= 20


def test_a_day_of_runs_that_left_nothing_does_not_make_a_lost_memory_a_first_run(github):
    github.run(100, minutes=1)
    red(github, 100)
    assert "1 earlier runs ended well" in str(look(github).memory.before.lost)


def test_of_all_artifacts_only_those_of_believed_runs_are_downloaded(github):
    github.run(100, minutes=1)
    github.upload(100, artifact(4))
    github.run(101, minutes=2, head_repository_id=FORK_ID)
    github.upload(101, artifact(9, 900))
    github.run(102, minutes=3, event="pull_request")
    github.upload(102, artifact(9, 900))
    github.run(103, minutes=4)
    github.upload(103, artifact(9, 900), attempt=7)  # an attempt that the run never had
    github.upload(104, artifact(9, 900))  # a run that GitHub does not list
    red(github, 120)
    found = look(github)
    assert (generation(found), len(github.store.requests)) == (4, 1)


# --- what could not be had this time ------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [ARTIFACTS, ARCHIVE], ids=["list", "archive"])
def test_a_newest_artifact_that_cannot_be_had_now_is_not_to_be_hidden(github, operation):
    for number in (1, 2):
        github.run(100 + number, minutes=number)
        github.upload(100 + number, artifact(number, 60 * number))
    github.fails(operation, 503, 503, 503, 200)
    found = look(github)
    assert (generation(found), "503" in str(found.unavailable)) == (1, True)
    assert found.memory.before.lost is None


def test_one_that_was_deleted_meanwhile_is_gone_for_good(github):
    for number in (1, 2):
        github.run(100 + number, minutes=number)
        github.upload(100 + number, artifact(number, 60 * number))
    github.fails(ARCHIVE, 404, 200)
    found = look(github)
    assert (generation(found), found.unavailable, "it is gone" in str(found.note)) == (1, None, True)


def test_of_several_the_one_taken_last_counts_whatever_its_generation(github):
    for number, value in enumerate((7, 1, 2, 3, 4), 1):
        github.run(100 + number, minutes=number)
        github.upload(100 + number, artifact(value, 60 * number))
    assert generation(look(github)) == 4
