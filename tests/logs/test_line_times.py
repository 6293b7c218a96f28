"""The time of a line is its own, also where records of its shape were read before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from detector.logs.parse.line_times import LineTimes, LogLines

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
NEW_YORK = timezone(timedelta(hours=-4))
MOMENTS = [NOON + timedelta(seconds=17 * number, milliseconds=number) for number in range(40)]
FORMS = {
    "RFC 3339": lambda at: f'{{"time":"{at:%Y-%m-%dT%H:%M:%S.%fZ}","msg":"a b"}}',
    "epoch seconds": lambda at: f'{{"ts":{at.timestamp():.3f},"msg":"a b"}}',
    "epoch milliseconds": lambda at: f'{{"time":{int(at.timestamp() * 1000)},"msg":"a b"}}',
    "epoch microseconds as text": lambda at: f'{{"ts":"{int(at.timestamp() * 1_000_000)}","msg":"a b"}}',
    "another time in the text": lambda at: (
        f'{{"msg":"since {NOON:%Y-%m-%d %H:%M:%S}","time":"{at:%Y-%m-%d %H:%M:%S}"}}'
    ),
    "an equal text before it": lambda at: (
        f'{{"a":[{int(at.timestamp()) if at == MOMENTS[-1] else 1773100000}],'
        f'"time":{int(at.timestamp())},"msg":"a b"}}'
    ),
    "behind a prefix": lambda at: f"{at:%Y-%m-%d %H:%M:%S} app[3]: a b",
    "a dash before the clock": lambda at: f"{at:%Y%m%d-%H:%M:%S} a b",
    "RFC 3164": lambda at: f"{at:%b} {at.day:2} {at:%H:%M:%S} box app[3]: a b",
    "RFC 3164 with a priority": lambda at: f"<30>{at:%b} {at.day:2} {at:%H:%M:%S} box app[3]: a b",
    "RFC 2822": lambda at: f"{at:%a, %d %b %Y %H:%M:%S} +0000 a b",
    "RFC 2822 of another zone": lambda at: f"{at.astimezone(NEW_YORK):%a, %d %b %Y %H:%M:%S %z} a b",
    "the common log format": lambda at: f"[{at:%d/%b/%Y:%H:%M:%S} +0000] a b",
    "day, month and a year of two digits": lambda at: f"{at:%d-%b-%y %H:%M:%S} ERROR a b",
    "ctime": lambda at: f"[{at:%a %b} {at.day:2} {at:%H:%M:%S %Y}] a b",
    "java.util.logging": lambda at: f"{at:%b %d, %Y %I:%M:%S %p} com.acme.Bot run",
    "glog": lambda at: f"E{at:%m%d %H:%M:%S.%f}     1 bot.go:10] a b",
    "logcat": lambda at: f"{at:%m-%d %H:%M:%S}.{at:%f} E/bot: a b",
    "month, day and year": lambda at: f"{at:%m/%d/%Y %I:%M:%S %p} a b",
    "day, month and year": lambda at: f"{at:%d/%m/%Y %H:%M:%S} a b",
    "day, month and year with dots": lambda at: f"{at:%d.%m.%Y %H:%M:%S} a b",
    "a clock alone": lambda at: f"[{at:%H:%M:%S}.{at:%f}] a b",
    "a clock without colons": lambda at: f"{at:%Y-%m-%d:%H%M.%S} {{'type': ''}} a b",
    "a level before it": lambda at: f"ERROR {at:%d %b %Y %H:%M:%S} a b",
    "epoch seconds before a text": lambda at: f"{at.timestamp():.3f} a b",
    "epoch milliseconds before a text": lambda at: f"[{int(at.timestamp() * 1000)}] a b",
}


def read_times(texts):
    lines = LogLines()
    for text in texts:
        lines.add(text, None)
    return LineTimes(lines, MOMENTS[-1]).get_times(range(len(texts)))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_line_has_its_own_time(form):
    times = read_times([form(at) for at in MOMENTS])
    assert all(abs(times[index] - at) < timedelta(seconds=1) for index, at in enumerate(MOMENTS))


@pytest.mark.parametrize(
    "form",
    ["{:%Y-%m-%d %H:%M:%S} a b", "{:%b %d %H:%M:%S} box app[3]: a b", "{:%H:%M:%S} a b"],
    ids=["ISO 8601", "RFC 3164", "a clock alone"],
)
@pytest.mark.parametrize("hours", [-5, -4, 0, 1, 9])
def test_of_naive_times_of_an_unknown_zone_the_differences_count(form, hours):
    """In New York an error of now was one of four hours ago, and left every list before it was in one."""
    zone = timezone(timedelta(hours=hours))
    times = read_times([form.format(at.astimezone(zone)) for at in MOMENTS])
    assert all(abs(times[index] - at) < timedelta(seconds=2) for index, at in enumerate(MOMENTS))


@pytest.mark.parametrize(("minutes", "own"), [(120, True), (121, False)])
def test_a_naive_time_is_trusted_within_two_hours(minutes, own):
    lines = LogLines()
    lines.add(f"{MOMENTS[0]:%Y-%m-%d %H:%M:%S} a b", None)
    now = MOMENTS[0] + timedelta(minutes=minutes)
    assert LineTimes(lines, now).get_times([0])[0] == (MOMENTS[0] if own else now)


@pytest.mark.parametrize(
    "text",
    [
        "1234567890 orders",
        "1 Jan",
        "Jun 31 12:00:00 box a: b",
        "12:61:00 a",
        "31/31/2026 12:00:00",
        "31 Dec 9999 12:00:00 -9999 a",
    ],
)
def test_what_is_no_time_is_none(text):
    lines = LogLines()
    lines.add(text, None)
    assert LineTimes(lines, NOON).newest is None
