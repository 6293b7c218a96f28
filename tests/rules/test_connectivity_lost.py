"""`connectivity_lost`: an outage lasts until its recovery, and maintenance windows hide no longer one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.log_lines import (
    BACK,
    BACK_DATA_LOST,
    BACK_WITHOUT,
    LOST,
    NOON,
    ago,
    document,
    event,
    named_of,
    seen,
    summary,
    told_of,
    window,
)
from tests.support.snapshots import evaluated, remembered, settings_of

OPEN, RECOVERED = ["critical connectivity_lost"], ["warning connectivity_lost"]


def link(report):
    """What the run says of the link; a proof that its recovery owes is another rule's."""
    return named_of(report, "connectivity_lost")


def new_york(text: str) -> datetime:
    """A time of 2026-06-02 to 2026-06-06 in New York, four hours behind UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(hours=4)


# --- open, recovered, alone ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1100, 1300, 2110])
def test_a_lost_link_is_critical_while_no_line_says_that_it_is_back(code):
    line = f"ib_async.wrapper ERROR Error {code}, reqId -1: any wording in any language"
    assert link(seen([ago(30, line)])) == OPEN


@pytest.mark.parametrize("back", [BACK, BACK_DATA_LOST])
def test_once_it_is_back_it_is_a_warning_that_says_how_long(back):
    report = seen([ago(600, LOST), ago(300, back)])
    assert link(report) == RECOVERED
    assert "lost for 5 min from 2026-06-02 14:50:00 UTC (TWS 1100) and is back" in summary(
        report, "connectivity_lost"
    )


def test_five_losses_and_one_recovery_with_a_farm_missing_are_one_warning_that_says_so():
    lines = [ago(200 - step, LOST) for step in range(0, 50, 10)]
    report = seen([*lines, ago(100, BACK_WITHOUT.format("cashhmds"))])
    assert link(report) == RECOVERED
    assert "without cashhmds: market data of these must be asked for again" in summary(
        report, "connectivity_lost"
    )


def test_data_lost_says_that_market_data_must_be_asked_for_again():
    report = seen([ago(600, LOST), ago(300, BACK_DATA_LOST)])
    assert "market data must be asked for again" in summary(report, "connectivity_lost")


@pytest.mark.parametrize("back", [BACK, BACK_DATA_LOST])
def test_a_recovery_alone_is_a_warning(back):
    report = seen([ago(300, back)])
    assert link(report) == RECOVERED
    assert "its loss was not seen" in summary(report, "connectivity_lost")


def test_the_same_recovery_told_by_every_client_is_one():
    told = told_of([(NOON, [ago(600, LOST), ago(300, BACK), ago(299, BACK), ago(240, BACK)])])
    assert told == [["new warning connectivity_lost"]]
    assert link(seen([ago(600, LOST), ago(300, BACK), ago(240, BACK)])) == RECOVERED


def test_a_recovery_more_than_a_minute_after_another_is_one_of_its_own():
    later = NOON + timedelta(seconds=400)
    runs = [(NOON, [ago(30, BACK)]), (later, [ago(30, BACK), ago(-31, BACK)])]
    assert told_of(runs) == [["new warning connectivity_lost"], ["escalated warning connectivity_lost"]]


def test_a_farm_that_is_well_does_not_end_it_and_a_new_login_does():
    farm = "ib_async.wrapper INFO Warning 2104, reqId -1: Market data farm connection is OK:usfarm"
    assert link(seen([ago(600, LOST), ago(300, farm)])) == OPEN
    assert link(seen([ago(600, LOST), ago(300, "IBC: Login has completed")])) == RECOVERED


# --- only its counterpart ends it ------------------------------------------------------------------------


def test_it_is_not_closed_by_silence():
    quiet = (NOON + timedelta(hours=hours) for hours in (1, 2, 3, 4))
    runs = [(NOON, [ago(30, LOST)]), *((at, [event(at, "INFO scan done")]) for at in quiet)]
    assert told_of(runs) == [
        ["new critical connectivity_lost"],
        ["escalated critical connectivity_lost"],
        [],
        [],
        [],
    ]


def test_it_stays_listed_for_as_long_as_it_is_open():
    memory = remembered(seen([ago(30, LOST)]))
    for minutes in range(30, 600, 30):
        report = seen([], NOON + timedelta(minutes=minutes), memory, status_v3={"broker_connected": None})
        assert link(report) == OPEN, minutes
        memory = remembered(report)


def link_over(*runs):
    """What each run says of a link that was lost at 14:59:30: its time after NOON, its lines, the flag."""
    memory = remembered(seen([ago(30, LOST)]))
    said: list[str] = []
    for seconds, lines, connected in runs:
        now = NOON + timedelta(seconds=seconds)
        logs = window([ago(30, LOST), *lines], NOON - timedelta(hours=1), now)
        report = seen(logs, now, memory, status_v3={"broker_connected": connected})
        memory, said = remembered(report), [*said, *link(report)]
    return said


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        pytest.param(
            [(300, True), (600, True)], [*OPEN, *RECOVERED], id="two runs of a payload that is newer"
        ),
        pytest.param([(300, True), (539, True)], OPEN * 2, id="two runs that are one observation"),
        pytest.param([(270, True), (539, True)], OPEN * 2, id="a payload that may be as old as the loss"),
        pytest.param([(300, True), (600, None), (900, True)], OPEN * 3, id="not seen in between"),
        pytest.param([(300, True), (600, False), (900, True)], OPEN * 3, id="down in between"),
    ],
)
def test_the_runtimes_own_link_ends_it_once_two_observations_saw_it(runs, expected):
    assert link_over(*((seconds, [], connected) for seconds, connected in runs)) == expected


def test_a_later_line_on_the_loss_outweighs_what_the_runtime_says():
    repeated = ago(-700, LOST)
    assert link_over((300, [], True), (600, [], True), (720, [repeated], True)) == [*OPEN, *RECOVERED, *OPEN]


def test_the_late_line_of_a_recovery_that_the_runtime_showed_is_no_second_outage():
    assert link_over((300, [], True), (600, [], True), (900, [ago(-800, BACK)], True))[-1:] == RECOVERED
    memory = remembered(seen([ago(30, LOST)]))
    for seconds, lines in ((300, []), (600, []), (900, [ago(-800, BACK)])):
        report = seen(lines, NOON + timedelta(seconds=seconds), memory)
        memory = remembered(report)
        assert "within an hour" not in summary(report, "connectivity_lost")


@pytest.mark.parametrize(
    ("since", "has_hole"),
    [pytest.param(0, False, id="whole"), pytest.param(60, True, id="a minute is missing")],
)
def test_a_log_that_does_not_cover_the_time_since_is_said_to_have_a_hole(since, has_hole):
    memory = remembered(seen(window([ago(30, LOST)], NOON - timedelta(hours=1), NOON)))
    later = NOON + timedelta(seconds=600)
    logs = window([], NOON + timedelta(seconds=since), later)
    report = seen(logs, later, memory)
    assert link(report) == OPEN
    assert (
        "the log has a hole up to 2026-06-02 15:01:00 UTC" in summary(report, "connectivity_lost")
    ) is has_hole


def test_it_is_held_while_no_logs_are_seen():
    memory = remembered(seen([ago(30, LOST)]))
    for hours in (1, 2, 30):
        without = document([], NOON + timedelta(hours=hours))
        del without["logs"]
        report = evaluated(without, memory)
        assert link(report) == OPEN
        assert report.events[0].held
        memory = remembered(report)
    back = seen([event(NOON + timedelta(hours=31), BACK)], NOON + timedelta(hours=31), memory)
    assert link(back) == RECOVERED
    assert not back.new_events


def test_its_recovery_in_the_next_run_is_no_new_occurrence():
    later = NOON + timedelta(seconds=600)
    assert told_of([(NOON, [ago(30, LOST)]), (later, [ago(-60, BACK)])]) == [
        ["new critical connectivity_lost"],
        [],
    ]


def test_a_recovered_one_leaves_the_list_after_its_look_back():
    first = seen([ago(600, LOST), ago(300, BACK)])
    memory = remembered(first)
    assert link(seen([], NOON + timedelta(seconds=3600), memory)) == RECOVERED
    assert link(seen([], NOON + timedelta(seconds=3601), memory)) == []


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(3600, RECOVERED, id="ended 3600 s ago"),
        pytest.param(3601, [], id="ended 3601 s ago"),
    ],
)
def test_without_a_memory_only_the_look_back_is_told(age, expected):
    assert link(seen([ago(age + 60, LOST), ago(age, BACK)])) == expected


def test_what_happened_while_nobody_looked_is_told_however_old():
    later = NOON + timedelta(hours=5)
    runs = [
        (NOON, []),
        (later, [event(NOON + timedelta(minutes=5), LOST), event(NOON + timedelta(minutes=9), BACK)]),
    ]
    assert told_of(runs)[1][0] == "new warning connectivity_lost"


# --- when it escalates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apart", "lasts", "action"),
    [
        pytest.param([3600], 60, "escalate", id="two of 60 s, 3600 s apart"),
        pytest.param([3601], 60, "notify", id="two of 60 s, 3601 s apart"),
        pytest.param([600], 59, "notify", id="two of 59 s"),
        pytest.param([1800, 1800], 1, "escalate", id="three of any length"),
        pytest.param([1800, 1801], 1, "notify", id="three in more than an hour"),
    ],
)
def test_episodes_that_come_again_within_an_hour_escalate(apart, lasts, action):
    starts = [100 + sum(apart[:count]) for count in range(len(apart) + 1)]
    report = seen([line for at in starts[::-1] for line in (ago(at, LOST), ago(at - lasts, BACK))])
    assert link(report) == RECOVERED
    assert report.decision.action == action


@pytest.mark.parametrize(
    ("age", "action"),
    [
        pytest.param(899, "notify", id="open for 899 s"),
        pytest.param(900, "escalate", id="open for 900 s"),
        pytest.param(901, "escalate", id="open for 901 s"),
    ],
)
def test_open_for_a_quarter_of_an_hour_of_the_session_escalates(age, action):
    assert seen([ago(age, LOST)]).decision.action == action


def test_time_before_the_open_does_not_count():
    opened = new_york("2026-06-02T09:30")
    lost = [event(new_york("2026-06-02T08:00"), LOST)]
    assert seen(lost, opened + timedelta(seconds=899)).decision.action == "notify"
    assert seen(lost, opened + timedelta(seconds=900)).decision.action == "escalate"


# --- quiet windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", ["2026-06-03T00:10", "2026-06-03T02:09:59", "2026-06-03T02:30"])
def test_lost_and_back_within_the_nightly_reset_is_nothing(now):
    lines = [event(new_york("2026-06-02T23:50"), LOST), event(new_york("2026-06-02T23:58"), BACK)]
    assert link(seen(lines, new_york(now))) == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-06-03T00:10", [], id="in the window"),
        pytest.param("2026-06-03T02:09:59", [], id="one second before its end, 600 s after the table's"),
        pytest.param("2026-06-03T02:10", OPEN, id="at its end"),
        pytest.param("2026-06-03T05:00", OPEN, id="hours later"),
    ],
)
def test_what_outlives_the_window_is_told_at_its_end(now, expected):
    assert link(seen([event(new_york("2026-06-02T23:50"), LOST)], new_york(now))) == expected


def test_the_page_comes_with_the_first_run_after_the_window():
    lost = [event(new_york("2026-06-02T23:50"), LOST)]
    runs = [
        (new_york("2026-06-02T23:55"), lost),
        (new_york("2026-06-03T01:00"), []),
        (new_york("2026-06-03T02:12"), []),
    ]
    assert told_of(runs, status_v3={"broker_connected": None})[2] == ["new critical connectivity_lost"]


def test_what_began_before_the_window_is_told_in_it():
    assert link(seen([event(new_york("2026-06-02T23:29:59"), LOST)], new_york("2026-06-02T23:45"))) == OPEN
    assert link(seen([event(new_york("2026-06-02T23:30"), LOST)], new_york("2026-06-02T23:45"))) == []


def test_what_recovers_after_the_window_is_told_as_recovered():
    lines = [event(new_york("2026-06-02T23:50"), LOST), event(new_york("2026-06-03T02:10"), BACK)]
    assert link(seen(lines, new_york("2026-06-03T02:30"))) == RECOVERED


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-06-02T08:29:59", [], id="one second before the hour before the open"),
        pytest.param("2026-06-02T08:30", OPEN, id="in the hour before the open"),
    ],
)
def test_the_hour_before_the_open_is_never_quiet(now, expected):
    """In summer Asia's second window lasts until 09:25 in New York."""
    asia = settings_of({"IBKR_REGION": "asia"})
    lost = [event(new_york("2026-06-02T08:20"), LOST)]
    assert link(seen(lost, new_york(now), settings=asia)) == expected


def test_what_recovers_in_the_hour_before_the_open_was_not_quiet():
    asia = settings_of({"IBKR_REGION": "asia"})
    lines = [event(new_york("2026-06-02T08:20"), LOST), event(new_york("2026-06-02T08:45"), BACK)]
    assert link(seen(lines, new_york("2026-06-02T09:00"), settings=asia)) == RECOVERED


@pytest.mark.parametrize(
    ("region", "expected"),
    [pytest.param("america", OPEN, id="america"), pytest.param("asia", [], id="asia")],
)
def test_the_windows_are_those_of_the_region(region, expected):
    lost = [event(new_york("2026-06-02T07:50"), LOST), event(new_york("2026-06-02T08:25"), "INFO x")]
    at = new_york("2026-06-02T08:25")
    lost[0] = event(new_york("2026-06-02T08:16"), LOST)
    assert link(seen(lost, at, settings=settings_of({"IBKR_REGION": region}))) == expected


def test_the_weekend_reset_is_quiet():
    lines = [event(new_york("2026-06-05T22:50"), LOST), event(new_york("2026-06-06T02:55"), BACK)]
    assert link(seen(lines, new_york("2026-06-06T03:30"))) == []
