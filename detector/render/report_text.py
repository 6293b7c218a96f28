"""The report of a session as text, and as Markdown for a work log; the final line stands first and last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detector.domain.session_report import NOT_PROVEN, ConditionCard, ReportTable, SessionReport
from detector.formats.numbers import format_count, format_first
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.render.github_output import escape_markdown
from detector.render.lines import format_in_zones, render_header

_LABEL_MAX = 34
_MOST_ENTRIES = 6
GAPS: Final = "No run is at hand in this session from"
RECOVERING: Final = "Good again, not confirmed yet"
REPLAYED: Final = (
    "Nobody was alerted by these runs: snapshots were evaluated for this report;"
    ' "due" is when a message would have been sent.'
)


def format_final_line(report: SessionReport) -> str:
    """Return the one final line: `NOTIFY: why. NOT PROVEN: gateway, logs`."""
    final = report.final
    unproven = f" {NOT_PROVEN}: {', '.join(final.unproven)}." if final.unproven else ""
    return f"{final.word.upper()}: {final.because.rstrip('.')}.{unproven}"


def render_report(report: SessionReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield the report as lines of text."""
    yield from (to_one_line(redact_text(line)) if line else "" for line in _render_lines(report, zones))


def _render_lines(report: SessionReport, zones: tuple[str, ...]) -> Iterator[str]:
    yield format_final_line(report)
    yield from _list_facts(report, zones)
    for card in report.conditions:
        yield ""
        yield from _render_card(card)
    if report.recovering:
        yield ""
        yield from (f"{RECOVERING}: {text}" for text in report.recovering)
    for table in report.tables:
        yield ""
        yield f"{table.title}"
        if table.missing is not None:
            yield f"  {NOT_PROVEN}: {table.missing}"
        for row in table.rows:
            yield f"  {row[0]:<{_LABEL_MAX}}  {'  '.join(cell for cell in row[1:] if cell)}".rstrip()
    if report.remarks:
        yield ""
        yield from (f"Note: {remark}" for remark in report.remarks)
    yield ""
    yield format_final_line(report)


def _list_facts(report: SessionReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield what the final line asks, runtime, session, times and market, and the header on the broker."""
    yield report.final.meaning
    yield f"{report.runtime}, session {report.session}{format_hours(report, zones)}"
    newest = "none" if report.newest_run is None else format_in_zones(report.newest_run, zones)
    reported, runs = format_in_zones(report.made_at, zones), format_count(report.runs, "run")
    yield f"newest run: {newest}; the market is {report.market} then; {runs}; made {reported}"
    if report.is_replayed:
        yield REPLAYED
    yield from _list_open(report)
    yield from render_header(report.header)


def _list_open(report: SessionReport) -> Iterator[str]:
    """Yield what is open by whose word and as of when, and what is undelivered, each in one line."""
    for title, entries in (
        ("open positions", report.open_positions),
        ("orders at the broker", report.working_orders),
        ("undelivered", report.undelivered),
    ):
        yield f"{title}: {format_first(entries, _MOST_ENTRIES, '; ', '; and {} more')}"


def format_hours(report: SessionReport, zones: tuple[str, ...]) -> str:
    """Return the session's hours in every zone, empty where there is none."""
    if report.session_opens is None or report.session_closes is None:
        return ""
    opens, closes = (format_in_zones(at, zones) for at in (report.session_opens, report.session_closes))
    return f": opens {opens}; closes {closes}"


def _render_card(card: ConditionCard) -> Iterator[str]:
    state = "HELD, not seen now; " if card.held else ""
    yield f"{'ESCALATE ' if card.escalates else ''}{card.severity.upper()}  {card.signature}"
    yield f"  {card.summary}"
    yield f"  {state}{card.since}; alerted: {card.told}; acknowledged: {card.acknowledged}"
    if card.gaps:
        yield f"  {GAPS} {card.gaps}"
    yield f"  undelivered: {card.undelivered}"
    if card.step:
        yield f"  First: {card.step}"
    yield f"  {card.runbook}"


def render_report_markdown(report: SessionReport, zones: tuple[str, ...]) -> Iterator[str]:
    """Yield the report as Markdown: an entry of a work log, all data escaped."""
    yield from render_first_screen(report, zones, "##")
    for card in report.conditions:
        first, *rest = (escape_markdown(line.strip()) for line in _render_card(card))
        yield f"- **{first}**"
        yield from (f"    - {line}" for line in rest)
    yield from (f"- {RECOVERING}: {escape_markdown(text)}" for text in report.recovering)
    for table in report.tables:
        yield ""
        yield from _render_markdown_table(table)
    if report.remarks:
        yield ""
        yield from (f"- {escape_markdown(remark)}" for remark in report.remarks)
    yield ""
    yield f"**{escape_markdown(format_final_line(report))}**"


def render_first_screen(report: SessionReport, zones: tuple[str, ...], level: str = "####") -> Iterator[str]:
    """Yield the first screen as Markdown for a job's summary, which has the golden signals itself."""
    yield f"{level} {escape_markdown(format_final_line(report))}"
    yield ""
    yield from (f"- {escape_markdown(line)}" for line in _list_facts(report, zones))


def _render_markdown_table(table: ReportTable) -> Iterator[str]:
    yield f"### {escape_markdown(table.title)}"
    yield ""
    if table.missing is not None:
        yield f"{NOT_PROVEN}: {escape_markdown(table.missing)}"
        if not table.rows:
            return
        yield ""
    yield _join_cells(table.columns)
    yield _join_cells(["---"] * len(table.columns), escape=False)
    yield from (_join_cells(row) for row in table.rows)


def _join_cells(cells: Sequence[str], escape: bool = True) -> str:
    return f"| {' | '.join(escape_markdown(cell) if escape else cell for cell in cells)} |"
