"""The monitor: everything that a source gave was understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from detector.domain.facts import Facts
from detector.domain.provenance import Fault
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
from detector.formats.similar_names import is_nearly

_FLOOD = 6  # paths of one section from which they are one event
_NAMED = 3


@rule(
    STATE,
    "warning; critical where it hides a fact about money while positions are open",
    monitor=True,
    of_section=True,
    explicit_good=True,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Something was there and was not understood: a value, a key, a row, a path or a whole section."""
    by_section: dict[str, dict[str, Fault]] = {}
    for fault in facts.invalid:
        by_section.setdefault(fault.path.partition(".")[0], {}).setdefault(fault.path, fault)
    subjects: set[str] = set()
    for section, faults in by_section.items():
        for subject, group in _iter_groups(section, tuple(faults.values())):
            subjects.add(subject)
            yield Finding(
                _choose_severity(group, facts), _summarize(subject, group), subject=subject, source=section
            )
    yield Healthy(lambda subject: subject is not None and _is_understood(subject, subjects, facts))


def _iter_groups(section: str, faults: Sequence[Fault]) -> Iterator[tuple[str, Sequence[Fault]]]:
    if len(faults) >= _FLOOD:
        yield section, faults
    else:
        yield from ((fault.path, (fault,)) for fault in faults)


def _summarize(subject: str, faults: Sequence[Fault]) -> str:
    if len(faults) == 1:
        line = f" (profile: {faults[0].line})" if faults[0].line else ""
        return f"{faults[0].path} {faults[0].problem}, so it is not seen{line}."
    named = ", ".join(fault.path.removeprefix(f"{subject}.") for fault in faults[:_NAMED])
    return f"{len(faults)} parts of {subject} were not understood and are not seen ({named}, …)."


def _choose_severity(faults: Iterable[Fault], facts: Facts) -> Severity:
    exposure, before = facts.exposure, facts.before.open_positions
    may_be_open = exposure > 0 if exposure is not None else before is not None
    hides_money = any(fault.path in facts.hidden_money for fault in faults)
    return CRITICAL if may_be_open and hides_money else WARNING


def _is_understood(subject: str, faulty: set[str], facts: Facts) -> bool:
    """Return whether a path is understood now: its value was read, or the key that nobody knew is gone."""
    section, _, rest = subject.partition(".")
    provenance = facts.provenance
    if subject in faulty or section in faulty:
        return False
    if section not in provenance.shapes:
        return provenance.has_read(subject)
    if not rest:
        return True
    parent, _, key = subject.rpartition(".")
    shape = provenance.shapes[section].find_shape(parent.split(".")[1:])
    if shape is None or shape.normalize(key) in shape.reads:
        return provenance.has_read(subject)
    meant = [name for name in shape.reads if is_nearly(shape.normalize(key), name, strict=False)]
    return not meant or any(provenance.has_read(f"{parent}.{name}") for name in meant)
