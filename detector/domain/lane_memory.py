"""What earlier runs of a lane saw, facts and the keys of objects, and what of it is lost now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.shape import Need, Shape
from detector.formats.numbers import is_unset

KEPT_FOR = timedelta(days=7)
HEARTBEAT, POSITIONS = "heartbeat_at", "open_positions"
_POSITION_FACTS = (POSITIONS, "open_position_count", "broker_positions", "store_positions")
_NEVER_FORGOTTEN = (HEARTBEAT, *_POSITION_FACTS)  # by its own lane: being dark has no end by time
MOST_LANES = 8
_RUNS_TO_EXPECT = 3  # a payload of one run may be another one's
# Keys that only some objects have: of a contract that expires, of a trade that is closed.
_CONTRACT_PARTS = frozenset(["expiry", "strike", "right"])
_CLOSING_PARTS = frozenset(["closed_at", "exit_price", "exit_reason"])
_PARTS_OF: Mapping[str, frozenset[str]] = {
    **dict.fromkeys((*_CONTRACT_PARTS, "multiplier", "local_symbol", "trading_class"), _CONTRACT_PARTS),
    **dict.fromkeys(
        (*_CLOSING_PARTS, "realized_pnl", "pnl_unknown", "exit_order_id", "exit_perm_id", "exit_exec_id"),
        _CLOSING_PARTS,
    ),
}  # fmt: skip
# Keys whose null is an answer: what an order gets later, what a position need not have.
MAY_BE_NULL = frozenset([
    "order_id", "perm_id", "trade_id", "signal_id", "position_id", "con_id", "submitted_at",
    "fees", "remaining", "last_reconcile_at", "pid", "started_at",
])  # fmt: skip
# Rows that always have such a key: a fill has an order, a trade a number of its own.
_NEVER_NULL: Mapping[str, frozenset[str]] = {
    "executions": frozenset(["order_id", "perm_id"]),
    "recent_trades": frozenset(["trade_id"]),
    "trades": frozenset(["trade_id"]),
}
# Keys that sources leave out by right: they are there only while there is something to write. A source that
# writes one although it says nothing (null, an empty list) always writes it.
MAY_BE_ABSENT = frozenset([
    "connection_error", "error", "exitCode", "exit_code", "reason", "detail", "detail-type", "startedAt",
    "stopCode", "stoppedAt", "stoppedReason", "stoppingAt", "truncated", "server_version", "handshake_at",
    "statement", "flex", "open_orders_scope", "executions_scope", "positions_scope",
    "why_held", "parent_id", "oca_group", "leg_con_ids", "leg_ratios", "model", "notes", "opens", "status_at",
    "client_id", "Project", "Service", "failures", "nextToken", "NextToken",
])  # fmt: skip


class SeenFact(Struct, frozen=True):
    """When a fact was last seen, and the section that showed it."""

    at: datetime
    section: str


class SectionContent(Struct, frozen=True):
    """The content of a section that names no time: its digest, and since when it has been the same."""

    digest: str
    since: datetime


class ObjectKeys(Struct, frozen=True):
    """The keys of the objects at one path of a section: those of every object, and those of at least one.

    Of the keys that a source may leave out `every` has only those that say nothing: it always writes them.
    """

    every: frozenset[str]
    some: frozenset[str]

    def is_missing(self, key: str) -> bool:
        """Return whether no object has the key although one has what it belongs to."""
        parts = _PARTS_OF.get(key)
        return key not in self.some and (parts is None or bool((parts - {key}) & self.some))


class SectionKeys(Struct, frozen=True):
    """The keys of the objects of one section, by their path, as they are counted while it is read."""

    objects: dict[str, ObjectKeys] = field(default_factory=dict)

    def add_object(self, path: str, item: Mapping[str, Any], keys: Iterable[tuple[str, str]]) -> None:
        """Note which of these keys, each with its group, the object has among those at its path."""
        given = frozenset(group for key, group in keys if _is_answered(path, group, item[key]))
        usual = given - {group for key, group in keys if group in MAY_BE_ABSENT and not _is_empty(item[key])}
        before = self.objects.get(path)
        if before is None:
            self.objects[path] = ObjectKeys(usual, given)
        elif usual != before.every or given != before.some:
            self.objects[path] = ObjectKeys(before.every & usual, before.some | given)

    def list_columns(self, section: str, is_list: bool) -> dict[str, tuple[str, ...]]:
        """Return the keys of the rows of each list, by its path; `is_list`: the section is one itself."""
        inner = {path.partition(".")[2]: keys.some for path, keys in self.objects.items()}
        own = inner.pop("", frozenset())
        rows = {section: own, **inner} if is_list else inner
        return {path: tuple(sorted(keys)) for path, keys in sorted(rows.items()) if keys}

    def list_missing(self, shape: Shape) -> list[str]:
        """Return the columns of lists, by their paths, that rows must have and that no row has."""
        missing = []
        for path, keys in self.objects.items():
            nested = (other.some for name, other in self.objects.items() if name.startswith(f"{path}."))
            parents = path.split(".")[1:]
            inner = shape.find_shape(parents)
            for need in inner.needs if inner is not None and inner.named_by else ():
                if not need.is_met_by(keys.some.union(*nested)) and not _is_elsewhere(need):
                    missing.append(".".join((*parents, need.groups[0])))
        return missing


def _is_elsewhere(need: Need) -> bool:
    """Return whether a row may lack it by right: its section names the account, its quantity has the sign."""
    return need.groups[0] == "account" or need.kind == "sign"


def _is_answered(path: str, group: str, value: Any) -> bool:
    """Return whether a value says something; a stock's strike of 0 does not, an order's missing id does."""
    if group == "strike":
        return value not in (None, "", 0, "0")
    if group in MAY_BE_ABSENT:
        return True
    if group in MAY_BE_NULL and group not in _NEVER_NULL.get(path.rpartition(".")[2], ()):
        return True
    return not (value is None or value == "" or (isinstance(value, float | str) and is_unset(value)))


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value in ([], {})


class SeenKeys(Struct, frozen=True):
    """What `runs` (counted up to three) saw of the objects at one path, the last time `at`.

    `every` are keys that all objects had, `optional` those that only some had; `lost` are keys of every
    object that then none had, each with the last time it was there. `recent` counts the runs that saw a key
    in every object before so many have that it is expected.
    """

    at: datetime
    every: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    lost: Mapping[str, datetime] = field(default_factory=dict)
    recent: Mapping[str, int] = field(default_factory=dict)
    runs: int = 0

    @property
    def is_usual(self) -> bool:
        """Whether so many runs saw such objects that they are expected."""
        return self.runs >= _RUNS_TO_EXPECT

    def is_settled(self, now: ObjectKeys) -> bool:
        """Return whether nothing but the time changes by a run that saw these objects."""
        if not self.is_usual or self.lost or self.recent:
            return False
        return _has_only(self.every, self.optional, now)

    def list_lost(self, now: ObjectKeys | None) -> dict[str, datetime]:
        """Return the keys that are lost after this run, which saw no object where `now` is None."""
        if now is None or (not self.lost and now.some.issuperset(self.every)):
            return dict(self.lost)
        before = {key: at for key, at in self.lost.items() if key not in now.some}
        gone = (key for key in self.every if self.is_usual and now.is_missing(key))
        return {**dict.fromkeys(gone, self.at), **before}


@lru_cache(maxsize=1024)  # a replay asks the same at every snapshot
def _has_only(every: tuple[str, ...], optional: tuple[str, ...], now: ObjectKeys) -> bool:
    """Return whether all objects have these keys, and some the optional ones and no others."""
    is_known = now.some.issubset(now.every.union(optional))
    return is_known and now.every.difference(optional) == frozenset(every)


class LaneMemory(Struct, frozen=True):
    """What the runs of one lane and profile saw: facts by name, and the keys of objects by their path."""

    facts: Mapping[str, SeenFact] = field(default_factory=dict)
    keys: Mapping[str, SeenKeys] = field(default_factory=dict)


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


class SeenNow(Struct, frozen=True):
    """What one run saw: the sections that showed each fact, and the keys of the objects at each path."""

    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, ObjectKeys] = field(default_factory=dict)


def update_lanes(
    lanes: Mapping[str, LaneMemory], lane: str, seen: SeenNow, at: datetime
) -> dict[str, LaneMemory]:
    """Return the memory with what this run saw; what was not seen for a week is forgotten.

    The heartbeat and the positions are not forgotten by the lane that saw them.
    """
    own = lanes.get(lane, LaneMemory())
    unseen = {name: own.facts[name] for name in _NEVER_FORGOTTEN if name in own.facts}
    facts = {
        **(unseen | list_unseen_facts(own, seen, at)),
        **{name: SeenFact(at, sections[0]) for name, sections in seen.facts.items() if sections},
    }
    recent = {
        name: memory for name, memory in lanes.items() if name != lane and any(_iter_recent(memory, at))
    }
    newest = sorted(recent, key=lambda name: max(fact.at for fact in recent[name].facts.values()))
    kept = {name: recent[name] for name in newest[-(MOST_LANES - 1) :]}
    return {**kept, lane: LaneMemory(facts, _update_keys(own.keys, seen.keys, at))} if facts else kept


def _update_keys(
    before: Mapping[str, SeenKeys], now: Mapping[str, ObjectKeys], at: datetime
) -> dict[str, SeenKeys]:
    updated = {path: keys for path, keys in before.items() if path not in now and at - keys.at <= KEPT_FOR}
    for path, keys in now.items():
        memory = before.get(path, SeenKeys(at))
        if memory.is_settled(keys):
            updated[path] = replace(memory, at=at)
            continue
        optional = {*memory.optional, *(keys.some - keys.every)}
        lost = {key: since for key, since in memory.list_lost(keys).items() if at - since <= KEPT_FOR}
        # What belongs to a part that no object has now is neither there nor lost.
        kept = {key for key in memory.every if key not in keys.some and not keys.is_missing(key)}
        runs = min(memory.runs + 1, _RUNS_TO_EXPECT)
        new = sorted(keys.every - optional - set(memory.every))
        counts = {key: memory.recent.get(key, 0) + 1 for key in new}
        usual = {key for key, count in counts.items() if count >= _RUNS_TO_EXPECT}
        every = ((keys.every & set(memory.every)) | kept | usual) - optional
        recent = {key: count for key, count in counts.items() if key not in usual}
        updated[path] = SeenKeys(at, tuple(sorted(every)), tuple(sorted(optional)), lost, recent, runs)
    return dict(sorted(updated.items()))


def list_lost_keys(memory: LaneMemory, now: Mapping[str, ObjectKeys], at: datetime) -> dict[str, datetime]:
    """Return the paths of keys that earlier runs of a lane saw in every object, and that none has now."""
    return {
        f"{path}.{key}": since
        for path, keys in memory.keys.items()
        for key, since in keys.list_lost(now.get(path)).items()
        if at - since <= KEPT_FOR
    }


def list_lost_sections(memory: LaneMemory, sections: Collection[str]) -> dict[str, datetime]:
    """Return the sections that earlier runs of a lane were given, and that are not among these."""
    gone: dict[str, datetime] = {}
    for path, keys in memory.keys.items():
        section = path.partition(".")[0]
        if section not in sections and keys.is_usual:
            gone[section] = max(keys.at, gone.get(section, keys.at))
    return gone


def _iter_recent(memory: LaneMemory | None, at: datetime) -> Iterator[tuple[str, SeenFact]]:
    for name, fact in memory.facts.items() if memory else ():
        if at - fact.at <= KEPT_FOR:
            yield name, fact


def update_contents(
    before: Mapping[str, SectionContent], now: Mapping[str, SectionContent], at: datetime
) -> dict[str, SectionContent]:
    """Return the contents after this run; those that were not read now are kept for a week."""
    return {**{name: content for name, content in before.items() if at - content.since <= KEPT_FOR}, **now}


def find_section_of(lanes: Mapping[str, LaneMemory], lane: str, name: str) -> str | None:
    """Return the section that ever showed the lane the heartbeat, or positions or their count, or None."""
    facts = lanes[lane].facts if lane in lanes else {}
    return next((facts[fact].section for fact in _list_facts_of(name) if fact in facts), None)


def is_known_to_any_lane(lanes: Mapping[str, LaneMemory], name: str, at: datetime) -> bool:
    """Return whether a run of any lane saw the heartbeat or the positions within the last week."""
    names = _list_facts_of(name)
    return any(fact in names for memory in lanes.values() for fact, _ in _iter_recent(memory, at))


def _list_facts_of(name: str) -> tuple[str, ...]:
    return _POSITION_FACTS if name == POSITIONS else (name,)


def list_unseen_facts(memory: LaneMemory, seen: SeenNow, at: datetime) -> dict[str, SeenFact]:
    """Return the facts that a lane saw within the last week and that this run does not see."""
    gone = [(name, fact) for name, fact in memory.facts.items() if name not in seen.facts]
    return {name: fact for name, fact in gone if at - fact.at <= KEPT_FOR}


def list_recent_sections(memory: LaneMemory | None, now: Collection[str], at: datetime) -> frozenset[str]:
    """Return the sections beside these that showed a lane facts within the last week."""
    return frozenset(
        fact.section
        for fact in (memory.facts.values() if memory else ())
        if fact.section not in now and at - fact.at <= KEPT_FOR
    )
