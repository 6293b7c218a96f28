"""The line of a TOML text where a key stands: tomllib gives positions of syntax errors only."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

Location = tuple[int | str, ...]
"""The way to a value in a parsed document: keys of tables and places in lists."""


def find_line(text: str, location: Location) -> int | None:
    """Return the number of the line of the key at that location, from 1.

    Where the key itself does not stand there, it is the line of the innermost table around it, else None.
    The text is TOML that can be read.
    """
    best, best_line = 0, None
    for line, path, least in _iter_statements(text):
        depth = _count_shared_parts(path, location)
        if depth > best and depth >= min(least, len(location)):
            best, best_line = depth, line
    return best_line


def describe_location(location: Location) -> str:
    """Return the location as its file writes it: `[rows.orders] side`, `[[mute]] number 2 until`."""
    if location and isinstance(location[-1], int):
        return f"{describe_location(location[:-1])} number {location[-1] + 1}"
    places = [number for number, part in enumerate(location) if isinstance(part, int)]
    if places:
        name, key = ".".join(map(str, location[: places[0]])), location[places[0] + 1 :]
        header = f"[[{name}]] number {int(location[places[0]]) + 1}"
    else:
        name, key = ".".join(map(str, location[:-1])), location[-1:]
        header = f"[{name}]" if name else ""
    return " ".join(filter(None, (header, ".".join(map(str, key)))))


def _count_shared_parts(first: Location, second: Location) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _iter_statements(text: str) -> Iterator[tuple[int, Location, int]]:
    """Yield of each header and key its first line, its location, and how much of that must be shared with it.

    A statement may have many lines. A header is shared whole; of a dotted key the first part is enough.
    """
    table: Location = ()
    counts: Counter[Location] = Counter()
    begins, statement = 1, ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        statement += line
        try:
            document = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if document:
            path = _list_keys(document)
            if statement.lstrip().startswith("["):
                is_list = statement.lstrip().startswith("[[")
                table = _add_places(path, counts, is_list)
                yield begins, table, len(table)
            else:
                yield begins, (*table, *path), len(table) + 1
        begins, statement = number + 1, ""


def _list_keys(document: Any) -> Location:
    """Return the keys of a statement from the outside in; a table that is written inline ends them."""
    keys: list[int | str] = []
    while isinstance(document, dict) and len(document) == 1:
        key, document = next(iter(document.items()))
        keys.append(key)
    return tuple(keys)


def _add_places(keys: Location, counts: Counter[Location], is_list: bool) -> Location:
    """Return the location of a header: behind each name of a list of tables stands the place in it."""
    path: Location = ()
    for depth, key in enumerate(keys, 1):
        path = (*path, key)
        counts[path] += is_list and depth == len(keys)
        if counts[path]:
            path = (*path, counts[path] - 1)
    return path
