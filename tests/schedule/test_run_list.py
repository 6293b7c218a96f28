"""The runs of a file: what is read of each, whose they are, and what a list that was cut does not know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from detector.formats.errors import InputError
from detector.formats.times import NEVER, RUNS_UNTIL
from detector.schedule.run_list import Listing, WorkflowFile, parse_listing, parse_run
from tests.support.workflow_runs import answered, at, item

LISTED = at("2026-06-01T16:00Z")
OURS = WorkflowFile("notify.yml", "Notify")
CREATED = "2026-06-01T14:07:40Z"


def listed(document: Any, of: WorkflowFile | None = OURS) -> Listing:
    return parse_listing(document, LISTED, of)


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in item(CREATED, **more).items() if name not in names}


# ---- one run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "says"),
    [
        pytest.param(without("status"), "a run has no status", id="no status"),
        pytest.param(without("event"), "a run has no event", id="no event"),
        pytest.param(without(event=5), "a run's event is not a text", id="an event that is a number"),
        pytest.param(without(event=""), "a run has no event", id="an empty event"),
        pytest.param(without(status=["completed"]), "a run's status is not a text", id="a status that is a list"),
        pytest.param(without(conclusion={"x": 1}), "a run's conclusion is not a text", id="a conclusion that is an object"),
        pytest.param(without(run_attempt="3"), "a run's run_attempt is not a whole number from 1 on", id="an attempt in quotes"),
        pytest.param(without(run_attempt=True), "a run's run_attempt is not", id="an attempt that is true"),
        pytest.param(without(run_attempt=0), "a run's run_attempt is not", id="attempt 0"),
        pytest.param(without(run_attempt=1.5), "a run's run_attempt is not", id="one and a half"),
        pytest.param(without("run_attempt", "run_started_at"), "a run has neither run_attempt nor run_started_at", id="nothing says whether it is a re-run"),
        pytest.param(without(created_at="9999-12-31T23:59:59Z"), "a run's created_at is outside the years 1970 to 8999", id="the end of time"),
        pytest.param(without(created_at="0001-01-01T00:00:00Z"), "a run's created_at is outside the years", id="the beginning of time"),
        pytest.param(without(run_started_at="0001-01-01T00:00:00Z"), "a run's run_started_at is outside", id="begun at the beginning of time"),
        pytest.param(without(updated_at="9999-12-31T23:59:59Z"), "a run's updated_at is outside", id="written about at the end of it"),
    ],
)  # fmt: skip
def test_what_a_run_leaves_out_is_refused_and_never_guessed(run, says):
    with pytest.raises(InputError) as caught:
        parse_run(run)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("started", "attempt"),
    [
        pytest.param(CREATED, 1, id="begun when it was created"),
        pytest.param("2026-06-01T14:08:40Z", 1, id="a minute later"),
        pytest.param("2026-06-01T14:08:41Z", 2, id="more than a minute later: run again"),
        pytest.param("2026-06-01T20:00:00Z", 2, id="hours later"),
    ],
)
def test_where_no_attempt_is_said_the_times_say_whether_it_was_run_again(started, attempt):
    assert parse_run(without("run_attempt", run_started_at=started)).attempt == attempt


def test_a_status_of_null_which_github_may_send_is_a_run_that_is_not_completed():
    assert parse_run(without(status=None, conclusion=None)).status == ""


def test_what_a_run_says_of_its_end_is_one_line():
    assert parse_run(without(conclusion="\x1b[31mfail\n::error::x")).conclusion == " [31mfail ::error::x"


# ---- each once ---------------------------------------------------------------------------------------------


def test_a_run_without_an_id_is_not_the_one_whose_id_is_its_place():
    runs = [item("2026-06-01T14:27:40Z"), {"id": 0, **item("2026-06-01T14:17:40Z")}, item(CREATED)]
    assert len(listed(runs).runs) == 3


# ---- whose it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whose", "ours"),
    [
        pytest.param({}, True, id="it does not say"),
        pytest.param({"path": ".github/workflows/notify.yml"}, True, id="its path"),
        pytest.param({"path": ".github/workflows/notify.yml@refs/heads/main"}, True, id="its path, of a branch"),
        pytest.param({"path": ".github/workflows/codeql.yml"}, False, id="another path"),
        pytest.param({"path": ".github/workflows/codeql.yml", "workflowName": "Notify"}, False, id="another path of the same name"),
        pytest.param({"workflowName": "Notify"}, True, id="its name, as gh gives it"),
        pytest.param({"workflowName": "CodeQL"}, False, id="another name"),
        pytest.param({"name": "Anything"}, True, id="what the API calls name may be the run's own"),
    ],
)  # fmt: skip
def test_a_run_of_another_workflow_is_left_out_and_told(whose, ours):
    found = listed(answered([item(CREATED), item("2026-06-01T14:17:40Z", **whose)]))
    assert len(found.runs) == 1 + ours
    assert len(found.left_out) == 1 - ours


def test_where_no_run_is_of_the_workflow_the_file_is_refused():
    with pytest.raises(InputError, match=r"none of its 1 run is of notify.yml: .*codeql.yml"):
        listed(answered([item(CREATED, path=".github/workflows/codeql.yml")]))


def test_a_run_that_is_left_out_still_counts_for_the_total():
    found = listed(answered([item(CREATED), item("2026-06-01T14:17:40Z", workflowName="CodeQL")], total=2))
    assert found.unread == ()


# ---- how much it holds -------------------------------------------------------------------------------------


def test_a_bare_list_knows_nothing_of_what_comes_before_its_oldest_run():
    (unread,) = listed([item("2026-06-01T14:17:40Z"), item(CREATED)]).unread
    assert (unread.start, unread.end) == (NEVER, at(CREATED))
    assert "a bare list does not say whether there are older runs" in unread.why


def test_a_bare_list_that_is_not_newest_first_knows_nothing_at_all():
    (unread,) = listed([item(CREATED), item("2026-06-01T14:17:40Z")]).unread
    assert (unread.start, unread.end) == (NEVER, RUNS_UNTIL)


def test_an_empty_list_knows_nothing_at_all():
    assert [(one.start, one.end) for one in listed([]).unread] == [(NEVER, RUNS_UNTIL)]


@pytest.mark.parametrize(("count", "known"), [(999, True), (1000, False), (1001, True)])
def test_as_many_runs_as_github_lists_under_a_filter_may_be_cut(count, known):
    runs = answered(item(LISTED - timedelta(minutes=minute)) for minute in range(count))
    assert (listed(runs).unread == ()) is known


@pytest.mark.parametrize("total", [0, 4, -5, True])
def test_a_total_below_what_the_list_holds_is_refused(total):
    runs = answered([item(f"2026-06-01T14:{minute}7:40Z") for minute in range(5)], total)
    with pytest.raises(InputError, match=r"total_count"):
        listed(runs)
