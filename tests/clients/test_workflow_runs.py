"""Listing a workflow's runs to the end: pages, splits, and what is said where not all of it could be read."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.github_api import GitHub
from detector.clients.workflow_runs import WorkflowRuns
from detector.schedule.run_list import Listing
from tests.support.github_runs import FakeGitHub, github_on_loopback, listed, rate_limited
from tests.support.snapshots import NOW
from tests.support.workflow_runs import at, item

FILE = "notify.yml"
START, END = at("2026-06-01T00:00Z"), at("2026-06-14T23:59:59Z")


def spread(count: int, start: datetime = START, end: datetime = END) -> list[dict]:
    """So many runs, evenly from start to end."""
    step = (end - start) / max(count, 1)
    return [item((start + step * index).replace(microsecond=0)) for index in range(count)]


def read(github: FakeGitHub, start: datetime = START, end: datetime = END) -> Listing:
    client = GitHub(
        "owner/name", NetworkPolicy(Deadline(20)), lambda: NOW, "t", github.url, pause=lambda _: None
    )
    return WorkflowRuns(client, FILE).list_between(start, end)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 999])
def test_fewer_than_a_thousand_runs_are_listed_in_one_go(count):
    with github_on_loopback(*spread(count)) as github:
        found = read(github)
    assert (len(found.runs), found.unread) == (count, ())
    assert len(github.asked) == max(1, (count + 99) // 100)
    assert {one.path for one in github.asked} == {f"/repos/owner/name/actions/workflows/{FILE}/runs"}
    assert {one.query["created"] for one in github.asked} == {"2026-06-01T00:00:00Z..2026-06-14T23:59:59Z"}
    assert list(found.runs) == sorted(found.runs, key=lambda run: run.created_at)


@pytest.mark.parametrize("count", [1000, 1001, 1400])
def test_a_thousand_and_more_are_asked_for_day_by_day(count):
    with github_on_loopback(*spread(count)) as github:
        found = read(github)
    assert (len(found.runs), found.unread) == (count, ())
    spans = [one.query["created"] for one in github.asked]
    assert spans[0] == "2026-06-01T00:00:00Z..2026-06-14T23:59:59Z"
    assert "2026-06-05T00:00:00Z..2026-06-05T23:59:59Z" in spans


def test_a_day_with_more_than_a_thousand_is_parted_again():
    day = (START, START + timedelta(hours=23))
    with github_on_loopback(*spread(2500, *day)) as github:
        found = read(github)
    assert (len(found.runs), found.unread) == (2500, ())


def test_a_minute_with_more_than_a_thousand_is_not_read_and_the_rest_is():
    crowd = [item("2026-06-03T12:00:30Z") for _ in range(1001)]
    with github_on_loopback(*spread(50), *crowd) as github:
        found = read(github)
    (unread,) = found.unread
    assert unread.start <= at("2026-06-03T12:00:30Z") <= unread.end
    assert unread.end - unread.start <= timedelta(minutes=1)
    assert unread.why.startswith("1000 runs or more within a minute")
    assert len(found.runs) == 50


def test_a_rate_limit_midway_leaves_what_was_read_and_asks_no_more():
    def fault(asked):
        return rate_limited() if asked.number > 6 else None

    with github_on_loopback(*spread(1400)) as github:
        github.fault = fault
        found = read(github)
    assert len(github.asked) == 7
    assert 0 < len(found.runs) < 1400
    unread = sorted(found.unread, key=lambda one: one.start)
    assert unread[0].start == START
    assert all("rate limit is used up until 15:00:00 UTC" in one.why for one in unread)
    # Every second is either read or unread: the runs end where the first unread span does.
    assert found.runs[0].created_at > max(one.end for one in unread)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param((403, {"message": "Resource not accessible by integration"}, {}), "it answered 403: Resource not accessible", id="403"),
        pytest.param((401, {"message": "Bad credentials"}, {}), "it answered 401: Bad credentials", id="401"),
        pytest.param((404, {"message": "Not Found"}, {}), "it answered 404", id="404"),
        pytest.param((500, {}, {}), "it answered 500", id="500 for ever"),
        pytest.param((403, {"message": "You have exceeded a secondary rate limit."}, {}), "secondary rate limit", id="the secondary limit"),
    ],
)  # fmt: skip
def test_an_error_makes_the_whole_span_unread(fault, why):
    with github_on_loopback(*spread(10)) as github:
        github.fault = lambda asked: fault
        found = read(github)
    assert found.runs == ()
    ((start, end),) = [(one.start, one.end) for one in found.unread]
    assert (start, end) == (START, END)
    assert why in found.unread[0].why


def test_a_second_page_that_fails_makes_all_of_the_span_unread():
    with github_on_loopback(*spread(150)) as github:
        github.fault = lambda asked: rate_limited() if asked.query["page"] == "2" else None
        found = read(github)
    assert (found.runs, len(found.unread)) == ((), 1)


def test_a_list_that_ends_before_its_total_is_cut():
    with github_on_loopback() as github:
        short = {"total_count": 5, "workflow_runs": listed(spread(3))}
        empty = {"total_count": 5, "workflow_runs": []}
        github.fault = lambda asked: (200, short if asked.query["page"] == "1" else empty, {})
        found = read(github)
    assert len(found.runs) == 3
    assert [one.why for one in found.unread] == ["GitHub listed 3 of 5 runs from 2026-06-01 00:00:00 UTC on"]


def test_a_list_that_holds_more_than_its_total_is_not_believed():
    with github_on_loopback() as github:
        github.fault = lambda asked: (200, {"total_count": 0, "workflow_runs": listed(spread(3))}, {})
        found = read(github)
    assert [one.why for one in found.unread] == ["GitHub listed 3 of 0 runs from 2026-06-01 00:00:00 UTC on"]


def test_a_refusal_keeps_its_reason():
    with github_on_loopback() as github:
        github.fault = lambda asked: (401, {"message": "Bad credentials"}, {})
        assert [one.reason for one in read(github).unread] == ["credentials"]


def test_a_page_that_moved_while_it_was_read_counts_each_run_once():
    runs = listed(spread(101))
    pages = {"1": runs[:100], "2": runs[99:]}
    with github_on_loopback() as github:
        github.fault = lambda asked: (
            200,
            {"total_count": 101, "workflow_runs": pages[asked.query["page"]]},
            {},
        )
        found = read(github)
    assert (len(found.runs), found.unread) == (101, ())


def test_a_run_that_cannot_be_read_is_no_list():
    with github_on_loopback(item("2026-06-02T00:00:00Z", status=None)) as github:
        github.fault = lambda asked: (200, {"total_count": 1, "workflow_runs": listed([item("soon")])}, {})
        found = read(github)
    assert "created_at is not an RFC 3339 time" in found.unread[0].why


def test_500_and_then_an_answer_is_a_clean_read():
    with github_on_loopback(*spread(3)) as github:
        github.fault = lambda asked: (502, {}, {}) if asked.number == 1 else None
        assert len(read(github).runs) == 3


def test_the_workflow_says_whether_it_is_enabled():
    with github_on_loopback() as github:
        github.state = "disabled_inactivity"
        client = GitHub("owner/name", NetworkPolicy(Deadline(5)), lambda: NOW, "", github.url)
        assert WorkflowRuns(client, FILE).get_state() == "disabled_inactivity"
    assert "authorization" not in github.asked[0].headers
