"""The one place where text becomes HTML: redacted, without control characters, and escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from detector.domain.session_report import NOT_PROVEN, ReportTable
from detector.formats.patterns import build_pattern
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line

_CODE = build_pattern(r"`([^`]+)`")
_LINK = build_pattern(r"\[([^\]]+)\]\([^)]+\)")


def escape_text(text: str) -> str:
    """Return any text as HTML that shows exactly it, on one line, in an element or a quoted attribute."""
    return escape(to_one_line(redact_text(text)), quote=True)


def escape_step(text: str) -> str:
    """Return a step of the runbook as HTML: its names and commands as code, its links as their text."""
    return _CODE.sub(r"<code>\1</code>", escape_text(_LINK.sub(r"\1", text)))


def render_table(table: ReportTable) -> Iterator[str]:
    """Yield a part of the report as a section with its table; NOT PROVEN stands out by word and by style."""
    yield f'<section id="{escape_text(table.name)}"><h2>{escape_text(table.title)}</h2>'
    if table.missing is not None:
        yield from render_unproven(table.missing)
    if table.rows:
        yield from render_rows(table.title, table.columns, table.rows)
    yield "</section>"


def render_unproven(text: str) -> Iterator[str]:
    """Yield what was not proven as a paragraph that stands out."""
    yield f'<p class="unproven"><strong>{NOT_PROVEN}</strong>: {escape_text(text)}</p>'


def render_rows(caption: str, columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    """Yield a table that scrolls by itself where it is too wide, also by keyboard."""
    yield f'<div class="wide" tabindex="0" role="region" aria-label="{escape_text(caption)}"><table>'
    heads = "".join(f'<th scope="col">{escape_text(column)}</th>' for column in columns)
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for row in rows:
        first, *rest = (escape_text(cell) for cell in row)
        cells = "".join(_render_cell(cell) for cell in rest)
        yield f'<tr><th scope="row">{first}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _render_cell(cell: str) -> str:
    kind = {NOT_PROVEN: "unproven", "firing": "firing"}.get(cell)
    return f'<td class="{kind}">{cell}</td>' if kind else f"<td>{cell}</td>"
