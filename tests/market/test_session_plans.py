"""The sessions of five markets over a year of instants, against the calendar library.

And a market of one's own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import exchange_calendars
import pytest

from detector.app.profile_document import parse_profile_text
from detector.formats.errors import InputError
from detector.market.hours import count_open_seconds, get_market_at
from detector.market.session_plan import (
    PLANS,
    US_EQUITY,
    Closures,
    SessionPlan,
    TableDays,
    build_session_plan,
)
from tests.support.snapshots import evaluated, healthy_at, moved, named, remembered, settings_of

NEW_YORK = ZoneInfo("America/New_York")
YEAR = 2026


def market(moment: datetime, name: str):
    return get_market_at(moment, Closures(plan=PLANS[name]))


@cache
def sessions(name: str):
    """Every session of the library around the year: day, open and close in UTC."""
    calendar = exchange_calendars.get_calendar(name, start=f"{YEAR - 1}-12-01", end=f"{YEAR + 1}-01-31")
    return [
        (row.Index.date(), row.open.to_pydatetime(), row.close.to_pydatetime())
        for row in calendar.schedule[["open", "close"]].itertuples()
    ]


def at(day, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


def spans(name: str) -> list[tuple[datetime, datetime]]:
    """The spans in which a market is open, from the library's days."""
    if name == "always":
        return [(datetime(YEAR - 1, 1, 1, tzinfo=UTC), datetime(YEAR + 2, 1, 1, tzinfo=UTC))]
    if name == "cme_globex":
        return [(opens, min(closes, at(day, 17))) for day, opens, closes in sessions("CMES")]
    nyse = sessions("XNYS")
    if name == "us_equity":
        return [(opens, closes) for _, opens, closes in nyse]
    if name == "us_overnight":
        return [(at(day - timedelta(days=1), 20), at(day, 3, 50)) for day, _, _ in nyse]
    return [(at(day, 4), at(day, 20 if closes == at(day, 16) else 17)) for day, _, closes in nyse]


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_market_is_open_when_the_library_says_so(name):
    """Every 20 minutes of a year, and each open and close with the minute before and after it."""
    moment, ends = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 1, tzinfo=UTC)
    edges = [edge for span in spans(name) for edge in span if moment <= edge < ends]
    instants = [edge + timedelta(minutes=shift) for edge in edges for shift in (-1, 0, 1)]
    while moment < ends:
        instants.append(moment)
        moment += timedelta(minutes=20)
    pending = sorted(spans(name))
    for instant in sorted(instants):
        while pending and pending[0][1] <= instant:
            pending.pop(0)
        expected = bool(pending) and pending[0][0] <= instant
        state = market(instant, name)
        assert state.is_open is expected, (name, instant)
        if expected and name != "always":
            opened = (instant - pending[0][0]).total_seconds()
            assert state.open_for == opened, (name, instant)
            assert state.past_grace is (opened >= 300)
        elif not expected:
            coming = pending[0][0] - instant if pending else None
            if coming is not None and coming < timedelta(days=5):
                assert state.opens_in == coming.total_seconds(), (name, instant)


@pytest.mark.parametrize("name", sorted(PLANS))
@pytest.mark.parametrize("days", [1, 3, 30])
def test_the_seconds_of_a_span_are_those_of_its_sessions(name, days):
    start = datetime(YEAR, 11, 24, 13, 7, tzinfo=UTC)
    end = start + timedelta(days=days, hours=9)
    overlaps = (min(end, closes) - max(start, opens) for opens, closes in spans(name))
    expected = sum(max(overlap, timedelta()).total_seconds() for overlap in overlaps)
    assert count_open_seconds(start, end, Closures(plan=PLANS[name])) == expected


def test_a_market_that_never_closes_never_opens_anew():
    midnight = datetime(YEAR, 6, 2, 0, 1, tzinfo=UTC)
    assert market(midnight, "always").open_for >= 6 * 86_400


def test_beyond_the_table_it_is_unknown_and_always_is_open():
    late = datetime(2040, 6, 1, 15, tzinfo=UTC)
    for name in PLANS:
        assert market(late, name).is_open is (True if name == "always" else None)


TOKYO = {
    "zone": "Asia/Tokyo",
    "open": ["mon-fri 09:00-11:30", "mon-fri 12:30-15:30"],
    "exceptions": {"2026-06-03": "closed", "2026-06-04": "09:00-11:30"},
}


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-06-02T00:00:00Z", True),
        ("2026-06-01T23:59:59Z", False),
        ("2026-06-02T02:30:00Z", False),
        ("2026-06-02T03:30:00Z", True),
        ("2026-06-02T06:30:00Z", False),
        ("2026-06-03T01:00:00Z", False),
        ("2026-06-04T01:00:00Z", True),
        ("2026-06-04T04:00:00Z", False),
        ("2026-06-06T01:00:00Z", False),
    ],
)
def test_a_market_of_ones_own_is_open_in_its_own_hours(moment, is_open):
    plan = build_session_plan(TOKYO)
    assert get_market_at(datetime.fromisoformat(moment), Closures(plan=plan)).is_open is is_open


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins():
    plan = build_session_plan({"zone": "Europe/Berlin", "open": ["fri 22:00-02:00"]})
    night = datetime(2026, 6, 5, 23, 30, tzinfo=UTC)  # Saturday 01:30 in Berlin
    assert get_market_at(night, Closures(plan=plan)).is_open is True
    assert get_market_at(night + timedelta(days=1), Closures(plan=plan)).is_open is False


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('session = "nyse"', "session: must be one of 'us_equity', 'us_extended'"),
        ('session = "always"\nzone = "UTC"', "leave zone, open and exceptions out"),
        ('hours = "x"', "hours: is not known; there are: session, zone, open, exceptions"),
        ('open = ["mon 09:00-10:00"]', "names neither a session nor a zone with open"),
        ('zone = "UTC"', "names neither a session nor a zone with open"),
        ('zone = "UTC"\nopen = []', "open: is empty"),
        ('zone = "Mars/Base"\nopen = ["mon 09:00-10:00"]', "zone: 'Mars/Base' is not"),
        ('zone = "UTC"\nopen = ["monday 9-10"]', "'monday 9-10' is not a window"),
        ('zone = "UTC"\nopen = ["xyz 09:00-10:00"]', "names no such day or time"),
        ('zone = "UTC"\nopen = ["mon 25:00-26:00"]', "names no such day or time"),
        (
            'zone = "UTC"\nopen = ["09:00-10:00"]\nexceptions = { "x" = "closed" }',
            "[market.exceptions] x: is not a day",
        ),
        (
            'zone = "UTC"\nopen = ["09:00-10:00"]\nexceptions = { 2026-12-25 = "shut" }',
            "'shut' is not a window",
        ),
    ],
)
def test_a_market_that_cannot_be_meant_is_refused(lines, says):
    with pytest.raises(InputError) as caught:
        parse_profile_text(f"[market]\n{lines}\n")
    assert says in str(caught.value)


# --- the rules follow the session ----------------------------------------------------------------------

PROFILE = (
    '[profile]\nname = "es"\n[status]\nheartbeat_at = "heartbeat_at"\nbroker_connected = "broker_connected"\n'
)
DEAD = {"status_v3": {"heartbeat_at": "2026-06-02T22:30:00Z"}, "ecs": None, "containers": None, "logs": None}


@pytest.mark.parametrize(
    ("session", "fires"),
    [
        ("us_equity", False),
        ("us_extended", False),
        ("us_overnight", True),
        ("cme_globex", True),
        ("always", True),
    ],
)
def test_a_heartbeat_that_is_dead_for_two_hours_at_20_30(session, fires):
    settings = settings_of(profile=f'{PROFILE}[market]\nsession = "{session}"\n')
    events = named(evaluated(healthy_at("2026-06-03T00:30:00Z", DEAD), settings=settings))
    assert ("critical heartbeat_stale" in events) is fires


@pytest.mark.parametrize(
    ("begins", "minutes", "listed"),
    [
        ("2026-06-03T03:40:00Z", 0, False),
        ("2026-06-03T03:40:00Z", 10, False),
        ("2026-06-03T03:40:00Z", 15, True),
        ("2026-06-02T15:00:00Z", 0, True),
    ],
)
def test_a_reset_in_a_session_that_never_pauses_is_quiet_for_900_seconds(begins, minutes, listed):
    """23:40 in New York, with a position open: listed once the outage lasted 900 s; by day at once."""
    positions = '[rows.open_positions]\n[market]\nsession = "always"\n'
    text = PROFILE + 'open_positions = "open_positions"\n' + positions
    settings = settings_of(profile=text)
    held = {"open_positions": [{"symbol": "ES", "quantity": 1}], "broker_connected": False}
    memory, listed_now = None, False
    for minute in range(0, minutes + 1, 5):
        document = healthy_at(moved(begins, 60 * minute), {"status_v3": held})
        report = evaluated(document, memory, settings)
        memory = remembered(report)
        listed_now = "critical broker_disconnected" in named(report)
    assert listed_now is listed


def test_a_market_is_unknown_outside_the_years_of_its_own_table():
    plan = SessionPlan(US_EQUITY.windows, table=TableDays({2030: "01-01"}, {2030: ""}))
    open_at = datetime(2030, 3, 4, 15, 0, tzinfo=UTC)
    assert get_market_at(open_at, Closures(plan=plan)).is_open
    outside = get_market_at(open_at + timedelta(days=400), Closures(plan=plan))
    assert "which covers 2030 to 2030" in (outside.why_unknown or "")
