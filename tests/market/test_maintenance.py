"""The hours in which IBKR resets its servers, region by region, and what they must never cover."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.market.hours import get_market_at, get_session_on
from detector.market.maintenance import REGIONS, find_maintenance_end, is_in_maintenance
from detector.market.session_plan import Closures

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
INSTANT = timedelta(microseconds=1)
NEW_YORK, ZURICH, HONG_KONG = (
    ZoneInfo(name) for name in ("America/New_York", "Europe/Zurich", "Asia/Hong_Kong")
)
INSTANTS = st.timedeltas(timedelta(), timedelta(days=9855)).map(lambda since: utc("2010-01-02") + since)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


# ---- the table, to the instant -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "first", "last"),
    [
        # The last column is 600 s after the row's end. New York is 5 h behind UTC in winter, else 4.
        pytest.param("america", "2026-01-15 04:30", "2026-01-15 07:10", id="america, daily, winter"),
        pytest.param("america", "2026-07-15 03:30", "2026-07-15 06:10", id="america, daily, summer"),
        pytest.param(
            "america", "2026-03-18 03:30", "2026-03-18 06:10", id="america, daily, March: only it in summer"
        ),
        pytest.param(
            "america", "2026-10-28 03:30", "2026-10-28 06:10", id="america, daily, October: only it in summer"
        ),
        pytest.param(
            "america", "2026-03-08 04:30", "2026-03-08 07:10", id="america, the night clocks skip 02:00"
        ),
        pytest.param(
            "america", "2026-11-01 03:30", "2026-11-01 07:10", id="america, the night with 01:00 twice"
        ),
        pytest.param("america", "2026-01-19 04:30", "2026-01-19 07:10", id="america, daily, from a Sunday"),
        pytest.param("america", "2026-01-18 04:30", "2026-01-18 07:10", id="america, daily, from a Saturday"),
        pytest.param("america", "2026-01-17 03:45", "2026-01-17 08:10", id="america, Friday night, winter"),
        pytest.param("america", "2026-07-18 02:45", "2026-07-18 07:10", id="america, Friday night, summer"),
        # Zurich is 1 h ahead of UTC in winter, else 2; its clocks change weeks off New York's.
        pytest.param("europe", "2026-01-15 05:25", "2026-01-15 06:55", id="europe, daily, winter"),
        pytest.param("europe", "2026-07-15 04:25", "2026-07-15 05:55", id="europe, daily, summer"),
        pytest.param(
            "europe", "2026-03-18 05:25", "2026-03-18 06:55", id="europe, daily, March: not yet in summer"
        ),
        pytest.param(
            "europe", "2026-10-28 05:25", "2026-10-28 06:55", id="europe, daily, October: winter already"
        ),
        pytest.param(
            "europe", "2026-03-29 04:25", "2026-03-29 05:55", id="europe, the day clocks go forward"
        ),
        pytest.param("europe", "2026-10-25 05:25", "2026-10-25 06:55", id="europe, the day clocks go back"),
        pytest.param("europe", "2026-01-17 03:45", "2026-01-17 08:10", id="europe, Friday night, winter"),
        pytest.param("europe", "2026-07-18 02:45", "2026-07-18 07:10", id="europe, Friday night, summer"),
        pytest.param("europe", "2026-03-21 02:45", "2026-03-21 07:10", id="europe, Friday night, March"),
        # Hong Kong is 8 h before UTC all year.
        pytest.param("asia", "2026-07-14 20:45", "2026-07-14 22:15", id="asia, first, summer"),
        pytest.param(
            "asia", "2026-03-18 20:45", "2026-03-18 22:15", id="asia, first, March: New York in summer"
        ),
        pytest.param("asia", "2026-01-17 20:45", "2026-01-17 22:15", id="asia, first, winter, a Saturday"),
        pytest.param("asia", "2026-01-15 12:15", "2026-01-15 13:25", id="asia, second, winter"),
        pytest.param(
            "asia", "2026-07-15 12:15", "2026-07-15 13:25", id="asia, second, summer: until 09:25 ET"
        ),
        pytest.param("asia", "2026-01-17 03:45", "2026-01-17 08:10", id="asia, Friday night, winter"),
        pytest.param("asia", "2026-07-18 02:45", "2026-07-18 07:10", id="asia, Friday night, summer"),
    ],
)
def test_a_window_is_half_open_and_lingers_for_600_seconds(region: str, first: str, last: str) -> None:
    begins, ends = utc(first), utc(last)
    around = (begins - INSTANT, begins, ends - INSTANT, ends)
    assert [is_in_maintenance(moment, region) for moment in around] == [False, True, True, False]
    assert [find_maintenance_end(moment, region) for moment in around] == [None, ends, ends, None]


@pytest.mark.parametrize(
    ("region", "moment"),
    [
        pytest.param("america", "2026-01-17 01:00", id="america, winter"),
        pytest.param("america", "2026-07-18 01:00", id="america, summer"),
        pytest.param("europe", "2026-01-17 01:00", id="europe, winter"),
        pytest.param("europe", "2026-03-21 02:00", id="europe, March"),
    ],
)
def test_where_two_windows_overlap_the_later_end_counts(region: str, moment: str) -> None:
    day = moment[:10]
    assert find_maintenance_end(new_york(moment), region) == new_york(f"{day} 03:10")


@pytest.mark.parametrize(
    ("region", "moment"),
    [
        pytest.param("america", "2026-01-15 22:45", id="america, Thursday 22:45"),
        pytest.param("america", "2026-01-17 22:45", id="america, Saturday 22:45"),
        pytest.param("america", "2026-01-18 02:30", id="america, Sunday 02:30"),
        pytest.param("america", "2026-01-15 16:45", id="america, asia's first window"),
        pytest.param("europe", "2026-01-14 23:45", id="europe, america's window"),
        pytest.param("asia", "2026-01-15 00:30", id="asia, america's and europe's window"),
    ],
)
def test_no_other_hour_is_quiet(region: str, moment: str) -> None:
    assert is_in_maintenance(new_york(moment), region) is False


# ---- never during the regular session ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        pytest.param("2026-01-14 15:45", False, id="winter, the window begins: still open"),
        pytest.param("2026-01-14 15:59:59.999999", False, id="winter, an instant before the close"),
        pytest.param("2026-01-14 16:00", True, id="winter, at the close"),
        pytest.param("2026-01-14 17:14:59", True, id="winter, the last second"),
        pytest.param("2026-01-14 17:15", False, id="winter, over"),
        pytest.param("2026-07-14 15:59:59", False, id="summer, a second before the close"),
        pytest.param("2026-07-14 16:00", False, id="summer, at the close: 45 minutes before the window"),
        pytest.param("2026-11-27 15:45", True, id="an early close: closed since 13:00"),
        pytest.param("2026-12-25 15:45", True, id="Christmas"),
    ],
)
def test_the_session_cuts_asia_s_first_window(moment: str, quiet: bool) -> None:
    assert is_in_maintenance(new_york(moment), "asia") is quiet
    assert (find_maintenance_end(new_york(moment), "asia") is not None) is quiet


def test_a_closure_that_the_owner_announced_is_no_session() -> None:
    moment = new_york("2026-01-14 15:50")
    closures = Closures(frozenset({date(2026, 1, 14)}))
    assert is_in_maintenance(moment, "asia", closures) is True
    assert find_maintenance_end(moment, "asia", closures) == new_york("2026-01-14 17:15")


@given(
    day=st.dates(date(2010, 1, 1), date(2036, 12, 31)).filter(lambda day: get_session_on(day) is not None),
    before_close=st.integers(1, 6 * 3600) | st.integers(1, 900),
    region=st.sampled_from(REGIONS),
)
def test_the_session_is_never_quiet(day: date, before_close: int, region: str) -> None:
    session = get_session_on(day)
    assert session is not None
    moment = max(session.opens, session.closes - timedelta(seconds=before_close))
    assert get_market_at(moment).is_open is True
    assert is_in_maintenance(moment, region) is False
    assert find_maintenance_end(moment, region) is None


# ---- against the table, told in wall-clock time ------------------------------------------------------


def is_listed(moment: datetime, region: str) -> bool:
    """The table as a person reads it off a clock on the wall, without the 600 s."""
    wall = moment.astimezone(NEW_YORK)
    friday = wall.weekday() == 4 and wall.time() >= time(22, 45)
    if friday or (wall.weekday() == 5 and wall.time() < time(3)):
        return True
    if region == "america":
        return wall.time() >= time(23, 30) or wall.time() < time(2)
    if region == "europe":
        return time(6, 25) <= moment.astimezone(ZURICH).time() < time(7, 45)
    clock = moment.astimezone(HONG_KONG).time()
    return time(4, 45) <= clock < time(6, 5) or time(20, 15) <= clock < time(21, 15)


def expected_quiet(moment: datetime, region: str) -> bool:
    listed = is_listed(moment, region) or is_listed(moment - timedelta(seconds=600), region)
    return listed and not get_market_at(moment).is_open


@given(moment=INSTANTS, region=st.sampled_from(REGIONS))
def test_any_instant_is_quiet_as_the_clock_on_the_wall_says(moment: datetime, region: str) -> None:
    assert is_in_maintenance(moment, region) is expected_quiet(moment, region)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(
    ("first", "days"),
    [
        pytest.param("2026-03-06", 25, id="March, while daylight saving differs"),
        pytest.param("2026-10-23", 12, id="October, while daylight saving differs"),
        pytest.param("2026-11-25", 6, id="Thanksgiving"),
        pytest.param("2026-12-24", 10, id="Christmas and New Year"),
    ],
)
def test_every_five_minutes_are_quiet_as_the_clock_on_the_wall_says(
    first: str, days: int, region: str
) -> None:
    moments = [utc(first) + timedelta(minutes=5 * n) for n in range(days * 288)]
    wrong = [
        moment
        for moment in moments
        if is_in_maintenance(moment, region) is not expected_quiet(moment, region)
    ]
    assert wrong == []


@given(moment=INSTANTS, region=st.sampled_from(REGIONS))
def test_quiet_lasts_until_its_end_and_no_longer(moment: datetime, region: str) -> None:
    end = find_maintenance_end(moment, region)
    assert (end is not None) is is_in_maintenance(moment, region)
    if end is not None:
        assert moment < end <= moment + timedelta(hours=4, minutes=25)
        assert is_in_maintenance(end - INSTANT, region) is True
        assert is_in_maintenance(end, region) is False


# ---- unknown is not quiet, and not loud --------------------------------------------------------------


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("moment", ["2009-12-31 23:59:59", "2037-01-01 00:00", "2037-01-01 12:00"])
def test_outside_the_table_it_is_unknown(moment: str, region: str) -> None:
    assert is_in_maintenance(new_york(moment), region) is None
    assert find_maintenance_end(new_york(moment), region) is None


def test_the_table_s_last_night_is_known() -> None:
    assert is_in_maintenance(new_york("2036-12-31 23:59:59"), "america") is True
    assert find_maintenance_end(new_york("2036-12-31 23:59:59"), "america") == new_york("2037-01-01 02:10")


@pytest.mark.parametrize(
    ("zones", "region", "answer"),
    [
        pytest.param([], "america", "None None", id="no zone database"),
        pytest.param(
            ["America/New_York"], "america", "True 2026-06-10 06:10:00+00:00", id="New York, for america"
        ),
        pytest.param(["America/New_York"], "europe", "None None", id="New York alone, for europe"),
        pytest.param(["America/New_York"], "asia", "None None", id="New York alone, for asia"),
        pytest.param(["Europe/Zurich"], "europe", "None None", id="Zurich alone, for europe"),
    ],
)
def test_without_its_zones_it_is_unknown(tmp_path: Path, zones: list[str], region: str, answer: str) -> None:
    for name in zones:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes())
    code = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from datetime import UTC, datetime\n"
        "from detector.market.maintenance import is_in_maintenance, find_maintenance_end\n"
        "moment = datetime(2026, 6, 10, 5, tzinfo=UTC)\n"
        f"print(is_in_maintenance(moment, {region!r}), find_maintenance_end(moment, {region!r}))\n"
    )
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == answer


# ---- what is asked wrongly ---------------------------------------------------------------------------

ASKED = pytest.mark.parametrize("ask", [is_in_maintenance, find_maintenance_end])


def test_there_are_three_regions() -> None:
    assert REGIONS == ("america", "europe", "asia")


@ASKED
@pytest.mark.parametrize("region", ["", "America", "us"])
def test_an_unknown_region_is_refused(ask: Callable[[datetime, str], object], region: str) -> None:
    with pytest.raises(ValueError, match=f"unknown region '{region}'; known are america, europe, asia"):
        ask(utc("2026-06-10 12:00"), region)


@ASKED
def test_a_moment_without_a_zone_is_refused(ask: Callable[[datetime, str], object]) -> None:
    with pytest.raises(ValueError, match="names no time zone"):
        ask(datetime(2026, 6, 10, 12), "america")  # noqa: DTZ001  that is the point
