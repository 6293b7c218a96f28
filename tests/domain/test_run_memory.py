"""Memories of runs that did not know each other, joined: no debt is lost and no receipt forgotten.

The second half lets runs see some of the memories only, until one sees all, and asks the channels alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import product, takewhile

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct, field
from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import Condition, Notice, Receipt
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


def test_what_is_due_of_an_ended_episode_stays_due_beside_the_next_one():
    """One lane saw a critical episode to its end while Slack refused; another began anew and was accepted."""
    ended = replace(
        BASE, severity="critical", peak="critical", first_seen=NOW - timedelta(hours=3), phase="ended",
        ending="resolved", ended_at=NOW - timedelta(hours=2), receipts={},
        owing={"slack": NOW - timedelta(hours=3)},
    )  # fmt: skip
    anew = replace(
        BASE, severity="warning", peak="warning", generation=BASE.generation + 5, last_seen=NOW,
        first_seen=NOW - timedelta(minutes=5), receipts={"slack": Receipt("warning", NOW, escalated=False)},
        owing={},
    )  # fmt: skip
    lanes = [Memory(kept=True, taken_at=NOW, conditions={one.signature: one}) for one in (ended, anew)]
    for newest, other in (lanes, reversed(lanes)):
        assert ("slack", BASE.signature) in due(join_memories(newest, [other]))


@given(memories())
def test_a_memory_joined_with_itself_or_nothing_is_the_same(memory):
    assert join_memories(memory, []) == join_memories(memory, [memory]) == memory


# ---- lanes of one runtime ----------------------------------------------------------------------------------


FLOORS = {"slack": Rung("warning"), "mail": Rung("critical"), "pager": Rung("escalated")}
START = NOW.replace(day=6, hour=5)  # a Saturday: no session
ENDS = ("resolved", "retired", "no longer watched", "missed")
RANKS = {"warning": 1, "critical": 2}


class Sent(Struct, frozen=True):
    """One notice that a channel accepted; `worst` and `escalated` are what its condition was so far."""

    channel: str
    signature: str
    reason: str
    delivery_id: str
    at: datetime
    worst: Severity
    escalated: bool


class Reached(Struct, frozen=True):
    """What a run saw that is above a channel's floor; the condition began at `since`."""

    channel: str
    signature: str
    severity: Severity
    escalated: bool
    since: datetime


def is_above_floor(channel: str, severity: Severity, escalated: bool) -> bool:
    floor = FLOORS[channel].floor
    return escalated or floor in ("warning", severity)


class Runs(Struct):
    """Runs in any lanes: their memories, what the channels accepted, and what each of them had to be sent."""

    seconds: int = 0
    memories: list[Memory] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    reached: list[Reached] = field(default_factory=list)

    def run(self, visible: list[Memory], world: World) -> None:
        """Run once with the memories that this run sees; only the channels of the world accept."""
        self.seconds += world.gap
        moment = (START + timedelta(seconds=self.seconds)).isoformat().replace("+00:00", "Z")
        facts: dict[str, object] = {
            "pending_orders": world.orders,
            "broker_reconcile_pending": world.pending,
            "orders": [],
        }
        newest, *others = sorted(visible, key=lambda memory: memory.taken_at or START, reverse=True) or [
            FIRST_RUN
        ]
        document = {"taken_at": moment, "status_v3": facts}
        report = evaluated(document, join_memories(newest, others), channels=FLOORS)
        conditions = report.conditions
        for channel in FLOORS:
            self._note_reached(channel, conditions.values())
            if channel in world.refusing:
                continue
            self.sent += [build_sent(channel, notice, report.taken_at) for notice in report.owed[channel]]
            conditions = ledger.add_receipts(conditions, report.owed[channel], channel, report.taken_at)
        self.memories.append(remembered(replace(report, conditions=conditions), printed=False))

    def _note_reached(self, channel: str, conditions: Iterable[Condition]) -> None:
        self.reached += [
            Reached(channel, one.signature, one.severity, one.escalated, one.first_seen)
            for one in conditions
            if one.is_active and one.confirmed and is_above_floor(channel, one.severity, one.escalated)
        ]

    def list_sent(self, channel: str, signature: str) -> list[Sent]:
        return [entry for entry in self.sent if (entry.channel, entry.signature) == (channel, signature)]


class World(Struct, frozen=True):
    """What one run meets: seconds since the last one, the facts, and the channels that refuse."""

    gap: int
    orders: int | None
    pending: bool | None
    refusing: frozenset[str] = frozenset()


def build_sent(channel: str, notice: Notice, at: datetime) -> Sent:
    condition = notice.condition
    escalated = condition.escalated_at is not None
    return Sent(
        channel, condition.signature, str(notice.reason), notice.delivery_id, at, condition.peak, escalated
    )


def list_faults(runs: Runs, joined_from: int) -> list[object]:
    """Return what breaks a law; `joined_from` is the number of notices before all memories were joined."""
    missing = [
        entry
        for entry in runs.reached
        if not any(
            sent.at >= entry.since
            and RANKS[sent.worst] >= RANKS[entry.severity]
            and sent.escalated >= entry.escalated
            for sent in runs.list_sent(entry.channel, entry.signature)
        )
    ]
    before = {(entry.channel, entry.delivery_id) for entry in runs.sent[:joined_from]}
    repeated = [
        entry
        for entry in runs.sent[joined_from:]
        if entry.reason != "reminder" and (entry.channel, entry.delivery_id) in before
    ]
    return [*missing, *repeated, *list_wrong_beliefs(runs)]


def list_wrong_beliefs(runs: Runs) -> list[object]:
    """Return the channels whose newest messages say something else than the last run saw."""
    wrong = list[object]()
    for channel, (signature, condition) in product(FLOORS, runs.memories[-1].conditions.items()):
        sent = runs.list_sent(channel, signature)
        has_end = bool(sent) and sent[-1].reason in ENDS
        if condition.phase == "ended":
            wrong += [("end not sent", channel, sent)] * (bool(sent) and not has_end)
        elif is_above_floor(channel, condition.severity, condition.escalated) and condition.is_active:
            since_end = [*takewhile(lambda entry: entry.reason not in ENDS, reversed(sent))]
            knows = any(
                RANKS[entry.worst] >= RANKS[condition.severity] and entry.escalated >= condition.escalated
                for entry in since_end
            )
            wrong += [("does not know", channel, condition, sent)] * (not knows)
    return wrong


WORLDS = st.builds(
    World,
    st.sampled_from([60, 240, 300, 600, 840, 1620, 3600, 7300]),
    st.sampled_from([2, 3, 0, 0, None]),
    st.sampled_from([True, False, False, None]),
    st.sets(st.sampled_from(sorted(FLOORS))).map(frozenset),
)
QUIET = (60, 300, 300, 8000, 8000)


def settle(runs: Runs, orders: int, pending: bool) -> None:
    """Run on with all memories in sight, facts that stay, and channels that accept."""
    for gap in QUIET:
        runs.run(list(runs.memories), World(gap, orders, pending))


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(
    st.lists(WORLDS, max_size=3), st.lists(st.tuples(st.booleans(), WORLDS), min_size=2, max_size=6), WORLDS
)
def test_two_lanes_from_one_memory_lose_nothing_and_repeat_nothing_once_joined(common, forked, last):
    runs = Runs()
    for world in common:
        runs.run(runs.memories[-1:], world)
    lanes = {False: runs.memories[-1:], True: runs.memories[-1:]}
    for lane, world in forked:
        runs.run(lanes[lane], world)
        lanes[lane] = runs.memories[-1:]
    runs.memories = [*lanes[False], *lanes[True]]
    joined_from = len(runs.sent)
    settle(runs, last.orders or 0, bool(last.pending))
    assert list_faults(runs, joined_from) == []


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(st.lists(st.tuples(WORLDS, st.sets(st.integers(1, 5))), min_size=3, max_size=9), WORLDS)
def test_runs_that_each_see_some_of_the_memories_lose_nothing_and_repeat_nothing(history, last):
    runs = Runs()
    for world, seen in history:
        runs.run([runs.memories[-back] for back in sorted(seen) if back <= len(runs.memories)], world)
    joined_from = len(runs.sent)
    settle(runs, last.orders or 0, bool(last.pending))
    assert list_faults(runs, joined_from) == []


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(st.lists(WORLDS, min_size=4, max_size=10))
def test_memories_that_went_into_the_newest_add_nothing_to_it(history):
    """One lane sends the same whether it reads its newest memory or its newest five."""
    alone, joined = Runs(), Runs()
    for world in history:
        alone.run(alone.memories[-1:], world)
        joined.run(joined.memories[-5:], world)
    assert alone.sent == joined.sent


def test_a_channel_that_was_sent_the_end_of_what_goes_on_is_sent_that_it_is_back():
    runs = Runs()
    runs.run([], World(300, 2, False))
    common = runs.memories[-1]
    for _ in range(2):
        runs.run(runs.memories[-1:], World(300, 0, False))
    runs.run([common], World(300, 2, False))
    runs.run(runs.memories[-2:], World(300, 2, False))
    signature = next(key for key in runs.memories[-1].conditions if key.startswith("pending_orders_high"))
    assert [entry.reason for entry in runs.list_sent("slack", signature)] == ["new", "resolved", "again"]


def test_a_return_that_no_channel_was_sent_is_missed_and_not_a_second_end():
    runs = Runs()
    every = frozenset(FLOORS)
    for pending, refusing in ((True, frozenset()), (False, frozenset()), (False, frozenset()), (True, every)):
        runs.run(runs.memories[-1:], World(300, 0, pending, refusing))
    for gap, refusing in ((300, every), (300, every), (8000, frozenset())):
        runs.run(runs.memories[-1:], World(gap, 0, False, refusing))
    assert [entry.reason for entry in runs.sent if entry.channel == "slack"] == ["new", "resolved", "missed"]
