"""The founding outage through the whole program, with an engine that sends its exit again every 7 seconds.

From when it connects (14:48, the document's clock) until it is killed (14:57) every attempt has a new order
id, works for four seconds and is then cancelled or rejected: at some runs an order works, at some none does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec import Struct

from detector.formats.times import format_time
from tests.support.program import answer
from tests.test_founding_outage import CENTRAL, ON_THE_BOX, REMOTE, world
from tools.incidents import seen

SENT_FIRST = datetime.fromisoformat("2026-05-06T19:48:01+00:00")
KILLED = datetime.fromisoformat("2026-05-06T19:57:00+00:00")
SENT_EVERY = timedelta(seconds=7)
WORKS_FOR = timedelta(seconds=4)
BROKER_IS_OLDER = timedelta(seconds=5)  # the fixture's `@now-5`
CALL = {"symbol": "SPY", "sec_type": "OPT", "strike": 727, "right": "C"}
WORKING = ("PendingSubmit", "Submitted")

# What the document says diverged and the event that reports it; from when until when it stands; and the run
# that reports it (the document's clock) in each lane of `CADENCES`. None: no run falls into that time. Nobody
# sees an undone repair that no run saw.
DIVERGENCES = {
    "the power is off with 39 calls open": (
        "exposure_unwatched", "11:48", "14:44", ("14:42", None, None, "11:48", "11:50", "11:55")
    ),
    "the gateway refuses the engine": (
        "broker_disconnected", "14:42", "14:48", ("14:42", None, "14:45", "14:44", None, "14:45")
    ),
    "the engine is dead": (
        "heartbeat_stale", "14:44", "14:48", ("14:44", None, "14:45", "14:44", None, "14:45")
    ),
    "the broker is flat": (
        "open_positions_drift:SPY 727C", "14:49", "14:54", ("14:49", "14:50", None, "14:49", "14:50", None)
    ),
    "the exit would open a short position": (
        "exit_would_open_position:SPY 727C", "14:49", "14:57",
        ("14:49", "14:50", "14:55", "14:49", "14:50", "14:55"),
    ),
    "the exit is tried again and again": (
        "high_exit_attempts:SPY 727C", "14:50", "14:57",
        ("14:50", "14:50", "14:55", "14:50", "14:50", "14:55"),
    ),
    "three numbers of one trade": (
        "trade_record_inconsistent:162", "14:54", "15:35",
        ("14:54", "15:00", "14:55", "14:54", "15:00", "14:55"),
    ),
    "two stores of one trade": (
        "state_stores_disagree:SPY 727C", "14:55", "14:57", ("14:55", None, "14:55", "14:55", None, "14:55")
    ),
    "the closed trade is open again, the broker flat": (
        "open_positions_drift:SPY 727C", "14:55", "14:57", ("14:55", None, "14:55", "14:55", None, "14:55")
    ),
    "the engine undid the repair": (
        "trade_reopened:162", "14:55", "14:57", ("14:55", None, None, "14:55", None, None)
    ),
}  # fmt: skip
AGAIN = {  # what returns, and when
    ("again open_positions_drift:SPY 727C", "14:55"),  # repaired at 14:54, and undone
    ("again process_down:engine", "14:57"),  # restarted by hand at 14:48, killed by hand
}
# Each lane at a run a minute, and at runs every ten minutes from 10:50 and from 10:55.
CADENCES = tuple(
    (lane, every, start) for lane in (ON_THE_BOX, REMOTE) for every, start in ((60, 50), (600, 50), (600, 55))
)
ROUTES = [
    pytest.param(lane, every, start, kind, id=f"{lane}, {every} s from 10:{start}, {kind or 'no kind'}")
    for lane, every, start in CADENCES
    for kind in ("exit", None)
]
by_route = pytest.mark.parametrize(("lane", "every", "start", "kind"), ROUTES)


class Run(Struct, frozen=True):
    """One run: the document's clock, what was listed and newly reported, the decision, the working exits."""

    clock: str
    listed: frozenset[str]
    new: tuple[str, ...]
    decision: str
    working: int


def build_attempts(at: datetime, kind: str | None) -> list[dict[str, Any]]:
    """Return the engine's last five exits as they are at that time."""
    newest = (at - SENT_FIRST) // SENT_EVERY
    return [_build_attempt(number, at, kind) for number in range(max(0, newest - 4), newest + 1)]


def _build_attempt(number: int, at: datetime, kind: str | None) -> dict[str, Any]:
    sent = SENT_FIRST + number * SENT_EVERY
    ended = ("Cancelled", "Rejected")[number % 2]
    is_acknowledged = at - sent >= timedelta(seconds=2)
    return {
        **CALL,
        **({"kind": kind} if kind else {}),
        "order_id": 500 + number,
        "side": "SELL",
        "order_type": "LMT",
        "quantity": 39,
        "filled": 0,
        "status": ended if at - sent >= WORKS_FOR else WORKING[is_acknowledged],
        "submitted_at": format_time(sent),
    }


def add_attempts(document: dict[str, Any], at: datetime, kind: str | None) -> int:
    """Put the attempts of that time into a run's snapshot; return how many of the listed ones work."""
    status, broker = document.get("status_v3"), document.get("broker", {})
    if status is None:
        return 0
    is_alive = SENT_FIRST <= at < KILLED
    status["orders"] = build_attempts(at, kind) if is_alive else []
    attempts = max(0, (min(at, KILLED) - SENT_FIRST) // SENT_EVERY + 1)
    status["open_positions"] = [
        {**row, "exit_attempt_count": attempts} for row in status.get("open_positions", ())
    ]
    if is_alive and "positions" in broker:
        listed = build_attempts(at - BROKER_IS_OLDER, None)
        broker["open_orders"] = [row for row in listed if row["status"] in WORKING]
    return sum(row["status"] in WORKING for row in (*status["orders"], *broker.get("open_orders", ())))


@cache
def replay(lane: str, every: int, start: int, kind: str | None) -> tuple[Run, ...]:
    """Return every run of the incident, each of the whole program with the memory of the one before."""
    with TemporaryDirectory() as folder:
        return tuple(_iter_runs(Path(folder), lane, every, start, kind))


def _iter_runs(folder: Path, lane: str, every: int, start: int, kind: str | None) -> Iterator[Run]:
    outage = world(lane)
    at = outage.moments[0].at.replace(minute=start) - timedelta(seconds=every)
    while (at := at + timedelta(seconds=every)) <= outage.ends:
        document = seen(outage, outage.lane(lane), at)
        if document is None:
            continue
        working = add_attempts(document, at, kind)
        words = ("run", "--state", str(folder), "--snapshot", "-", "--stdout", "--now", format_time(at))
        ran = answer(*words, stdin=document, environ=outage.environ)
        assert ran.code in (0, 3), ran.err  # 3: the machine is dark
        yield Run(
            f"{at - CENTRAL:%H:%M}",
            frozenset(_name(event) for event in ran.document["events"]),
            tuple(f"{event['reason']} {_name(event)}" for event in ran.document["new_events"]),
            next(line for line in ran.err.splitlines() if line.startswith("decision: ")),
            working,
        )


def _name(event: dict[str, Any]) -> str:
    return event["type"] if event["subject"] is None else f"{event['type']}:{event['subject']}"


def find_standing(runs: tuple[Run, ...], first: str, last: str) -> list[Run]:
    return [run for run in runs if first <= run.clock < last]


@by_route
@pytest.mark.parametrize("what", DIVERGENCES)
def test_each_divergence_is_reported_by_the_first_run_that_can_see_it(what, lane, every, start, kind):
    event, first, last, minutes = DIVERGENCES[what]
    standing = find_standing(replay(lane, every, start, kind), first, last)
    reported = [run.clock for run in standing if any(item.endswith(f" {event}") for item in run.new)]
    expected = minutes[CADENCES.index((lane, every, start))]
    assert reported[:1] == ([expected] if expected else [])
    assert not expected or all(event in run.listed for run in standing if run.clock >= expected)


@by_route
def test_nothing_is_reported_twice_but_what_was_repaired_and_undone(lane, every, start, kind):
    items = [(item, run.clock) for run in replay(lane, every, start, kind) for item in run.new]
    assert len({item for item, _ in items}) == len(items)
    assert {item for item in items if item[0].startswith(("again", "owed", "reminder"))} <= AGAIN


@by_route
def test_no_run_observes_while_a_divergence_stands(lane, every, start, kind):
    runs = replay(lane, every, start, kind)
    spans = [(first, last) for _, first, last, _ in DIVERGENCES.values()]
    standing = [run for run in runs if any(first <= run.clock < last for first, last in spans)]
    assert standing
    assert [
        run.decision for run in standing if "observe" in run.decision or " 0 events" in run.decision
    ] == []


def test_the_runs_of_a_minute_see_exits_at_work_and_none_at_work():
    standing = find_standing(replay(ON_THE_BOX, 60, 50, None), "14:49", "14:57")
    assert {min(run.working, 1) for run in standing} == {0, 1}
    assert [run.clock for run in standing if not run.working] == ["14:51"]
