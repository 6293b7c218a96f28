"""Output for GitHub Actions: annotations, the job summary, and lines without any workflow command.

The runner reads every line of both streams. It executes `::command::` at the beginning of a line, and
`##[command]` anywhere in a line (actions/runner, `ActionCommand.cs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from detector.domain.report import Report
from detector.formats.numbers import format_count
from detector.formats.patterns import build_pattern
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.formats.times import format_utc
from detector.render.lines import format_decision

_MAX_ANNOTATION_CHARS = 2000
MAX_SUMMARY_BYTES = 1024 * 1024 - 1024  # GitHub accepts 1 MiB a step and discards a larger page
_MAX_ROWS = 200
_MAX_CELL_CHARS = 300
_SPECIAL = build_pattern(r"([\\`*_{}\[\]()<>#+\-.!|~&@:])")


def escape_commands(line: str) -> str:
    """Return a line of data changed so that the runner executes no command in it."""
    if line.lstrip().startswith("::"):
        line = line.replace("::", ": :", 1)
    return line.replace("##[", "## [")


def escape_commands_in_json(text: str) -> str:
    """Return the same JSON document, encoded so that none of its lines is a command."""
    return text.replace("##[", "#\\u0023[")


def format_annotation(kind: Literal["error", "warning"], title: str, message: str) -> str:
    """Return the workflow command that shows an error or a warning on the run's page."""
    body = redact_text(message)[:_MAX_ANNOTATION_CHARS]
    for sign, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        body = body.replace(sign, code)
    head = title.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={head}::{body}"


def render_job_summary(report: Report, zones: tuple[str, ...], remarks: Sequence[str] = ()) -> str:
    """Return the job summary as Markdown; `remarks` are problems beside the events. All data is escaped."""
    lines = [
        f"### {escape_markdown(format_decision(report, zones))}",
        "",
        *(f"- **{escape_markdown(remark)}**" for remark in remarks),
        "",
        *_render_table(("severity", "signature", "since", "what"), _list_event_rows(report)),
        *_render_table(("reported now", "signature", "why"), _list_notice_rows(report)),
        *_render_table(
            ("golden signal", "state", "why"), ((c.title, c.state, c.why) for c in report.coverage)
        ),
        *_render_table(("channel", "last success", "last error"), _list_channel_rows(report)),
    ]
    text = "\n".join(lines) + "\n"
    return (
        text
        if len(text.encode()) <= MAX_SUMMARY_BYTES
        else f"### {escape_markdown(format_decision(report, zones))}\n"
    )


def escape_markdown(text: str) -> str:
    """Return the text, redacted, on one line, and escaped for Markdown and HTML."""
    line = " ".join(to_one_line(redact_text(text)).split())
    line = line if len(line) <= _MAX_CELL_CHARS else line[: _MAX_CELL_CHARS - 1] + "…"
    return _SPECIAL.sub(lambda match: f"&#{ord(match[1])};", line)


def _list_event_rows(report: Report) -> Iterator[tuple[str, ...]]:
    for event in report.events:
        held = " (held)" if event.held else ""
        yield event.severity + held, event.signature, format_utc(event.since), event.summary


def _list_notice_rows(report: Report) -> Iterator[tuple[str, ...]]:
    for event in (*report.new_events, *report.resolved_events):
        yield event.severity, event.signature, str(event.reason)


def _list_channel_rows(report: Report) -> Iterator[tuple[str, ...]]:
    for name, health in sorted(report.channels.items()):
        success, error = health.last_success, health.last_error
        failure = f"{format_utc(error.at)}: {error.said}" if error is not None and health.failures else ""
        yield name, "never" if success is None else format_utc(success), failure


def _render_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    table = [*rows]
    if not table:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in table[:_MAX_ROWS]:
        yield f"| {' | '.join(escape_markdown(cell) for cell in row)} |"
    if len(table) > _MAX_ROWS:
        yield f"| {format_count(len(table) - _MAX_ROWS, 'more', 'more')} |{' |' * (len(head) - 1)}"
    yield ""
