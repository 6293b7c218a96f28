"""`farm_unhealed`: each farm by its own name, 300 s to heal; a dead stream is not healed by its farm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.log_lines import (
    BACK_WITHOUT,
    FARM_DOWN,
    FARM_UP,
    NOON,
    STREAM_DEAD,
    ago,
    event,
    named_of,
    seen,
    summary,
    told_of,
)
from tests.support.snapshots import remembered

USFARM = ["warning farm_unhealed:usfarm"]


def farms(report):
    return named_of(report, "farm_unhealed")


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(299, [], id="broken for 299 s"),
        pytest.param(300, [], id="broken for 300 s"),
        pytest.param(301, USFARM, id="broken for 301 s"),
    ],
)
def test_a_farm_has_300_seconds_to_heal(age, expected):
    assert farms(seen([ago(age, FARM_DOWN.format("usfarm"))])) == expected


@pytest.mark.parametrize(("down", "up"), [(2103, 2104), (2105, 2106), (2157, 2158)])
def test_each_kind_of_farm_is_healed_by_its_own_code(down, up):
    broken = ago(400, f"Error {down}, reqId -1: data farm connection is broken:somefarm")
    assert farms(seen([broken])) == ["warning farm_unhealed:somefarm"]
    healed = ago(200, f"Warning {up}, reqId -1: data farm connection is OK:somefarm")
    assert farms(seen([broken, healed])) == []


def test_another_farm_heals_nothing():
    lines = [
        ago(400, FARM_DOWN.format("usfarm")),
        ago(399, FARM_UP.format("usfarm.nj")),
        ago(398, FARM_UP.format("eufarm")),
    ]
    assert farms(seen(lines)) == USFARM


@pytest.mark.parametrize("code", [2107, 2108, 2119, 2159])
def test_a_farm_that_is_idle_or_connecting_is_nothing(code):
    assert (
        seen([ago(400, f"Warning {code}, reqId -1: Market data farm connection is inactive.usfarm")]).events
        == ()
    )


def test_a_flap_of_three_seconds_is_nothing():
    assert seen([ago(400, FARM_DOWN.format("usfarm")), ago(397.1, FARM_UP.format("usfarm"))]).events == ()


def test_a_dead_stream_after_a_flap_does_not_go_unnoticed():
    lines = [
        ago(60, FARM_DOWN.format("usfarm")),
        ago(57.1, FARM_UP.format("usfarm")),
        *(ago(56, STREAM_DEAD) for _ in range(5)),
    ]
    report = seen(lines)
    assert farms(report) == USFARM
    assert "must be asked for again" in summary(report, "farm_unhealed")


def test_a_dead_stream_of_no_known_farm_is_told_too():
    assert farms(seen([ago(60, STREAM_DEAD)])) == ["warning farm_unhealed:unnamed"]


def test_a_later_heal_ends_it():
    memory_runs = [
        (NOON, [ago(400, FARM_DOWN.format("usfarm"))]),
        (NOON + timedelta(seconds=600), [ago(-60, FARM_UP.format("usfarm"))]),
    ]
    assert told_of(memory_runs) == [["new warning farm_unhealed:usfarm"], []]
    memory = remembered(seen([ago(400, FARM_DOWN.format("usfarm"))]))
    assert farms(seen([ago(-60, FARM_UP.format("usfarm"))], NOON + timedelta(seconds=600), memory)) == []


@pytest.mark.parametrize(
    ("lasted", "told"),
    [
        pytest.param(300, [], id="healed after 300 s"),
        pytest.param(301, ["missed warning farm_unhealed:usfarm"], id="healed after 301 s"),
    ],
)
def test_one_that_was_broken_and_healed_while_nobody_looked_is_told_once_and_not_listed(lasted, told):
    lines = [ago(1000, FARM_DOWN.format("usfarm")), ago(1000 - lasted, FARM_UP.format("usfarm"))]
    assert farms(seen(lines)) == []
    assert told_of([(NOON, lines), (NOON + timedelta(seconds=600), lines)]) == [told, []]


def test_it_stays_listed_until_it_heals_and_is_told_again_when_it_breaks_again():
    runs: list[tuple[datetime, Any]] = [(NOON + timedelta(hours=hours), []) for hours in range(1, 6)]
    healed = NOON + timedelta(hours=6)
    broken = NOON + timedelta(hours=7)
    told = told_of(
        [
            (NOON, [ago(400, FARM_DOWN.format("usfarm"))]),
            *runs,
            (healed, [event(healed, FARM_UP.format("usfarm"))]),
            (broken, [event(broken - timedelta(seconds=400), FARM_DOWN.format("usfarm"))]),
        ]
    )
    assert told == [["new warning farm_unhealed:usfarm"], *[[]] * 6, ["again warning farm_unhealed:usfarm"]]


def test_a_farm_that_is_listed_as_not_connected_starts_its_clock():
    assert farms(seen([ago(300, BACK_WITHOUT.format("cashhmds"))])) == []
    assert farms(seen([ago(301, BACK_WITHOUT.format("cashhmds"))])) == ["warning farm_unhealed:cashhmds"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-06-03T05:00", [], id="01:00 in New York"),
        pytest.param("2026-06-03T06:10", USFARM, id="at the end of the window"),
    ],
)
def test_what_is_broken_in_the_nightly_reset_is_told_when_it_outlives_it(now, expected):
    at = datetime.fromisoformat("2026-06-03T03:50").replace(tzinfo=UTC)
    report = seen([event(at, FARM_DOWN.format("usfarm"))], datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert farms(report) == expected


@pytest.mark.parametrize("gap", [timedelta(minutes=10), timedelta(hours=3)])
def test_a_stream_that_died_in_the_nightly_reset_is_told_at_its_end(gap):
    died = datetime(2026, 6, 3, 3, 50, tzinfo=UTC)
    over = datetime(2026, 6, 3, 6, 10, tzinfo=UTC)
    runs: list[tuple[datetime, Any]] = [(died + timedelta(minutes=1), [event(died, STREAM_DEAD)])]
    while runs[-1][0] < over:
        runs.append((min(runs[-1][0] + gap, over), []))
    told = told_of([*runs, (over + timedelta(minutes=10), [])])
    assert told == [*[[]] * (len(told) - 2), ["new warning farm_unhealed:unnamed"], []]


def test_it_stays_listed_for_as_long_as_it_is_broken():
    memory = None
    for hours in range(8):
        now = NOON + timedelta(hours=hours)
        report = seen([ago(400, FARM_DOWN.format("usfarm"))] if not hours else [], now, memory)
        assert farms(report) == USFARM, hours
        memory = remembered(report)


def test_forty_farms_are_told_at_most_and_the_last_that_broke_are():
    found = farms(seen([ago(500 - number, FARM_DOWN.format(f"farm{number}")) for number in range(41)]))
    assert len(found) == 40
    assert "warning farm_unhealed:farm0" not in found


def test_one_whose_heal_within_300_seconds_is_read_late_is_over():
    memory = remembered(seen([ago(301, FARM_DOWN.format("usfarm"))]))
    memory = remembered(seen([ago(150, FARM_UP.format("usfarm"))], NOON + timedelta(hours=1), memory))
    assert farms(seen([], NOON + timedelta(hours=3), memory)) == []


def test_one_that_healed_and_broke_again_while_nobody_looked_for_an_hour_is_told_again():
    minutes = {10: FARM_UP.format("usfarm"), 50: FARM_DOWN.format("usfarm")}
    later = NOON + timedelta(minutes=61)
    unseen = [ago(-60 * minute, line) for minute, line in minutes.items()]
    assert told_of([(NOON, [ago(400, FARM_DOWN.format("usfarm"))]), (later, unseen)]) == [
        ["new warning farm_unhealed:usfarm"],
        ["again warning farm_unhealed:usfarm"],
    ]
