"""The artifact stays small, and a debt is never what is dropped."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

from detector.domain.report import Report
from detector.domain.run_memory import FIRST_RUN, Memory, build_next_memory
from detector.domain.snapshot import Snapshot
from detector.engine.snapshot_replay import Replay
from detector.ledger.advance import _MAX_ENDED
from detector.render.document import build_artifact_document
from tests.support.snapshots import DEFAULTS, NOW, evaluated, remembered

LIMIT = 256 * 1024


def churn(chance: random.Random, number: int) -> dict[str, Any]:
    """Return a status in which orders, positions and trades come and go under ever new names."""
    orders = [
        {"order_id": number * 10 + k, "symbol": "COIN", "age_sec": 900} for k in range(chance.randrange(4))
    ]
    trades = [
        {"trade_id": number + k, "symbol": "SPY", "pnl_unknown": True} for k in range(chance.randrange(3))
    ]
    return {
        "pending_orders": chance.choice([0, 1, 2, 3, None]),
        "pending_exits": chance.choice([0, 1, None]),
        "stuck_exits": chance.choice([0, 0, 1]),
        "broker_reconcile_pending": chance.random() < 0.2,
        "orders": orders,
        "recent_trades": trades,
        "market_data_status": chance.choice(["ok", "degraded"]),
        "broker_connected": chance.random() < 0.8,
    }


def test_ten_days_of_restless_ten_minute_runs_stay_under_the_limit(capsys):
    """A condition leaves seven days after its end, so ten days are as large as a year."""
    chance, replay = random.Random(3), Replay(DEFAULTS)
    sizes = []
    for number in range(144 * 10):
        moment = NOW + timedelta(minutes=10 * number)
        snapshot = Snapshot(moment, "aegis-pt-core", {"status_v3": churn(chance, number)})
        replay.advance(snapshot)
        if number % 144 == 143:
            sizes.append(size_of(replay.memory))
    with capsys.disabled():
        print(f"\nartifact without snapshot, by day: {', '.join(f'{size // 1024} KiB' for size in sizes)}")
    assert max(sizes) < LIMIT


def size_of(memory: Memory) -> int:
    assert memory.taken_at is not None
    report = evaluated({"taken_at": (memory.taken_at + timedelta(minutes=10)).isoformat()}, memory)
    return len(json.dumps(build_artifact_document(report, with_snapshot=False)))


def test_a_condition_leaves_seven_days_after_its_end():
    high = {"status_v3": {"pending_orders": 2, "orders": []}}
    good = {"status_v3": {"pending_orders": 0, "orders": []}}
    memory = FIRST_RUN
    for hours, status in ((0, high), (1, good), (2, good), (2 + 24 * 7 - 2, good), (2 + 24 * 7, good)):
        moment = (NOW + timedelta(hours=hours)).isoformat()
        report = evaluated({"taken_at": moment, **status}, memory)
        memory = remembered(report)
        kept = "pending_orders_high:aegis-pt-core" in memory.conditions
        assert kept is (hours < 2 + 24 * 7), hours


def test_a_flood_that_ended_keeps_only_the_newest_and_every_debt():
    flood = [{"order_id": k, "symbol": "COIN", "age_sec": 900} for k in range(_MAX_ENDED + 300)]
    first = evaluated({"taken_at": "2026-06-06T05:00:00Z", "status_v3": {"orders": flood}})
    told, untold = remembered(first), remembered(first, printed=False)
    owing = [twice_good(told), twice_good(untold)]
    assert [len(report.conditions) for report in owing] == [len(flood)] * 2
    assert {event.reason for event in owing[0].resolved_events} == {"resolved"}
    assert {event.reason for event in owing[1].new_events} == {"missed"}
    assert len(remembered(evaluated(empty_at(30), remembered(owing[0]))).conditions) == _MAX_ENDED


def empty_at(minute: int) -> dict[str, Any]:
    return {"taken_at": f"2026-06-06T05:{minute}:00Z", "status_v3": {"orders": []}}


def twice_good(memory: Memory) -> Report:
    """Nothing stands any more, and nobody takes what is owed."""
    first = evaluated(empty_at(10), memory)
    return evaluated(empty_at(20), build_next_memory(first, first.conditions))


def test_five_hundred_events_are_listed_worst_first():
    orders = [{"order_id": k, "symbol": "COIN", "age_sec": 900, "kind": "exit"} for k in range(250)]
    orders += [{"order_id": k, "symbol": "COIN", "age_sec": 400, "kind": "entry"} for k in range(250, 500)]
    report = evaluated({"taken_at": "2026-06-06T05:00:00Z", "status_v3": {"orders": orders}})
    severities = [event.severity for event in report.events]
    assert severities == ["critical"] * 250 + ["warning"] * 250
