"""The report of a session as one self-contained HTML page: no script, nothing loaded, all data escaped.

The decision and the golden signals stand first; then conditions with their steps, the timeline, tables.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

from msgspec.structs import replace

from detector.domain.session_report import (
    CONTINUE,
    NOT_PROVEN,
    NOTIFY,
    WORDS,
    ConditionCard,
    ReportTable,
    Series,
    SessionReport,
)
from detector.formats.numbers import format_count, normalize_number
from detector.formats.patterns import build_pattern
from detector.formats.times import compute_seconds, format_duration, format_utc
from detector.render.lines import format_in_zones, render_header
from detector.render.page_markup import (
    STYLE,
    TimeAxis,
    escape_step,
    escape_text,
    render_bars,
    render_rows,
    render_series,
    render_table,
    render_unproven,
)
from detector.render.report_text import GAPS, RECOVERING, REPLAYED

_POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"  # no script, no address
)
_CLASSES = {CONTINUE: "continue", NOTIFY: "notify"}
FIRING = "firing"
_STATES = {FIRING: "firing", NOT_PROVEN: "unproven", "ok": ""}  # in the order of the page
_SENTENCE_END = build_pattern(r"[.!?]\s+(?=[A-Z`])")
_POSITIONS = "Positions, as each source has them; one position may stand in several lines:"
_BARS = "bars"  # the table that stands with the timeline
_ZONES = "Here in every zone. All other times on this page, those of the plots too, are in UTC (Z)."
_REPEAT = (
    "Neither a green signal nor this page is approval to deploy, stop or restart: "
    "that needs explicit approval."
)


def render_page(report: SessionReport, zones: tuple[str, ...]) -> str:
    """Return the page; its times and its plots are in UTC, those of the session in every zone as well."""
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
    yield f"<p>{escape_text(_describe_newest_run(report))}</p>"
    if report.is_replayed:
        yield f"<p>{escape_text(REPLAYED)}</p>"
    yield "</header>\n<main>"
    yield from _render_open(report)
    yield from _render_conditions(report)
    for table in report.tables:
        if table.is_key:
            yield from _render_tiles(table)
    yield from _render_times(report, zones)
    yield from _render_timeline(report)
    for table in report.tables:
        if table.name != _BARS:
            yield from render_table(
                replace(table, title=f"{table.title}, and why") if table.is_key else table
            )
    yield from render_table(ReportTable("words", "Words", ("word", "means"), tuple(WORDS.items())))
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
    yield from _render_signals(report)
    unproven = (*final.unproven, *(name for name in report.header.unproven if name not in final.unproven))
    if unproven:
        yield from render_unproven(", ".join(unproven))
    yield "</div>"


def _render_signals(report: SessionReport) -> Iterator[str]:
    """Yield how many golden signals are firing, not proven and ok, with the names of those that fire."""
    rows = [row for table in report.tables if table.is_key for row in table.rows]
    firing = [name for name, state, *_ in rows if state == FIRING]
    unproven = sum(state == NOT_PROVEN for _, state, *_ in rows)
    names = f" ({', '.join(firing)})" if firing else ""
    well = len(rows) - len(firing) - unproven
    if rows:
        text = f"Golden signals: {len(firing)} firing{names}, {unproven} not proven, {well} ok."
        yield f"<p>{escape_text(text)}</p>"


def _describe_newest_run(report: SessionReport) -> str:
    if report.newest_run is None:
        return "Newest run: none."
    later = report.newest_run > report.made_at  # by a clock that is off
    age = format_duration(abs((report.made_at - report.newest_run).total_seconds()))
    when = f"{age} {'after' if later else 'before'} this page was made"
    return (
        f"Newest run: {format_utc(report.newest_run)}, {when}; the market is"
        f" {report.market} then. {format_count(report.runs, 'run')} of this session at hand."
    )


def _render_open(report: SessionReport) -> Iterator[str]:
    """Yield what is open by whose word, which messages are undelivered, and how old the broker's word is."""
    yield "<section><h2>What is open</h2><ul>"
    positions = "".join(f"<li>{escape_text(text)}</li>" for text in report.open_positions)
    yield f"<li>{_POSITIONS}<ul>{positions}</ul></li>"
    orders = [f"Order at the broker: {text}" for text in report.working_orders]
    undelivered = [f"Undelivered: {text}" for text in report.undelivered]
    broker = f"Broker: {'; '.join(render_header(report.header))}"
    yield from (f"<li>{escape_text(text)}</li>" for text in (*orders, *undelivered, broker))
    yield "</ul></section>"


def _render_times(report: SessionReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield the times of the session and of the page in every zone; all others on the page are in UTC."""
    times = (
        ("session opens", report.session_opens),
        ("session closes", report.session_closes),
        ("newest run", report.newest_run),
        ("page made", report.made_at),
    )
    rows = tuple(
        (name, *(format_in_zones(at, (zone,)) for zone in zones)) for name, at in times if at is not None
    )
    yield f'<section id="times"><h2>Times</h2><p class="soft">{escape_text(_ZONES)}</p>'
    yield from render_rows("Times", ("time of", *zones), rows)
    yield "</section>"


def _render_tiles(table: ReportTable) -> Iterator[str]:
    yield f'<section><h2>{escape_text(table.title)}</h2><ul class="tiles">'
    ranks = {state: rank for rank, state in enumerate(_STATES)}
    for name, state, *_ in sorted(table.rows, key=lambda row: ranks.get(row[1], 0)):
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
        yield from _render_card(card, report)
    if report.recovering:
        yield f"<h3>{escape_text(RECOVERING)}</h3><ul>"
        yield from (f"<li>{escape_text(text)}</li>" for text in report.recovering)
        yield "</ul>"
    yield "</section>"


def _render_card(card: ConditionCard, report: SessionReport) -> Iterator[str]:
    escalates, held = ", escalates" if card.escalates else "", " (held: not seen now)" if card.held else ""
    title = escape_text(f"{card.severity.upper()}{escalates}{held}: {card.signature}")
    yield f'<article class="card {card.severity}"><h3>{title}</h3>'
    yield f"<p>{escape_text(card.summary)}</p>"
    if card.step:
        first, rest = split_first_sentence(card.step)
        yield f"<p><strong>First: {escape_step(first)}</strong> {escape_step(rest)}</p>"
    yield f"<p>{escape_text(_describe_since(card, report))}. Alerted: {escape_text(card.told)}.</p>"
    if card.gaps:
        yield f"<p>{escape_text(f'{GAPS} {card.gaps}.')}</p>"
    parts = [] if report.is_replayed else [f"Undelivered: {card.undelivered}"]
    parts += [f"Acknowledged: {card.acknowledged}", f"In the runbook: {card.runbook}"]
    yield f'<p class="soft">{escape_text(". ".join(parts))}</p>'
    yield "</article>"


def _describe_since(card: ConditionCard, report: SessionReport) -> str:
    if card.first_seen is None or report.newest_run is None:
        return card.since
    since = f"First seen by a run at {format_utc(card.first_seen)}"
    if card.last_occurred is not None:
        return f"{since}, last occurred {format_utc(card.last_occurred)}"
    if card.first_seen >= report.newest_run:
        return f"{since}, the newest run"
    age = format_duration(compute_seconds(card.first_seen, report.newest_run))
    return f"{since}, {age} before the newest run"


def split_first_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence of a step, and the rest of it."""
    match = _SENTENCE_END.search(text)
    return (text[: match.start() + 1], text[match.end() :]) if match else (text, "")


def _render_timeline(report: SessionReport) -> Iterator[str]:
    axis = TimeAxis(report.begins, report.ends)
    blind = [bar for bar in report.bars if bar.severity == "blind"]
    yield "<section><h2>Timeline</h2>"
    yield '<p class="soft">Shaded: no run is at hand. A triangle is a message.</p>'
    yield '<figure class="bars" tabindex="0" role="region" aria-label="The timeline">'
    yield from render_bars(report)
    yield "</figure>"
    bars = report.get_table(_BARS)
    if bars is not None:
        yield "<details open><summary>The bars as a table</summary>"
        yield from render_rows("The bars", bars.columns, bars.rows)
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
        (format_utc(point.at), *(_format_value(entry.points[number].value) for entry in report.series))
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
