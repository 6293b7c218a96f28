"""The facts that an earlier run of the lane and profile saw, that are needed, and that are not seen now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from detector.domain.facts import Facts
from detector.domain.lane_memory import (
    LaneMemory,
    LostFact,
    ObjectKeys,
    SeenFact,
    SeenNow,
    list_lost_keys,
    list_lost_sections,
    list_recent_sections,
    list_unseen_facts,
)
from detector.domain.profile import Profile
from detector.domain.rule import Declaration
from detector.engine.catalog import load_rules
from detector.engine.coverage import SIGNALS
from detector.settings import PROFILE, STANDBY_PATTERN, Settings

_EVERY_LINE, _STANDBY = "logs.every line", "containers.a standby container"
_PROOFS: Mapping[str, str] = {_EVERY_LINE: "logs", _STANDBY: "containers"}
"""What a golden signal needs of a list beyond the list itself, with the fact that is the list."""


def add_lost_facts(facts: Facts, settings: Settings, signals_off: Collection[str]) -> Facts:
    """Return the facts with those that are lost, here or to another lane; a signal that is off loses none."""
    facts = replace(facts, seen=SeenNow(_list_seen_facts(facts, settings), _list_objects(facts)))
    lanes = facts.before.lanes
    others = [memory for lane, memory in lanes.items() if lane != facts.lane]
    lost = _find_lost([lanes[facts.lane]] if facts.lane in lanes else [], facts, settings, signals_off)
    lost_elsewhere = _find_lost(others, facts, settings, signals_off)
    return replace(facts, lost=lost, lost_elsewhere=lost_elsewhere) if lost or lost_elsewhere else facts


def _find_lost(
    memories: Sequence[LaneMemory], facts: Facts, settings: Settings, signals_off: Collection[str]
) -> tuple[LostFact, ...]:
    """Return the facts, then the keys and sections, that these lanes saw before and this run does not see."""
    before: dict[str, SeenFact] = {}
    for memory in memories:
        before |= list_unseen_facts(memory, facts.seen, facts.taken_at)
    lost = _find_lost_facts(before, facts, settings, signals_off)
    for memory in memories:
        lost += _find_lost_keys(memory, facts, {fact.section for fact in lost})
    return lost


def _find_lost_facts(
    before: Mapping[str, SeenFact], facts: Facts, settings: Settings, signals_off: Collection[str]
) -> tuple[LostFact, ...]:
    """Return the facts that are needed, seen before and not seen now, in the order of their names."""
    seen = facts.seen.facts
    gone = before.keys() - {name for name, fact in _PROOFS.items() if fact in before}
    if not gone:
        return ()
    signals = _find_signals(signals_off)
    rules = [rule.declaration for rule in load_rules() if not rule.declaration.monitor]
    profile: Profile | None = settings.files.get(PROFILE.name)
    rules += [rule.declaration for rule in profile.rules] if profile else []
    needed = set(_iter_needed(rules, gone, seen))
    return tuple(
        LostFact(name, before[name].section, before[name].at, signals.get(name))
        for name in sorted(gone & (needed | signals.keys()))
        if not _is_off(name, signals_off) and not _is_source_off(before[name].section, facts)
    )


def _find_lost_keys(memory: LaneMemory, facts: Facts, sections: Collection[str]) -> tuple[LostFact, ...]:
    """Return the keys, and the sections, that a lane saw before and that are not there now.

    Outside its rows what `sections` lost is said by the facts that they lost.
    """
    keys = list_lost_keys(memory, facts.seen.keys, facts.taken_at)
    gone = list_lost_sections(memory, facts.sections | facts.sources.keys())
    return tuple(
        LostFact(path, section, at)
        for path, at in sorted({**keys, **gone}.items())
        for section, *holder in [path.split(".")[:-1] or [path]]
        if (section not in sections or _is_in_rows(section, holder, facts))
        and not _is_source_off(section, facts)
    )


def _is_in_rows(section: str, keys: Sequence[str], facts: Facts) -> bool:
    shape = facts.provenance.shapes.get(section)
    return shape is not None and shape.find_fact(keys) is not None


def _list_seen_facts(facts: Facts, settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """Return the facts of this run with the sections that showed them, and what of a list was proven."""
    seen = {
        name: sections
        for name, sections in facts.provenance.seen.items()
        if facts.get_value(name) is not None
    }
    if "logs" in seen and "logs" not in facts.provenance.partial:
        seen[_EVERY_LINE] = seen["logs"]
    if any(container.is_named_like(settings[STANDBY_PATTERN]) for container in facts.containers or ()):
        seen[_STANDBY] = seen["containers"]
    return seen


def _list_objects(facts: Facts) -> Mapping[str, ObjectKeys]:
    """Return the keys of this run's objects, and by their names the processes; an expected one is a fault."""
    if facts.processes is None or "processes" not in facts.provenance.seen or facts.expected_processes:
        return facts.objects
    names = frozenset(process.name for process in facts.processes if process.name)
    return {**facts.objects, "processes.name": ObjectKeys(names, names)}


def list_lane_sections(facts: Facts) -> frozenset[str]:
    """Return the sections that this run's lane reads: now, by its sources, or within the last week."""
    now = facts.sections | facts.sources.keys()
    return now | list_recent_sections(facts.before.lanes.get(facts.lane), now, facts.taken_at)


def _find_signals(off: Collection[str]) -> dict[str, str]:
    """Return by fact the golden signal that needs it."""
    mapped = {_EVERY_LINE: "severe_signals", _STANDBY: "standby_guard"}
    mapped = {name: signal for name, signal in mapped.items() if signal not in off}
    for signal in SIGNALS:
        if signal.name not in off:
            for name in signal.facts:
                mapped.setdefault(name, signal.name)
    return mapped


def _is_off(name: str, off: Collection[str]) -> bool:
    """Return whether only signals that are switched off need the fact."""
    signals = [signal.name for signal in SIGNALS if name in signal.facts]
    return bool(signals) and all(signal in off for signal in signals)


def _is_source_off(section: str, facts: Facts) -> bool:
    source = facts.sources.get(section)
    return source is not None and source.state == "off"


def _iter_needed(rules: Iterable[Declaration], gone: Collection[str], seen: Collection[str]) -> Iterator[str]:
    """Yield the facts without which a critical rule that could decide before cannot decide now."""
    for declared in rules:
        if "critical" not in declared.severity:
            continue
        yield from (name for name in declared.sees if name in gone)
        if not any(name in seen for name in declared.any_of):
            yield from (name for name in declared.any_of if name in gone)
