"""The line of a TOML text that an error is about: tomllib gives positions of syntax errors only."""

from __future__ import annotations

import re

# How errors begin: `mute 2:`, `[[closed]] number 2:`, `[rows.orders] side:`, `closed:`.
_PLACE = re.compile(
    r"(?:\[\[)?(?P<list>\w+)(?:\]\] number)? (?P<number>\d+)\b|\[(?P<table>[\w.]+)\]|(?P<key>\w+):"
)
_HEADER = re.compile(r"\s*(?P<open>\[\[?)\s*(?P<name>[\w.\"'-]+)\s*\]")
_KEY = re.compile(r"\s*[\"']?(?P<key>[\w-]+)[\"']?\s*=")


def find_line(text: str, error: str) -> int | None:
    """Return the number of the line that the error is about, from 1; None where it cannot be found.

    It is the line of the key that the error names in its table, else the line of the table's header.
    """
    place = _PLACE.match(error)
    if place is None:
        return None
    lines = text.splitlines()
    name = place["list"] or place["table"] or place["key"]
    headers = [number for number, line in enumerate(lines) if _get_table(line) == name]
    index = int(place["number"] or 1) - 1
    if index >= len(headers):
        return _find_key(lines, range(len(lines)), {name})
    start = headers[index]
    end = next((n for n in range(start + 1, len(lines)) if _get_table(lines[n])), len(lines))
    words = set(re.findall(r"[\w-]+", error[place.end() :]))
    return _find_key(lines, range(start + 1, end), words) or start + 1


def _get_table(line: str) -> str | None:
    header = _HEADER.match(line)
    return header["name"].replace('"', "").replace("'", "") if header else None


def _find_key(lines: list[str], numbers: range, words: set[str]) -> int | None:
    """Return the number of the first of these lines whose key is one of the words, from 1."""
    for number in numbers:
        key = _KEY.match(lines[number])
        if key and key["key"] in words:
            return number + 1
    return None
