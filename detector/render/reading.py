"""The account of each section's reading as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from detector.domain.facts import Facts
from detector.domain.provenance import SectionSummary
from detector.domain.runtime_rows import Position
from detector.formats.numbers import format_count, format_first, format_quantity
from detector.formats.times import format_duration
from detector.logs.events import LineCounts

_MOST_MISSING = 12
_MOST_ROWS = 5


def render_section_summaries(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the name of each section and what was made of it: its age, its facts, what was not understood."""
    for account in facts.section_summaries:
        yield (
            account.section,
            "; ".join(_iter_parts(account, facts, format_count(len(account.facts), "fact"))),
        )


def render_section_values(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the same with each fact by its name, and its value or age."""
    for account in facts.section_summaries:
        values = _join(_describe_fact(name, facts) for name in account.facts)
        yield account.section, "; ".join(_iter_parts(account, facts, values or "0 facts"))


def _describe_fact(name: str, facts: Facts) -> str:
    value = getattr(facts, name, None)
    if isinstance(value, datetime):
        age = facts.age_of(value)
        when = f"{format_duration(age)} ago" if age >= 0 else f"in {format_duration(-age)}"
        return f"{name.removesuffix('_at')} {when}"
    if isinstance(value, tuple):
        rows = [row for row in value if isinstance(row, Position)]
        if value and len(rows) == len(value):
            return f"{name} {_join_rows(rows)}"
        return f"{name} {format_count(len(value), 'row')}"
    if isinstance(value, bool):
        return f"{name} {str(value).lower()}"
    return f"{name} {value or repr(value)}" if isinstance(value, int | float | str) else name


def _join_rows(rows: Iterable[Position]) -> str:
    pairs = [(row.title, row.signed_quantity) for row in rows]
    names = [f"{name} {'of no known quantity' if q is None else format_quantity(q)}" for name, q in pairs]
    return format_first(names, _MOST_ROWS, " and ")


def explain_ignored(section: str, facts: Facts) -> str | None:
    """Return why nothing of a section counts, such as that it is too old; None where it counts."""
    if section in facts.mismatched:
        return f"it names {facts.mismatched[section]}"
    if section in facts.stale:
        state = "unchanged" if section in facts.unchanged else "old"
        return f"{format_duration(facts.stale[section])} {state}"
    is_unknown = any(fault.path == section for fault in facts.invalid)
    return "nothing in it is recognised" if is_unknown else None


def _iter_parts(account: SectionSummary, facts: Facts, values: str) -> Iterator[str]:
    section = account.section
    ignored = explain_ignored(section, facts)
    if ignored:
        yield f"ignored: {ignored}"
    elif account.age_sec is not None:
        yield f"{format_duration(max(0.0, account.age_sec))} old"
    yield values
    yield from _iter_line_counts(account.lines)
    if account.facts and account.missing:
        yield f"not there: {_join(account.missing)}"
    if account.unnamed:
        yield f"{format_count(account.unnamed, 'row')} without a name"
    if account.foreign:
        yield f"{format_count(account.foreign, 'foreign key')}"
    misspelt, unreadable = _list_fault_paths(section, facts)
    if account.unknown:
        names = [*account.unread, *misspelt]
        yield format_count(account.unknown, "unknown key") + (f": {_join(names)}" if names else "")
    if unreadable:
        yield f"not readable: {_join(unreadable)}"
    yield from _iter_skews(section, facts)


def _iter_line_counts(counts: LineCounts | None) -> Iterator[str]:
    if counts is not None and counts.read:
        dialects = ", ".join(f"{count} {dialect}" for dialect, count in counts.dialects.items())
        yield f"{format_count(counts.read, 'line')} read"
        yield f"{counts.with_text} with a text ({dialects or 'no dialect'}), {counts.with_time} with a time"


def _iter_skews(section: str, facts: Facts) -> Iterator[str]:
    for path, ahead in facts.skewed:
        if path.partition(".")[0] == section:
            yield f"{path} lies {format_duration(ahead)} in the future"


def _list_fault_paths(section: str, facts: Facts) -> tuple[list[str], list[str]]:
    """Return the paths of keys that are nearly known ones, and of everything else that was not read."""
    faults = [fault for fault in facts.invalid if fault.path.partition(".")[0] == section]
    misspelt = [fault.path for fault in faults if fault.meant]
    return misspelt, [fault.path for fault in faults if not fault.meant]


def _join(names: Iterable[str]) -> str:
    return format_first(list(dict.fromkeys(names)), _MOST_MISSING)
