"""The one suggestion of a name: what somebody may have meant by a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable

_SIMILAR = 0.75  # of difflib: `pending_order` is near `pending_orders`, `orders` is not near `trades`


def find_nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like the name, in any case, or None where none is much like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a fault pays for it

    by_lower_case = {known_name.lower(): known_name for known_name in known}
    matches = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=_SIMILAR)
    return by_lower_case[matches[0]] if matches else None


def describe_nearest_name(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence about an unknown name: the nearest, else a longer one, else all names."""
    names = list(known)
    begun = (known_name for known_name in names if name and known_name.startswith(name.lower()))
    nearest = find_nearest_name(name, names) or next(begun, None)
    return f"did you mean {nearest}?" if nearest else f"there are: {', '.join(names)}"
