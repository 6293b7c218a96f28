"""Words for people: one or many."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return `1 exit` or `2 exits`; `many` where it is more than an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
