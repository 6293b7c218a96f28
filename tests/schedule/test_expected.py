"""Which windows are expected, and what kind of market day they fall on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from detector.domain.run_windows import SCHEDULE, Lane
from detector.market.session_plan import Closures
from detector.schedule.cron import GITHUB, read_cron
from detector.schedule.expected import LaneTimetable, describe_market_day, iter_windows
from tests.support.program import answer
from tests.support.snapshots import ROOT, healthy, later

PRIMARY = "7,17,27,37,47,57 13-21 * * MON-FRI"
FALLBACK = "12,22,32,42,52 13-21 * * MON-FRI"


def lane(cron: str, zone: str = "UTC") -> Lane:
    return Lane(f"schedule {cron}", SCHEDULE, cron, read_cron(cron, GITHUB).fires, zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def between(cron: str, start: str, end: str, zone: str = "UTC") -> list[datetime]:
    return list(iter_windows(lane(cron, zone), at(start), at(end)))


def test_a_weekday_has_54_primary_and_45_fallback_windows():
    day = ("2026-06-01T00:00Z", "2026-06-02T00:00Z")
    primary, fallback = between(PRIMARY, *day), between(FALLBACK, *day)
    assert (len(primary), len(fallback)) == (54, 45)
    assert (primary[0], primary[-1]) == (at("2026-06-01T13:07Z"), at("2026-06-01T21:57Z"))
    apart = sorted({*primary, *fallback})
    assert {b - a for a, b in pairwise(apart)} == {
        timedelta(minutes=5),
        timedelta(minutes=10),
    }


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        pytest.param("2026-06-01T13:07:00Z", "2026-06-01T13:17:00Z", 1, id="the start belongs to it, the end does not"),
        pytest.param("2026-06-01T13:07:00.5Z", "2026-06-01T13:17:00.5Z", 1, id="half a second later"),
        pytest.param("2026-06-01T13:07:01Z", "2026-06-01T13:17:00Z", 0, id="nothing between them"),
        pytest.param("2026-06-01T22:07:00+09:00", "2026-06-01T22:17:01+09:00", 2, id="a range in another zone"),
    ],
)  # fmt: skip
def test_a_range_is_half_open(start, end, count):
    assert len(between(PRIMARY, start, end)) == count


@pytest.mark.parametrize(
    ("monday", "counts"),
    [
        pytest.param("2026-03-02", 54 * 5, id="before the spring change"),
        pytest.param("2026-03-09", 54 * 5, id="the week after the spring change"),
        pytest.param("2026-10-26", 54 * 5, id="the week in which Europe has changed"),
        pytest.param("2026-11-02", 54 * 5, id="after the autumn change"),
        pytest.param("2026-11-23", 54 * 5, id="the week of Thanksgiving: holidays are windows too"),
    ],
)
def test_every_week_has_the_same_windows_in_utc(monday, counts):
    start = at(f"{monday}T00:00Z")
    found = list(iter_windows(lane(PRIMARY), start, start + timedelta(days=7)))
    assert len(found) == counts
    assert {(one.hour, one.minute) for one in found} == {
        (h, m) for h in range(13, 22) for m in range(7, 60, 10)
    }
    assert {one.weekday() for one in found} == {0, 1, 2, 3, 4}


def test_a_lane_with_a_timezone_keeps_its_local_hour_over_the_change():
    found = between("30 9 * * 1-5", "2026-03-05T00:00Z", "2026-03-11T00:00Z", "America/New_York")
    assert [one.hour for one in found] == [14, 14, 13, 13]
    assert {one.astimezone(ZoneInfo("America/New_York")).strftime("%H:%M") for one in found} == {"09:30"}
    assert all(one.tzinfo is UTC for one in found)


@pytest.mark.parametrize(
    ("window", "day", "in_session"),
    [
        ("2026-06-01T13:27Z", "session", False),
        ("2026-06-01T13:30Z", "session", True),
        ("2026-06-01T19:57Z", "session", True),
        ("2026-06-01T20:00Z", "session", False),
        ("2026-03-06T13:37Z", "session", False),  # EST: opens at 14:30
        ("2026-03-09T13:37Z", "session", True),  # EDT: opened at 13:30
        ("2026-11-26T15:07Z", "holiday", False),  # Thanksgiving
        ("2026-11-27T17:57Z", "half day", True),
        ("2026-11-27T18:07Z", "half day", False),
        ("2026-06-06T15:07Z", "weekend", False),
        ("2200-06-06T15:07Z", None, None),
    ],
)
def test_a_window_is_marked_with_the_markets_day(window, day, in_session):
    assert describe_market_day(at(window)) == (day, in_session)


def test_a_closure_of_short_notice_is_a_holiday():
    closures = Closures(frozenset({at("2026-06-02").date()}))
    assert describe_market_day(at("2026-06-02T15:07Z"), closures) == ("holiday", False)


def test_a_leap_day_comes_when_it_comes():
    assert between("0 12 29 2 *", "2026-01-01T00:00Z", "2029-01-01T00:00Z") == [at("2028-02-29T12:00Z")]


# ---- what a run missed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "missed"),
    [
        pytest.param("13:07:30", "13:12:30", 0, id="one run after the other"),
        pytest.param("13:07:30", "13:17:30", 0, id="at :17:30 the window of :12 can still be answered"),
        pytest.param("13:07:30", "13:20:00", 0, id="at the last second"),
        pytest.param("13:07:30", "13:20:01", 1, id="a second later it is missed"),
        pytest.param("13:07:00", "13:20:01", 1, id="a run at its window answered it"),
        pytest.param("13:07:30", "14:12:00", 10, id="an hour of silence"),
        pytest.param("21:58:00", "22:30:00", 0, id="nothing was due"),
    ],
)
def test_a_window_is_missed_when_no_run_came_while_it_could_be_answered(since, until, missed):
    timetable = LaneTimetable((lane(PRIMARY), lane(FALLBACK)))
    assert timetable.count_missed(at(f"2026-06-01T{since}Z"), at(f"2026-06-01T{until}Z")) == missed


def test_a_weekend_misses_nothing_and_a_month_is_not_counted():
    timetable = LaneTimetable((lane(PRIMARY), lane(FALLBACK)))
    friday = at("2026-06-05T21:57:30Z")
    assert timetable.count_missed(friday, at("2026-06-08T13:07:30Z")) == 0
    assert (
        timetable.count_missed(friday, friday + timedelta(days=31)) == 21 * 99 - 2
    )  # of the last day, two can still be answered
    assert timetable.count_missed(friday, friday + timedelta(days=31, seconds=1)) is None


def test_two_lanes_that_are_due_at_once_are_one_window():
    timetable = LaneTimetable((lane("0 13 * * *"), lane("0,30 13 * * *")))
    assert timetable.count_missed(at("2026-06-01T12:00Z"), at("2026-06-01T14:00Z")) == 2


WORKFLOW = ".github/workflows/notify-aws-ibkr-pt-health.yml"


def artifacts(tmp_path, monkeypatch, **environ: str) -> dict:
    """Two runs an hour apart; the second one's artifact."""
    monkeypatch.chdir(ROOT)
    path = tmp_path / "artifact.json"
    for minutes in (0, 60):
        taken = answer(
            "--artifact",
            str(path),
            "--previous",
            str(path),
            stdin=later(healthy(), minutes * 60),
            environ=environ,
        )
        assert taken.code == 0, taken.err
    return json.loads(path.read_text())


def test_an_artifact_says_how_many_windows_were_missed_since_the_previous_run(tmp_path, monkeypatch):
    made = artifacts(tmp_path, monkeypatch, AEGIS_PT_SCHEDULE=WORKFLOW)
    assert made["gap"] == {"seconds": 3600, "session_seconds": 3600, "exceeded": True, "windows_missed": 9}


def test_without_a_schedule_it_says_that_nobody_counted(tmp_path, monkeypatch):
    assert artifacts(tmp_path, monkeypatch)["gap"]["windows_missed"] is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file or directory"),
        ("on: push", "has no on.schedule"),
        ("on: {schedule: [{cron: 0 13 * * 7}]}", "on.schedule number 1: the weekday field '7'"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused(tmp_path, text, says):
    path = tmp_path / "w.yml"
    if text is not None:
        path.write_text(text)
    found = answer(environ={"AEGIS_PT_SCHEDULE": str(path)})
    assert found.code == 2
    assert f"AEGIS_PT_SCHEDULE: {path}: {says}" in found.err


def test_the_shipped_workflow_counts_what_it_missed():
    text = (ROOT / ".github" / "aws-ibkr-pt-health.env").read_text()
    assert f"\nAEGIS_PT_SCHEDULE={WORKFLOW}\n" in text
