"""Words for people: one or many."""

from __future__ import annotations


def format_count(count: int, singular: str, plural: str | None = None) -> str:
    """Return `1 exit` or `2 exits`; `many` where it is more than an s."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"
