"""The time of a line is its own, also where records of its shape were read before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detector.logs.parse.line_times import LineTimes, LogLines

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
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
