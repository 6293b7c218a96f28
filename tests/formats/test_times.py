"""Times in the data: what is read, what is refused, and how times and spans read to a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats.errors import InputError
from detector.formats.numbers import normalize_number
from detector.formats.times import (
    NEVER,
    compute_seconds,
    format_above,
    format_duration,
    format_exactly,
    format_limit,
    format_time,
    parse_epoch,
    parse_file_time,
    parse_rfc3339,
)

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(days=1), timedelta(days=3_652_057)).map(lambda since: NEVER + since)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-06-02T15:00:00Z", id="UTC"),
        pytest.param("2026-06-02t15:00:00z", id="small letters"),
        pytest.param("2026-06-02 15:00:00Z", id="a blank instead of the T"),
        pytest.param("2026-06-02T15:00:00+00:00", id="an offset of nothing"),
        pytest.param("2026-06-02T15:00:00-00:00", id="an unknown local offset"),
        pytest.param("2026-06-02T11:00:00-04:00", id="New York"),
        pytest.param("2026-06-03T00:00:00+09:00", id="Tokyo, the next day"),
        pytest.param("2026-06-02T20:30:00+05:30", id="half an hour"),
        pytest.param("2026-06-02T15:00:00.0Z", id="a fraction of nothing"),
        pytest.param("2026-06-02T14:59:60Z", id="a leap second is the next second"),
        pytest.param("2026-06-02T15:00:00.0000009Z", id="digits beyond microseconds are dropped"),
    ],
)
def test_one_moment_is_read_from_many_writings(text):
    assert parse_rfc3339(text) == NOW


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-06-02T15:00:00.5Z", 500_000),
        ("2026-06-02T15:00:00.000001Z", 1),
        ("2026-06-02T15:00:00.999999999Z", 999_999),
        ("2026-06-02T15:00:00." + "1" * 18 + "Z", 111_111),
    ],
)
def test_a_fraction_is_read_to_the_microsecond(text, micros):
    assert parse_rfc3339(text) == NOW + timedelta(microseconds=micros)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("2026-06-02T15:00:00", "names no offset from UTC", id="naive"),
        pytest.param("2026-06-02 15:00:00.25", "names no offset from UTC", id="naive, with a fraction"),
        pytest.param("2026-06-02T15:00Z", "is not an RFC 3339 time", id="without seconds"),
        pytest.param("2026-06-02", "is not an RFC 3339 time", id="a date"),
        pytest.param("20260602T150000Z", "is not an RFC 3339 time", id="the basic format"),
        pytest.param("2026-W23-2T15:00:00Z", "is not an RFC 3339 time", id="a week"),
        pytest.param("2026-06-02T15:00:00+0900", "is not an RFC 3339 time", id="an offset without its colon"),
        pytest.param("2026-06-02T15:00:00+09", "is not an RFC 3339 time", id="an offset of hours"),
        pytest.param("2026-06-02T15:00:00 Z", "is not an RFC 3339 time", id="a blank before the Z"),
        pytest.param(" 2026-06-02T15:00:00Z", "is not an RFC 3339 time", id="a blank in front"),
        pytest.param("2026-06-02T15:00:00Z\n", "is not an RFC 3339 time", id="a line feed behind"),
        pytest.param("2026-06-02T15:00:00,5Z", "is not an RFC 3339 time", id="a decimal comma"),
        pytest.param("2026-06-02T15:00:00.Z", "is not an RFC 3339 time", id="a point and nothing"),
        pytest.param("2026-06-02T15:00:00." + "1" * 19 + "Z", "is not an RFC 3339 time", id="19 decimals"),
        pytest.param(
            "\u0662\u0660\u0662\u0666-06-02T15:00:00Z",
            "is not an RFC 3339 time",
            id="digits of another script",
        ),
        pytest.param("+12026-06-02T15:00:00Z", "is not an RFC 3339 time", id="a year of five digits"),
        pytest.param("1780412400", "is not an RFC 3339 time", id="an epoch in a text"),
        pytest.param("Tue, 02 Jun 2026 15:00:00 GMT", "is not an RFC 3339 time", id="an HTTP date"),
        pytest.param("", "is not an RFC 3339 time", id="nothing"),
        pytest.param("2026-02-29T00:00:00Z", "is not a time that exists", id="29 February of another year"),
        pytest.param("2026-13-01T00:00:00Z", "is not a time that exists", id="month 13"),
        pytest.param("2026-00-01T00:00:00Z", "is not a time that exists", id="month 0"),
        pytest.param("2026-06-31T00:00:00Z", "is not a time that exists", id="31 June"),
        pytest.param("2026-06-02T25:00:00Z", "is not an RFC 3339 time", id="hour 25"),
        pytest.param("2026-06-02T24:00:00Z", "is not an RFC 3339 time", id="hour 24"),
        pytest.param("2026-06-02T15:60:00Z", "is not an RFC 3339 time", id="minute 60"),
        pytest.param("2026-06-02T15:00:61Z", "is not a time that exists", id="second 61"),
        pytest.param("2026-06-02T15:00:00+24:00", "is not an RFC 3339 time", id="an offset of a day"),
        pytest.param("2026-06-02T15:00:00+09:60", "is not an RFC 3339 time", id="an offset of 60 minutes"),
        pytest.param("0000-01-01T00:00:00Z", "is not a time that exists", id="the year 0"),
        pytest.param("0001-01-01T00:00:00+00:01", "is not a time that exists", id="before the first year"),
        pytest.param("9999-12-31T23:59:59-00:01", "is not a time that exists", id="after the last year"),
        pytest.param("9999-12-31T23:59:60Z", "is not a time that exists", id="the last leap second"),
    ],
)
def test_what_is_no_time_is_refused_and_says_why(text, why):
    with pytest.raises(InputError, match=f"^{why}$"):
        parse_rfc3339(text)


def test_a_naive_time_is_read_where_a_zone_says_what_it_means():
    new_york = ZoneInfo("America/New_York")
    assert parse_rfc3339("2026-06-02T11:00:00", new_york) == NOW
    assert parse_rfc3339("2026-01-02T10:00:00", new_york) == datetime(2026, 1, 2, 15, tzinfo=UTC)
    assert parse_rfc3339("2026-06-02T15:00:00Z", new_york) == NOW


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(1780412400, NOW, id="seconds"),
        pytest.param(1780412400.0, NOW, id="seconds as a float"),
        pytest.param(1780412400.25, NOW + timedelta(milliseconds=250), id="seconds with a fraction"),
        pytest.param(1780412400000, NOW, id="milliseconds"),
        pytest.param(
            1780412400250, NOW + timedelta(milliseconds=250), id="milliseconds that are no whole second"
        ),
        pytest.param(0, datetime(1970, 1, 1, tzinfo=UTC), id="the epoch"),
        pytest.param(
            99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC), id="the last number of seconds"
        ),
        pytest.param(
            100_000_000_000,
            datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC),
            id="the first number of milliseconds",
        ),
        pytest.param(
            253_402_300_799_000, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), id="the last second there is"
        ),
    ],
)
def test_an_epoch_is_seconds_or_milliseconds(number, moment):
    assert parse_epoch(number) == moment


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(-1, id="a second before it"),
        pytest.param(-1780412400000, id="milliseconds before it"),
        pytest.param(253_402_300_800_000, id="a second after the last"),
        pytest.param(1780412400000000, id="microseconds"),
        pytest.param(1780412400000000000, id="nanoseconds"),
        pytest.param(1e300, id="a huge number"),
        pytest.param(10**308, id="a huge whole number"),
    ],
)
def test_what_is_no_epoch_is_refused(number):
    with pytest.raises(InputError, match=r"^is not an epoch time$"):
        parse_epoch(number)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOW, "2026-06-02T15:00:00Z"),
        (NOW + timedelta(microseconds=1), "2026-06-02T15:00:00.000001Z"),
        (NOW.astimezone(timezone(timedelta(hours=9))), "2026-06-02T15:00:00Z"),
        (NEVER, "0001-01-01T00:00:00Z"),
    ],
)
def test_a_time_has_one_text(moment, text):
    assert format_time(moment) == text


def test_seconds_between_are_never_less_than_none():
    assert compute_seconds(NOW, NOW + timedelta(seconds=1.5)) == 1.5
    assert compute_seconds(NOW, NOW) == 0.0
    assert compute_seconds(NOW + timedelta(seconds=1), NOW) == 0.0


@pytest.mark.parametrize(
    ("number", "shown"),
    [(300.0, "300"), (300, "300"), (300.25, "300.25"), (0.1234567, "0.123"), (-2.0, "-2")],
)
def test_a_whole_number_is_shown_without_its_point(number, shown):
    assert str(normalize_number(number)) == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (179, "2 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (4560, "1 h 16 min"),
        (7199, "1 h 59 min"),
        (7200, "2 h"),
        (7259, "2 h"),
        (7260, "2 h 1 min"),
        (11_400, "3 h 10 min"),
        (172_799, "47 h 59 min"),
        (172_800, "2 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_span_reads_well(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "limit", "text"),
    [
        (60, 60, "60 s (limit 60 s)"),
        (60.0004, 60, "60.001 s (over 60 s)"),
        (300, 300, "5 min (limit 5 min)"),
        (300.4, 300, "5 min 0.4 s (over 5 min)"),
        (301.9, 300, "5 min 1 s (over 5 min)"),
        (359, 300, "5 min 59 s (over 5 min)"),
        (360, 300, "6 min (over 5 min)"),
        (350, 310, "5 min 50 s (over 5 min 10 s)"),
        (129_700, 129_600, "36 h 1 min (over 36 h)"),
        (604_801, 604_800, "7 d 1 s (over 7 d)"),
    ],
)
def test_an_age_and_its_limit_are_in_the_same_units(seconds, limit, text):
    assert f"{format_above(seconds, limit)} ({format_limit(seconds, limit)})" == text


UNITS = {"d": 86_400, "h": 3600, "min": 60, "s": 1}


def count_seconds(text: str) -> float:
    words = text.split()
    return sum(float(words[at]) * UNITS[words[at + 1]] for at in range(0, len(words), 2))


@given(limit=st.integers(1, 1_000_000), above=st.floats(0.001, 1_000_000))
def test_what_exceeds_a_limit_reads_as_more(limit, above):
    assert count_seconds(format_exactly(limit)) == limit
    assert count_seconds(format_above(limit + above, limit)) > limit


@given(moment=MOMENTS, offset=OFFSETS)
def test_times_come_back_as_they_were_whatever_zone_wrote_them(moment, offset):
    assert parse_rfc3339(format_time(moment)) == moment
    assert parse_rfc3339(format_time(moment.astimezone(offset))) == moment
    assert parse_rfc3339(moment.astimezone(offset).isoformat()) == moment


@given(milliseconds=st.integers(100_000_000_000, 253_402_300_799_000))
def test_milliseconds_are_read_exactly_and_seconds_to_the_millisecond(milliseconds):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert parse_epoch(milliseconds) == moment
    if milliseconds // 1000 < 100_000_000_000:
        assert abs(parse_epoch(milliseconds / 1000) - moment) < timedelta(milliseconds=1)


@given(
    text=st.text(max_size=30)
    | st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", fullmatch=True)
)
def test_any_text_is_a_time_in_utc_or_refused(text):
    try:
        moment = parse_rfc3339(text)
    except InputError:
        return
    assert moment.utcoffset() == timedelta()
    assert parse_rfc3339(format_time(moment)) == moment


@pytest.mark.parametrize(
    ("seconds", "year"), [(-5e12, 1970), (0.5, 1970), (1780412400.5, 2026), (3e11, 9998), (1e18, 9998)]
)
def test_the_time_of_a_file_is_one_whatever_a_broken_clock_gave_it(seconds, year):
    moment = parse_file_time(seconds)
    assert moment.year == year
    assert moment.astimezone(timezone(timedelta(hours=14))).year == year
