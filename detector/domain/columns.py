"""How the columns of a row are declared: the kind of each value, and which way is worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any

# Kinds of value, as they stand in a payload.
TIME, COUNT, FLAG, FLAG_OR_COUNT, LENGTH, TEXT, ROWS = (
    "time", "count", "flag", "flag or count", "count or list", "text", "rows"
)  # fmt: skip
# Directions that are worse, where two payloads carry a fact.
OLDER, NEWER, LARGER, TRUE, FALSE, NOT_OK, NOT_EMPTY, FIRST, UNITED = (
    "older", "newer", "larger", "true", "false", "not ok", "not empty", "first", "united"
)  # fmt: skip


def build_column(kind: str, worse: str = "first", doc: str = "") -> Any:
    """Declare one column of a row: the kind of its value and, where two payloads list it, which is worse."""
    return field(default=None, metadata={"kind": kind, "worse": worse, "doc": doc})


def get_columns(row: type[Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the declared columns of a row type: name to kind and worse direction."""
    return {spec.name: spec.metadata for spec in fields(row) if "kind" in spec.metadata}
