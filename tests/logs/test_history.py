"""The counts of a reading: its lines, those with a text or a time, and their dialects."""

from __future__ import annotations

from detector.logs.parse.history import count_lines
from detector.logs.parse.line_times import LogLines
from tests.support.log_lines import seen

CRI = "2026-03-10T14:58:02.113450123Z stdout F synced"
JSON = '{"msg":"order filled","ts":1773154682.113}'


def counted(*texts, stamp=None):
    lines = LogLines()
    for text in texts:
        lines.add(text, stamp)
    return count_lines(lines)


def test_each_dialect_is_counted_by_its_outermost_wrapper():
    counts = counted("hello", CRI, JSON, JSON, 'level=info msg="all is well"')
    assert counts.read == counts.with_text == 5
    assert counts.dialects == {"plain": 1, "prefixed": 1, "json": 2, "logfmt": 1}


def test_a_time_is_that_of_the_event_the_prefix_or_the_record():
    assert counted("hello", CRI, JSON).with_time == 2
    assert counted("hello", CRI, JSON, stamp=0).with_time == 3


def test_lines_of_nothing_have_no_text():
    counts = counted("", "   ", '{"a":""}')
    assert (counts.read, counts.with_text, counts.dialects) == (3, 0, {})


def test_more_shapes_than_are_looked_into_are_another_dialect():
    names = ["".join(chr(97 + number // 26**place % 26) for place in range(3)) for number in range(2100)]
    counts = counted(*names)
    assert counts.with_text == 2100
    assert counts.dialects == {"plain": 2000, "other": 100}


def test_the_report_has_the_counts():
    (lines,) = [account.lines for account in seen([CRI, JSON]).reading if account.lines]
    assert (lines.read, lines.with_text, lines.with_time) == (2, 2, 2)
    assert lines.dialects == {"prefixed": 1, "json": 1}


def test_a_source_that_speaks_without_a_text_is_reading_invalid():
    report = seen([{"timestamp": 1780412340000, "message": text} for text in ("", '{"a":""}')])
    assert "reading_invalid" in {event.type for event in report.events}
