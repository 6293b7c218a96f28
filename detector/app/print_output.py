"""Printing for commands that only print: text, lines or JSON on standard output, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detector.app.context import AppContext, ExitCode
from detector.formats.serialize import format_document


def print_text(app: AppContext, text: str) -> int:
    """Print the text; return 0, or 3 where standard output did not take it (stderr names the reason)."""
    return ExitCode.OK if app.print_stdout(text) else ExitCode.UNDELIVERED


def print_lines(app: AppContext, lines: Iterable[str]) -> int:
    """Print each line with a newline; return the exit code of `print_text`."""
    return print_text(app, "".join(f"{line}\n" for line in lines))


def print_stream(app: AppContext, lines: Iterable[str]) -> int:
    """Print each line as `print_lines` does, as it comes, until one is not taken; return the same code."""
    taken = all(app.print_stdout(f"{line}\n") for line in lines)
    return ExitCode.OK if taken else ExitCode.UNDELIVERED


def print_json(app: AppContext, value: Any) -> int:
    """Print the value as JSON; return the exit code of `print_text`."""
    return print_text(app, format_document(value))
