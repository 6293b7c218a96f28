"""The incidents of the founding documents, replayed: who would have been told what, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

import pytest

from detector.formats.times import format_time
from tools.incidents import Looked, documented_times, every, incident, incidents, looked, seen, told

OUTAGE, LINK, BASELINE = (
    "2026-05-06-power-outage",
    "2025-09-15-connection-outage",
    "2026-06-01-recovery-baseline",
)
CALL = "SPY 727C"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@cache
def runs(name: str, lane: str, minutes: float | None = None) -> Sequence[Looked]:
    """What each run saw and told: at the documented times, or every so many minutes."""
    one = incident(name)
    times = documented_times(one) if minutes is None else list(every(one, minutes))
    return tuple(looked(one, one.lane(lane), times))


def first_told(found: Sequence[Looked], wanted: str) -> datetime:
    """When the first run told it; `wanted` is `type` or `type:subject`."""
    return next(run.at for run in found if f"new {wanted}" in told(run))


def events_at(found: Sequence[Looked], at: datetime) -> set[str]:
    run = [one for one in found if one.at <= at][-1]
    return {event.type for event in run.report.events if not event.held}


# --- the files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", incidents())
def test_a_file_says_what_is_documented_and_what_is_inferred(name):
    one = incident(name)
    assert one.documented == sum(moment.documented for moment in one.moments)
    assert {what for moment in one.moments for what in moment.inferred} == set(one.inferred)
    assert list(one.moments) == sorted(one.moments, key=lambda moment: moment.at)
    assert all(moment.said and moment.clock for moment in one.moments)


def test_the_clocks_of_the_outage_are_chicago_s():
    for moment in incident(OUTAGE).moments:
        hour, minute = moment.clock.lstrip("~")[:5].split(":")
        local = moment.at - timedelta(hours=5)
        assert (local.hour, local.minute) == (int(hour), int(minute)), moment.clock


def test_the_market_closed_at_15_00_chicago_and_not_when_the_document_says():
    one = incident(OUTAGE)
    open_at = {
        format_time(run.at): run.report
        for run in looked(one, one.lane("remote"), [utc("2026-05-06T19:58"), utc("2026-05-06T20:30")])
    }
    assert list(open_at) == ["2026-05-06T19:58:00Z", "2026-05-06T20:30:00Z"]


def test_while_the_power_is_off_the_machine_does_not_run_and_from_elsewhere_its_sections_are_absent():
    one = incident(OUTAGE)
    noon = utc("2026-05-06T18:00")
    assert seen(one, one.lane("on the machine"), noon) is None
    far = seen(one, one.lane("remote"), noon)
    assert far is not None
    assert far.keys() == {"taken_at", "runtime", "sources"}
    assert {source["state"] for source in far["sources"].values()} == {"failed"}


def test_the_broker_is_not_seen_before_the_gateway_answers():
    one = incident(OUTAGE)
    for lane in one.lanes:
        refused, opens, after = (seen(one, lane, utc(f"2026-05-06T19:{minute}")) for minute in (47, 48, 49))
        assert refused is not None
        assert "broker" not in refused
        assert opens is not None
        assert opens["broker"] == {"as_of": "2026-05-06T19:47:55Z", "connected": True, "port": 4002}
        assert after is not None
        assert after["broker"]["positions"][0]["realizedPNL"] == 3742.44


def test_the_stores_are_not_seen_before_the_runtime_s_processes_are_back():
    one = incident(OUTAGE)
    for lane in one.lanes:
        boots, back = (seen(one, lane, utc(f"2026-05-06T19:{minute}")) for minute in (43, 44))
        assert boots is not None
        assert "stores" not in boots
        assert back is not None
        assert back["stores"]["position_state"][0]["is_open"] == 1


# --- 2026-05-06 ----------------------------------------------------------------------------------------


def test_the_dark_is_told_within_two_runs_and_pages_at_the_second():
    found = runs(OUTAGE, "remote", 10)
    dark = [run for run in found if utc("2026-05-06T16:48") <= run.at < utc("2026-05-06T19:42")]
    assert first_told(found, "exposure_unwatched") == dark[0].at
    assert [run.report.decision.action for run in dark[:2]] == ["notify", "escalate"]
    assert all("exposure_unwatched" in {event.type for event in run.report.events} for run in dark)


def test_on_the_machine_the_dark_is_told_by_the_first_run_after_it():
    found = runs(OUTAGE, "on the machine", 2)
    after = next(run for run in found if run.at >= utc("2026-05-06T19:42"))
    assert after.at < utc("2026-05-06T19:45")
    assert {"new exposure_unwatched", "new watch_gap"} <= set(told(after))
    gap = next(event for event in after.report.events if event.type == "watch_gap")
    assert gap.severity == "critical"
    assert "with 1 position open" in gap.summary


@pytest.mark.parametrize("lane", ["on the machine", "remote"])
@pytest.mark.parametrize("minutes", [None, 1, 3])
def test_the_phantom_is_told_by_the_first_run_that_sees_the_broker(lane, minutes):
    found = runs(OUTAGE, lane, minutes)
    seeing = next(run for run in found if run.at >= utc("2026-05-06T19:49"))
    assert first_told(found, f"open_positions_drift:{CALL}") == seeing.at
    event = next(event for event in seeing.report.events if event.type == "open_positions_drift")
    assert event.observed == "phantom"
    assert "trade #162 (signal #238, position #301)" in event.summary
    assert "a close would open a new short position of 39" in event.summary
    assert seeing.report.decision.action == "escalate"


@pytest.mark.parametrize("lane", ["on the machine", "remote"])
def test_every_minute_of_the_afternoon_tells_what_is_documented(lane):
    """What is told at which documented minute, and nothing else that is new."""
    found = runs(OUTAGE, lane)
    new = {
        format_time(run.at)[11:16]: [item for item in told(run) if not item.startswith("resolved")]
        for run in found
    }
    assert {
        at: new[at] for at in ("19:44", "19:49", "19:53", "19:54", "19:55", "19:57", "19:58", "20:30")
    } == {
        "19:44": ["new broker_disconnected", "new heartbeat_stale"],
        "19:49": [f"new open_positions_drift:{CALL}"],
        "19:53": [],
        "19:54": ["new trade_record_inconsistent:162"],
        "19:55": [
            f"again open_positions_drift:{CALL}",
            f"new state_stores_disagree:{CALL}",
            "new trade_reopened:162",
        ],
        "19:57": [],
        "19:58": [],
        "20:30": [],
    }


def test_the_row_that_was_made_by_hand_is_named_with_both_of_its_contradictions():
    found = runs(OUTAGE, "remote")
    run = next(run for run in found if run.at == utc("2026-05-06T19:54"))
    assert [event.summary for event in run.report.new_events] == [
        (
            f"Trade #162 (signal #238, position #301) in {CALL} has its exit price equal to its entry price (5.5) and yet "
            "a P&L of 1857.70, and has a P&L of 1857.70 where the broker realized 3742.44."
        )
    ]


def test_the_relapse_names_the_store_the_cache_wrote_and_what_agrees_with_the_broker():
    run = next(run for run in runs(OUTAGE, "remote") if run.at == utc("2026-05-06T19:55"))
    summaries = {event.type: event.summary for event in run.report.new_events}
    assert (
        "is open in position_state and not in trades, and the broker is flat as trades says"
        in summaries["state_stores_disagree"]
    )
    assert (
        "was closed and is open again in position_state while the broker is flat"
        in summaries["trade_reopened"]
    )


def test_after_the_second_repair_everything_of_it_is_good():
    found = runs(OUTAGE, "remote", 1)
    assert events_at(found, utc("2026-05-06T20:34")).isdisjoint(
        {"open_positions_drift", "state_stores_disagree", "trade_reopened", "broker_disconnected"}
    )
    ended = [
        item
        for run in found
        if run.at >= utc("2026-05-06T19:57")
        for item in told(run)
        if item.startswith("resolved")
    ]
    assert {f"resolved state_stores_disagree:{CALL}", "resolved trade_reopened:162"} <= set(ended)


def test_what_people_found_out_was_told_no_later():
    for name in (OUTAGE, LINK):
        one = incident(name)
        found = runs(name, "remote", 1 if name == OUTAGE else 10)
        for event, saw in one.found_out.items():
            assert first_told(found, event) <= saw, event


# --- 2025-09-15 ----------------------------------------------------------------------------------------


def test_three_market_days_without_a_link_are_told_on_the_first_at_the_open():
    found = runs(LINK, "remote", 10)
    assert first_told(found, "broker_disconnected") == utc("2025-09-15T13:30")
    assert [item for run in found for item in told(run) if "broker_disconnected" in item] == [
        "new broker_disconnected", "resolved broker_disconnected",
    ]  # fmt: skip
    for day in (15, 16, 17):
        assert "broker_disconnected" in events_at(found, utc(f"2025-09-{day}T19:59"))


def test_the_repair_at_04_45_is_believed_once_the_quiet_window_is_over():
    """04:45 UTC is 00:45 in New York, in the nightly reset; it ends at 02:00, and ten minutes later."""
    found = runs(LINK, "remote", 10)
    (ended,) = [run.at for run in found if "resolved broker_disconnected" in told(run)]
    assert utc("2025-09-18T06:10") <= ended <= utc("2025-09-18T06:40")


# --- 2026-06-01 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [1, 2, 5])
def test_the_baseline_is_quiet_but_for_what_the_runbook_itself_notifies(minutes):
    """The TWS disconnect with positions open, which escalates once it lasted, and a minute between two tasks.

    Both are on the runbook's own list.
    """
    link, tasks = "broker_disconnected", "ecs_service_count_mismatch"
    escalated = f"escalated {link}"
    items = [item for run in runs(BASELINE, "remote", minutes) for item in told(run) if item != escalated]
    new = [item for item in items if item.startswith("new")]
    assert new in ([], [f"new {link}"], [f"new {link}", f"new {tasks}"])
    assert sorted(items) == sorted([*new, *(item.replace("new", "resolved") for item in new)])
    assert items or minutes > 4  # a run every four minutes or more often sees the four minutes of it


def test_between_two_tasks_the_old_one_is_not_called_running():
    one = incident(BASELINE)
    for minute, running, stopped in (
        (38, ["aaaaaaaa01"], []),
        (39, [], ["aaaaaaaa01"]),
        (40, ["bbbbbbbb02"], ["aaaaaaaa01"]),
    ):
        snapshot = seen(one, one.lane("remote"), utc(f"2026-06-01T13:{minute}"))
        assert snapshot is not None
        tasks = snapshot["ecs"]["tasks"]
        assert [task["taskArn"][-10:] for task in tasks if task["lastStatus"] == "RUNNING"] == running
        assert [task["taskArn"][-10:] for task in snapshot["ecs"]["stopped_tasks"]] == stopped


def test_a_degraded_feed_of_ten_minutes_and_a_single_order_are_told_of_by_nothing():
    found = runs(BASELINE, "remote", 1)
    for at in ("13:52", "13:58", "14:45", "15:30", "15:45"):
        assert events_at(found, utc(f"2026-06-01T{at}")) == set(), at
