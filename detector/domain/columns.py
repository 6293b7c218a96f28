"""How the columns of a row are declared: the kind of each value, and which way is worse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

# Kinds of value, as they stand in a payload.
TIME, COUNT, FLAG, FLAG_OR_COUNT, LENGTH, TEXT, ROWS = (
    "time", "count", "flag", "flag or count", "count or list", "text", "rows"
)  # fmt: skip
# Directions that are worse, where two payloads carry a fact.
OLDER, NEWER, LARGER, TRUE, FALSE, NOT_OK, NOT_EMPTY, FIRST, UNITED = (
    "older", "newer", "larger", "true", "false", "not ok", "not empty", "first", "united"
)  # fmt: skip


class _Declaration(Struct, frozen=True):
    """The details of a field; msgspec keeps them as the maker of its default, which is None."""

    details: Mapping[str, Any]

    def __call__(self) -> None:
        return None


def build_field(**details: Any) -> Any:
    """Declare a field that is None by default, with details that `get_declarations` returns."""
    return field(default_factory=_Declaration(details))


def get_declarations(record: type[Struct]) -> Mapping[str, Mapping[str, Any]]:
    """Return the details of every field that was declared with them, by name."""
    defaults = record.__struct_defaults__
    names = record.__struct_fields__[len(record.__struct_fields__) - len(defaults) :]
    makers = (
        (name, getattr(default, "factory", None)) for name, default in zip(names, defaults, strict=True)
    )
    return {name: maker.details for name, maker in makers if isinstance(maker, _Declaration)}


def build_column(
    kind: str,
    worse: str = "first",
    doc: str = "",
    needed: tuple[str, ...] = (),
    beside: tuple[str, ...] = (),
) -> Any:
    """Declare one column of a row: the kind of its value and, where two payloads list it, which is worse.

    `needed` are the columns, its own first, of which a row must have one to be judged; with `beside`, only
    where it has one of those.
    """
    return build_field(kind=kind, worse=worse, doc=doc, needed=needed, beside=beside)


def get_columns(row: type[Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the declared columns of a row type: name to kind and worse direction."""
    return {name: details for name, details in get_declarations(row).items() if "kind" in details}
