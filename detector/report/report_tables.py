"""The tables of a report: golden signals, service, orders, reconciliation, broker, channels, sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from detector.domain.condition import Condition
from detector.domain.facts import RECONCILE_FLAGS, Facts
from detector.domain.instrument import get_instrument_name
from detector.domain.report import Report
from detector.domain.session_report import REPLAY, Bar, Mark, ReportTable, Series
from detector.formats.numbers import format_count, format_quantity, normalize_number
from detector.formats.times import format_duration, format_time
from detector.reconciliation.freshness import is_complete
from detector.reconciliation.lots import iter_broker_lots, iter_internal_lots, iter_listed_lots
from detector.reconciliation.position_pairs import Lot, describe_held, merge_by_instrument
from detector.reconciliation.working_orders import ProtectiveOrders
from detector.report.run_record import RunRecord
from detector.settings import TRADER_CONTAINER, Settings

_COUNTS = (
    "pending_orders",
    "pending_exits",
    "stuck_exits",
    "unknown_fills",
    "send_outcome_unknown",
    "broker_confirmation_required",
    "max_exit_attempt_count",
)
_UNSEEN = "NOT PROVEN"
_NO_SNAPSHOT = "the newest run's snapshot is not in its artifact (AEGIS_PT_ARTIFACT=ledger leaves it out)"
_NO_CHANNEL = "the newest run records no channel: it delivered nothing to anybody"
_MOST_ROWS = 200


class _Origin(Struct, frozen=True):
    """Who lists positions or orders: the fact that holds the list, and how its lots are read."""

    fact: str
    title: str
    iter_lots: Callable[[Facts], Iterator[Lot]]


_ORIGINS = (
    _Origin("broker_positions", "the broker", iter_broker_lots),
    _Origin("open_positions", "the runtime's status", iter_listed_lots),
    _Origin("store_positions", "the runtime's store", iter_internal_lots),
)


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
        (covered.title, _UNSEEN if covered.state == "not seen" else covered.state, covered.why)
        for covered in report.coverage
    )
    yield ReportTable("signals", "Golden signals", ("signal", "state", "why"), rows, is_key=True)
    yield from _build_fact_tables(seen, settings)
    yield build_undelivered_table(run)
    yield _build_message_table(marks)
    yield _build_acknowledgement_table(run)
    yield _build_channel_table(report)
    yield _build_source_table(report)


def _build_fact_tables(seen: Sequence[Facts | None], settings: Settings) -> Iterator[ReportTable]:
    facts, earlier = seen[0], [entry for entry in seen[1:] if entry is not None]
    builders = (
        ("ecs", "Service and tasks", ("what", "state"), _list_service),
        ("orders", "Orders, exits and heartbeat", ("fact", "value"), _list_counts),
        ("reconciliation", "Reconciliation", ("what", "state"), _list_reconciliation),
        ("market_data", "Market data", ("fact", "value"), _list_market_data),
    )
    for name, title, columns, build in builders:
        if facts is None:
            yield ReportTable(name, title, columns, missing=_NO_SNAPSHOT)
        else:
            yield ReportTable(name, title, columns, tuple(build(facts, settings)))
    yield _build_holdings(facts, earlier)
    yield _build_orders(facts, earlier)


def _list_service(facts: Facts, settings: Settings) -> Iterator[tuple[str, ...]]:
    service = facts.service
    yield (
        "service",
        _UNSEEN
        if service is None
        else f"{service.status or 'status not seen'}, desired {service.desired}, running {service.running},"
        f" pending {service.pending}",
    )
    if facts.tasks is None:
        yield "tasks", _UNSEEN
    for task in facts.tasks or ():
        kind = "runtime task" if task.find_container(settings[TRADER_CONTAINER]) else "task"
        started = "" if task.started_at is None else f", started {format_time(task.started_at)}"
        states = [
            f"{part.name} {part.last_status} {part.health or ''}".strip() for part in task.containers or ()
        ]
        yield f"{kind} {task.short_id}", f"{task.last_status}{started}: {', '.join(states)}"
    standby = facts.containers
    yield (
        "standby containers",
        _UNSEEN
        if standby is None
        else ", ".join(f"{container.name} {container.state}" for container in standby) or "none",
    )


def _list_counts(facts: Facts, _: Settings) -> Iterator[tuple[str, ...]]:
    age = facts.heartbeat_age
    yield "heartbeat age", _UNSEEN if age is None else format_duration(age)
    for name in _COUNTS:
        value = getattr(facts, name)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield name, _UNSEEN if value is None else text
    count = facts.exposure
    yield "open positions", _UNSEEN if count is None else str(count)


def _list_reconciliation(facts: Facts, _: Settings) -> Iterator[tuple[str, ...]]:
    for name in RECONCILE_FLAGS:
        value = getattr(facts, name)
        yield name, _UNSEEN if value is None else str(value).lower()
    history = facts.logs
    proven = None if history is None else history.proven_at
    yield "newest proof in the logs", _UNSEEN if proven is None else format_time(proven)
    if history is not None:
        yield "logs were seen", f"from {format_time(history.since)} to {format_time(history.to)}"


def _list_market_data(facts: Facts, _: Settings) -> Iterator[tuple[str, ...]]:
    yield "market_data_status", facts.market_data_status or _UNSEEN
    count = facts.market_data_10197_recent
    yield "market_data_10197_recent", _UNSEEN if count is None else str(count)
    link = facts.broker_connected
    yield "broker_connected", _UNSEEN if link is None else str(link).lower()


def _build_holdings(facts: Facts | None, earlier: Sequence[Facts]) -> ReportTable:
    """Return what is held by whose word and as of when; what is not seen now, as it was last seen."""
    columns = ("instrument", "account", "held", "by whose word", "as of", "stops and targets at the broker")
    title = "Open positions, by whose word"
    if facts is None:
        return ReportTable("holdings", title, columns, missing=_NO_SNAPSHOT)
    rows = [row for origin in _ORIGINS for row in _list_held(origin, facts, earlier)]
    missing = "the broker's positions are not seen now" if facts.broker_positions is None else None
    return ReportTable("holdings", title, columns, tuple(rows[:_MOST_ROWS]), missing)


def _list_held(origin: _Origin, facts: Facts, earlier: Sequence[Facts]) -> Iterator[tuple[str, ...]]:
    seen = _find_seen(origin.fact, facts, earlier)
    if seen is None:
        if origin.fact != "store_positions":
            yield "not seen", "–", _UNSEEN, origin.title, "–", "–"
        return
    as_of = _describe_as_of(seen, facts, origin)
    count = seen.open_position_count
    if getattr(seen, origin.fact) is None:
        yield format_count(count or 0, "position"), "–", "counted, not named", origin.title, as_of, "–"
        return
    rows = getattr(seen, origin.fact)
    held = [lot for lot in merge_by_instrument(origin.iter_lots(seen)) if lot.quantity != 0]
    for lot in held:
        quantity = _UNSEEN if lot.quantity is None else describe_held(lot.quantity)
        name = f"{get_instrument_name(lot.instrument)} {lot.trade_title}".strip()
        stops = _describe_protection(seen, lot) if origin.fact == "broker_positions" else "–"
        yield name, lot.account or "–", quantity, origin.title, as_of, stops
    unnamed = sum(not row.is_named for row in rows)
    if unnamed:
        name = f"{format_count(unnamed, 'row')} without an instrument"
        yield name, "–", _UNSEEN, origin.title, as_of, "–"
    if not held and not unnamed:
        yield "no position", "–", "flat", origin.title, as_of, "–"


def _find_seen(fact: str, facts: Facts, earlier: Sequence[Facts]) -> Facts | None:
    """Return the newest facts in which the fact was seen; the runtime's list may only be counted."""
    return next(
        (
            seen
            for seen in (facts, *earlier)
            if getattr(seen, fact) is not None
            or (fact == "open_positions" and seen.open_position_count is not None)
        ),
        None,
    )


def _describe_as_of(seen: Facts, newest: Facts, origin: _Origin) -> str:
    at = seen.broker_as_of if origin.fact.startswith("broker_") else None
    text = format_time(at or seen.taken_at)
    partial = "" if is_complete(origin.fact, seen) or getattr(seen, origin.fact) is None else ", in part"
    return f"{text}{partial}" if seen is newest else f"last seen {text}{partial}, not seen now"


def _describe_protection(seen: Facts, lot: Lot) -> str:
    if seen.broker_orders is None or lot.quantity is None:
        return _UNSEEN
    covered = ProtectiveOrders(seen.broker_orders).compute_protected(
        lot.instrument, lot.quantity, lot.account
    )
    if covered is None:
        return _UNSEEN
    text = f"for {format_quantity(covered)} of {format_quantity(abs(lot.quantity))}"
    return text if covered >= abs(lot.quantity) else f"{text}: NOT COVERED"


def _build_orders(facts: Facts | None, earlier: Sequence[Facts]) -> ReportTable:
    columns = ("order", "side", "quantity", "type", "status", "as of")
    title = "Orders that work at the broker"
    seen = None if facts is None else _find_seen("broker_orders", facts, earlier)
    if facts is None or seen is None:
        missing = _NO_SNAPSHOT if facts is None else "the broker's orders were not seen"
        return ReportTable("broker_orders", title, columns, missing=missing)
    as_of = _describe_as_of(seen, facts, _Origin("broker_orders", "the broker", iter_broker_lots))
    rows = tuple(
        (
            order.title,
            order.side or "–",
            "–" if order.quantity is None else str(normalize_number(float(order.quantity))),
            order.order_type or "–",
            order.status or "–",
            as_of,
        )
        for order in seen.broker_orders or ()
        if order.is_working
    )
    unseen = None if seen is facts else "the broker's orders are not seen now"
    none = (("none", *("–",) * 4, as_of),)
    return ReportTable("broker_orders", title, columns, rows[:_MOST_ROWS] or none, unseen)


def build_undelivered_table(run: RunRecord) -> ReportTable:
    """Return what is due and was not accepted: which condition, to which channel, since when and why."""
    columns, title = ("condition", "to", "due since", "why"), "Undelivered"
    rows = tuple(
        (signature, channel, format_time(since), _describe_failure(run.report, channel))
        for signature, condition in sorted(run.report.conditions.items())
        for channel, since in sorted(condition.owing.items())
    )
    if not rows and run.is_artifact and not run.report.channels:
        return ReportTable("undelivered", title, columns, missing=_NO_CHANNEL)
    if not rows and not run.is_artifact:
        rows = (("nothing was sent", "–", "–", "snapshots were evaluated for this report"),)
    return ReportTable("undelivered", title, columns, rows[:_MOST_ROWS] or (("nothing", "–", "–", "–"),))


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
        return (f"{_UNSEEN}: {table.missing if table else 'no run is at hand'}",)
    return tuple(map(describe, table.rows))


def _describe_position(row: Sequence[str]) -> str:
    """Return what is open by whose word and as of when."""
    name, account, held, origin, as_of, _ = row
    if as_of == "–":
        return f"{_UNSEEN} by {origin}: {name}"
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
            f"to {channel} since {format_time(since)}: {_describe_failure(report, channel)}"
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
            format_time(bar.start),
            "–" if bar.is_open and bar.phase != "recovering" else format_time(bar.end),
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
        (format_time(at), label, ", ".join(names)) for (at, label), names in sorted(channels.items())
    )[-_MOST_ROWS:]
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
            format_time(ack.at),
            format_time(ack.until),
            "in force" if ack is condition.get_acknowledgement(run.at) else "no longer in force",
        )
        for signature, condition in sorted(run.report.conditions.items())
        for ack in condition.acks
    )
    nobody = (("nothing", "nobody", "–", "–", "–", "–"),)
    return ReportTable("acknowledgements", "Acknowledgements", columns, rows[:_MOST_ROWS] or nobody)


def _build_channel_table(report: Report) -> ReportTable:
    rows = tuple(
        (
            name,
            "never" if health.last_success is None else format_time(health.last_success),
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
            "–" if source.as_of is None else format_time(source.as_of),
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
        return _UNSEEN, _UNSEEN
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
        return _UNSEEN
    subjects = {
        condition.signature
        for run in runs
        for condition in run.report.conditions.values()
        if condition.type == figure.event
    }
    return f"{len(subjects)} since {format_time(seen[0].at)}, seen by {len(seen)} of {len(runs)} runs"
