"""Which run answers which window.

The rules by hand, recorded run times against an oracle, and laws for all of them.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.domain.run_windows import (
    DISPATCH,
    SCHEDULE,
    STATES,
    Lane,
    ScheduleWindow,
    Scope,
    UnreadSpan,
    WorkflowRun,
)
from detector.schedule.cron import GITHUB, read_cron
from detector.schedule.expected import iter_windows
from detector.schedule.matching import match_windows
from tests.support.snapshots import ROOT
from tests.support.workflow_runs import PRIMARY, at, run

RECORDED = json.loads((ROOT / "tests" / "fixtures" / "run_times" / "measured.json").read_text())["series"]
GRACE = timedelta(minutes=8)
LATER = at("2026-06-03T00:00Z")


def lane(cron: str = PRIMARY, trigger: str = SCHEDULE) -> Lane:
    return Lane(f"{trigger} {cron}", trigger, cron, read_cron(cron, GITHUB).fires)


def judged(
    windows: str,
    *runs: WorkflowRun,
    now: datetime = LATER,
    grace: timedelta = GRACE,
    trigger: str = SCHEDULE,
    unread: tuple[UnreadSpan, ...] = (),
) -> list[ScheduleWindow]:
    """Judge the windows named by their times on 2026-06-01."""
    when = [at(f"2026-06-01T{one}Z") for one in windows.split()]
    return match_windows(lane(trigger=trigger), when, list(runs), Scope(grace, now, unread=unread))


def on(clock: str, conclusion: str | None = "success", **more) -> WorkflowRun:
    return run(f"2026-06-01T{clock}Z", conclusion, **more)


def states(found: list[ScheduleWindow]) -> str:
    return " ".join(one.state for one in found)


# ---- one window --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "state"),
    [
        pytest.param("13:06:59", "missing", id="a second before its window"),
        pytest.param("13:07:00", "covered", id="at its window"),
        pytest.param("13:14:59", "covered", id="within its grace"),
        pytest.param("13:15:00", "covered", id="at the end of its grace"),
        pytest.param("13:15:01", "late", id="a second after its grace"),
        pytest.param("19:40:00", "late", id="hours later"),
    ],
)
def test_a_run_answers_the_window_whose_grace_holds_its_creation(created, state):
    assert states(judged("13:07", on(created))) == state


@pytest.mark.parametrize(
    ("created", "state"),
    [
        pytest.param("13:05:59", "missing", id="more than a minute early"),
        pytest.param("13:06:00", "covered", id="a minute early"),
        pytest.param("13:15:00", "covered", id="at the end of its grace"),
        pytest.param("13:15:01", "late", id="the end of the grace is by GitHub's clock alone"),
    ],
)
def test_a_clock_outside_github_may_be_a_minute_ahead(created, state):
    assert states(judged("13:07", on(created), trigger=DISPATCH)) == state


@pytest.mark.parametrize(
    ("now", "state", "why"),
    [
        pytest.param("13:06:00", "pending", "in grace", id="before the window"),
        pytest.param("13:14:00", "pending", "in grace", id="within the grace"),
        pytest.param(
            "13:16:00", "pending", "in grace", id="a minute longer, for our clock may be ahead of GitHub's"
        ),
        pytest.param("13:16:01", "missing", "no run", id="then it is missing"),
    ],
)
def test_a_window_is_pending_until_its_grace_is_over_by_any_clock(now, state, why):
    (found,) = judged("13:07", now=at(f"2026-06-01T{now}Z"))
    assert (found.state, found.why) == (state, why)


@pytest.mark.parametrize("conclusion", ["failure", "cancelled", "skipped", "timed_out", "startup_failure", "neutral", "action_required", "stale"])  # fmt: skip
def test_a_run_that_did_not_succeed_ran_and_did_not_cover(conclusion):
    (found,) = judged("13:07", on("13:08:00", conclusion))
    assert (found.state, found.why) == ("missing", conclusion)
    assert found.run is not None


def test_while_the_grace_lasts_a_failed_run_is_not_the_last_word():
    assert states(judged("13:07", on("13:08:00", "failure"), now=at("2026-06-01T13:10Z"))) == "pending"


def test_a_success_beside_a_failure_covers():
    assert states(judged("13:07", on("13:08:00", "failure"), on("13:12:00"))) == "covered"
    assert states(judged("13:07", on("13:08:00"), on("13:12:00", "cancelled"))) == "covered"


@pytest.mark.parametrize("status", ["queued", "in_progress", "requested", "waiting", "pending"])
@pytest.mark.parametrize(
    ("now", "state", "why"),
    [
        pytest.param("13:10", "pending", "running", id="in its grace"),
        pytest.param("13:37", "pending", "running", id="after its grace, not too old"),
        pytest.param("13:38", "pending", "running", id="at 30 minutes"),
        pytest.param("13:39", "missing", "stuck", id="over 30 minutes"),
    ],
)
def test_a_run_under_way_is_pending_until_it_is_stuck(status, now, state, why):
    (found,) = judged("13:07", on("13:08:00", None, status=status), now=at(f"2026-06-01T{now}Z"))
    assert (found.state, found.why) == (state, why)


# ---- re-runs -----------------------------------------------------------------------------------------------


def again(created: str, started: str | None, conclusion: str | None = "success", **more) -> WorkflowRun:
    started = started and f"2026-06-01T{started}Z"
    return on(created, conclusion, run_attempt=2, run_started_at=started, **more)


@pytest.mark.parametrize(
    ("one", "found"),
    [
        pytest.param(again("13:08:00", "13:12:00"), ["covered", "missing"], id="run again within the grace of its window"),
        pytest.param(again("13:08:00", "16:18:00"), ["late", "missing"], id="hours later: it keeps its window, and was late"),
        pytest.param(again("13:08:00", "16:18:00", "failure"), ["missing", "missing"], id="failed again"),
        pytest.param(again("13:08:00", None), ["late", "missing"], id="nobody says when it was run again"),
        pytest.param(again("13:08:00", "16:18:00", None), ["missing", "missing"], id="being run again"),
    ],
)  # fmt: skip
def test_a_rerun_keeps_its_creation_and_never_answers_the_window_of_its_second_attempt(one, found):
    assert states(judged("13:07 16:17", one)) == " ".join(found)


# ---- one to one --------------------------------------------------------------------------------------------


def test_one_run_covers_one_window_of_a_lane():
    grace = timedelta(minutes=30)
    assert states(judged("13:07 13:17 13:27", on("13:28:00"), grace=grace)) == "covered missing missing"
    assert (
        states(judged("13:07 13:17 13:27", on("13:28:00"), on("13:29:00"), grace=grace))
        == "covered covered missing"
    )


def test_the_run_at_14_29_of_the_founding_case():
    """One lane at :07 and :17, another at :12, :22: at 14:29 only windows since 14:21 can be answered."""
    found = judged("14:07 14:17 14:27", on("14:29:00"))
    assert states(found) == "missing missing covered"


def test_a_late_run_is_that_of_the_newest_window_that_nothing_answered():
    found = judged("13:07 13:17 13:27 13:37", on("13:07:30"), on("13:37:30"), on("13:36:00"))
    assert states(found) == "covered missing late covered"
    assert found[2].why == "9 min late"


def test_a_run_is_no_answer_to_a_window_of_the_day_before():
    windows = [at("2026-06-01T21:57Z")]
    scope = Scope(GRACE, LATER + timedelta(days=3))
    assert match_windows(lane(), windows, [run("2026-06-02T21:57:00Z")], scope)[0].state == "late"
    assert match_windows(lane(), windows, [run("2026-06-02T21:57:01Z")], scope)[0].state == "missing"


@pytest.mark.parametrize(
    ("window", "second", "state"),
    [
        pytest.param("2026-06-01T15:00Z", "2026-06-01T15:07:00Z", "late", id="two hours later: it may have come late"),
        pytest.param("2026-06-01T15:00Z", "2026-06-01T15:07:01Z", "missing", id="more than that: it is its window's second"),
        pytest.param("2026-06-02T13:07Z", "2026-06-02T13:07:40Z", "missing", id="the next day"),
    ],
)  # fmt: skip
def test_a_second_success_in_a_window_makes_none_late_that_lies_far_before_it(window, second, state):
    windows = [at("2026-06-01T13:07Z"), at(window)]
    runs = [run(at(window) + timedelta(seconds=1)), run(second)]
    assert states(match_windows(lane(), windows, runs, Scope(GRACE, LATER))) == f"{state} covered"


# ---- what was not read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "state"),
    [
        pytest.param("12:00:00", "13:06:59", "covered", id="before it"),
        pytest.param("12:00:00", "13:07:00", "unknown", id="up to its first second"),
        pytest.param("13:15:00", "14:00:00", "unknown", id="from the last second of its grace"),
        pytest.param("13:15:01", "14:00:00", "covered", id="after it"),
        pytest.param("13:10:00", "13:11:00", "unknown", id="within it"),
    ],
)
def test_a_window_whose_runs_were_not_all_read_is_unknown_and_neither_covered_nor_missing(start, end, state):
    unread = (UnreadSpan(at(f"2026-06-01T{start}Z"), at(f"2026-06-01T{end}Z"), "403"),)
    assert states(judged("13:07", on("13:08:00"), unread=unread)) == state
    assert states(judged("13:07", unread=unread)) == (state if state == "unknown" else "missing")


# ---- recorded times ----------------------------------------------------------------------------------------

WHEN = [
    pytest.param(0, "2020-11-21T16:00Z", "2020-11-30T18:00Z", (872, 495, 289, 88), id="every 15 minutes"),
    pytest.param(1, "2026-09-01T13:00Z", "2026-09-03T02:00Z", (37, 4, 7, 26), id="every hour"),
    pytest.param(2, "2026-05-03T20:00Z", "2026-05-04T10:10Z", (42, 0, 0, 42), id="three times an hour, all of them failed"),
    pytest.param(3, "2026-09-05T01:00Z", "2026-09-05T13:10Z", (73, 4, 0, 69), id="every 10 minutes"),
    pytest.param(4, "2026-09-09T00:00Z", "2026-09-19T00:00Z", (10, 0, 4, 6), id="once a day"),
    pytest.param(5, "2026-08-26T00:00Z", "2026-08-29T00:00Z", (3, 0, 3, 0), id="once a night"),
]  # fmt: skip


def oracle(windows: list[datetime], times: list[datetime]) -> tuple[set[datetime], set[datetime]]:
    """The covered and the late windows of a lane whose windows lie further apart than the grace.

    No run has a choice.
    """
    covered = {w for w in windows if any(w <= time <= w + GRACE for time in times)}
    left = list(times)
    for window in sorted(covered):
        left.remove(next(time for time in left if window <= time <= window + GRACE))
    seconds = {time for time in left if any(w <= time <= w + GRACE for w in covered)}
    late, silent = set(), []
    for moment in sorted(
        {*left, *(w + GRACE + timedelta(microseconds=1) for w in windows if w not in covered)}
    ):
        if moment not in left:
            silent.append(moment - GRACE - timedelta(microseconds=1))
        elif silent and moment - silent[-1] <= timedelta(hours=2 if moment in seconds else 24):
            late.add(silent.pop())
    return covered, late


@pytest.mark.parametrize(("series", "start", "end", "counts"), WHEN)
def test_recorded_run_times_are_judged_as_a_small_oracle_judges_them(series, start, end, counts):
    measured = RECORDED[series]
    windows = list(iter_windows(lane(measured["cron"]), at(start), at(end)))
    times = [at(text) for text in measured["created_at"]]
    runs = [run(time, measured.get("conclusion", "success")) for time in times]
    found = match_windows(lane(measured["cron"]), windows, runs, Scope(GRACE, at(end) + timedelta(days=1)))
    if "conclusion" in measured:
        times = []  # they ran, and did not cover
    covered, late = oracle(windows, times)
    assert {one.at for one in found if one.state == "covered"} == covered
    assert {one.at for one in found if one.state == "late"} == late
    missing = sum(1 for one in found if one.state == "missing")
    assert (len(found), len(covered), len(late), missing) == counts


# ---- laws --------------------------------------------------------------------------------------------------

START = at("2026-06-01T13:00Z")
CONCLUSIONS = st.sampled_from(["success", "success", "success", "failure", "cancelled", None])


@st.composite
def some_run(draw) -> WorkflowRun:
    created = START + timedelta(seconds=draw(st.integers(-600, 6000)))
    attempt = draw(st.sampled_from([1, 1, 1, 2]))
    started = created + timedelta(seconds=draw(st.integers(0, 3000))) if attempt > 1 else created
    return run(created, draw(CONCLUSIONS), run_attempt=attempt, run_started_at=started.isoformat())


MINUTES = st.sets(st.integers(0, 90), min_size=1, max_size=12)
RUNS = st.lists(some_run(), max_size=12)
GRACES = st.integers(1, 40).map(lambda minutes: timedelta(minutes=minutes))
NOWS = st.integers(-10, 200).map(lambda minutes: START + timedelta(minutes=minutes))
TRIGGERS = st.sampled_from([SCHEDULE, DISPATCH])
UNREADS = st.lists(
    st.tuples(st.integers(-10, 90), st.integers(0, 40)).map(
        lambda one: UnreadSpan(
            START + timedelta(minutes=one[0]), START + timedelta(minutes=one[0] + one[1]), "not read"
        )
    ),
    max_size=2,
).map(tuple)


def most_pairs(windows: list[datetime], runs: list[WorkflowRun], scope: Scope, early: timedelta) -> int:
    """How many windows can be covered at all, one to one: augmenting paths, which know nothing of greed."""
    could = {
        w: [
            index
            for index, one in enumerate(runs)
            if one.is_successful
            and one.attempt_started_at is not None
            and w - early <= one.created_at <= w + scope.grace
            and one.attempt_started_at <= w + scope.grace
        ]
        for w in windows
    }
    taken: dict[int, datetime] = {}

    def seat(window: datetime, seen: set[int]) -> bool:
        for index in could[window]:
            if index in seen:
                continue
            seen.add(index)
            if index not in taken or seat(taken[index], seen):
                taken[index] = window
                return True
        return False

    return sum(seat(window, set()) for window in windows)


@given(MINUTES, RUNS, GRACES, NOWS, TRIGGERS)
def test_as_many_windows_are_covered_as_can_be_and_each_by_a_run_of_its_own(
    minutes, runs, grace, now, trigger
):
    windows = [START + timedelta(minutes=one) for one in sorted(minutes)]
    ordered = sorted(runs, key=lambda one: one.created_at)
    scope = Scope(grace, now)
    found = match_windows(lane(trigger=trigger), windows, ordered, scope)
    covered = [one for one in found if one.state == "covered"]
    assert len(covered) == most_pairs(windows, ordered, scope, scope.get_early_allowance(trigger))
    assert len({id(one.run) for one in found if one.run is not None}) == sum(
        1 for one in found if one.run is not None
    )
    for one in covered:
        assert one.run is not None
        assert one.at - scope.get_early_allowance(trigger) <= one.run.created_at <= one.at + grace


@given(MINUTES, RUNS, some_run(), GRACES, NOWS, TRIGGERS)
def test_a_run_more_never_uncovers_a_window(minutes, runs, more, grace, now, trigger):
    windows = [START + timedelta(minutes=one) for one in sorted(minutes)]
    scope = Scope(grace, now)

    def covered(some: list[WorkflowRun]) -> set[datetime]:
        ordered = sorted(some, key=lambda one: one.created_at)
        return {
            w.at
            for w in match_windows(lane(trigger=trigger), windows, ordered, scope)
            if w.state == "covered"
        }

    assert covered(runs) <= covered([*runs, more])


@given(MINUTES, RUNS, GRACES, NOWS, TRIGGERS, UNREADS)
def test_every_window_is_one_thing_and_what_was_not_read_is_unknown(
    minutes, runs, grace, now, trigger, unread
):
    windows = [START + timedelta(minutes=one) for one in sorted(minutes)]
    scope = Scope(grace, now, unread=unread)
    found = match_windows(lane(trigger=trigger), windows, sorted(runs, key=lambda one: one.created_at), scope)
    assert [one.at for one in found] == windows
    for one in found:
        assert one.state in STATES
        touched = any(
            part.start <= one.at + grace and part.end >= one.at - scope.get_early_allowance(trigger)
            for part in unread
        )
        assert (one.state == "unknown") is touched
