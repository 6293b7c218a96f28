"""GitHub's workflow commands: lines of a log that the runner obeys; made here, and made harmless elsewhere.

The runner reads every line of both streams. It obeys `::command::` at a line's beginning, and `##[command]`
anywhere in one (actions/runner, `ActionCommand.cs`).
"""

from __future__ import annotations

from detector.formats.redaction import redacted_text

_MOST = 2000


def inert(line: str) -> str:
    """Return a line that holds what data says, so that the runner only shows it."""
    if line.lstrip().startswith("::"):
        line = line.replace("::", ": :", 1)
    return line.replace("##[", "## [")


def inert_json(text: str) -> str:
    """Return the same JSON document, spelt so that none of its lines is a command."""
    return text.replace("##[", "#\\u0023[")


def error(title: str, said: str) -> str:
    """Return the line with which the runner puts an error on the run's page."""
    return _annotation("error", title, said)


def warning(title: str, said: str) -> str:
    """Return the line with which the runner puts a warning on the run's page."""
    return _annotation("warning", title, said)


def _annotation(kind: str, title: str, said: str) -> str:
    shown = redacted_text(said)[:_MOST].replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    head = title.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={head}::{shown}"
