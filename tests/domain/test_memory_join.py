"""Memories of runs that did not know each other, joined: no debt is lost and no receipt forgotten."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import Condition, Receipt
from detector.domain.rule import Severity
from detector.domain.run_memory import Memory, join_memories
from tests.support.snapshots import NOW, evaluated, healthy_at, settings_of

CHANNELS = ("slack", "email:1", "stdout")
BASE = next(
    iter(
        evaluated(
            healthy_at("2026-06-06T05:00:00Z", {"status_v3": {"pending_orders": 2}})
        ).conditions.values()
    )
)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """A firing condition, by channel delivered, due or neither."""
    states = {name: draw(st.sampled_from(["delivered", "due", "neither"])) for name in CHANNELS}
    name = draw(st.sampled_from(["a", "b", "c"]))
    severity: Severity = draw(st.sampled_from(["warning", "critical"]))
    return replace(
        BASE,
        signature=f"{BASE.type}:x:{name}",
        severity=severity,
        peak=severity,
        last_seen=NOW,
        receipts={
            channel: Receipt(severity, NOW, escalated=False)
            for channel, state in states.items()
            if state == "delivered"
        },
        owing={channel: NOW for channel, state in states.items() if state == "due"},
    )


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    """A kept memory with a few conditions."""
    listed = draw(st.lists(conditions(), max_size=3))
    return Memory(kept=True, taken_at=NOW, conditions={one.signature: one for one in listed})


def due(memory: Memory) -> set[tuple[str, str]]:
    """The channels to which something is due, with its signature, in the run after that memory."""
    run = ledger.RunContext(NOW + timedelta(seconds=60), settings_of())
    notices = ledger.list_due_notices(memory.conditions, run, CHANNELS)
    return {(channel, one.condition.signature) for channel, items in notices.items() for one in items}


@given(memories(), st.lists(memories(), max_size=3))
def test_every_debt_is_due_unless_one_of_them_delivered_it(newest, others):
    joined = join_memories(newest, others)
    every = [newest, *others]
    delivered = {
        (channel, key)
        for memory in every
        for key, one in memory.conditions.items()
        for channel in one.receipts
    }
    owed = {
        (channel, key) for memory in every for key, one in memory.conditions.items() for channel in one.owing
    }
    still_due = due(joined)
    assert owed - delivered <= still_due
    for channel, key in delivered & {(c, k) for c in CHANNELS for k in joined.conditions}:
        receipt = joined.conditions[key].receipts.get(channel)
        assert receipt is not None


@given(memories())
def test_a_memory_joined_with_itself_or_nothing_is_the_same(memory):
    assert join_memories(memory, []) == join_memories(memory, [memory]) == memory
