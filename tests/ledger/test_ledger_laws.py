"""Random histories against the oracle.

Told at least once, never twice for the same, resolved with evidence.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.domain.run_memory import FIRST_RUN
from detector.domain.snapshot import Snapshot
from detector.engine.snapshot_replay import Replay
from tests.support.ledger_oracle import Oracle
from tests.support.snapshots import DEFAULTS, NOW, evaluated, remembered

VERDICTS = st.sampled_from(["warning", "critical", "good", "good", "unseen"])
GAPS = st.sampled_from([60, 120, 239, 240, 300, 840, 1500, 1501, 2820, 7200, 7201, 13200])
HISTORIES = st.lists(st.tuples(GAPS, VERDICTS), min_size=1, max_size=40)

ORDERS = {"warning": 2, "critical": 3, "good": 0, "unseen": None}
FLAGS = {"warning": True, "critical": True, "good": False, "unseen": None}


def run(history: list[tuple[int, str]], fact: str, values: dict[str, Any]) -> list[tuple[int, str]]:
    """Run the history through `evaluate` with stdout as the channel; return (second, reason)."""
    at, told, memory = 0, [], FIRST_RUN
    for gap, verdict in history:
        at += gap
        status = {fact: values[verdict], "orders": []}
        report = evaluated({"taken_at": stamp(at), "status_v3": status}, memory)
        memory = remembered(report)
        told += [(at, str(event.reason)) for event in (*report.new_events, *report.resolved_events)]
        assert all(event.type in ("pending_orders_high", "reconcile_pending") for event in report.events)
    return told


def stamp(at: int) -> str:
    # A Saturday: no session, so that no gap in the watch is told as well.
    moment = NOW.replace(day=6, hour=5) + timedelta(seconds=at)
    return moment.isoformat().replace("+00:00", "Z")


def expected(history: list[tuple[int, str]], money: bool) -> list[tuple[int, str]]:
    oracle, at = Oracle(money), 0
    for gap, verdict in history:
        at += gap
        oracle.look(at, "critical" if money and verdict == "warning" else verdict)
    return oracle.told


def within_a_weekend(history: list[tuple[int, str]]) -> list[tuple[int, str]]:
    kept, total = [], 0
    for gap, verdict in history:
        total += gap
        if total > 55 * 3600:
            break
        kept.append((gap, verdict))
    return kept or history[:1]


@settings(max_examples=150, deadline=None)
@given(HISTORIES)
@example([(300, "warning"), (300, "good"), (300, "good"), (300, "warning"), (300, "good"), (7200, "good")])
@example([(300, "warning"), (300, "critical"), (300, "warning"), (300, "critical")])
@example([(300, "warning"), (300, "good"), (300, "unseen"), (300, "good"), (300, "good")])
def test_an_ordinary_condition_is_told_as_the_contract_says(history):
    history = within_a_weekend(history)
    assert run(history, "pending_orders", ORDERS) == expected(history, money=False)


@settings(max_examples=100, deadline=None)
@given(HISTORIES)
@example([(300, "critical"), (300, "good"), (300, "critical"), (300, "good"), (300, "critical")])
def test_a_condition_about_money_is_told_as_the_contract_says(history):
    history = within_a_weekend(history)
    assert run(history, "broker_reconcile_pending", FLAGS) == expected(history, money=True)


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_an_end_is_told_only_after_two_good_looks_in_a_row(history):
    history = within_a_weekend(history)
    told, at, goods = dict(run(history, "pending_orders", ORDERS)), 0, 0
    for gap, verdict in history:
        at += gap
        goods = goods + 1 if verdict == "good" else 0
        assert told.get(at) != "resolved" or goods >= 2


@settings(max_examples=60, deadline=None)
@given(HISTORIES)
def test_nothing_is_told_twice_for_the_same_severity_within_an_episode(history):
    reasons = [reason for _, reason in run(within_a_weekend(history), "pending_orders", ORDERS)]
    episodes = "".join(
        {"new": "n", "worse": "w", "escalated": "e", "again": "a", "resolved": "r"}[reason]
        for reason in reasons
        if reason != "reminder"
    )
    for episode in re.findall("n[^n]*", episodes):
        assert max(episode.count("w"), episode.count("e")) <= 1, episodes
    assert re.fullmatch(r"(n[we]*(r(a?[we]*))*)*", episodes), episodes


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(GAPS, VERDICTS), min_size=1, max_size=25))
def test_memory_in_the_process_and_through_the_artifact_are_the_same(history):
    history = within_a_weekend(history)
    replay, at, told = Replay(DEFAULTS), 0, []
    for gap, verdict in history:
        at += gap
        moment = NOW.replace(day=6, hour=5) + timedelta(seconds=at)
        snapshot = Snapshot(
            moment, "aegis-pt-core", {"status_v3": {"pending_orders": ORDERS[verdict], "orders": []}}
        )
        told += [(at, change.reason) for change in replay.advance(snapshot) if change.reason]
    assert told == run(history, "pending_orders", ORDERS)
