"""Which facts earlier runs of a lane saw, and which of them are lost now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

KEPT_FOR = timedelta(days=7)
HEARTBEAT, POSITIONS = "heartbeat_at", "open_positions"
_POSITION_FACTS = (POSITIONS, "open_position_count", "broker_positions", "store_positions")
_NEVER_FORGOTTEN = (HEARTBEAT, *_POSITION_FACTS)  # by its own lane: being dark has no end by time
_MOST_LANES = 8


class SeenFact(Struct, frozen=True):
    """When a fact was last seen, and the section that showed it."""

    at: datetime
    section: str


class SectionContent(Struct, frozen=True):
    """The content of a section that names no time: its digest, and since when it has been the same."""

    digest: str
    since: datetime


class LaneMemory(Struct, frozen=True):
    """The facts that the runs of one lane and profile saw, by name, each with its last time."""

    facts: Mapping[str, SeenFact] = field(default_factory=dict)


class LostFact(Struct, frozen=True):
    """A fact that an earlier run saw and this one does not.

    `subject` is what a person misses: the golden signal of the fact, else the fact.
    """

    name: str
    section: str
    seen_at: datetime
    signal: str | None = None

    @property
    def subject(self) -> str:
        """Return the golden signal of the fact, else its name."""
        return self.signal or self.name


def update_lanes(
    lanes: Mapping[str, LaneMemory], lane: str, seen: Mapping[str, tuple[str, ...]], at: datetime
) -> dict[str, LaneMemory]:
    """Return the memory with what this run saw; a fact that was not seen for a week is forgotten.

    The heartbeat and the positions are not forgotten by the lane that saw them. `seen` are the sections that
    showed each fact.
    """
    own = lanes.get(lane, LaneMemory())
    kept_facts = {name: fact for name, fact in own.facts.items() if name in _NEVER_FORGOTTEN}
    known = kept_facts | dict(_iter_recent(own, at))
    facts = {**known, **{name: SeenFact(at, sections[0]) for name, sections in seen.items() if sections}}
    recent = {
        name: memory for name, memory in lanes.items() if name != lane and any(_iter_recent(memory, at))
    }
    newest = sorted(recent, key=lambda name: max(fact.at for fact in recent[name].facts.values()))
    kept = {name: recent[name] for name in newest[-(_MOST_LANES - 1) :]}
    return {**kept, lane: LaneMemory(facts)} if facts else kept


def _iter_recent(memory: LaneMemory | None, at: datetime) -> Iterator[tuple[str, SeenFact]]:
    for name, fact in memory.facts.items() if memory else ():
        if at - fact.at <= KEPT_FOR:
            yield name, fact


def update_contents(
    before: Mapping[str, SectionContent], now: Mapping[str, SectionContent], at: datetime
) -> dict[str, SectionContent]:
    """Return the contents after this run; those that were not read now are kept for a week."""
    return {**{name: content for name, content in before.items() if at - content.since <= KEPT_FOR}, **now}


def is_known_to_lane(lanes: Mapping[str, LaneMemory], lane: str, name: str) -> bool:
    """Return whether a run of the lane ever saw the heartbeat or any positions or their count."""
    memory = lanes.get(lane)
    return memory is not None and any(fact in memory.facts for fact in _list_facts_of(name))


def find_section_of(lanes: Mapping[str, LaneMemory], lane: str, name: str) -> str | None:
    """Return the section that showed the lane the heartbeat or the positions; None where none did."""
    facts = lanes[lane].facts if lane in lanes else {}
    return next((facts[fact].section for fact in _list_facts_of(name) if fact in facts), None)


def is_known_to_any_lane(lanes: Mapping[str, LaneMemory], name: str, at: datetime) -> bool:
    """Return whether a run of any lane saw the heartbeat or the positions within the last week."""
    names = _list_facts_of(name)
    return any(fact in names for memory in lanes.values() for fact, _ in _iter_recent(memory, at))


def _list_facts_of(name: str) -> tuple[str, ...]:
    return _POSITION_FACTS if name == POSITIONS else (name,)


def list_seen_before(lanes: Mapping[str, LaneMemory], lane: str, at: datetime) -> dict[str, SeenFact]:
    """Return the facts that earlier runs of the lane saw within the last week."""
    return dict(_iter_recent(lanes.get(lane), at))
