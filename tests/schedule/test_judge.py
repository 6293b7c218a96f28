"""All lanes together: whose run it is, when an external scheduler stands by, and how long nobody looked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain.run_windows import (
    STATES,
    GapReport,
    Lane,
    LaneReport,
    ScheduleWindow,
    Scope,
    StandBy,
    UnreadSpan,
    WorkflowRun,
)
from detector.schedule.judge import judge
from detector.schedule.schedule_files import parse_worker_lanes, parse_workflow_lanes
from tests.support.workflow_runs import FALLBACK, PRIMARY, WORKER, at, dispatched, run, scheduled

ABSENT = {"MODE": "absent", "PERIOD_MINUTES": "10", "ON_ITS_WAY_MINUTES": "5", "WATCH_TO_UTC": "22:00"}
GRACE = timedelta(minutes=8)
LATER = at("2026-06-03T00:00Z")


def lanes(mode: dict[str, str] | None = None, *crons: str) -> tuple[Lane, ...]:
    chosen = crons or (PRIMARY, FALLBACK)
    found = parse_workflow_lanes({"on": {"schedule": [{"cron": cron} for cron in chosen]}})
    if mode is None:
        return found
    return found + parse_worker_lanes({"triggers": {"crons": [WORKER]}, "vars": mode})


def report(
    which: tuple[Lane, ...],
    *runs: WorkflowRun,
    start: str = "14:00",
    end: str = "15:00",
    now: datetime = LATER,
    unread: tuple[UnreadSpan, ...] = (),
) -> GapReport:
    between = (at(f"2026-06-01T{start}Z"), at(f"2026-06-01T{end}Z"))
    ordered = sorted(runs, key=lambda one: one.created_at)
    return judge(which, ordered, between, Scope(GRACE, now, unread=unread))


def on(clock: str, who: dict | None = None, conclusion: str | None = "success", **more) -> WorkflowRun:
    return run(f"2026-06-01T{clock}Z", conclusion, **{**(who or scheduled()), **more})


def counts(lane: LaneReport) -> dict[str, int]:
    return {state: lane.count(state) for state in STATES if lane.count(state)}


def clocks(lane: LaneReport, state: str) -> list[str]:
    return [f"{one.at:%H:%M}" for one in lane.windows if one.state == state]


def test_the_founding_case_of_one_run_at_14_29():
    """It is in the fallback's lane at :22, not at :12; and in the union it is a look for :22 and :27."""
    found = report(lanes(), on("14:29:00", scheduled(FALLBACK)), start="14:07", end="14:28")
    primary, fallback = found.lanes
    assert clocks(primary, "missing") == ["14:07", "14:17", "14:27"]
    assert clocks(fallback, "covered") == ["14:22"]
    assert clocks(found.union, "covered") == ["14:22", "14:27"]
    assert clocks(found.union, "missing") == ["14:07", "14:12", "14:17"]


@pytest.mark.parametrize(
    ("who", "primary", "union"),
    [
        pytest.param(scheduled(), 1, 1, id="its own cron"),
        pytest.param({"event": "schedule", "display_title": "14:07 " + scheduled()["display_title"]}, 0, 1, id="another beginning of the title"),
        pytest.param({**dispatched(), "display_title": scheduled()["display_title"]}, 0, 1, id="dispatched, with the title of GitHub's lane"),
        pytest.param(dispatched(f"x schedule {PRIMARY}"), 0, 1, id="dispatched by a name that ends as a lane does"),
        pytest.param({"event": "schedule", "display_title": "Notify | schedule x"}, 0, 1, id="a cron that is none"),
        pytest.param(scheduled("7 13 * * *"), 0, 1, id="a cron that is no longer in the file"),
        pytest.param(dispatched("a-cron-line"), 0, 1, id="dispatched by someone else"),
        pytest.param({"event": "workflow_dispatch", "display_title": "PT health | workflow_dispatch"}, 0, 0, id="by hand: it may be of another branch"),
        pytest.param({"event": "workflow_dispatch", "display_title": scheduled()["display_title"]}, 0, 0, id="by hand, whatever its title says"),
        pytest.param({"event": "push", "display_title": "A commit"}, 0, 0, id="of a push"),
        pytest.param({"event": "schedule", "display_title": "Notify"}, 1, 1, id="scheduled without a lane in its title: the one that was due last"),
    ],
)  # fmt: skip
def test_a_run_belongs_to_the_lane_that_its_title_names(who, primary, union):
    found = report(lanes(), on("14:08:00", who), start="14:05", end="14:10")
    assert (found.lanes[0].count("covered"), found.union.count("covered")) == (primary, union)
    assert found.lanes[1].count("covered") == 0
    assert sum(found.other_runs.values()) == 1 - primary


def test_a_run_without_a_lane_in_its_title_is_that_of_the_lane_that_was_due_last():
    untitled = {"event": "schedule", "display_title": "Our schedule of checks"}
    found = report(
        lanes(), *(on(f"14:{minute:02}:30", untitled) for minute in range(7, 60, 5)), start="14:05"
    )
    assert [counts(lane) for lane in found.all_lanes] == [{"covered": 6}, {"covered": 5}, {"covered": 11}]


def test_the_runs_of_the_next_day_make_no_window_late_at_the_end_of_a_range():
    """Listed are the runs of a day more, for a late run may come then.

    They are those of its own windows first.
    """
    next_day = [run(f"2026-06-02T13:{minute:02}:20Z") for minute in range(7, 60, 10)]
    found = report(lanes(None, PRIMARY), *next_day, next_day[0], start="21:50", end="22:20")
    assert counts(found.lanes[0]) == {"missing": 1}


# ---- standing by -------------------------------------------------------------------------------------------


def ticks(mode: dict[str, str], *runs: WorkflowRun, **more) -> tuple[list[tuple[str, str]], int]:
    """What the Worker's ticks were judged to be, and at how many it stood by."""
    worker = report(lanes(mode), *runs, **more).lanes[2]
    return [(f"{one.at:%H:%M}", one.state) for one in worker.windows], len(worker.stood_by)


@pytest.mark.parametrize(
    ("runs", "state"),
    [
        pytest.param([on("14:17:00")], None, id="a success three minutes before"),
        pytest.param([on("14:10:00")], None, id="at the period's beginning"),
        pytest.param([on("14:09:59")], "missing", id="a second before the period"),
        pytest.param([on("14:17:00", None, "failure", updated_at="2026-06-01T14:18:00Z")], "missing", id="one that had failed by then"),
        pytest.param([on("14:17:00", None, "failure", updated_at="2026-06-01T14:21:00Z")], None, id="one that was still on its way"),
        pytest.param([on("14:15:00", None, None, updated_at=None)], None, id="one on its way, five minutes old"),
        pytest.param([on("14:14:59", None, None, updated_at=None)], "missing", id="an older one may be stuck"),
        pytest.param([on("14:12:00", dispatched())], "missing", id="its own run answers the tick that sent it, not the next"),
        pytest.param([on("14:17:00", {"event": "workflow_dispatch"})], "missing", id="one by hand"),
        pytest.param([on("14:17:00"), on("14:20:05", dispatched())], "covered", id="it sent one all the same"),
        pytest.param([on("14:20:05", dispatched())], "covered", id="it sent one"),
        pytest.param([on("14:20:05", dispatched(), "failure")], "missing", id="the one that it sent failed"),
        pytest.param([on("14:17:00", run_attempt=2, run_started_at="2026-06-01T20:00:00Z")], "missing", id="one that succeeded only when it was run again, later"),
        pytest.param([on("14:17:00", run_attempt=2, run_started_at="2026-06-01T14:20:01Z")], "missing", id="run again a second after the tick"),
        pytest.param([on("14:12:00", run_attempt=2, run_started_at="2026-06-01T14:20:00Z")], None, id="run again by then"),
        pytest.param([on("14:17:00", None, "failure", run_attempt=2, run_started_at="2026-06-01T20:00:00Z", updated_at="2026-06-01T20:01:00Z")], "missing", id="run again in vain, later"),
        pytest.param([on("14:17:00", dispatched("x cloudflare-cron:y"))], None, id="another's that names the Worker somewhere"),
    ],
)  # fmt: skip
def test_where_another_run_looked_the_external_scheduler_owes_nothing(runs, state):
    found, stood_by = ticks(ABSENT, *runs, start="14:20", end="14:21")
    assert found == ([("14:20", state)] if state else [])
    assert stood_by == (0 if state else 1)


AFTER = "0,10 22 * * MON-FRI"


@pytest.mark.parametrize(
    ("clock", "conclusion", "missing"),
    [
        pytest.param("21:57:00", "success", ["22:10"], id="a success for 22:00"),
        pytest.param("21:57:00", "failure", ["22:10"], id="on its way at 22:00: the next tick makes it good"),
        pytest.param("22:07:00", "success", ["22:00"], id="a success for 22:10"),
        pytest.param("22:07:00", "failure", ["22:00", "22:10"], id="on its way at 22:10: no tick follows"),
    ],
)
def test_after_the_watch_only_a_success_lets_it_stand_by(clock, conclusion, missing):
    worker = parse_worker_lanes({"triggers": {"crons": [AFTER]}, "vars": ABSENT})
    came = on(clock, None, conclusion, updated_at="2026-06-01T22:12:00Z")
    assert clocks(report(worker, came, start="22:00", end="22:11").lanes[0], "missing") == missing


def test_in_always_mode_it_owes_every_tick():
    assert ticks({"MODE": "always"}, on("14:17:00"), start="14:20", end="14:21") == (
        [("14:20", "missing")],
        0,
    )


def test_whether_it_owed_a_run_is_unknown_where_the_runs_before_were_not_read():
    unread = (UnreadSpan(at("2026-06-01T14:00Z"), at("2026-06-01T14:12Z"), "403"),)
    found, _ = ticks(ABSENT, start="14:20", end="14:21", unread=unread)
    assert found == [("14:20", "unknown")]


def test_a_tick_at_which_it_stood_by_is_no_window_of_the_union():
    runs = [on(f"14:{minute:02}:20") for minute in range(7, 60, 10)]
    found = report(lanes(ABSENT, PRIMARY), *runs, start="14:10")
    assert [counts(lane) for lane in found.all_lanes] == [{"covered": 5}, {}, {"covered": 5}]
    assert len(found.lanes[1].stood_by) == 5
    assert found.lanes[1].longest_gap is None


# ---- the union ---------------------------------------------------------------------------------------------


def test_the_union_is_covered_by_whoever_looked():
    found = report(lanes(ABSENT), *(on(f"14:{minute:02}:05", dispatched()) for minute in range(0, 60, 10)))
    assert [counts(lane) for lane in found.lanes] == [{"missing": 6}, {"missing": 5}, {"covered": 6}]
    # The look at 14:20:05 is one for :17, and five seconds too late to be one for :12.
    assert clocks(found.union, "missing") == ["14:12", "14:22", "14:32", "14:42", "14:52", "14:57"]


@pytest.mark.parametrize(
    ("runs", "now", "state"),
    [
        pytest.param([], "14:15:59", "pending", id="in its grace"),
        pytest.param([], "14:30", "missing", id="nobody"),
        pytest.param([on("14:09:00", dispatched("x"), None)], "14:30", "pending", id="somebody's run under way"),
        pytest.param([on("14:09:00", dispatched("x"), None)], "14:50", "missing", id="and stuck"),
        pytest.param([on("14:09:00", dispatched("x"), "failure")], "14:30", "missing", id="and failed"),
        pytest.param([on("14:16:00")], "14:30", "late", id="its own run, too late"),
        pytest.param([on("14:25:00")], "14:30", "missing", id="the run of the window after it, which the range does not hold"),
        pytest.param([on("14:09:00", None, "failure"), on("14:14:00", dispatched("x"))], "14:30", "covered", id="another's, where its own failed"),
        pytest.param([on("14:09:00", dispatched("x"), run_attempt=2, run_started_at="2026-06-01T14:40:00Z")], "14:50", "missing", id="a re-run later"),
    ],
)  # fmt: skip
def test_a_window_in_the_union_has_one_state(runs, now, state):
    found = report(lanes(None, PRIMARY), *runs, start="14:05", end="14:10", now=at(f"2026-06-01T{now}Z"))
    assert counts(found.union) == {state: 1}


def test_what_was_not_read_is_unknown_in_the_union_too():
    unread = (UnreadSpan(at("2026-06-01T14:00Z"), at("2026-06-01T14:30Z"), "403"),)
    found = report(lanes(), *(on(f"14:{minute:02}:30") for minute in range(7, 60, 10)), unread=unread)
    assert clocks(found.union, "unknown") == ["14:07", "14:12", "14:17", "14:22", "14:27"]
    assert not any(one.at < at("2026-06-01T14:31Z") for one in found.union.windows if one.state != "unknown")


# ---- how long nobody looked --------------------------------------------------------------------------------


def gap(*clocks: str, cron: str = PRIMARY, **more) -> float | None:
    longest = report(lanes(None, cron), *(on(one) for one in clocks), **more).union.longest_gap
    return None if longest is None else longest.total_seconds() / 60


@pytest.mark.parametrize(
    ("looks", "minutes"),
    [
        pytest.param(
            ["14:07:00", "14:17:00", "14:27:00", "14:37:00", "14:47:00", "14:57:00"], 10, id="on time"
        ),
        pytest.param(
            ["14:17:00", "14:27:00", "14:37:00", "14:47:00", "14:57:00"], 10, id="the first missing"
        ),
        pytest.param(["14:07:00", "14:47:00"], 40, id="some missing between"),
        pytest.param(
            ["14:07:00", "14:17:00"], 48, id="silence at the end lasts to the end of the last grace"
        ),
        pytest.param([], 58, id="nobody"),
    ],
)
def test_the_longest_time_without_a_look_is_measured_between_looks_and_ends(looks, minutes):
    assert gap(*looks) == minutes


def test_silence_counts_to_now_while_it_lasts():
    assert gap("14:07:00", now=at("2026-06-01T14:32Z")) == 25


def test_a_night_and_a_weekend_without_windows_are_no_gaps():
    friday, monday = at("2026-06-05T00:00Z"), at("2026-06-09T00:00Z")
    (lane,) = lanes(None, PRIMARY)
    looks = [
        run(day + timedelta(hours=hour, minutes=minute))
        for day in (friday, friday + timedelta(days=3))
        for hour in range(13, 22)
        for minute in range(7, 60, 10)
    ]
    found = judge((lane,), looks, (friday, monday), Scope(GRACE, monday + timedelta(days=1)))
    assert found.union.longest_gap == timedelta(minutes=10)


def test_a_stretch_that_was_not_all_read_says_nothing_of_gaps():
    assert (
        gap("14:07:00", unread=(UnreadSpan(at("2026-06-01T14:30Z"), at("2026-06-01T14:31Z"), "403"),)) is None
    )


def test_where_nothing_was_due_there_is_no_gap():
    assert gap(start="22:00", end="23:00") is None


# ---- may GitHub's schedule be the only one? ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("looks", "more", "suffices"),
    [
        pytest.param(["14:07:30", "14:17:30"], {}, True, id="all covered"),
        pytest.param(["14:07:30"], {}, False, id="one missing"),
        pytest.param(["14:07:30", "14:40:00"], {}, False, id="one that came later, and succeeded"),
        pytest.param(["14:07:30"], {"now": at("2026-06-01T14:20Z")}, None, id="one still pending"),
        pytest.param([], {"start": "22:00", "end": "23:00"}, None, id="nothing was due"),
        pytest.param(["14:07:30"], {"unread": (UnreadSpan(at("2026-06-01T14:16Z"), LATER, "403"),)}, None, id="one unknown"),
    ],
)  # fmt: skip
def test_whether_githubs_schedule_can_be_the_only_lane(looks, more, suffices):
    found = report(lanes(None, PRIMARY), *(on(one) for one in looks), **{"end": "14:20", **more})
    assert found.github_suffices is suffices


def test_a_lane_outside_github_does_not_speak_for_it():
    found = report(lanes(ABSENT, PRIMARY), on("14:07:30"), on("14:17:30"), end="14:20")
    assert counts(found.lanes[1]) == {"missing": 1}
    assert found.github_suffices is True


# ---- a week of everything ----------------------------------------------------------------------------------


@settings(max_examples=15)
@given(
    st.sampled_from(["2026-03-02", "2026-03-09", "2026-10-26", "2026-11-02", "2026-11-23"]),
    st.randoms(use_true_random=False),
)
def test_every_window_of_a_week_is_one_thing(monday, chance):
    start = at(f"{monday}T00:00Z")
    which = lanes(ABSENT)
    runs = sorted(
        (
            run(
                start + timedelta(seconds=chance.randrange(7 * 86400)),
                chance.choice(["success", "success", "failure", None]),
                **chance.choice([scheduled(), scheduled(FALLBACK), dispatched(), dispatched("x")]),
            )
            for _ in range(chance.randrange(600))
        ),
        key=lambda one: one.created_at,
    )
    found = judge(which, runs, (start, start + timedelta(days=7)), Scope(GRACE, start + timedelta(days=8)))
    assert [len(lane.windows) + len(lane.stood_by) for lane in found.lanes] == [270, 225, 270]
    for lane in found.all_lanes:
        assert sum(lane.count(state) for state in STATES) == len(lane.windows)
        _each_once(lane.windows)
    assert all(
        (one.day_kind == "holiday") is (one.at.date().isoformat() == "2026-11-26")
        for one in found.union.windows
    )


def _each_once(windows: tuple[ScheduleWindow, ...]) -> None:
    assert len({one.at for one in windows}) == len(windows)


def test_a_stand_by_has_a_period():
    assert lanes(ABSENT)[2].stand_by == StandBy(
        timedelta(minutes=10), timedelta(minutes=5), timedelta(hours=22)
    )


def test_the_titles_of_other_runs_are_told_as_one_line_and_without_secrets():
    found = report(lanes(), on("14:08:00", dispatched("x\x1b[31m\n token ghp_0123456789abcdef0123")))
    assert list(found.other_runs) == ["PT health | dispatch x [31m  token [redacted]"]
