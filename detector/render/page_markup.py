"""The one place where text becomes HTML: redacted, without control characters, escaped; its style and plots.

The style is dark or light, for a phone's width and up, and for print. A plot is inline SVG without script,
and its numbers stand in a table beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

from msgspec import Struct

from detector.domain.session_report import (
    NOT_PROVEN,
    Bar,
    Mark,
    ReportTable,
    Series,
    SeriesPoint,
    SessionReport,
)
from detector.formats.numbers import normalize_number
from detector.formats.patterns import build_pattern
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.formats.times import compute_seconds

_CODE = build_pattern(r"`([^`]+)`")
_STRESSED = build_pattern(r"\*([^*\s<>][^*<>]*)\*")
_LINK = build_pattern(r"\[([^\]]+)\]\([^)]+\)")
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
_BARS_WIDTH, _PLOT_WIDTH, _PLOT_HEIGHT, _ROW, _TOP = 720, 330, 96, 18, 16
_LEFT, _RIGHT = 8, 8
_TICKS_HOURS = (1, 2, 3, 6, 12, 24)
_TICK_WIDTH = 60  # of a label with its distance


def escape_text(text: str) -> str:
    """Return any text as HTML that shows exactly it, on one line, in an element or a quoted attribute."""
    return escape(to_one_line(redact_text(text)), quote=True)


def escape_step(text: str) -> str:
    """Return a step of the runbook as HTML: its names and commands as code, its stress, its links as text."""
    text = _CODE.sub(r"<code>\1</code>", escape_text(_LINK.sub(r"\1", text)))
    return _STRESSED.sub(r"<em>\1</em>", text)


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


class TimeAxis(Struct, frozen=True):
    """Maps a time to a place between `begins` and `ends`; labels are in UTC, as all times of the page."""

    begins: datetime
    ends: datetime
    width: int = _PLOT_WIDTH

    def compute_x(self, at: datetime) -> float:
        """Return the horizontal place of a time, kept inside the plot."""
        span = max(compute_seconds(self.begins, self.ends), 1)
        share = min(max(compute_seconds(self.begins, at) / span, 0), 1)
        return round(_LEFT + share * (self.width - _LEFT - _RIGHT), 1)

    def list_ticks(self) -> list[tuple[float, str]]:
        """Return the places and labels of whole hours, as many as fit."""
        hours = compute_seconds(self.begins, self.ends) / 3600
        step = next(
            (hours_step for hours_step in _TICKS_HOURS if hours / hours_step <= self.width / _TICK_WIDTH), 24
        )
        at = self.begins.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        ticks = []
        while at < self.ends:
            if at.hour % step == 0:
                ticks.append((self.compute_x(at), f"{at:%H:%M}Z"))
            at += timedelta(hours=1)
        return ticks


def render_series(series: Series, axis: TimeAxis, blind: Sequence[Bar]) -> Iterator[str]:
    """Yield one small plot: a step line, its limit, and the blind stretches shaded."""
    values = [point.value for point in series.points if point.value is not None]
    top = max([*values, series.limit or 0, 1])
    height = _PLOT_HEIGHT - 2 * _TOP
    label = _describe_series(series, values)
    yield f'<svg viewBox="0 0 {axis.width} {_PLOT_HEIGHT}" role="img" aria-label="{escape_text(label)}">'
    yield from _render_blind(blind, axis, _PLOT_HEIGHT)
    yield from _render_axis(axis, _PLOT_HEIGHT)
    if series.limit is not None:
        y = round(_TOP + height * (1 - series.limit / top), 1)
        yield f'<line class="limit" x1="{_LEFT}" x2="{axis.width - _RIGHT}" y1="{y}" y2="{y}"/>'
    for run in _split_runs(series.points):
        places = [
            (axis.compute_x(point.at), round(_TOP + height * (1 - (point.value or 0) / top), 1))
            for point in run
        ]
        path = " ".join(f"{x},{y}" for x, y in places)
        yield f'<polyline class="line" points="{path}"/>'
        yield from (f'<circle class="dot" cx="{x}" cy="{y}" r="2"/>' for x, y in places)
    yield "</svg>"


def _describe_series(series: Series, values: Sequence[float]) -> str:
    if not values:
        return f"{series.title}: not seen in any run"
    unit = f" {series.unit}" if series.unit else ""
    limit = "" if series.limit is None else f", limit {normalize_number(series.limit)}{unit}"
    lowest, highest, newest = (normalize_number(value) for value in (min(values), max(values), values[-1]))
    return f"{series.title}: newest {newest}{unit}, from {lowest} to {highest}{unit}{limit}"


def _split_runs(points: Sequence[SeriesPoint]) -> Iterator[list[SeriesPoint]]:
    """Yield the stretches of points that were seen; a run that did not see it breaks the line."""
    stretch: list[SeriesPoint] = []
    for point in points:
        if point.value is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def render_bars(report: SessionReport) -> Iterator[str]:
    """Yield the timeline: a bar for each condition, the blind stretches, and a mark for each message."""
    axis = TimeAxis(report.begins, report.ends, _BARS_WIDTH)
    bars = [bar for bar in report.bars if bar.severity != "blind"]
    blind = [bar for bar in report.bars if bar.severity == "blind"]
    height = _TOP + _ROW * max(len(bars), 1) + 2 * _ROW
    label = f"{len(bars)} conditions, {len(report.marks)} messages, {len(blind)} stretches without a run"
    yield f'<svg viewBox="0 0 {axis.width} {height}" role="img" aria-label="{escape_text(label)}">'
    yield from _render_blind(blind, axis, height)
    yield from _render_axis(axis, height)
    for number, bar in enumerate(bars):
        y = _TOP + number * _ROW
        left, right = axis.compute_x(bar.start), axis.compute_x(bar.end)
        width = max(round(right - left, 1), 2)
        yield f'<rect class="{bar.severity}" x="{left}" y="{y}" width="{width}" height="6" rx="2"/>'
        place, anchor = (left, "start") if left < axis.width / 2 else (max(right, left), "end")
        yield f'<text x="{place}" y="{y + 15}" text-anchor="{anchor}">{escape_text(bar.label)}</text>'
    yield from _render_marks(report.marks, axis, height - 2 * _ROW + 4)
    yield "</svg>"


def _render_blind(blind: Sequence[Bar], axis: TimeAxis, height: float) -> Iterator[str]:
    for bar in blind:
        left, right = axis.compute_x(bar.start), axis.compute_x(bar.end)
        width = round(right - left, 1)
        yield f'<rect class="blind" x="{left}" y="0" width="{width}" height="{height - _TOP}"/>'


def _render_axis(axis: TimeAxis, height: float) -> Iterator[str]:
    for x, label in axis.list_ticks():
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="0" y2="{height - _TOP}"/>'
        yield f'<text class="hour" x="{x}" y="{height - 4}" text-anchor="middle">{escape_text(label)}</text>'


def _render_marks(marks: Sequence[Mark], axis: TimeAxis, y: float) -> Iterator[str]:
    for x in sorted({axis.compute_x(mark.at) for mark in marks}):
        yield f'<path class="mark" d="M{x},{y} l5,9 h-10 z"/>'
