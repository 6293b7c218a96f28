"""Memories of runs that did not know each other, joined: no debt is lost and no receipt forgotten.

The second half lets two lanes go on from one memory, neither of which reads the other's, until one reads both.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct, field
from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import Condition, Receipt
from detector.domain.rule import Severity
from detector.domain.run_memory import FIRST_RUN, Memory, join_memories
from detector.settings import Rung
from tests.support.snapshots import NOW, evaluated, healthy_at, remembered, settings_of

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


def test_a_channel_whose_end_only_one_lane_saw_hears_that_the_state_is_back():
    """Slack accepted the problem before the lanes parted; in one it ended, was sent, and began anew."""
    told = {"slack": Receipt("warning", NOW - timedelta(hours=2), escalated=False)}
    went_on = replace(
        BASE, severity="warning", peak="warning", first_seen=NOW - timedelta(hours=3), last_seen=NOW,
        receipts=told, owing={},
    )  # fmt: skip
    anew = replace(
        went_on, generation=went_on.generation + 5, first_seen=NOW - timedelta(minutes=5), receipts={},
        owing={"slack": NOW - timedelta(minutes=5)},
    )  # fmt: skip
    lanes = [Memory(kept=True, taken_at=NOW, conditions={one.signature: one}) for one in (went_on, anew)]
    for newest, other in (lanes, reversed(lanes)):
        assert ("slack", went_on.signature) in due(join_memories(newest, [other]))


@given(memories())
def test_a_memory_joined_with_itself_or_nothing_is_the_same(memory):
    assert join_memories(memory, []) == join_memories(memory, [memory]) == memory


# ---- two lanes from one memory -----------------------------------------------------------------------------


FLOORS = {"slack": Rung("warning"), "pager": Rung("escalated")}
START = NOW.replace(day=6, hour=5)  # a Saturday: no session
PROBLEMS = ("new", "owed", "worse", "escalated", "again", "reminder")


class Accepted(Struct, frozen=True):
    """One notice that a channel accepted."""

    channel: str
    signature: str
    reason: str
    delivery_id: str


class Lanes(Struct):
    """Two lanes' memories, what the channels accepted in order, and what each lane could not deliver."""

    seconds: int = 0
    memories: dict[str, Memory] = field(default_factory=lambda: {"a": FIRST_RUN, "b": FIRST_RUN})
    accepted: list[Accepted] = field(default_factory=list)
    debts: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: {"a": set(), "b": set()})

    def run(self, lane: str, gap: int, facts: dict[str, Any], channels: frozenset[str]) -> None:
        """Run once in that lane; only these channels accept what is due."""
        self.seconds += gap
        moment = (START + timedelta(seconds=self.seconds)).isoformat().replace("+00:00", "Z")
        report = evaluated(healthy_at(moment, {"status_v3": facts}), self.memories[lane], channels=FLOORS)
        conditions = report.conditions
        for channel in FLOORS:
            due = report.owed[channel]
            keys = {(channel, notice.condition.signature) for notice in due}
            if channel not in channels:
                self.debts[lane] |= keys
                continue
            self.debts[lane] -= keys
            self.accepted += [
                Accepted(channel, notice.condition.signature, str(notice.reason), notice.delivery_id)
                for notice in due
            ]
            conditions = ledger.add_receipts(conditions, due, channel, report.taken_at)
        self.memories[lane] = remembered(replace(report, conditions=conditions), printed=False)

    def list_accepted(self, channel: str, signature: str) -> list[Accepted]:
        return [entry for entry in self.accepted if (entry.channel, entry.signature) == (channel, signature)]


def list_repeated(before: list[Accepted], after: list[Accepted]) -> list[Accepted]:
    """Return the problems that were accepted a second time; an end may be, after a return."""
    accepted = {(entry.channel, entry.delivery_id) for entry in before}
    return [
        entry
        for entry in after
        if (entry.channel, entry.delivery_id) in accepted and entry.reason not in ("resolved", "reminder")
    ]


FACTS = st.fixed_dictionaries(
    {"pending_orders": st.sampled_from([0, 2, 3]), "stuck_exits": st.sampled_from([0, 1])}
)
RUNS = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from([60, 300, 840, 1620, 3600]),
    FACTS,
    st.sets(st.sampled_from(sorted(FLOORS))).map(frozenset),
)


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(st.lists(RUNS, max_size=2), st.lists(RUNS, min_size=2, max_size=6))
def test_whoever_reads_two_lanes_owes_what_neither_delivered_and_repeats_nothing(common, forked):
    lanes = Lanes()
    for _, *world in common:
        lanes.run("a", *world)
    lanes.memories["b"], lanes.debts["b"] = lanes.memories["a"], set(lanes.debts["a"])
    for run in forked:
        lanes.run(*run)
    before, (last, _, facts, _) = list(lanes.accepted), forked[-1]
    other = "b" if last == "a" else "a"
    lanes.memories[last] = join_memories(lanes.memories[last], [lanes.memories[other]])
    for gap in (60, 300, 300, 8000):
        lanes.run(last, gap, facts, frozenset(FLOORS))
    for channel, signature in lanes.debts[other] - lanes.debts[last]:
        assert lanes.list_accepted(channel, signature), f"{signature} was never delivered to {channel}"
    for signature, condition in lanes.memories[last].conditions.items():
        heard = lanes.list_accepted("slack", signature)
        if heard:
            assert (heard[-1].reason in PROBLEMS) == (condition.phase != "ended"), heard
    assert list_repeated(before, lanes.accepted[len(before) :]) == []


def test_a_channel_that_was_sent_the_end_of_what_goes_on_is_sent_that_it_is_back():
    lanes, every = Lanes(), frozenset(FLOORS)
    lanes.run("a", 300, {"stuck_exits": 1}, every)
    lanes.memories["b"] = lanes.memories["a"]
    for gap in (300, 300):
        lanes.run("a", gap, {"stuck_exits": 0}, every)
    lanes.run("b", 300, {"stuck_exits": 1}, every)
    lanes.memories["b"] = join_memories(lanes.memories["b"], [lanes.memories["a"]])
    lanes.run("b", 300, {"stuck_exits": 1}, every)
    signature = next(key for key in lanes.memories["b"].conditions if key.startswith("stuck_exits"))
    reasons = [entry.reason for entry in lanes.list_accepted("slack", signature)]
    assert reasons == ["new", "resolved", "again"]
