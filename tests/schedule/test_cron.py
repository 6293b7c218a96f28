"""Cron in two dialects: what each means by a number, what neither is allowed to hold, and the field that
is at fault.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from detector.formats.errors import InputError
from detector.schedule.cron import CLOUDFLARE, GITHUB, read_cron

SUNDAY = datetime(2026, 5, 31, tzinfo=UTC)
WEEKDAYS = (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "dialect", "weekdays"),
    [
        pytest.param("0 13 * * 1-5", GITHUB, (1, 2, 3, 4, 5), id="1-5 is Monday to Friday on GitHub"),
        pytest.param(
            "0 13 * * 1-5", CLOUDFLARE, (0, 1, 2, 3, 4), id="1-5 is Sunday to Thursday on Cloudflare"
        ),
        pytest.param("0 13 * * 2-6", CLOUDFLARE, (1, 2, 3, 4, 5), id="2-6 is Monday to Friday on Cloudflare"),
        pytest.param("0 13 * * MON-FRI", GITHUB, (1, 2, 3, 4, 5), id="names mean the same on GitHub"),
        pytest.param("0 13 * * MON-FRI", CLOUDFLARE, (1, 2, 3, 4, 5), id="and on Cloudflare"),
        pytest.param("0 13 * * mon,Fri", GITHUB, (1, 5), id="names in any case"),
        pytest.param("0 13 * * 0", GITHUB, (0,), id="0 is Sunday on GitHub"),
        pytest.param("0 13 * * 1", CLOUDFLARE, (0,), id="1 is Sunday on Cloudflare"),
        pytest.param("0 13 * * 7", CLOUDFLARE, (6,), id="7 is Saturday on Cloudflare"),
        pytest.param("0 13 * * 6", GITHUB, (6,), id="6 is Saturday on GitHub"),
        pytest.param("0 13 * * SUN,SAT", CLOUDFLARE, (0, 6), id="a list of names"),
        pytest.param("0 13 * * *", CLOUDFLARE, (0, 1, 2, 3, 4, 5, 6), id="every day"),
        pytest.param("0 13 * * */2", CLOUDFLARE, (0, 2, 4, 6), id="a step from Sunday"),
    ],
)
def test_a_weekday_means_what_its_dialect_means(text, dialect, weekdays):
    assert read_cron(text, dialect).weekdays == weekdays


@pytest.mark.parametrize(
    ("text", "field", "values"),
    [
        ("7,17,27,37,47,57 13-21 * * MON-FRI", "minutes", (7, 17, 27, 37, 47, 57)),
        ("7,17,27,37,47,57 13-21 * * MON-FRI", "hours", tuple(range(13, 22))),
        ("20/15 * * * *", "minutes", (20, 35, 50)),
        ("*/20 * * * *", "minutes", (0, 20, 40)),
        ("5-25/10 * * * *", "minutes", (5, 15, 25)),
        ("0 0 1 JAN-MAR,DEC *", "months", (1, 2, 3, 12)),
        ("0 0 1-3 2 *", "days", (1, 2, 3)),
    ],
)
def test_a_field_holds_these_values(text, field, values):
    assert getattr(read_cron(text, GITHUB), field) == values


@pytest.mark.parametrize(
    ("text", "dialect", "says"),
    [
        ("0 13 * * 7", GITHUB, "the weekday field '7': '7' is not from 0 to 6, where GitHub counts Sunday as 0; write SUN to SAT"),
        ("0 13 * * 0", CLOUDFLARE, "the weekday field '0': '0' is not from 1 to 7, where Cloudflare counts Sunday as 1; write SUN to SAT"),
        ("0 13 * * 0-4", CLOUDFLARE, "the weekday field '0-4'"),
        ("0 13 * * MON-SUN", GITHUB, "the weekday field 'MON-SUN': the range runs backwards"),
        ("0 13 * * 6L", CLOUDFLARE, "the weekday field '6L': '6L' is not from 1 to 7"),
        ("0 13 * * 5#2", CLOUDFLARE, "the weekday field '5#2': '5#2' is nothing that Cloudflare's"),
        ("0 13 LW * *", CLOUDFLARE, "the day of the month field 'LW'"),
        ("0 13 15W * *", CLOUDFLARE, "the day of the month field '15W'"),
        ("0 13 ? * MON", GITHUB, "the day of the month field '?'"),
        ("@daily", GITHUB, "'@daily': GitHub knows no names such as @daily"),
        ("0 0 13 * * MON", GITHUB, "'0 0 13 * * MON' has 6 fields; GitHub reads five"),
        ("0 13 * *", GITHUB, "'0 13 * *' has 4 fields"),
        ("", GITHUB, "'' has 0 fields"),
        ("60 13 * * *", GITHUB, "the minute field '60': '60' is not from 0 to 59"),
        ("0 24 * * *", GITHUB, "the hour field '24'"),
        ("0 0 0 * *", GITHUB, "the day of the month field '0'"),
        ("0 0 * 13 *", GITHUB, "the month field '13'"),
        ("0 0 30 2 *", GITHUB, "the day of the month field '30': none of its months has such a day"),
        ("0 0 31 APR,JUN *", GITHUB, "the day of the month field '31'"),
        ("0 5-1 * * *", GITHUB, "the hour field '5-1': the range runs backwards"),
        ("*/0 * * * *", GITHUB, "the minute field '*/0': a step must be 1 or more"),
        ("*-5 * * * *", GITHUB, "the minute field '*-5': a range needs two values"),
        ("7,,17 * * * *", GITHUB, "the minute field '7,,17'"),
        ("-1 * * * *", GITHUB, "the minute field '-1'"),
        ("1e1 * * * *", GITHUB, "the minute field '1e1'"),
        ("٣ * * * *", GITHUB, "the minute field '٣'"),
        ("0 13 * * FOO", CLOUDFLARE, "the weekday field 'FOO'"),
        ("99 99 * * FOO", CLOUDFLARE, "the minute field '99'"),
        ("0 13 * MON *", GITHUB, "the month field 'MON'"),
        (f"{'9' * 5000} * * * *", GITHUB, "the minute field"),
        (f"{'0' * 5000} * * * *", GITHUB, "the minute field"),
        (f"*/{'5' * 5000} * * * *", GITHUB, "the minute field '*/555"),
        ("0000999 13 * * MON", GITHUB, "the minute field '0000999': '0000999' is not from 0 to 59"),
        ("007 13 * * MON", GITHUB, "the minute field '007'"),
        ("*/100 13 * * MON", GITHUB, "the minute field '*/100': a step has one or two digits"),
    ],
)  # fmt: skip
def test_what_a_dialect_does_not_know_is_refused_with_the_field_and_its_value(text, dialect, says):
    with pytest.raises(InputError) as caught:
        read_cron(text, dialect)
    assert str(caught.value).startswith(says)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "days"),
    [
        pytest.param("0 0 * * MON", [1, 8, 15, 22, 29], id="a star and a weekday: both must hold"),
        pytest.param("0 0 */7 * MON", [1, 8, 15, 22, 29], id="a step of a star, too"),
        pytest.param("0 0 1-31 * MON", list(range(1, 31)), id="all days by name, and a weekday: either"),
        pytest.param("0 0 15 * MON", [1, 8, 15, 22, 29], id="a day or a weekday"),
        pytest.param("0 0 16 * MON", [1, 8, 15, 16, 22, 29], id="another day or a weekday"),
        pytest.param("0 0 5 * 0-6", list(range(1, 31)), id="a day, and all weekdays by name: either"),
        pytest.param("0 0 5 * *", [5], id="a day"),
    ],
)
def test_day_of_the_month_and_weekday_are_joined_as_cron_joins_them(text, days):
    ticks = islice(CronSim(read_cron(text, GITHUB).fires, SUNDAY), 31)
    assert [tick.day for tick in ticks if (tick.year, tick.month) == (2026, 6)] == days


@pytest.mark.parametrize(
    ("text", "dialect", "allowed"),
    [
        pytest.param("*/5 * * * *", GITHUB, True, id="every 5 minutes is GitHub's shortest"),
        pytest.param("*/4 * * * *", GITHUB, False, id="every 4 is not run"),
        pytest.param("7,11 13 * * *", GITHUB, False, id="two of them 4 apart"),
        pytest.param("0,57 13-14 * * *", GITHUB, False, id="3 apart over the hour"),
        pytest.param("0,57 13,15 * * *", GITHUB, True, id="no hour follows the other"),
        pytest.param("0,57 23,0 * * *", GITHUB, False, id="3 apart over midnight"),
        pytest.param("* * * * *", CLOUDFLARE, True, id="every minute is Cloudflare's shortest"),
    ],
)
def test_githubs_shortest_interval_is_five_minutes(text, dialect, allowed):
    if allowed:
        read_cron(text, dialect)
    else:
        with pytest.raises(InputError, match="minute field"):
            read_cron(text, dialect)


FIELDS = st.tuples(
    st.sets(st.sampled_from(range(0, 60, 5)), min_size=1),
    st.sets(st.integers(0, 23), min_size=1),
    st.sets(st.integers(0, 6), min_size=1),
)


@given(FIELDS)
def test_both_dialects_give_the_same_windows_for_the_same_days(fields):
    minutes, hours, days = ((sorted(one)) for one in fields)
    start = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * *"
    github = read_cron(f"{start} {','.join(str(day) for day in days)}", GITHUB)
    cloudflare = read_cron(f"{start} {','.join(str(day + 1) for day in days)}", CLOUDFLARE)
    assert github.fires == cloudflare.fires
    ticks = list(islice(CronSim(github.fires, SUNDAY - timedelta(minutes=1)), 50))
    every = (
        SUNDAY + timedelta(days=day, hours=hour, minutes=minute)
        for day in range(400)
        if day % 7 in days
        for hour in hours
        for minute in minutes
    )
    assert ticks == list(islice(every, 50))
