"""The page of one run in the scheduler: what holds, what was told, what was not seen, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from detector.domain.channel_health import ChannelHealth
from detector.domain.report import Report
from detector.formats.plural import counted
from detector.formats.redaction import redacted_text
from detector.formats.times import text_of
from detector.render.lines import decision_line

MOST_BYTES = 1024 * 1024 - 1024  # GitHub takes 1 MiB of a step and throws a larger page away whole
_MOST_ROWS = 200
_LONGEST_CELL = 300
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&@:])")


def job_summary(report: Report, zones: tuple[str, ...], remarks: Sequence[str] = ()) -> str:
    """Return the page; `remarks` is what went wrong beside the events. Nothing out of data is Markdown."""
    lines = [
        f"### {escaped(decision_line(report, zones))}",
        "",
        *(f"- **{escaped(remark)}**" for remark in remarks),
        "",
        *_table(("severity", "signature", "since", "what"), _events(report)),
        *_table(("told now", "signature", "why"), _told(report)),
        *_table(("golden signal", "state", "why"), ((c.title, c.state, c.why) for c in report.coverage)),
        *_table(("channel", "last success", "last error"), _channels(report)),
    ]
    text = "\n".join(lines) + "\n"
    return text if len(text.encode()) <= MOST_BYTES else f"### {escaped(decision_line(report, zones))}\n"


def escaped(text: str) -> str:
    """Return the text so that Markdown and HTML show it as it is, on one line."""
    line = " ".join(redacted_text(text).split())
    line = line if len(line) <= _LONGEST_CELL else line[: _LONGEST_CELL - 1] + "…"
    return _SPECIAL.sub(lambda found: f"&#{ord(found[1])};", line)


def _events(report: Report) -> Iterator[tuple[str, ...]]:
    for event in report.events:
        held = " (held)" if event.held else ""
        yield event.severity + held, event.signature, text_of(event.since), event.summary


def _told(report: Report) -> Iterator[tuple[str, ...]]:
    for event in (*report.new_events, *report.resolved_events):
        yield event.severity, event.signature, str(event.reason)


def _channels(report: Report) -> Iterator[tuple[str, ...]]:
    for name, health in sorted(report.channels.items()):
        yield name, _time(health.last_success), _error(health)


def _time(moment: datetime | None) -> str:
    return "never" if moment is None else text_of(moment)


def _error(health: ChannelHealth) -> str:
    error = health.last_error
    return f"{text_of(error.at)}: {error.said}" if error is not None and health.failures else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    found = [*rows]
    if not found:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in found[:_MOST_ROWS]:
        yield f"| {' | '.join(escaped(cell) for cell in row)} |"
    if len(found) > _MOST_ROWS:
        yield f"| {counted(len(found) - _MOST_ROWS, 'more', 'more')} |{' |' * (len(head) - 1)}"
    yield ""
