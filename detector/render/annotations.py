"""GitHub's workflow commands: lines of a log that the runner obeys; made here, and made harmless elsewhere.

The runner reads every line of both streams. It obeys `::command::` at a line's beginning, and `##[command]`
anywhere in one (actions/runner, `ActionCommand.cs`).
"""

from __future__ import annotations

from detector.formats.redaction import redact_text

_MAX_CHARS = 2000


def escape_commands(line: str) -> str:
    """Return a line that holds what data says, so that the runner only shows it."""
    if line.lstrip().startswith("::"):
        line = line.replace("::", ": :", 1)
    return line.replace("##[", "## [")


def escape_commands_in_json(text: str) -> str:
    """Return the same JSON document, spelt so that none of its lines is a command."""
    return text.replace("##[", "#\\u0023[")


def format_error_annotation(title: str, message: str) -> str:
    """Return the line with which the runner puts an error on the run's page."""
    return _format_annotation("error", title, message)


def format_warning_annotation(title: str, message: str) -> str:
    """Return the line with which the runner puts a warning on the run's page."""
    return _format_annotation("warning", title, message)


def _format_annotation(kind: str, title: str, message: str) -> str:
    body = redact_text(message)[:_MAX_CHARS].replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    head = title.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={head}::{body}"
