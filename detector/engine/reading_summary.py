"""What a run made of each section: its facts, the mapped facts that are missing, what hides money."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.columns import COUNT, MODE, TEXT, TIME
from detector.domain.facts import SECTION_FACTS, STATUS_FACTS
from detector.domain.payload_path import is_plain_path
from detector.domain.profile import HEARTBEAT_AGE, ReadContext
from detector.domain.provenance import Fault, SectionSummary
from detector.domain.section_reading import Reading
from detector.domain.shape import LIST, Key, Need, Shape
from detector.domain.snapshot import ARRAY, STATUS_SECTIONS, get_kinds
from detector.domain.vendor_keys import ALSO_NAMED, FACT_WORDS, NO_FACTS, SESSION
from detector.engine.catalog import load_money_facts
from detector.engine.coverage import SIGNALS, get_signal_name
from detector.engine.key_comparison import MOST_NAMES, KeyComparison
from detector.formats.similar_names import has_all_parts, is_other_fact_of, normalize_key, split_parts
from detector.formats.strict_json import redact_excerpt
from detector.logs.events import LogHistory
from detector.settings import SIGNALS_OFF

_DEEPEST = 3  # objects in each other, by which a payload may be wrapped
_AGES, _AGE_PARTS = ("heartbeat", "heartbeatage", "heartbeatago"), frozenset(["age", "ago", "since"])
_MOST_LEFT = 2  # keys that nobody knows, and facts that are missing, in a payload of known shape


def build_summary(
    reading: Reading,
    age: float | None,
    context: ReadContext,
    compared: tuple[KeyComparison, Shape] | None,
) -> SectionSummary:
    """Return what a run made of one section; `compared` are its keys and its shape, None where not read."""
    facts = tuple(sorted(name for name, value in reading.values.items() if value is not None))
    mapped = _list_mapped_facts(reading.section, context)
    account = SectionSummary(
        reading.section,
        facts=facts,
        missing=tuple(sorted(mapped - set(facts))),
        age_sec=age,
        lines=history.counts if isinstance(history := reading.values.get("logs"), LogHistory) else None,
    )
    if compared is None:
        return account
    comparison, shape = compared
    return replace(
        account,
        missing=(*account.missing, *sorted(comparison.seen.list_missing(shape))),
        columns=comparison.seen.list_columns(reading.section, get_kinds(reading.section) == ARRAY),
        recognised=len(comparison.recognised),
        foreign=len(comparison.foreign),
        unknown=len(comparison.unknown) + len(comparison.faults),
        unnamed=comparison.unnamed,
        unread=tuple(sorted(map(redact_excerpt, comparison.unknown)))[:MOST_NAMES],
    )


def _list_mapped_facts(section: str, context: ReadContext) -> set[str]:
    """Return the facts that the section could show: of a payload those that the profile maps."""
    if section not in STATUS_SECTIONS:
        return set(SECTION_FACTS.get(section, ()))
    return {"heartbeat_at" if name == HEARTBEAT_AGE else name for name in context.profile.extractors}


class _MissingFact(Struct, frozen=True):
    """A fact that no payload shows: its place in one payload, its key there, and the keys beside it."""

    name: str
    path: str
    holder: str
    key: Key
    names: frozenset[str]


def find_missing_facts(
    comparisons: Mapping[str, KeyComparison],
    shapes: Mapping[str, Shape],
    values: Mapping[str, Any],
    context: ReadContext,
) -> list[Fault]:
    """Return the keys of payloads that nobody knows, and that may be facts that no payload shows.

    Rows of a known shape, and a word for paper or live, are such a fact in any payload; else it must be one
    of known shape: most of its keys are known, and most facts that a status normally has are there. Where all
    but one or two are known, and no more facts are missing, any fact can be meant.
    """
    payloads = {name: comparisons[name] for name in STATUS_SECTIONS if name in comparisons}
    if not any(part.strange or part.troubled for part in payloads.values()):
        return []
    names, usual = _list_plain_facts(context), _list_usual_facts(context)
    missing = [name for name in names if values.get(name) is None]
    is_usual = 2 * len(usual.intersection(missing)) <= len(usual)
    faults = []
    for section, part in payloads.items():
        expected = usual if is_usual and _has_known_shape(section, part) else frozenset[str]()
        if len(missing) <= _MOST_LEFT and len(part.strange) <= _MOST_LEFT:
            expected |= {name for name in missing if STATUS_FACTS[name]["kind"] != TEXT}
        facts = list(_iter_missing_facts(section, part, shapes[section], missing, context))
        for place, value in part.strange.items():
            meant = [fact.path for fact in facts if _can_be(fact, place, value, expected, part)]
            if meant:
                listed = ", ".join(path.partition(".")[2] for path in meant[:MOST_NAMES])
                verb = "may hold" if isinstance(value, dict) else "may be"
                problem = f"is no known key, and {verb} {listed}, which is not there"
                faults.append(Fault(place, problem, meant[0]))
        faults += _find_troubles(part, context, missing, {fault.path for fault in faults})
    return faults


def _find_troubles(
    part: KeyComparison, context: ReadContext, missing: Collection[str], known: Collection[str]
) -> Iterator[Fault]:
    """Yield the keys that say that all is not well with a session, or with a fact that no payload shows."""
    for place, troubles in part.troubled.items():
        if place in known or place in part.faults:
            continue
        if SESSION in troubles:
            problem = "is no known key, and says that a session of IBKR is not ours"
            yield Fault(place, problem)
        elif meant := [name for name in troubles if name in missing]:
            problem = f"is no known key, and says that all is not well with {meant[0]}, which is not there"
            yield Fault(place, problem, f"{part.section}.{'.'.join(context.profile.key_paths[meant[0]][0])}")


def _has_known_shape(section: str, comparison: KeyComparison) -> bool:
    """Return whether at least as many of a payload's own keys are known as are not."""
    known = sum(path.rpartition(".")[0] == section for path in comparison.recognised)
    return known >= sum(place.rpartition(".")[0] == section for place in comparison.strange)


def _iter_missing_facts(
    section: str, comparison: KeyComparison, shape: Shape, names: Iterable[str], context: ReadContext
) -> Iterator[_MissingFact]:
    for name in names:
        *holder, key = context.profile.key_paths[name][0]
        place, inner = ".".join((section, *holder)), shape.find_shape(holder)
        path = f"{place}.{key}"
        if inner is not None and key in inner.reads and path not in comparison.recognised:
            yield _MissingFact(name, path, place, inner.reads[key], frozenset(inner.reads))


def _can_be(
    fact: _MissingFact, place: str, value: Any, expected: Collection[str], comparison: KeyComparison
) -> bool:
    """Return whether a strange key could be the fact, by its place, its name and its value."""
    holder, _, key = place.rpartition(".")
    is_about = _is_about(fact.name, fact.key.kind, key)
    is_last = is_about and fact.key.kind == TIME  # the last heartbeat is no other than the heartbeat
    if holder != fact.holder or (not is_last and any(is_other_fact_of(key, name) for name in fact.names)):
        return False
    if (
        isinstance(value, dict)
        and NO_FACTS.isdisjoint(split_parts(key))
        and any(_is_named(fact, names, part, comparison) for names, part in _iter_inner(key, value))
    ):
        return True
    if fact.key.kind == LIST:
        named = ALSO_NAMED.get(normalize_key(key), ())
        is_named = fact.name in named and isinstance(value, list | dict)
        return is_named or (not named and fact.key.inner is not None and fact.key.inner.has_rows(value))
    if not (fact.name in expected or fact.key.kind == MODE or is_about):
        return False
    return _can_hold(fact, key, value, comparison)


def _can_hold(fact: _MissingFact, key: str, value: Any, comparison: KeyComparison) -> bool:
    """Return whether the value can be the fact, or has a number that may be it: `20 minutes ago`, an age."""
    if isinstance(value, str) and fact.key.kind in (TIME, COUNT) and any(map(str.isdigit, value)):
        return True
    is_age = fact.name == "heartbeat_at" and (
        normalize_key(key).removeprefix("last") in _AGES or not _AGE_PARTS.isdisjoint(split_parts(key))
    )
    has_number = is_age and isinstance(value, int | float) and not isinstance(value, bool)
    return has_number or comparison.can_be(Need((fact.name,), fact.key.kind), value)


@lru_cache(maxsize=8192)
def _is_about(name: str, kind: str, key: str) -> bool:
    """Return whether the key has a name that other bots give to the fact, or all words of its own name."""
    words = FACT_WORDS.get(name, ())
    is_named = name in ALSO_NAMED.get(normalize_key(key), ())
    return is_named or (bool(words) and has_all_parts(key, words, kind == TIME))


def _iter_inner(key: str, value: Mapping[str, Any], depth: int = 1) -> Iterator[tuple[list[str], Any]]:
    """Yield the values in an object with the names that they may have: their key, alone and with its own."""
    for name, part in value.items():
        if not isinstance(part, dict):
            yield [name, f"{key}_{name}", f"{name}_{key}"], part
        elif depth < _DEEPEST:
            yield from _iter_inner(name, part, depth + 1)


def _is_named(fact: _MissingFact, names: Sequence[str], value: Any, comparison: KeyComparison) -> bool:
    """Return whether a value in a strange object is the fact by a name of several words, or is about it."""
    name = fact.path.removeprefix(f"{fact.holder}.")
    is_same = "_" in name and normalize_key(name) in map(normalize_key, names)
    is_meant = is_same or _is_about(fact.name, fact.key.kind, names[1])
    return is_meant and value is not None and _can_hold(fact, names[1], value, comparison)


def _list_plain_facts(context: ReadContext) -> list[str]:
    """Return the facts that the profile finds by a plain path."""
    paths = context.profile.paths
    return [name for name in context.profile.key_paths if name in STATUS_FACTS and is_plain_path(paths[name])]


def _list_usual_facts(context: ReadContext) -> frozenset[str]:
    """Return the facts that a status normally has: of the golden signals, and of link and exit attempts."""
    off = {*context.settings[SIGNALS_OFF], *context.profile.signals_off}
    signals_off = set(map(get_signal_name, off))
    golden = {name for signal in SIGNALS if signal.name not in signals_off for name in signal.facts}
    return frozenset((*golden, "broker_connected", "max_exit_attempt_count")).intersection(
        _list_plain_facts(context)
    )


_WITHHELD_UNDATED = ("broker", "stores")  # nothing is held to be so by rows whose time cannot be read


def find_hidden_money(
    faults: Iterable[Fault], values: Mapping[str, Any], shapes: Mapping[str, Shape]
) -> frozenset[str]:
    """Return the paths of faults that hide a fact about money; a section as a whole hides what it has."""
    return frozenset(
        fault.path for fault in faults if _is_about_money(fault.meant or fault.path, values, shapes)
    )


def _is_about_money(path: str, values: Mapping[str, Any], shapes: Mapping[str, Shape]) -> bool:
    section, *keys = path.split(".")
    if section not in shapes:
        return False
    fact = shapes[section].find_fact(keys)
    if not keys or (keys == ["as_of"] and section in _WITHHELD_UNDATED):
        return any(name not in values for name in (*load_money_facts(),) if name in _list_facts(section))
    return fact in load_money_facts()


def _list_facts(section: str) -> Collection[str]:
    return STATUS_FACTS if section in STATUS_SECTIONS else SECTION_FACTS.get(section, ())
