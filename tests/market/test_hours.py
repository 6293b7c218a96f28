"""The market calendar, held against exchange_calendars, and the market at one instant."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from exchange_calendars import get_calendar
from hypothesis import given
from hypothesis import strategies as st

from detector.market.hours import (
    Market,
    MarketUnknown,
    Session,
    count_open_seconds,
    get_market_at,
    get_session_on,
)
from detector.market.session_plan import Closures
from tools.make_exchange_days import main

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
NEW_YORK = ZoneInfo("America/New_York")
SECOND = timedelta(seconds=1)
INSTANTS = st.timedeltas(timedelta(), timedelta(days=7666)).map(lambda since: utc("2010-01-02") + since)
"""Any instant of the years that exchange_calendars was asked for."""


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


@cache
def xnys() -> dict[date, Session]:
    """The second opinion: every session from 2010 to 2030."""
    calendar = get_calendar("XNYS", start="2010-01-01", end="2030-12-31")
    rows = zip(calendar.sessions, calendar.opens, calendar.closes, strict=True)
    return {day.date(): Session(opens.to_pydatetime(), closes.to_pydatetime()) for day, opens, closes in rows}


# ---- which days, from when to when -------------------------------------------------------------------


@pytest.mark.parametrize("year", range(2010, 2031))
def test_every_day_is_as_exchange_calendars_has_it(year: int) -> None:
    ours = {day: get_session_on(day) for day in days_of(year)}
    assert ours == {day: xnys().get(day) for day in days_of(year)}


def test_the_second_opinion_has_early_closes_and_sessions_worth_comparing() -> None:
    hours = {session.closes - session.opens for session in xnys().values()}
    assert (len(xnys()), hours) == (5279, {timedelta(hours=6.5), timedelta(hours=3.5)})


@pytest.mark.parametrize(
    ("day", "closes"),
    [
        pytest.param("2026-11-26", None, id="Thanksgiving 2026: closed"),
        pytest.param("2026-11-27", "18:00", id="the day after it: 13:00 ET"),
        pytest.param("2024-11-29", "18:00", id="a fifth Friday of November: 13:00 ET"),
        pytest.param("2024-11-22", "21:00", id="the fourth Friday before it: a full day"),
        pytest.param("2026-07-03", None, id="the Friday before a Saturday 4 July: closed"),
        pytest.param("2026-07-02", "20:00", id="the Thursday before it: a full day"),
        pytest.param("2025-07-03", "17:00", id="the Thursday before a Friday 4 July: 13:00 ET"),
        pytest.param("2025-01-09", None, id="a day of mourning: closed"),
        pytest.param("2012-10-30", None, id="a hurricane: closed"),
        pytest.param("2022-06-20", None, id="Juneteenth on a Sunday: the Monday is closed"),
        pytest.param("2021-06-18", "20:00", id="Juneteenth before it was a holiday: a full day"),
        pytest.param("2021-12-31", "21:00", id="New Year on a Saturday: the Friday is a full day"),
        pytest.param("2026-03-07", None, id="a Saturday"),
        pytest.param("2026-03-08", None, id="a Sunday, when clocks go forward"),
    ],
)
def test_a_day_closes_at(day: str, closes: str | None) -> None:
    session = get_session_on(date.fromisoformat(day))
    assert (session and session.closes) == (utc(f"{day} {closes}") if closes else None)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        pytest.param("2026-03-06 13:31", False, id="Friday in winter 13:31 UTC is 08:31 ET"),
        pytest.param("2026-03-06 14:30", True, id="Friday in winter 14:30 UTC is the open"),
        pytest.param("2026-03-06 20:59:59", True, id="Friday in winter 20:59:59 UTC is open"),
        pytest.param("2026-03-09 13:31", True, id="Monday in summer 13:31 UTC is 09:31 ET"),
        pytest.param("2026-03-09 20:00", False, id="Monday in summer 20:00 UTC is the close"),
        pytest.param("2026-10-30 13:31", True, id="Friday before clocks go back, 13:31 UTC is open"),
        pytest.param("2026-11-02 13:31", False, id="Monday after clocks went back, 13:31 UTC is 08:31 ET"),
        pytest.param("2026-11-02 20:59:59", True, id="Monday after clocks went back, open until 21:00 UTC"),
    ],
)
def test_daylight_saving_moves_the_session_in_utc(moment: str, is_open: bool) -> None:
    assert get_market_at(utc(moment)).is_open is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        pytest.param("2026-06-10 09:29:59", False, id="a second before the open"),
        pytest.param("2026-06-10 09:29:59.999999", False, id="an instant before the open"),
        pytest.param("2026-06-10 09:30", True, id="at the open"),
        pytest.param("2026-06-10 15:59:59.999999", True, id="an instant before the close"),
        pytest.param("2026-06-10 16:00", False, id="at the close"),
        pytest.param("2026-11-27 12:59:59", True, id="a second before an early close"),
        pytest.param("2026-11-27 13:00", False, id="at an early close"),
        pytest.param("2026-11-27 15:00", False, id="in the afternoon of an early close"),
        pytest.param("2026-11-26 12:00", False, id="noon of a holiday"),
        pytest.param("2026-06-13 12:00", False, id="noon of a Saturday"),
    ],
)
def test_a_session_is_half_open(moment: str, is_open: bool) -> None:
    assert get_market_at(new_york(moment)).is_open is is_open


@given(moment=INSTANTS)
def test_at_any_instant_the_market_is_open_as_exchange_calendars_has_it(moment: datetime) -> None:
    session = xnys().get(moment.astimezone(NEW_YORK).date())
    assert get_market_at(moment).is_open is (session is not None and session.opens <= moment < session.closes)


# ---- the market at one instant -----------------------------------------------------------------------


def test_an_open_market_says_since_when_and_until_when() -> None:
    assert get_market_at(utc("2026-11-27 14:31:30.5")) == Market(
        is_open=True,
        why_unknown=None,
        open_for=90.5,
        past_grace=False,
        opens_in=None,
        opens_at=utc("2026-11-27 14:30"),
        closes_at=utc("2026-11-27 18:00"),
    )


def test_a_closed_market_says_when_it_opens_and_nothing_of_a_session() -> None:
    assert get_market_at(new_york("2026-06-10 09:29:59.5")) == Market(
        is_open=False, past_grace=False, opens_in=0.5
    )


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(utc("2026-06-10 13:45"), id="UTC"),
        pytest.param(new_york("2026-06-10 09:45"), id="New York"),
        pytest.param(utc("2026-06-10 13:45").astimezone(timezone(timedelta(hours=9))), id="+09:00"),
    ],
)
def test_the_zone_that_a_moment_is_written_in_does_not_matter(moment: datetime) -> None:
    assert get_market_at(moment).open_for == 900.0


@pytest.mark.parametrize(
    ("moment", "grace_minute", "past_grace"),
    [
        pytest.param("2026-06-10 09:34:59.999999", 35, False, id="just before 09:35"),
        pytest.param("2026-06-10 09:35", 35, True, id="at 09:35"),
        pytest.param("2026-06-10 09:30", 30, True, id="no grace: at the open"),
        pytest.param("2026-06-10 09:29:59", 30, False, id="no grace: not before the open"),
        pytest.param("2026-06-10 10:14:59", 75, False, id="75 minutes: just before 10:15"),
        pytest.param("2026-06-10 10:15", 75, True, id="75 minutes: at 10:15"),
        pytest.param("2026-06-10 10:28:59", 89, False, id="89 minutes: just before 10:29"),
        pytest.param("2026-06-10 10:29", 89, True, id="89 minutes: at 10:29"),
        pytest.param("2026-06-10 15:59:59", 35, True, id="the last second"),
        pytest.param("2026-06-10 16:00", 35, False, id="not when closed"),
        pytest.param("2026-11-26 12:00", 35, False, id="not on a holiday"),
    ],
)
def test_grace_ends_at_its_minute_of_the_session(moment: str, grace_minute: int, past_grace: bool) -> None:
    assert get_market_at(new_york(moment), grace_minute=grace_minute).past_grace is past_grace


@pytest.mark.parametrize("grace_minute", [29, 90, -1])
def test_a_grace_that_is_none_is_refused(grace_minute: int) -> None:
    with pytest.raises(ValueError, match=f"grace_minute .*{grace_minute}"):
        get_market_at(new_york("2026-06-10 12:00"), grace_minute=grace_minute)


@pytest.mark.parametrize(
    ("moment", "opens_at"),
    [
        pytest.param("2026-06-10 00:00", "2026-06-10 09:30", id="at midnight: the same day"),
        pytest.param("2026-06-10 16:00", "2026-06-11 09:30", id="at the close: the next day"),
        pytest.param("2026-06-12 20:00", "2026-06-15 09:30", id="on Friday evening: Monday"),
        pytest.param("2026-07-02 16:00", "2026-07-06 09:30", id="before a long weekend: behind it"),
        pytest.param("2026-11-27 13:00", "2026-11-30 09:30", id="at an early close: Monday"),
    ],
)
def test_the_next_open_is_that_of_the_next_session(moment: str, opens_at: str) -> None:
    wait = new_york(opens_at) - new_york(moment)
    assert get_market_at(new_york(moment)).opens_in == wait.total_seconds()


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        pytest.param("2026-03-06 16:00", 64.5, id="clocks go forward: an hour less"),
        pytest.param("2026-10-30 16:00", 66.5, id="clocks go back: an hour more"),
        pytest.param("2026-06-12 16:00", 65.5, id="any other weekend"),
    ],
)
def test_the_wait_over_a_weekend_is_elapsed_time(moment: str, hours: float) -> None:
    assert get_market_at(new_york(moment)).opens_in == hours * 3600


@pytest.mark.parametrize(
    ("closed_days", "opens_in"),
    [
        pytest.param(9, 10 * 86400.0, id="ten days ahead: seen"),
        pytest.param(10, None, id="eleven days ahead: not looked at"),
    ],
)
def test_the_next_open_is_looked_for_ten_days_ahead(closed_days: int, opens_in: float | None) -> None:
    morning = new_york("2026-06-01 09:30")
    closed = Closures(frozenset(morning.date() + timedelta(days=n) for n in range(closed_days + 1)))
    assert get_market_at(morning, closed).opens_in == opens_in


# ---- unknown is neither open nor closed --------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(new_york("2009-12-31 23:59:59"), id="the instant before the table"),
        pytest.param(new_york("2037-01-01 00:00"), id="the instant after the table"),
        pytest.param(utc("0001-01-01 00:00"), id="the first year there is"),
        pytest.param(utc("9999-12-31 23:59"), id="the last year there is"),
    ],
)
def test_outside_the_table_the_market_is_unknown(moment: datetime) -> None:
    market = get_market_at(moment)
    assert market == Market(is_open=None, why_unknown=market.why_unknown)
    assert "2010 to 2036" in str(market.why_unknown)


@pytest.mark.parametrize("moment", ["2010-01-01 00:00", "2036-12-31 23:59:59"])
def test_the_ends_of_the_table_are_known(moment: str) -> None:
    assert get_market_at(new_york(moment)).is_open is False


def test_the_table_is_of_days_in_new_york() -> None:
    assert get_market_at(utc("2037-01-01 04:59:59")).is_open is False
    assert get_market_at(utc("2037-01-01 05:00:00")).is_open is None


def test_a_next_open_outside_the_table_is_not_known() -> None:
    assert get_market_at(new_york("2036-12-31 16:00")) == Market(
        is_open=False, past_grace=False, opens_in=None
    )


@pytest.mark.parametrize("day", [date(2009, 12, 31), date(2037, 1, 1)])
def test_a_day_outside_the_table_raises(day: date) -> None:
    with pytest.raises(MarketUnknown, match=f"{day} is outside"):
        get_session_on(day)


def answer_with_zones_from(folder: str, question: str) -> str:
    """What a fresh interpreter answers that finds zones in `folder` only, as in a slim container."""
    code = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from datetime import UTC, date, datetime, timedelta\n"
        "from detector.market.hours import *\n"
        "noon = datetime(2026, 6, 10, 16, tzinfo=UTC)\n"
        "try: print({question})\n"
        "except MarketUnknown as unknown: print('raised:', unknown.reason)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code.replace("{question}", question)],
        env={**os.environ, "PYTHONTZPATH": folder, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("get_market_at(noon).is_open", "None", id="the market at noon"),
        pytest.param("get_market_at(noon).past_grace", "None", id="past grace"),
        pytest.param("'America/New_York' in get_market_at(noon).why_unknown", "True", id="and why"),
        pytest.param("count_open_seconds(noon, noon + timedelta(hours=1))", "None", id="an hour of session"),
        pytest.param(
            "get_session_on(date(2026, 6, 13))",
            "raised: the zone database of this machine lacks America/New_York; install tzdata",
            id="even a Saturday",
        ),
    ],
)
def test_without_a_zone_database_the_market_is_unknown(question: str, answer: str) -> None:
    assert answer_with_zones_from("", question) == answer


def test_the_zone_of_new_york_is_all_that_the_market_needs(tmp_path: Path) -> None:
    (tmp_path / "America").mkdir()
    shipped = files("tzdata").joinpath("zoneinfo", "America", "New_York")
    (tmp_path / "America" / "New_York").write_bytes(shipped.read_bytes())
    assert answer_with_zones_from(str(tmp_path), "get_market_at(noon).is_open") == "True"


@pytest.mark.parametrize(
    "ask", [get_market_at, lambda moment: count_open_seconds(moment, utc("2026-06-10 12:00"))]
)
def test_a_moment_without_a_zone_is_refused(ask: Callable[[datetime], object]) -> None:
    with pytest.raises(ValueError, match="2026-06-10T12:00:00 names no time zone"):
        ask(datetime(2026, 6, 10, 12))  # noqa: DTZ001  that is the point


def test_a_datetime_is_not_taken_for_a_day() -> None:
    with pytest.raises(TypeError, match="a session belongs to a date"):
        get_session_on(utc("2026-12-25 00:00"))


# ---- what the owner announced ------------------------------------------------------------------------

WEDNESDAY = date(2026, 6, 10)


def test_an_announced_closure_closes_the_day() -> None:
    closures = Closures(frozenset({WEDNESDAY}))
    assert get_session_on(WEDNESDAY, closures) is None
    assert get_market_at(new_york("2026-06-10 12:00"), closures).is_open is False
    assert get_market_at(new_york("2026-06-10 12:00")).is_open is True


def test_an_announced_early_close_ends_the_session_then() -> None:
    closures = Closures(early={WEDNESDAY: time(14, 15)})
    assert get_market_at(new_york("2026-06-10 14:14:59"), closures).closes_at == new_york("2026-06-10 14:15")
    assert get_market_at(new_york("2026-06-10 14:15"), closures).is_open is False


def test_an_announced_hour_wins_over_the_table_s_early_close() -> None:
    closures = Closures(early={date(2026, 11, 27): time(12, 0)})
    assert get_market_at(new_york("2026-11-27 12:00"), closures).is_open is False


def test_a_closure_wins_over_an_early_close_and_neither_opens_a_holiday() -> None:
    holiday = date(2026, 12, 25)
    closures = Closures(frozenset({WEDNESDAY}), {WEDNESDAY: time(13), holiday: time(13)})
    assert get_session_on(WEDNESDAY, closures) is None
    assert get_session_on(holiday, closures) is None


# ---- how much of the session a span holds ------------------------------------------------------------

EDGES = [
    new_york(text)
    for text in (
        "2026-06-10 09:30",
        "2026-06-10 16:00",
        "2026-11-27 13:00",
        "2026-03-06 16:00",
        "2026-03-09 09:30",
        "2026-11-02 09:30",
        "2026-11-26 09:30",
        "2026-12-31 16:00",
        "2027-01-04 09:30",
        "2026-12-31 23:59:59",
    )
]


@given(edge=st.sampled_from(EDGES), offset=st.integers(-1800, 1800), seconds=st.integers(0, 2400))
def test_a_short_span_holds_the_seconds_at_which_the_market_is_open(
    edge: datetime, offset: int, seconds: int
) -> None:
    start = edge.astimezone(UTC) + offset * SECOND
    counted = sum(bool(get_market_at(start + n * SECOND).is_open) for n in range(seconds))
    assert count_open_seconds(start, start + seconds * SECOND) == counted


@given(span=st.tuples(INSTANTS, INSTANTS).map(sorted))
def test_any_span_holds_what_the_sessions_of_exchange_calendars_do(span: list[datetime]) -> None:
    start, end = span
    overlaps = (min(end, session.closes) - max(start, session.opens) for session in xnys().values())
    expected = sum((overlap for overlap in overlaps if overlap > timedelta()), timedelta())
    assert count_open_seconds(start, end) == expected.total_seconds()


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        pytest.param("2026-06-10 09:30", "2026-06-10 16:00", 23400.0, id="a session"),
        pytest.param("2026-06-10 00:00", "2026-06-11 00:00", 23400.0, id="a day"),
        pytest.param("2026-11-27 00:00", "2026-11-28 00:00", 12600.0, id="a day that closes early"),
        pytest.param("2026-06-10 15:59:59.5", "2026-06-11 09:30:00.25", 0.75, id="from a close over an open"),
        pytest.param("2026-06-10 09:30", "2026-06-10 09:30:00.000001", 0.000001, id="the first instant"),
        pytest.param("2026-06-10 16:00", "2026-06-11 09:30", 0.0, id="a night"),
        pytest.param("2026-06-10 12:00", "2026-06-10 12:00", 0.0, id="nothing"),
        pytest.param("2026-06-10 13:00", "2026-06-10 12:00", 0.0, id="backwards: nothing"),
        pytest.param("2025-12-31 15:00", "2026-01-02 10:30", 7200.0, id="over New Year"),
        pytest.param("2010-01-01 00:00", "2010-01-05 00:00", 23400.0, id="from the table's first instant"),
        pytest.param("2036-12-31 15:00", "2037-01-01 00:00", 3600.0, id="to the table's last instant"),
        pytest.param("2036-12-31 15:00", "2037-01-01 00:00:00.000001", None, id="an instant too far"),
        pytest.param("2009-12-31 23:59:59", "2026-06-10 12:00", None, id="a second too early"),
    ],
)
def test_a_span_holds_the_seconds_of_its_sessions(start: str, end: str, seconds: float | None) -> None:
    assert count_open_seconds(new_york(start), new_york(end)) == seconds


def test_a_span_counts_what_the_owner_announced() -> None:
    closures = Closures(frozenset({WEDNESDAY}), {date(2026, 6, 11): time(10)})
    start = new_york("2026-01-01 00:00")
    usual = count_open_seconds(start, new_york("2027-01-01 00:00"))
    assert usual == 250 * 23400.0 + 2 * 12600.0 - 23400.0
    assert count_open_seconds(start, new_york("2027-01-01 00:00"), closures) == usual - 23400.0 - 6 * 3600.0


# ---- the table is generated --------------------------------------------------------------------------


def test_the_shipped_table_is_what_the_library_says() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize(
    "change", [pytest.param(" 01-19", id="a day lost"), pytest.param("GENERATED", id="a word lost")]
)
def test_a_table_that_was_edited_is_noticed_and_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    shipped = (ROOT / "detector" / "market" / "_exchange_days.py").read_text("utf-8")
    table = tmp_path / "table.py"
    table.write_text(shipped.replace(change, "", 1), "utf-8")
    assert main(["--check", "--table", str(table)]) == 1
    assert "run `make calendar`" in capsys.readouterr().err
    assert main(["--table", str(table)]) == 0
    assert table.read_text("utf-8") == shipped


def test_a_missing_table_is_noticed(tmp_path: Path) -> None:
    assert main(["--check", "--table", str(tmp_path / "none.py")]) == 1


def test_the_program_does_not_load_the_library() -> None:
    heavy = "{'holidays', 'dateutil', 'exchange_calendars', 'numpy', 'pandas'} & set(sys.modules)"
    assert answer_with_zones_from("", heavy) == "set()"
