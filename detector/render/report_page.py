"""The report of a session as one self-contained HTML page: no script, nothing loaded, all data escaped.

The decision and the golden signals stand first; then conditions with their steps, the timeline, tables.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

from detector.domain.session_report import (
    CONTINUE,
    NOT_PROVEN,
    NOTIFY,
    ConditionCard,
    ReportTable,
    Series,
    SessionReport,
)
from detector.formats.numbers import format_count, normalize_number
from detector.formats.patterns import build_pattern
from detector.formats.times import format_time
from detector.render.header_lines import render_header
from detector.render.lines import format_in_zones
from detector.render.page_markup import escape_step, escape_text, render_rows, render_table, render_unproven
from detector.render.page_style import STYLE
from detector.render.page_svg import TimeAxis, render_bars, render_series
from detector.render.report_text import REPLAYED, format_hours

_POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"  # no script, no address
)
_CLASSES = {CONTINUE: "continue", NOTIFY: "notify"}
_STATES = {"ok": "", "firing": "firing", NOT_PROVEN: "unproven"}
_SENTENCE_END = build_pattern(r"[.!?]\s+(?=[A-Z`])")
_ET = "America/New_York"
_REPEAT = (
    "Neither a green signal nor this page is approval to deploy, stop or restart: "
    "that needs explicit approval."
)


def render_page(report: SessionReport, zones: tuple[str, ...]) -> str:
    """Return the page; a time axis is in New York time, other times are in UTC or in `zones`."""
    return "\n".join(_render_parts(report, zones)) + "\n"


def _render_parts(report: SessionReport, zones: tuple[str, ...]) -> Iterator[str]:
    title = f"{report.final.word.upper()}: {report.runtime}, session {report.session}"
    policy = _POLICY.format(b64encode(sha256(STYLE.encode()).digest()).decode())
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape_text(policy)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{escape_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield "<header>"
    yield f"<h1>{escape_text(report.runtime)}, session {escape_text(report.session)}</h1>"
    yield from _render_final(report)
    yield from (f'<p class="soft">{escape_text(line)}</p>' for line in _list_times(report, zones))
    yield "</header>\n<main>"
    for table in report.tables:
        if table.is_key:
            yield from _render_tiles(table)
    yield from _render_conditions(report)
    yield from _render_timeline(report)
    for table in report.tables:
        yield from render_table(table)
    yield from _render_remarks(report)
    yield "</main>\n<footer>"
    yield from _render_final(report)
    yield f'<p class="soft">{escape_text(_REPEAT)}</p></footer>\n</body>\n</html>'


def _render_final(report: SessionReport) -> Iterator[str]:
    final = report.final
    kind = _CLASSES.get(final.word, "stop")
    yield f'<div class="final {kind}"><strong class="word">{escape_text(final.word.upper())}</strong>'
    yield f"<p>{escape_text(final.because)}</p>"
    yield f"<p><strong>{escape_text(final.meaning)}</strong></p>"
    if final.unproven:
        yield from render_unproven(", ".join(final.unproven))
    yield "</div>"


def _list_times(report: SessionReport, zones: tuple[str, ...]) -> Iterator[str]:
    newest = "none" if report.newest_run is None else format_in_zones(report.newest_run, zones)
    yield f"Newest run: {newest}; the market is {report.market} then. Session{format_hours(report, zones)}."
    if report.is_replayed:
        yield REPLAYED
    yield f"Broker: {'; '.join(render_header(report.header))}."
    yield f"Made {format_in_zones(report.made_at, zones)} from {format_count(report.runs, 'run')}."


def _render_tiles(table: ReportTable) -> Iterator[str]:
    yield f'<section><h2>{escape_text(table.title)}</h2><ul class="tiles">'
    for name, state, *_ in table.rows:
        yield (
            f'<li class="{_STATES.get(state, "")}"><b>{escape_text(name)}</b>'
            f"<span>{escape_text(state)}</span></li>"
        )
    yield "</ul>"
    if table.missing is not None:
        yield from render_unproven(table.missing)
    yield "</section>"


def _render_conditions(report: SessionReport) -> Iterator[str]:
    yield "<section><h2>What is wrong now</h2>"
    if not report.conditions:
        yield "<p>Nothing, in what was seen.</p>"
    for card in report.conditions:
        yield from _render_card(card)
    yield "</section>"


def _render_card(card: ConditionCard) -> Iterator[str]:
    escalates, held = "ESCALATE " if card.escalates else "", " (held: not seen now)" if card.held else ""
    title = escape_text(f"{escalates}{card.severity.upper()}{held}: {card.signature}")
    yield f'<article class="card {card.severity}"><h3>{title}</h3>'
    yield f"<p>{escape_text(card.summary)}</p>"
    if card.step:
        first, rest = split_first_sentence(card.step)
        yield f"<p><strong>First: {escape_step(first)}</strong> {escape_step(rest)}</p>"
    told = f"{card.since}; alerted: {card.told}; acknowledged: {card.acknowledged}; {card.runbook}"
    yield f'<p class="soft">{escape_text(told)}</p>'
    yield "</article>"


def split_first_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence of a step, and the rest of it."""
    match = _SENTENCE_END.search(text)
    return (text[: match.start() + 1], text[match.end() :]) if match else (text, "")


def _render_timeline(report: SessionReport) -> Iterator[str]:
    axis = TimeAxis(report.begins, report.ends, _ET)
    blind = [bar for bar in report.bars if bar.severity == "blind"]
    yield "<section><h2>Timeline</h2>"
    yield '<p class="soft">New York time. Shaded: no run is at hand. A triangle is a message.</p>'
    yield '<figure class="bars" tabindex="0" role="region" aria-label="The timeline">'
    yield from render_bars(report, _ET)
    yield "</figure>"
    rows = tuple(
        (bar.label, bar.severity, format_time(bar.start), "holds" if bar.is_open else format_time(bar.end))
        for bar in report.bars
    )
    if rows:
        yield "<details><summary>The bars as a table</summary>"
        yield from render_rows("The bars", ("what", "severity", "from", "to"), rows)
        yield "</details>"
    yield '<div class="plots">'
    for series in report.series:
        yield f"<figure><figcaption>{escape_text(_describe_newest(series))}</figcaption>"
        yield from render_series(series, axis, blind)
        yield "</figure>"
    yield "</div>"
    yield from _render_numbers(report)
    yield "</section>"


def _describe_newest(series: Series) -> str:
    seen = [point.value for point in series.points if point.value is not None]
    if not seen:
        return f"{series.title}: {NOT_PROVEN}"
    word = "expected" if series.name == "tasks" else "limit"
    limit = "" if series.limit is None else f" ({word} {normalize_number(series.limit)})"
    return f"{series.title}: {normalize_number(seen[-1])}{f' {series.unit}' if series.unit else ''}{limit}"


def _render_numbers(report: SessionReport) -> Iterator[str]:
    """Yield the numbers of all plots as one table, a row a run."""
    if not report.series or not report.series[0].points:
        return
    columns = ("run", *(f"{entry.title}{f', {entry.unit}' if entry.unit else ''}" for entry in report.series))
    rows = tuple(
        (format_time(point.at), *(_format_value(entry.points[number].value) for entry in report.series))
        for number, point in enumerate(report.series[0].points)
    )
    yield "<details><summary>The plots as a table</summary>"
    yield from render_rows("The plots", columns, rows)
    yield "</details>"


def _format_value(value: float | None) -> str:
    return "not seen" if value is None else str(normalize_number(value))


def _render_remarks(report: SessionReport) -> Iterator[str]:
    if report.remarks:
        items = "".join(f"<li>{escape_text(remark)}</li>" for remark in report.remarks)
        yield f"<section><h2>About these runs</h2><ul>{items}</ul></section>"
