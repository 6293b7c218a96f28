"""Laws of delivery under faults, with the messages as they are sent.

What is receipted was named, and nothing is lost.

The model knows only what each channel accepted, and which memory the next run reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct, field
from msgspec.structs import replace

from detector import ledger
from detector.channels.channel import DeliveryContext, send_parts
from detector.clients.connection import Deadline
from detector.domain.report import ChannelHealth, Report
from detector.domain.rule import RANK
from detector.domain.run_memory import FIRST_RUN, Memory, build_lost_memory, join_memories
from detector.formats.errors import REFUSED, ExternalError
from detector.render.message import Message
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext
from detector.render.message_slack import build_slack_payload
from detector.render.message_text import render_text
from detector.settings import Rung
from tests.support.messages import ZONES
from tests.support.slack_server import everything
from tests.support.snapshots import NOW, evaluated, remembered, status_at

FLOORS = {"slack": Rung("warning"), "mail": Rung("critical"), "pager": Rung("escalated")}
START = NOW.replace(day=6, hour=5)  # a Saturday: no session
FAR = 10**9
PART = 3  # conditions in a part of a message; the limits of real channels are those of characters


class World(Struct, frozen=True):
    """What one run sees, and what happens to it.

    `parts` is by channel how many parts of its message it accepts; `stored` is False where the run is killed
    between delivery and storing; `damaged` where the newest memory cannot be read and the one before it is,
    `unread` where none can: nothing is stored then.
    """

    gap: int
    pending: int | None
    stuck: int | None
    stale: int
    parts: Mapping[str, int]
    stored: bool = True
    damaged: bool = False
    unread: bool = False


@st.composite
def worlds(draw: st.DrawFn) -> World:
    return World(
        draw(st.sampled_from([60, 300, 840, 1620, 3600])),
        draw(st.sampled_from([0, 0, 2, 3, None])),
        draw(st.sampled_from([0, 0, 1, None])),
        draw(st.sampled_from([0, 0, 1, 7])),
        {name: draw(st.sampled_from([FAR, FAR, 0, 1])) for name in FLOORS},
        draw(st.sampled_from([True, True, True, False])),
        draw(st.sampled_from([False, False, False, True])),
        draw(st.sampled_from([False, False, False, True])),
    )


class Ledger(Struct):
    """What the channels accepted.

    By channel and delivery id how often, and which of these were lost again.
    """

    named: Counter[tuple[str, str]] = field(default_factory=Counter)
    forgotten: Counter[tuple[str, str]] = field(default_factory=Counter)
    reached: set[tuple[str, str]] = field(default_factory=set)


def document_at(world: World, seconds: int) -> dict[str, Any]:
    moment = (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    orders = [
        {"order_id": f"o{k}", "symbol": f"S{k}", "kind": "entry", "age_sec": 9_000, "status": "Submitted"}
        for k in range(world.stale)
    ]
    patch = {
        "pending_orders": world.pending,
        "stuck_exits": world.stuck,
        "pending_exits": world.stuck,
        "open_position_count": world.stuck,
        "orders": orders,
    }
    return status_at(moment, patch)


def deliver(report: Report, world: World, book: Ledger) -> tuple[Report, Counter[tuple[str, str]]]:
    """Deliver as the program does; return the report with its receipts, and what was accepted."""
    taken: Counter[tuple[str, str]] = Counter()
    for channel in FLOORS:
        notices = report.owed[channel]
        unread = "GitHub could not be asked" if world.unread else ""
        message = build_message(MessageContext(report, ZONES, unread=unread), channel, notices)
        texts: list[str] = []

        def send(part: Message, limit: int = world.parts[channel], texts: list[str] = texts) -> None:
            if len(texts) >= limit:
                raise ExternalError("no", reason=REFUSED)
            texts.append(everything(build_slack_payload(part)) + render_text(part))

        if message is None:
            continue
        try:
            result = send_parts(
                message.split(lambda items, _: PART), send, DeliveryContext(Deadline(60), lambda _: None)
            )
        except ExternalError:
            continue
        accepted = [one for one in notices if result.accepted is None or one.delivery_id in result.accepted]
        if world.unread:  # "and n as before": no receipt is kept of it
            texts_in_all = "".join(texts)
            assert "the memory has not been readable since" in texts_in_all
            continue
        for notice in accepted:
            named = notice.condition.subject or notice.condition.type
            assert any(named in text for text in texts), (
                f"{notice.condition.signature} is receipted, not named"
            )
            taken[channel, notice.delivery_id] += 1
        after = ledger.add_receipts(report.conditions, accepted, channel, report.taken_at)
        report = replace(
            report,
            conditions=after,
            channels={**report.channels, channel: ChannelHealth(since=report.taken_at)},
        )
    book.named += taken
    return report, taken


def note_reached(report: Report, book: Ledger) -> None:
    """Note which conditions reached which channel's floor, and in which episode."""
    for one in report.conditions.values():
        if not one.is_active or not one.confirmed or one.because_of:
            continue
        levels = {
            "slack": True,
            "mail": RANK[one.severity] >= RANK["critical"],
            "pager": one.escalated,
        }
        book.reached |= {(channel, one.signature) for channel, is_reached in levels.items() if is_reached}


def run_history(history: list[World], book: Ledger) -> tuple[Memory, list[tuple[str, str, str]]]:
    """Run the history; return the last memory and every accepted notice as channel, signature and reason."""
    memories: list[Memory] = [FIRST_RUN]
    seconds, told = 0, list[tuple[str, str, str]]()
    for world in history:
        seconds += world.gap
        usable = memories[:-1] if world.damaged and len(memories) > 1 else memories
        memory = join_memories(usable[-1], usable[-3:-1])
        if world.unread:
            memory = build_lost_memory("GitHub could not be asked")
        report = evaluated(document_at(world, seconds), memory, channels=FLOORS)
        if world.stored and not world.damaged and not world.unread:
            note_reached(report, book)  # a run of which nothing is kept and nothing was taken is as none
        due = {(channel, one.delivery_id): one for channel in FLOORS for one in report.owed[channel]}
        report, taken = deliver(report, world, book)
        told += [
            (channel, due[channel, key].condition.signature, str(due[channel, key].reason))
            for channel, key in taken
        ]
        if world.damaged or world.unread:
            continue  # nothing is stored, so that the memory that was not read is not hidden
        if world.stored:
            memories.append(remembered(report, printed=False))
        else:
            book.forgotten += taken
    return memories[-1], told


@settings(max_examples=30, deadline=None, phases=[Phase.generate])
@given(st.lists(worlds(), min_size=1, max_size=6), st.lists(worlds(), min_size=1, max_size=4))
def test_runs_that_read_no_memory_change_nothing_that_is_told_after_them(before, after):
    """Once it can be read again, every channel is told the same as if the runs between had not been."""

    def told(*between: World) -> list[tuple[str, str, str]]:
        gone = sum(world.gap for world in unread) - sum(world.gap for world in between)
        first, *rest = after
        history = [*before, *between, replace(first, gap=first.gap + gone), *rest]
        return run_history(history, Ledger())[1]

    unread = [replace(world, unread=True, damaged=False) for world in after]
    silent = [replace(world, parts=dict.fromkeys(FLOORS, 0)) for world in unread]
    assert told(*silent) == told()


def is_told_or_due(memory: Memory, channel: str, signature: str) -> bool:
    condition = memory.conditions.get(signature)
    return condition is not None and (channel in condition.owing or channel in condition.receipts)


@settings(max_examples=30, deadline=None, phases=[Phase.generate])
@given(st.lists(worlds(), min_size=1, max_size=8))
def test_what_is_receipted_was_named_and_what_reached_a_channel_is_told_or_due(history):
    book = Ledger()
    # At last a run that sees nothing new, with channels that accept everything.
    last = World(300, None, None, 0, dict.fromkeys(FLOORS, FAR))
    memory, told = run_history([*history, last], book)
    accepted = {(channel, signature) for channel, signature, _ in told}
    stored = {
        (channel, signature)
        for channel, signature in book.reached
        if is_told_or_due(memory, channel, signature)
    }
    missing = {
        (channel, signature)
        for channel, signature in book.reached - accepted - stored
        if signature in memory.conditions
        and memory.conditions[signature].is_active
        and memory.conditions[signature].confirmed
    }
    assert missing == set()


@settings(max_examples=30, deadline=None, phases=[Phase.generate])
@given(st.lists(worlds(), min_size=1, max_size=8))
def test_the_same_notice_is_sent_again_only_where_its_receipt_was_lost(history):
    """Once; and once more for every run that was killed after it was sent, or that could not store."""
    book = Ledger()
    clear = [replace(world, damaged=False, unread=False) for world in history]
    run_history(clear, book)
    for key, count in book.named.items():
        assert count <= 1 + book.forgotten[key], (key, count)


@settings(max_examples=30, deadline=None, phases=[Phase.generate])
@given(st.lists(worlds(), min_size=1, max_size=8))
def test_each_change_to_escalate_is_told_once_to_each_channel(history):
    book = Ledger()
    kept = [replace(world, damaged=False, unread=False, stored=True) for world in history]
    _, told = run_history(kept, book)
    for channel, signature in {(channel, signature) for channel, signature, _ in told}:
        reasons = [reason for name, key, reason in told if (name, key) == (channel, signature)]
        assert all(count <= 1 for count in count_escalations(reasons)), (channel, signature, reasons)


def count_escalations(reasons: list[str]) -> Iterator[int]:
    """Yield by episode how often it was told that it escalates; an episode begins with `new` and its like."""
    count = 0
    for reason in reasons:
        if reason in ("new", "owed", "missed"):
            yield count
            count = 0
        count += reason == "escalated"
    yield count
