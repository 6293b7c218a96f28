"""The one place where text becomes HTML: redacted, without control characters, and escaped; and its style.

The style is dark or light, for a phone's width and up, and for print.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

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


STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1f;--soft:#5a5f66;--rule:#d4d7dc;--card:#f5f6f8;
--crit:#b3121d;--warn:#7a5200;--ok:#1c6b2f;--line:#1b5faa;--blind:#c9ccd3;--on:#fff}
@media (prefers-color-scheme:dark){:root{--bg:#14161a;--fg:#e8e9ec;--soft:#aab0ba;--rule:#3a3f48;
--card:#1e2127;
--crit:#ff8a86;--warn:#f0c060;--ok:#7fd494;--line:#8ab8f5;--blind:#474d58;--on:#14161a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:12px 16px 40px;background:var(--bg);color:var(--fg);
font:16px/1.45 system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.35rem;margin:.2em 0}h2{font-size:1.05rem;margin:1.6em 0 .4em}h3{font-size:1rem;
margin:0 0 .2em}
p{margin:.3em 0}ul{margin:.3em 0;padding-left:1.2em}.soft{color:var(--soft)}a{color:var(--line)}
.final{border:3px solid;border-radius:8px;padding:10px 14px;margin:10px 0}
.final strong.word{display:block;font-size:1.5rem;line-height:1.2}
.continue{border-color:var(--ok)}.continue .word{color:var(--ok)}
.notify{border-color:var(--warn)}.notify .word{color:var(--warn)}
.stop{border-color:var(--crit)}.stop .word{color:var(--crit)}
.card{background:var(--card);border-left:6px solid var(--warn);padding:8px 12px;margin:10px 0;
border-radius:4px}
.card.critical{border-color:var(--crit)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(165px,1fr));gap:6px;list-style:none;
padding:0;margin:8px 0}
.tiles li{background:var(--card);border-left:5px solid var(--ok);padding:5px 9px;border-radius:4px}
.tiles .firing{border-color:var(--crit)}.tiles .unproven{border-color:var(--warn)}
.tiles b{display:block}.tiles .firing span{color:var(--crit)}.tiles .unproven span{color:var(--warn)}
td.unproven,p.unproven strong{color:var(--warn);font-weight:600}td.firing{color:var(--crit);font-weight:600}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem;overflow-wrap:normal}
th,td{text-align:left;vertical-align:top;padding:4px 10px 4px 0;border-bottom:1px solid var(--rule)}
thead th{color:var(--soft);font-weight:600}tbody th{font-weight:500}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:10px 18px}
figure{margin:0}figcaption{font-size:.9rem}svg{width:100%;height:auto;display:block}
svg text{fill:var(--fg);font-size:9.5px}svg .hour{fill:var(--soft)}.bars{overflow-x:auto}
.bars svg{min-width:640px}
.plots svg{border-bottom:1px solid var(--rule)}.plots svg text{font-size:11px}
.line{fill:none;stroke:var(--line);stroke-width:2}.dot{fill:var(--line)}.limit{stroke:var(--crit);
stroke-dasharray:6 4}
.tick{stroke:var(--rule)}rect.blind{fill:var(--blind);opacity:.6}rect.critical{fill:var(--crit)}
rect.warning{fill:var(--warn)}
.mark{fill:var(--line)}details{margin:.3em 0}summary{cursor:pointer}
:focus-visible{outline:3px solid var(--line);outline-offset:2px}
@media print{:root{--bg:#fff;--fg:#000;--soft:#333;--rule:#999;--card:#fff;--crit:#8a0010;--warn:#5c3d00;
--ok:#0f4d1f;
--line:#0d3f78;--blind:#ccc}body{max-width:none;font-size:11pt}.wide,.bars{overflow:visible}
.bars svg{min-width:0}.card,.final,figure,tr{break-inside:avoid}}
""".strip()
