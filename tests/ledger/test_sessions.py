"""Sessions: every trading day is counted, its gaps from the open to the close, and the list is bounded."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.report import SessionDay
from detector.ledger import ObservedRun, count_run, list_due_days, mark_summarized
from detector.market.session_plan import NO_CLOSURES, Closures
from tests.support.messages import condition

OPEN = datetime(2026, 6, 2, 13, 30, tzinfo=UTC)  # a Tuesday
CLOSE = datetime(2026, 6, 2, 20, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def look(at: datetime, before: datetime | None = None, **more: Any) -> ObservedRun:
    return ObservedRun(at, before, 11, more.get("unseen", ()), more.get("active", ()))


def watched(*times: datetime, closures: Closures = NO_CLOSURES) -> tuple[SessionDay, ...]:
    days: tuple[SessionDay, ...] = ()
    before = None
    for at in times:
        days = count_run(days, look(at, before), closures)
        before = at
    return days


@pytest.mark.parametrize(
    ("at", "runs"),
    [
        (OPEN - MINUTE, []),
        (OPEN, [1]),
        (CLOSE - MINUTE, [1]),
        (CLOSE, []),
        (OPEN + timedelta(days=4), []),
    ],
    ids=["before the open", "at the open", "before the close", "at the close", "on a Saturday"],
)
def test_a_run_counts_in_the_session_that_holds_it(at, runs):
    assert [day.runs for day in watched(at)] == runs


def test_gaps_count_from_the_open_to_the_close():
    day = watched(OPEN + 5 * MINUTE, OPEN + 15 * MINUTE, CLOSE - 7 * MINUTE)[0]
    assert day.gap_sec == (CLOSE - OPEN - 22 * MINUTE).total_seconds()
    late = watched(OPEN + 90 * MINUTE)[0]
    assert late.longest_gap_sec == (CLOSE - OPEN - 90 * MINUTE).total_seconds()
    assert watched(CLOSE - 5 * MINUTE)[0].longest_gap_sec == (CLOSE - OPEN - 5 * MINUTE).total_seconds()


def test_a_day_at_which_nobody_looked_is_there_with_no_run():
    days = watched(OPEN, OPEN + timedelta(days=2))
    assert [(day.day, day.runs) for day in days] == [("2026-06-02", 1), ("2026-06-03", 0), ("2026-06-04", 1)]
    assert days[1].longest_gap_sec == 6.5 * 3600


def test_what_was_before_the_first_run_is_nobodys_gap():
    assert [day.day for day in watched(OPEN + timedelta(days=2))] == ["2026-06-04"]


def test_a_holiday_is_no_session():
    closures = Closures(closed=frozenset({date(2026, 6, 3)}))
    assert [day.day for day in watched(OPEN, OPEN + timedelta(days=2), closures=closures)] == [
        "2026-06-02",
        "2026-06-04",
    ]


def test_months_leave_four_days():
    days = watched(*(OPEN + timedelta(days=k) for k in range(60)))
    assert len(days) == 4
    assert days[-1].day == "2026-07-31"


def test_a_gap_of_a_month_leaves_only_the_latest_days():
    days = watched(OPEN, OPEN + timedelta(days=30))
    assert len(days) <= 4
    assert days[-1].runs == 1


def test_a_second_look_at_the_same_moment_counts_once():
    assert watched(OPEN, OPEN)[0].runs == 1


def test_what_was_not_seen_is_counted_by_signal():
    days = count_run((), look(OPEN, unseen=("gateway",)), NO_CLOSURES)
    days = count_run(days, look(OPEN + MINUTE, OPEN, unseen=("gateway", "heartbeat")), NO_CLOSURES)
    assert days[0].unseen == {"gateway": 2, "heartbeat": 1}


def test_the_highest_severity_of_a_condition_stays_and_a_flood_is_bounded():
    days = count_run((), look(OPEN, active=(condition("a", "critical"),)), NO_CLOSURES)
    flood = (condition("a", "warning"), *(condition("b", "warning", subject=str(k)) for k in range(99)))
    days = count_run(days, look(OPEN + MINUTE, OPEN, active=flood), NO_CLOSURES)
    assert days[0].conditions["a:aegis-pt-core"] == "critical"
    assert (len(days[0].conditions), days[0].more) == (30, 70)


def test_outside_of_the_calendar_nothing_is_counted():
    assert watched(datetime(1999, 6, 2, 15, 0, tzinfo=UTC)) == ()


@pytest.mark.parametrize(
    ("since", "at", "told", "owed"),
    [
        (OPEN, CLOSE, (), 1),
        (OPEN, CLOSE - MINUTE, (), 0),
        (OPEN, CLOSE, ("slack",), 0),
        (OPEN, CLOSE, ("email:1",), 1),
        (CLOSE, CLOSE + MINUTE, (), 0),
        (None, CLOSE, (), 0),
    ],
    ids=[
        "over",
        "not over",
        "told",
        "told to another",
        "a channel of later",
        "a channel that took nothing yet",
    ],
)
def test_a_day_is_owed_once_it_is_over_to_who_was_there(since, at, told, owed):
    days = tuple(replace(day, told=told) for day in watched(OPEN))
    assert len(list_due_days(days, "slack", since, at)) == owed


def test_a_receipt_is_written_once():
    days = mark_summarized(watched(OPEN), {"2026-06-02"}, "slack")
    assert mark_summarized(days, {"2026-06-02"}, "slack")[0].told == ("slack",)
    assert mark_summarized(watched(OPEN), set(), "slack")[0].told == ()
