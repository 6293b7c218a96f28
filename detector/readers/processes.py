"""The `processes` section: local processes as their supervisor lists them.

Shape: `[{"name", "running", "pid", "started_at", "starts_recent", "exit_code"}]`, DESIGN §3, and `error`, why
a process could not be seen, or its starts not counted. One that is not listed was not seen; it is not down.
One that is listed and does not say whether it runs is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading, list_kinds
from detector.domain.shape import ANY, Key, Need, Shape, build_columns
from detector.domain.task_rows import LocalProcess
from detector.formats.numbers import format_list
from detector.formats.strict_json import redact_excerpt

SECTIONS = ("processes",)
_MOST_NAMED = 5
_NEEDS = (
    Need(("name",), ANY),
    Need(("running",), ANY),
    Need(("started_at",), "time"),
    Need(("starts_recent",), "count"),
)
_SHAPE = Shape({**build_columns(list_kinds(LocalProcess)), "error": Key("text")}, envelope=True, needs=_NEEDS)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of one process in the list."""
    return _SHAPE


def read(raw: list[Any], reading: Reading, context: ReadContext) -> None:
    """Read the processes by name; a row without a name is a fault."""
    rows = reading.read_rows("processes", raw, "processes", LocalProcess, lambda row, column: row.get(column))
    named = tuple(row for row in rows or () if row.is_named)
    if rows is not None and len(named) < len(rows):
        reading.add_fault("processes.name", "names no process")
    items = [item for item in raw if isinstance(item, dict) and item.get("name")]
    unseen = [item for item in items if item.get("running") is None]
    uncounted = [item for item in items if item not in unseen and item.get("error")]
    for column, unknown in (("running", unseen), ("starts_recent", uncounted)):
        if unknown:
            names = format_list(map(_describe_unseen, unknown))
            reading.add_fault(f"processes.{column}", f"is not known of {names}")
    listed = [str(row.name) for row in named]
    missing = [name for name in context.expected_processes if name not in listed]
    if rows is not None and missing:
        others = f"it has {format_list(listed[:_MOST_NAMED])}" if listed else "it is empty"
        reading.add_fault("processes.name", f"has no {format_list(missing)}, which must run ({others})")
    reading.values["processes"] = named


def _describe_unseen(item: Mapping[str, Any]) -> str:
    name = redact_excerpt(str(item["name"]))
    return f"{name} ({redact_excerpt(str(item['error']))})" if item.get("error") else name
