"""The tables of a report: golden signals, what a run saw, what was sent to whom, sources, and figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from detector.domain.condition import Condition
from detector.domain.facts import Facts
from detector.domain.report import Report
from detector.domain.session_report import NOT_PROVEN, REPLAY, Bar, Mark, ReportTable, Series
from detector.formats.numbers import format_count
from detector.formats.times import format_utc
from detector.report.fact_tables import MOST_ROWS, build_fact_tables
from detector.report.run_record import RunRecord
from detector.settings import Settings

_NO_CHANNEL = "the newest run records no channel: it delivered nothing to anybody"


class _Figure(Struct, frozen=True):
    """A figure to be driven down: its series, and the event and golden signal that count it over runs."""

    title: str
    series: str
    event: str
    signal: str
    is_of_trades: bool = False


_FIGURES = (
    _Figure("exits with unknown P&L", "unknown_exits", "pnl_unknown", "exit_attribution", is_of_trades=True),
    _Figure("positions imported from the broker", "imports", "broker_import_position", "broker_imports"),
)


def build_tables(
    run: RunRecord | None, seen: Sequence[Facts | None], settings: Settings, marks: Sequence[Mark]
) -> Iterator[ReportTable]:
    """Yield the tables of the newest run; what was not seen is NOT PROVEN, row by row.

    `seen` are the facts of the runs, the newest first; None where its snapshot was not kept.
    """
    if run is None:
        yield ReportTable("signals", "Golden signals", (), missing="no run is at hand", is_key=True)
        return
    report = run.report
    rows = tuple(
        (covered.title, NOT_PROVEN if covered.state == "not seen" else covered.state, covered.why)
        for covered in report.coverage
    )
    yield ReportTable("signals", "Golden signals", ("signal", "state", "why"), rows, is_key=True)
    yield from build_fact_tables(seen, settings)
    yield build_undelivered_table(run)
    yield _build_message_table(marks)
    yield _build_acknowledgement_table(run)
    yield _build_channel_table(report)
    yield _build_source_table(report)


def build_undelivered_table(run: RunRecord) -> ReportTable:
    """Return what is due and was not accepted: which condition, to which channel, since when and why."""
    columns, title = ("condition", "to", "due since", "why"), "Undelivered"
    rows = tuple(
        (signature, channel, format_utc(since), _describe_failure(run.report, channel))
        for signature, condition in sorted(run.report.conditions.items())
        for channel, since in sorted(condition.owing.items())
    )
    if not rows and run.is_artifact and not run.report.channels:
        return ReportTable("undelivered", title, columns, missing=_NO_CHANNEL)
    if not rows and not run.is_artifact:
        rows = (("nothing was sent", "–", "–", "snapshots were evaluated for this report"),)
    return ReportTable("undelivered", title, columns, rows[:MOST_ROWS] or (("nothing", "–", "–", "–"),))


def describe_open(tables: Sequence[ReportTable]) -> dict[str, tuple[str, ...]]:
    """Return the report's sentences on what is open, from its tables, by the names of their fields."""
    return {
        "open_positions": _describe_rows(tables, "holdings", _describe_position),
        "working_orders": _describe_rows(tables, "broker_orders", _describe_order),
        "undelivered": _describe_rows(tables, "undelivered", _describe_undelivered_row),
    }


def _describe_rows(
    tables: Iterable[ReportTable], name: str, describe: Callable[[Sequence[str]], str]
) -> tuple[str, ...]:
    """Return a sentence for each row of a table, or why there is none."""
    table = next((table for table in tables if table.name == name), None)
    if table is None or (table.missing and not table.rows):
        return (f"{NOT_PROVEN}: {table.missing if table else 'no run is at hand'}",)
    return tuple(map(describe, table.rows))


def _describe_position(row: Sequence[str]) -> str:
    """Return what is open by whose word and as of when."""
    name, account, held, origin, as_of, _ = row
    if as_of == "–":
        return f"{NOT_PROVEN} by {origin}: {name}"
    owner = "" if account == "–" else f" in {account}"
    return f"{name}{owner}: {held}, by {origin}, {as_of if as_of.startswith('last') else f'as of {as_of}'}"


def _describe_order(row: Sequence[str]) -> str:
    name, side, quantity, kind, status, as_of = row
    parts = " ".join(part for part in (side, quantity, kind, status) if part != "–")
    text = f"{name} {parts}".strip()
    return f"{text}, by the broker, {as_of if as_of.startswith('last') else f'as of {as_of}'}"


def _describe_undelivered_row(row: Sequence[str]) -> str:
    """Return of what a message is undelivered, to which channel, since when and why."""
    name, channel, since, why = row
    reason = "" if why == "–" else f": {why}"
    return f"{name}{reason}" if channel == "–" else f"{name}, to {channel} since {since}{reason}"


def _describe_failure(report: Report, channel: str) -> str:
    health = report.channels.get(channel)
    if health is None or health.last_error is None:
        return "no answer of the channel is recorded"
    error = health.last_error
    return f"{error.said} ({format_count(health.failures, 'failure')} in a row)"


def describe_undelivered(condition: Condition | None, report: Report) -> str:
    """Return which channels have not accepted the condition's message, since when and why."""
    entries = () if condition is None else sorted(condition.owing.items())
    return (
        "; ".join(
            f"to {channel} since {format_utc(since)}: {_describe_failure(report, channel)}"
            for channel, since in entries
        )
        or "nothing"
    )


def build_condition_table(bars: Sequence[Bar]) -> ReportTable:
    """Return the bars of the timeline as a table, with what is known of each at the newest run."""
    rows = tuple(
        (
            bar.label,
            bar.severity,
            format_utc(bar.start),
            "–" if bar.is_open and bar.phase != "recovering" else format_utc(bar.end),
            bar.state,
        )
        for bar in bars
    )
    columns = ("what", "severity", "from", "to", "state at the newest run")
    return ReportTable("bars", "Conditions and blind stretches", columns, rows or (("nothing", *("–",) * 4),))


def _build_message_table(marks: Sequence[Mark]) -> ReportTable:
    channels: dict[tuple[datetime, str], list[str]] = {}
    for mark in marks:
        channel = "nobody (due then)" if mark.channel == REPLAY else mark.channel
        channels.setdefault((mark.at, mark.label), []).append(channel)
    rows = tuple(
        (format_utc(at), label, ", ".join(names)) for (at, label), names in sorted(channels.items())
    )[-MOST_ROWS:]
    missing = None if rows else "no receipt of a channel stands in these runs"
    return ReportTable(
        "told", "Messages: sent to whom, or due, and when", ("at", "what", "channels"), rows, missing
    )


def _build_acknowledgement_table(run: RunRecord) -> ReportTable:
    columns = ("condition", "by", "through", "from", "until", "at the newest run")
    rows = tuple(
        (
            signature,
            ack.by,
            ack.via,
            format_utc(ack.at),
            format_utc(ack.until),
            "in force" if ack is condition.get_acknowledgement(run.at) else "no longer in force",
        )
        for signature, condition in sorted(run.report.conditions.items())
        for ack in condition.acks
    )
    nobody = (("nothing", "nobody", "–", "–", "–", "–"),)
    return ReportTable("acknowledgements", "Acknowledgements", columns, rows[:MOST_ROWS] or nobody)


def _build_channel_table(report: Report) -> ReportTable:
    rows = tuple(
        (
            name,
            "never" if health.last_success is None else format_utc(health.last_success),
            f"{health.last_error.said} ({health.failures} in a row)"
            if health.last_error is not None and health.failures
            else "–",
        )
        for name, health in sorted(report.channels.items())
    )
    missing = None if rows else _NO_CHANNEL
    return ReportTable("channels", "Channels", ("channel", "last success", "last error"), rows, missing)


def _build_source_table(report: Report) -> ReportTable:
    rows = tuple(
        (
            name,
            source.state,
            "–" if source.as_of is None else format_utc(source.as_of),
            source.detail or source.reason or "–",
        )
        for name, source in sorted(report.sources.items())
    )
    missing = None if rows else "the sections were given by hand; no source is named"
    return ReportTable("sources", "Sources", ("source", "state", "as of", "why"), rows, missing)


def build_kpi_table(series: Sequence[Series], facts: Facts | None, runs: Sequence[RunRecord]) -> ReportTable:
    """Return the figures that the runbook wants driven down: unknown exits per closed trade, and imports.

    `runs` are all at hand, also of other sessions: there each trade and each position counts once.
    """
    trades = None if facts is None else facts.recent_trades
    closed_trades = None if trades is None else len(trades)
    columns = ("figure", "newest run", "in this session", "in all runs at hand")
    rows = tuple(
        (figure.title, *_list_values(series, figure, closed_trades), _count_subjects(runs, figure))
        for figure in _FIGURES
    )
    return ReportTable("kpi", "To be driven down", columns, rows)


def _list_values(series: Sequence[Series], figure: _Figure, closed_trades: int | None) -> tuple[str, str]:
    """Return the figure at the newest run that saw it, and its highest value in the session."""
    points = (point for entry in series if entry.name == figure.series for point in entry.points)
    values = [point.value for point in points if point.value is not None]
    if not values:
        return NOT_PROVEN, NOT_PROVEN
    share = f" of {closed_trades} closed" if figure.is_of_trades and closed_trades is not None else ""
    return f"{values[-1]:.0f}{share}", f"{max(values):.0f} at most"


def _count_subjects(runs: Sequence[RunRecord], figure: _Figure) -> str:
    seen = [
        run
        for run in runs
        if any(
            covered.signal == figure.signal and covered.state != "not seen" for covered in run.report.coverage
        )
    ]
    if not seen:
        return NOT_PROVEN
    subjects = {
        condition.signature
        for run in runs
        for condition in run.report.conditions.values()
        if condition.type == figure.event
    }
    return f"{len(subjects)} since {format_utc(seen[0].at)}, seen by {len(seen)} of {len(runs)} runs"
