"""How alike two names are, and what somebody may have meant by a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable

# Measures of difflib: `pending_order` is similar to `pending_orders`, `orders` is not similar to `trades`.
SIMILAR, ALIKE, FAINTLY_ALIKE, ANY = 0.75, 0.6, 0.5, 0.0
_LONGEST_COMPARED = 200
_NEAR_PART, _MOST_MEANT = 0.85, 4


def find_nearest_name(name: str, known: Iterable[str], least: float = SIMILAR) -> str | None:
    """Return the known name that is most like the name, in any case; None where none is `least` alike."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a fault pays for it

    by_lower_case = {known_name.lower(): known_name for known_name in known}
    matches = get_close_matches(name[:_LONGEST_COMPARED].lower(), by_lower_case, n=1, cutoff=least)
    return by_lower_case[matches[0]] if matches else None


def describe_nearest_name(name: str, known: Iterable[str], listed_by: str = "") -> str:
    """Return the end of a sentence about an unknown name: the nearest, a longer one, or those with its word.

    Where none is near, it is the command that lists them, else all names.
    """
    names = list(known)
    begun = (known_name for known_name in names if name and known_name.startswith(name.lower()))
    nearest = find_nearest_name(name, names) or next(begun, None)
    if nearest:
        return f"did you mean {nearest}?"
    parts = {part for known_name in names for part in known_name.lower().split("_")}
    part = find_nearest_name(name, parts, _NEAR_PART)
    if part:
        meant = [known_name for known_name in names if part in known_name.lower().split("_")]
        return f"did you mean {', '.join(meant[:_MOST_MEANT])}?"
    return f"`{listed_by}` lists them" if listed_by else f"there are: {', '.join(names)}"


def measure_edit_distance(left: str, right: str, limit: int) -> int:
    """Return the edits between two names, or `limit + 1` as soon as there must be more.

    An edit inserts, deletes or replaces a letter, or swaps two neighbours (optimal string alignment).
    """
    if abs(len(left) - len(right)) > limit or len(set(left) ^ set(right)) > 2 * limit:
        return limit + 1
    above: list[int] = []
    row = list(range(len(right) + 1))
    for index, letter in enumerate(left, 1):
        older, above, row = above, row, [index]
        for column, other in enumerate(right, 1):
            edits = min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != other))
            is_swap = index > 1 and column > 1 and letter == right[column - 2] and left[index - 2] == other
            row.append(min(edits, older[column - 2] + 1) if is_swap else edits)
        if min(row) > limit + 1:
            return limit + 1
    return min(row[-1], limit + 1)
