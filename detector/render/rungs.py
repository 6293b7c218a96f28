"""Who is notified of what: the rung of each channel as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detector.formats.times import format_duration
from detector.render.settings import render_table
from detector.settings import Floor, Rung

_HEAD = ("channel", "warning", "critical", "critical about money", "what escalates", "acknowledged")
_NOW, _LATER = "at once", "once it escalates"
# By floor: a warning, a critical condition, and a critical one with money at risk.
_CELLS: dict[Floor, tuple[str, str, str]] = {
    "warning": (_NOW, _NOW, _NOW),
    "critical": (_LATER, _NOW, _NOW),
    "urgent": (_LATER, _LATER, _NOW),
    "escalated": (_LATER, _LATER, _LATER),
}


def render_rungs(channels: Iterable[tuple[str, Rung]]) -> Iterator[str]:
    """Yield the table: what each channel is notified of, and when; nothing where there is no channel."""
    rows = [_build_row(name, rung) for name, rung in channels]
    if rows:
        yield from render_table([_HEAD, *rows])


def _build_row(name: str, rung: Rung) -> tuple[str, ...]:
    cells = (*_CELLS[rung.floor], _NOW)
    if not rung.after_sec:
        return (name, *cells, "no reminder")
    after = f"after {format_duration(rung.after_sec)}"
    waits = tuple(after if cell == _NOW else f"{cell}, {after}" for cell in cells)
    return (name, *waits, "not sent")
