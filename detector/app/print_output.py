"""Printing for commands that only print: text, lines or JSON on standard output, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from detector.app.context import AppContext, ExitCode
from detector.formats.serialize import format_document

_SPACES: Final = {code: " " for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def print_text(app: AppContext, text: str) -> int:
    """Print the text; return 0, or 3 where standard output did not take it (stderr names the reason)."""
    return ExitCode.OK if app.print_stdout(text) else ExitCode.UNDELIVERED


def print_lines(app: AppContext, lines: Iterable[str]) -> int:
    """Print each line with a newline, control characters as spaces; return the exit code of `print_text`."""
    return print_text(app, "".join(map(_format_line, lines)))


def print_stream(app: AppContext, lines: Iterable[str]) -> int:
    """Print each line as `print_lines` does, as it comes, until one is not taken; return the same code."""
    taken = all(app.print_stdout(_format_line(line)) for line in lines)
    return ExitCode.OK if taken else ExitCode.UNDELIVERED


def _format_line(line: str) -> str:
    """Return the line with a newline; a name that holds an escape sequence writes nothing on a terminal."""
    return line.translate(_SPACES) + "\n"


def print_json(app: AppContext, value: Any) -> int:
    """Print the value as JSON; return the exit code of `print_text`."""
    return print_text(app, format_document(value))
