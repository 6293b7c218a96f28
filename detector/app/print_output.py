"""What a command that only tells something does with its text: standard output, and an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detector.app.context import AppContext
from detector.formats.serialize import format_document


def print_text(app: AppContext, text: str) -> int:
    """Print the text; return 0, or 3 where standard output did not take it, which is said on stderr."""
    return 0 if app.print_stdout(text) else 3


def print_lines(app: AppContext, lines: Iterable[str]) -> int:
    """Print the lines, each with its end, as `show` does."""
    return print_text(app, "".join(f"{line}\n" for line in lines))


def print_json(app: AppContext, value: Any) -> int:
    """Print the value as JSON, as `show` does."""
    return print_text(app, format_document(value))
