"""The monitor: what an earlier run saw is still seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from detector.domain.facts import STATUS_FACTS, Facts
from detector.domain.lane_memory import LostFact
from detector.domain.rule import (
    CRITICAL,
    STATE,
    WARNING,
    Finding,
    Healthy,
    Limits,
    RuleResults,
    Severity,
    rule,
)
from detector.domain.snapshot import STATUS_SECTIONS
from detector.formats.numbers import format_first
from detector.formats.times import format_utc

_BEFORE_FIRST_SIGHT_SEC = 3600  # of a session; a runtime may show a fact only once it trades
_WATCHED = ("heartbeat_at", "open_positions", "open_position_count")
_SAFETY = ("exit_safety", "reconciliation")
_NAMED = 4


@rule(
    STATE,
    "warning; critical for exit safety and reconciliation with positions open or unknown",
    monitor=True,
    explicit_good=True,
    confirm=True,
    given=["exposure_unwatched"],
)
def check(facts: Facts, limits: Limits, given: Mapping[str, Sequence[Finding]]) -> RuleResults:
    """A golden signal, a fact that a critical rule needs, or a key of a source was seen and is not now."""
    is_unwatched = bool(given["exposure_unwatched"])
    misread = set(_iter_misread_keys(facts))
    lost = [fact for fact in facts.lost if fact.name not in misread and _is_due(fact, facts, is_unwatched)]
    by_section: dict[str, list[LostFact]] = {}
    for fact in lost:
        by_section.setdefault(fact.section, []).append(fact)
    for section, group in by_section.items():
        subjects = sorted({fact.subject for fact in group})
        yield Finding(
            _choose_severity(group, facts),
            _summarize(section, group),
            subject=subjects[0] if len(subjects) == 1 else section,
            source=section,
        )
    yield Healthy(lambda subject: subject is not None and _is_seen(subject, facts))


def _iter_misread_keys(facts: Facts) -> Iterator[str]:
    """Yield the paths of keys that are there and were not understood: `reading_invalid` has each."""
    for fault in facts.invalid:
        for path in filter(None, (fault.path, fault.meant)):
            parent, _, key = path.rpartition(".")
            section, *parents = parent.split(".")
            shape = facts.provenance.shapes.get(section)
            inner = None if shape is None else shape.find_shape(parents)
            name = key if inner is None else inner.normalize(key)
            yield f"{parent}.{name if inner is None or name not in inner.reads else inner.get_group(name)}"


def _is_due(fact: LostFact, facts: Facts, is_unwatched: bool) -> bool:
    """Return whether it is time to miss the fact; a runtime's own facts are expected in its session."""
    if is_unwatched and fact.name in _WATCHED:
        return False
    if fact.name not in STATUS_FACTS and fact.section not in STATUS_SECTIONS:
        return True
    market = facts.market
    if not market.past_grace or market.open_for is None:
        return False
    was_seen_today = market.opens_at is not None and fact.seen_at >= market.opens_at
    return was_seen_today or market.open_for >= _BEFORE_FIRST_SIGHT_SEC


def _choose_severity(group: Sequence[LostFact], facts: Facts) -> Severity:
    was_open = facts.last_exposure != 0 and facts.is_watched("open_positions")
    may_be_open = was_open if facts.exposure is None else facts.exposure > 0
    is_safety = any(fact.signal in _SAFETY for fact in group)
    is_symptom = not facts.is_readable(group[0].section)
    return CRITICAL if is_safety and may_be_open and not is_symptom else WARNING


def _summarize(section: str, group: Sequence[LostFact]) -> str:
    names = [fact.name.removeprefix(f"{section}.") for fact in group if fact.name != section]
    named = format_first(names, _NAMED)
    last = max(fact.seen_at for fact in group)
    lost = f"Section {section} " + (f"does not show {named}" if named else "is not seen")
    return f"{lost} any more; the last time was {format_utc(last)}."


def _is_seen(subject: str, facts: Facts) -> bool:
    """Return whether nothing of the subject (a section, a signal or a fact) is lost any more, in any lane."""
    lost = (*facts.lost, *facts.lost_elsewhere)
    return all(subject not in (fact.section, fact.subject, fact.name) for fact in lost)
