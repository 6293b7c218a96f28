"""The owner's override file: what it may say, and what is refused with the entry named."""

from __future__ import annotations

from datetime import date, time

import pytest

from detector.app.mutes_and_closures import parse_closures
from detector.formats.errors import InputError
from detector.market.session_plan import NO_CLOSURES, Closures

WEDNESDAY = date(2026, 6, 10)


def test_closures_that_say_the_same_are_the_same() -> None:
    one = Closures(frozenset({WEDNESDAY}), {date(2026, 6, 11): time(13), date(2026, 6, 12): time(13)})
    two = Closures(frozenset({WEDNESDAY}), {date(2026, 6, 12): time(13), date(2026, 6, 11): time(13)})
    assert (one, hash(one)) == (two, hash(two))
    assert one != NO_CLOSURES


def test_closures_are_read_from_toml() -> None:
    text = """
        [[closed]]
        date = 2025-01-09
        reason = "a day of mourning, which the table has by now"
        [[closed]]
        date = 2026-06-10
        [[early_close]]
        date = 2026-11-27
        closes = "13:00"
        reason = "the day after Thanksgiving"
    """
    expected = Closures(frozenset({date(2025, 1, 9), WEDNESDAY}), {date(2026, 11, 27): time(13)})
    assert parse_closures(text) == expected


@pytest.mark.parametrize("day", ["2010-01-04", "2036-12-31"])
def test_the_years_of_the_table_may_be_named(day):
    assert parse_closures(f"[[closed]]\ndate = {day}") == Closures(frozenset({date.fromisoformat(day)}))


@pytest.mark.parametrize("text", ["", "closed = []"])
def test_no_closures_are_none(text: str) -> None:
    assert parse_closures(text) == NO_CLOSURES


EARLY = "[[early_close]]\ndate = 2026-11-27\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(
            "[[close]]\ndate = 2026-06-10",
            "^line 1: close: is not known; did you mean closed",
            id="an unknown list",
        ),
        pytest.param(
            "[closed]\ndate = 2026-06-10", "^line 1: closed: must be a list: write", id="a table, not a list"
        ),
        pytest.param("closed = [2026-06-10]", "^line 1: .*number 1: must be a table", id="a bare date"),
        pytest.param("[[closed]]\nday = 2026-06-10", "day: is not known; there are: date, reason", id="key"),
        pytest.param(
            EARLY + 'closed = "13:00"', "closed: is not known; did you mean closes", id="early's key"
        ),
        pytest.param(
            '[[closed]]\ndate = 2026-06-10\ncloses = "13:00"',
            "line 3: .* closes: is not known",
            id="other's key",
        ),
        pytest.param("[[closed]]\nreason = 'storm'", "line 1: .*number 1 date: is missing", id="no date"),
        pytest.param("[[closed]]\ndate = '2026-06-10'", "date: must be a TOML date such as", id="text"),
        pytest.param(
            "[[closed]]\ndate = 2026-06-10T00:00:00", "date: must be a TOML date", id="a date with a time"
        ),
        pytest.param(
            "[[closed]]\ndate = 2062-06-12", "2062-06-12 is outside .* 2010 to 2036", id="a far year"
        ),
        pytest.param("[[closed]]\ndate = 2026-06-13", "2026-06-13 is a Saturday", id="a weekend"),
        pytest.param(
            "[[closed]]\ndate = 2026-06-10\nreason = 1", "reason: must be a text", id="a number as reason"
        ),
        pytest.param(EARLY, "line 1: .*early_close.* number 1 closes: is missing", id="no hour"),
        pytest.param(EARLY + "closes = 13:00:00", "closes: must be", id="a TOML time"),
        pytest.param(EARLY + 'closes = "1 pm"', "closes: must be .* not '1 pm'", id="an hour in words"),
        pytest.param(EARLY + 'closes = "13"', "closes: must be", id="an hour alone"),
        pytest.param(EARLY + 'closes = "13:00+01:00"', "closes: must be", id="an hour elsewhere"),
        pytest.param(EARLY + 'closes = "09:30"', "closes: must be .* after 09:30", id="the open"),
        pytest.param(EARLY + 'closes = "16:00"', "closes: must be .* before 16:00", id="the usual close"),
        pytest.param(EARLY + 'closes = "01:00"', "closes: must be", id="an hour at night"),
        pytest.param(
            "[[closed]]\ndate = 2026-06-10\n[[closed]]\ndate = 2026-06-10",
            "^line 4: .*number 2 date: 2026-06-10 stands in another entry already",
            id="a day twice",
        ),
        pytest.param(
            "[[closed]]\ndate = 2026-11-27\n" + EARLY + 'closes = "13:00"',
            "^line 4: .*early_close.* number 1 date: 2026-11-27 stands in another",
            id="closed, and closed early",
        ),
    ],
)
def test_a_closure_that_cannot_be_read_is_named(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        parse_closures(text)


@pytest.mark.parametrize("closes", ["09:31", "15:59"])
def test_an_early_close_lies_within_the_session(closes: str) -> None:
    early = parse_closures(EARLY + f'closes = "{closes}"').early
    assert early == {date(2026, 11, 27): time.fromisoformat(closes)}
