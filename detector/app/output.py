"""What a command that only tells something does with its text: standard output, and an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detector.app.context import Door
from detector.formats.strict_json import pretty


def show(door: Door, text: str) -> int:
    """Print the text; return 0, or 3 where standard output did not take it, which is said on stderr."""
    return 0 if door.show(text) else 3


def show_lines(door: Door, lines: Iterable[str]) -> int:
    """Print the lines, each with its end, as `show` does."""
    return show(door, "".join(f"{line}\n" for line in lines))


def show_json(door: Door, value: Any) -> int:
    """Print the value as JSON, as `show` does."""
    return show(door, pretty(value))
