"""Merges several readings into one set of facts: where two payloads carry a fact, the worse one counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from detector.domain.broker_rows import keep_latest_versions
from detector.domain.columns import UNITED, get_columns
from detector.domain.facts import STATUS_FACTS, is_ok
from detector.domain.own_rule import OwnSight
from detector.domain.provenance import Provenance
from detector.domain.runtime_rows import is_done
from detector.domain.section_reading import Reading

R = TypeVar("R")

_WORSE: Mapping[str, Callable[[Any, Any], bool]] = {
    "older": lambda new, old: new < old,
    "newer": lambda new, old: new > old,
    "larger": lambda new, old: abs(new) > abs(old),
    "true": lambda new, old: new and not old,
    "false": lambda new, old: old and not new,
    "not ok": lambda new, old: is_ok(old) and not is_ok(new),
    "not empty": lambda new, old: not old and bool(new),
    "working": lambda new, old: is_done(old) and not is_done(new),
    "first": lambda new, old: False,
}


def merge_readings(readings: Sequence[Reading]) -> tuple[dict[str, Any], Provenance]:
    """Return the facts of all readings, each the worse of what was seen, and where they came from."""
    values: dict[str, Any] = {}
    seen: dict[str, tuple[str, ...]] = {}
    for reading in readings:
        alone = (reading.section,)
        for name, value in reading.values.items():
            is_first = name not in values
            values[name] = value if is_first else _merge_values(name, values[name], value)
            seen[name] = alone if is_first else (*seen[name], reading.section)
    raised = dict(seen)
    by_section = {reading.section: reading.values for reading in readings}
    for name, sections in seen.items():
        if len(sections) > 1:
            carried = {section: by_section[section][name] for section in sections}
            raised[name] = _list_worst_sections(values[name], carried)
    return values, Provenance(
        seen,
        raised,
        frozenset(name for reading in readings for name in reading.partial),
        by_section,
        frozenset().union(*(reading.read_paths for reading in readings)),
    )


def _list_worst_sections(value: Any, carried: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(section for section, rows in carried.items() if rows) or tuple(carried)
    return tuple(section for section, own in carried.items() if own == value)


def _merge_values(name: str, old: Any, new: Any) -> Any:
    """Return the worse value; of executions, which a statement adds to, each once."""
    if name == "broker_executions":
        return keep_latest_versions((*new, *old))
    if isinstance(new, OwnSight):
        return new if new.fires and not old.fires else old
    spec = STATUS_FACTS.get(name)
    return old if spec is None else _choose_worse(spec, old, new)


def _choose_worse(spec: Mapping[str, Any], old: Any, new: Any) -> Any:
    if spec["worse"] == UNITED:
        return merge_rows(old, new, spec["row"])
    return new if _WORSE[spec["worse"]](new, old) else old


def merge_rows(old: tuple[Any, ...], new: tuple[Any, ...], row: type[Any]) -> tuple[Any, ...]:
    """Return the rows of two lists by identity, the worse value of each column; repeats stay apart."""
    columns = get_columns(row)
    rows = dict(_assign_keys(old))
    for key, added in _assign_keys(new):
        rows[key] = _merge_row(rows[key], added, columns) if key in rows else added
    return tuple(rows.values())


def _assign_keys(rows: Sequence[Any]) -> list[tuple[tuple[str, int], Any]]:
    count: Counter[str] = Counter()
    keyed = []
    for row in rows:
        keyed.append(((row.identity, count[row.identity]), row))
        count[row.identity] += 1
    return keyed


def _merge_row(old: R, new: R, columns: Mapping[str, Mapping[str, Any]]) -> R:
    changes: dict[str, Any] = {}
    for name, spec in columns.items():
        old_value, new_value = getattr(old, name), getattr(new, name)
        if new_value is None or old_value == new_value:
            continue
        if old_value is None:
            changes[name] = new_value
        elif spec["worse"] == UNITED:
            changes[name] = tuple(dict.fromkeys((*old_value, *new_value)))
        elif _WORSE[spec["worse"]](new_value, old_value):
            changes[name] = new_value
    return replace(old, **changes) if changes else old  # type: ignore[type-var]  # two rows of one record
