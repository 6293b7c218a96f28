"""What a run made of each section: its facts, the mapped facts that are missing, what hides money."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from detector.domain.facts import SECTION_FACTS, STATUS_FACTS
from detector.domain.profile import HEARTBEAT_AGE, ReadContext
from detector.domain.provenance import Fault
from detector.domain.section_account import MOST_NAMES, KeyComparison, SectionAccount
from detector.domain.section_reading import Reading
from detector.domain.shape import Shape
from detector.engine.catalog import load_money_facts
from detector.engine.section_time import STATUS_SECTIONS
from detector.formats.strict_json import redact_excerpt
from detector.logs.events import LogHistory


def build_account(
    reading: Reading, age: float | None, context: ReadContext, comparison: KeyComparison | None
) -> SectionAccount:
    """Return what a run made of one section; `comparison` is None where it was not read."""
    facts = tuple(sorted(name for name, value in reading.values.items() if value is not None))
    mapped = _list_mapped_facts(reading.section, context)
    account = SectionAccount(
        reading.section,
        facts=facts,
        missing=tuple(sorted(mapped - set(facts))),
        age_sec=age,
        lines=history.counts if isinstance(history := reading.values.get("logs"), LogHistory) else None,
    )
    if comparison is None:
        return account
    return replace(
        account,
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
    if not keys:
        return any(name not in values for name in (*load_money_facts(),) if name in _list_facts(section))
    return fact in load_money_facts()


def _list_facts(section: str) -> Collection[str]:
    return STATUS_FACTS if section in STATUS_SECTIONS else SECTION_FACTS.get(section, ())
