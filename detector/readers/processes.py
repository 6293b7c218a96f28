"""The `processes` section: local processes as their supervisor lists them.

Shape: `[{"name", "running", "pid", "started_at", "starts_recent", "exit_code"}]`, DESIGN §3. A process that
is not listed was not seen; it is not down.
"""

from __future__ import annotations

from typing import Any

from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading, list_kinds
from detector.domain.shape import ANY, Need, Shape, build_columns
from detector.domain.task_rows import LocalProcess

SECTIONS = ("processes",)
_NEEDS = (
    Need(("name",), ANY),
    Need(("running",), ANY),
    Need(("started_at",), "time"),
    Need(("starts_recent",), "count"),
)
_SHAPE = Shape(build_columns(list_kinds(LocalProcess)), envelope=True, needs=_NEEDS)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of one process in the list."""
    return _SHAPE


def read(raw: list[Any], reading: Reading, context: ReadContext) -> None:
    """Read the processes by name; a row without a name is a fault."""
    rows = reading.read_rows("processes", raw, "processes", LocalProcess, lambda row, column: row.get(column))
    named = tuple(row for row in rows or () if row.is_named)
    if rows is not None and len(named) < len(rows):
        reading.add_fault("processes.name", "names no process")
    reading.values["processes"] = named
