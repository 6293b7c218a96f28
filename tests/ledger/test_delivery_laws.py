"""Laws of delivery over random histories with refusing channels, and whole days at the cadences of real
schedules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector import ledger
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.domain.run_memory import FIRST_RUN
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext
from detector.settings import Rung
from tests.support.ledger_oracle import Oracle
from tests.support.snapshots import NOW, ROOT, evaluated, healthy_at, remembered, settings_of, status_at

FLOORS = {"slack": Rung("warning"), "mail": Rung("critical"), "pager": Rung("escalated")}
ORDERS = {"warning": 2, "critical": 3, "good": 0, "unseen": None}
STEPS = st.tuples(
    st.sampled_from([60, 300, 840, 1620, 2820, 3600]),
    st.sampled_from(["warning", "critical", "good", "good", "unseen"]),
    st.frozensets(st.sampled_from(sorted(FLOORS))),
)
START = NOW.replace(day=6, hour=5)  # a Saturday: no session


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def deliver(report: Report, refusing: frozenset[str]) -> tuple[Report, list[tuple[str, str]]]:
    """Give each channel that does not refuse its notices.

    Return the report with receipts, and the reasons.
    """
    taken = []
    for channel in FLOORS:
        if channel in refusing:
            continue
        due = [one for one in report.owed[channel] if one.reason != "reminder"]
        taken += [(channel, str(one.reason)) for one in due]
        after = ledger.add_receipts(report.conditions, report.owed[channel], channel, report.taken_at)
        report = replace(report, conditions=after)
    return report, taken


def list_debts(report: Report, accepting: Iterable[str]) -> list[tuple[str, str, str]]:
    """List what a channel that accepted this run's message is still not told, whatever the phase."""
    debts = list[tuple[str, str, str]]()
    for channel in accepting:
        for one in report.conditions.values():
            receipt = one.get_receipt(channel)
            if channel in one.owing and (receipt is None or RANK[receipt.severity] < RANK[one.peak]):
                debts.append((channel, one.signature, one.phase))
    return debts


@pytest.mark.parametrize("returned", [False, True], ids=["first episode", "flapping"])
@pytest.mark.parametrize("facts", ["good", "unseen"])
def test_a_failed_alert_is_sent_while_its_end_is_not_confirmed(returned, facts):
    """Told with its peak and that it was good; then its end, and never as an alert without one."""
    verdicts = ["warning", "good", "good"] * returned + [
        "critical",
        "critical",
        "good",
        facts,
        *["good"] * 30,
    ]
    memory, told = FIRST_RUN, []
    down = len(verdicts) - 34  # from the run on in which it is critical, for three runs
    for number, verdict in enumerate(verdicts):
        moment = stamp(START + timedelta(seconds=300 * number))
        document = status_at(moment, {"pending_orders": ORDERS[verdict], "orders": []})
        report = evaluated(document, memory, channels={"slack": Rung("warning")})
        if down <= number < down + 3 - (facts == "good"):
            memory = remembered(report, printed=False)
            continue
        due = report.owed["slack"]
        told += [(number - down, notice.reason) for notice in due]
        if number == down + 3 - (facts == "good"):
            message = build_message(MessageContext(report, ("UTC",)), "slack", due)
            headline = message.headline if message else ""
            assert "pending_orders_high" in headline
            assert "CRITICAL" in headline
            state = "its end not confirmed" if facts == "good" else "not seen since"
            assert f"Good 2026-06-06 05:{25 if returned else 10}:00 UTC, {state}; it was: " in headline
            assert "NOTIFY" not in headline, "nothing holds now"
        after = ledger.add_receipts(report.conditions, due, "slack", report.taken_at)
        memory = remembered(replace(report, conditions=after), printed=False)
    expected = ("worse" if returned else "owed", "resolved")
    assert tuple(reason for at, reason in told if at >= 0) == expected, told


@settings(max_examples=120)
@given(st.lists(STEPS, min_size=1, max_size=25))
def test_what_a_floor_covers_reaches_its_channel_once_it_accepts(history):
    """Told at least once per channel and floor, whatever was refused before; each escalation exactly once."""
    memory, at = FIRST_RUN, START
    told: list[tuple[str, str]] = []
    reached = dict.fromkeys(FLOORS, False)
    for gap, verdict, refusing in [*history, (300, "unseen", frozenset())]:
        at += timedelta(seconds=gap)
        document = status_at(stamp(at), {"pending_orders": ORDERS[verdict], "orders": []})
        report = evaluated(document, memory, channels=FLOORS)
        for one in report.conditions.values():
            reached["slack"] = reached["slack"] or one.is_active
            reached["mail"] = reached["mail"] or (
                one.is_active and (one.escalated or RANK[one.severity] == RANK["critical"])
            )
            reached["pager"] = reached["pager"] or (one.is_active and one.escalated)
        report, taken = deliver(report, refusing)
        told += taken
        assert list_debts(report, FLOORS.keys() - refusing) == []
        memory = remembered(report, printed=False)
    for channel, was_reached in reached.items():
        got = [reason for name, reason in told if name == channel]
        assert bool(got) is was_reached, (channel, got)
    for channel in FLOORS:
        episodes = "".join("|" if reason in ("new", "owed", "missed") else "e" * (reason == "escalated")
                           for name, reason in told if name == channel)  # fmt: skip
        assert all(len(part) <= 1 for part in episodes.split("|")), episodes


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=1, max_size=20))
def test_a_channel_that_never_refuses_is_told_what_the_oracle_says(history):
    memory, at, told, oracle = FIRST_RUN, START, [], Oracle(money=False)
    for gap, verdict, _ in history:
        at += timedelta(seconds=gap)
        document = status_at(stamp(at), {"pending_orders": ORDERS[verdict], "orders": []})
        # What is still due to another channel continues an episode, which the oracle knows nothing of.
        report, taken = deliver(evaluated(document, memory, channels=FLOORS), frozenset())
        told += [reason for channel, reason in taken if channel == "slack"]
        oracle.look(int((at - START).total_seconds()), verdict)
        memory = remembered(report, printed=False)
    assert told == [reason for _, reason in oracle.told]


SERIES: dict[str, list[str]] = json.loads(
    (ROOT / "tests" / "fixtures" / "run_times" / "github_schedule.json").read_text()
)
OPENS = NOW.replace(hour=13, minute=30)
DAY = {
    **{f"every {gap} min": [OPENS + timedelta(minutes=gap * k) for k in range(390 // gap + 1)]
       for gap in (5, 14, 27, 47, 60, 220)},
    **{name: [OPENS + (datetime.fromisoformat(text) - datetime.fromisoformat(texts[0])) for text in texts]
       for name, texts in SERIES.items()},
}  # fmt: skip


def run_healthy(times: list[datetime], positions: int, **settings: Any) -> list[tuple[datetime, str]]:
    """Look at a healthy runtime at these times; return what is told, and when."""
    held = [{"symbol": "SPY", "quantity": 1, "sec_type": "STK"}] * positions
    patch = {"status_v3": {"open_positions": held, "open_position_count": positions}}
    memory, told = FIRST_RUN, list[tuple[datetime, str]]()
    for moment in times:
        report = evaluated(healthy_at(stamp(moment), patch), memory, **settings)
        told += [(moment, event.type) for event in report.new_events]
        memory = remembered(report)
    return told


def expect_gaps(
    times: list[datetime], opens: datetime, closes: datetime, limit: float = 1500
) -> list[datetime]:
    """When a gap is told, by the contract: the session's first, and one twice as long as the longest told.

    Of a gap that the open cuts, up to two hours count as its length: a schedule is told of once a session.
    """
    told, longest = list[datetime](), 0.0
    for earlier, later in pairwise(times):
        seconds = (min(later, closes) - max(earlier, opens)).total_seconds()
        if seconds > limit and (not longest or seconds >= 2 * longest):
            longest = max(seconds, min((later - earlier).total_seconds(), 7200))
            told.append(later)
    return told


@pytest.mark.parametrize("positions", [0, 1], ids=["flat", "with a position"])
@pytest.mark.parametrize("times", DAY.values(), ids=DAY.keys())
def test_a_healthy_session_tells_of_nothing_but_its_schedule_and_once(times, positions):
    session = [one for one in times if one < OPENS + timedelta(minutes=390)]
    told = run_healthy(session, positions)
    expected = expect_gaps(session, OPENS, OPENS + timedelta(minutes=390))
    assert told == [(moment, "watch_gap") for moment in expected]
    assert len(told) <= 1, "no recorded schedule doubles its own gap within a session"


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([5, 14, 27, 47, 60, 220]), st.integers(0, 219), st.sampled_from([0, 1]))
def test_a_healthy_day_at_any_phase_tells_only_the_gaps_of_the_contract(gap, phase, positions):
    """A whole day of runs that begins up to a gap after 04:00 in New York."""
    begins = OPENS - timedelta(minutes=330 - phase % gap)
    times = [begins + timedelta(minutes=gap * k) for k in range(16 * 60 // gap)]
    expected = expect_gaps(times, OPENS, OPENS + timedelta(minutes=390))
    assert run_healthy(times, positions) == [(moment, "watch_gap") for moment in expected]
    assert len(expected) <= (1 if gap > 25 else 0), "never more than one message a session about the schedule"


@pytest.mark.parametrize(("minutes", "count"), [(210, 1), (239, 1), (240, 2)])
def test_a_gap_of_four_hours_is_news_after_a_night_without_a_run(minutes, count):
    times = [
        OPENS - timedelta(hours=14),
        OPENS + timedelta(minutes=30),
        OPENS + timedelta(minutes=30 + minutes),
    ]
    assert len(run_healthy(times, 0)) == count


@pytest.mark.parametrize("name", SERIES)
def test_a_recorded_series_at_its_own_times_tells_at_most_once_a_session(name):
    times = [datetime.fromisoformat(text) for text in SERIES[name]]
    told = run_healthy(times, 1)
    assert {event for _, event in told} <= {"watch_gap"}
    days = [f"{moment:%F}" for moment, _ in told]
    assert len(days) == len(set(days)), told


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([10, 24, 26, 40, 55, 90, 120, 250]), min_size=1, max_size=12))
def test_the_gaps_of_any_schedule_are_told_as_the_contract_says(minutes):
    times = [OPENS + timedelta(minutes=passed) for passed in accumulate(minutes, initial=0)]
    session = [one for one in times if one < OPENS + timedelta(minutes=390)]
    expected = expect_gaps(session, OPENS, OPENS + timedelta(minutes=390))
    assert [moment for moment, _ in run_healthy(session, 0)] == expected


@pytest.mark.parametrize("plan", ["cme_globex", "us_overnight"])
def test_a_session_over_midnight_is_one_session(plan):
    """Sunday evening to Monday: a gap on either side of midnight is told once."""
    profile = (
        f'[profile]\nname = "es"\n[status]\nheartbeat_at = "heartbeat_at"\n[market]\nsession = "{plan}"\n'
    )
    begins = datetime(2026, 6, 8, 0, 30, tzinfo=UTC)  # Sunday 20:30 in New York
    times = [begins + timedelta(minutes=40 * number) for number in range(10)]
    told = run_healthy(times, 0, settings=settings_of(profile=profile))
    assert [event for _, event in told].count("watch_gap") == 1
