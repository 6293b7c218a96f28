"""The tables of a report: golden signals, service, orders, reconciliation, broker, channels, sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from detector.domain.facts import Facts
from detector.domain.report import Report
from detector.domain.session_report import REPLAY, Mark, ReportTable, Series
from detector.formats.numbers import format_quantity, normalize_number
from detector.formats.times import format_duration, format_time
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.working_orders import ProtectiveOrders
from detector.report.run_record import RunRecord
from detector.settings import TRADER_CONTAINER, Settings

_FLAGS = ("broker_reconcile_pending", "position_reconcile_pending", "entry_blocking_reconcile_pending")
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
_MOST_ROWS = 200


def build_tables(
    run: RunRecord | None, facts: Facts | None, settings: Settings, marks: Sequence[Mark]
) -> Iterator[ReportTable]:
    """Yield the tables of the newest run; what was not seen is NOT PROVEN, row by row."""
    if run is None:
        yield ReportTable("signals", "Golden signals", (), missing="no run is at hand", is_key=True)
        return
    report = run.report
    rows = tuple(
        (covered.title, _UNSEEN if covered.state == "not seen" else covered.state, covered.why)
        for covered in report.coverage
    )
    yield ReportTable("signals", "Golden signals", ("signal", "state", "why"), rows, is_key=True)
    yield from _build_fact_tables(facts, settings)
    yield _build_message_table(marks)
    yield _build_acknowledgement_table(run)
    yield _build_channel_table(report)
    yield _build_source_table(report)


def _build_fact_tables(facts: Facts | None, settings: Settings) -> Iterator[ReportTable]:
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
    yield _build_holdings(facts)
    yield _build_orders(facts)


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
    age = None if facts.heartbeat_at is None else max(facts.age_of(facts.heartbeat_at), 0)
    yield "heartbeat age", _UNSEEN if age is None else format_duration(age)
    for name in _COUNTS:
        value = getattr(facts, name)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield name, _UNSEEN if value is None else text
    count = facts.exposure
    yield "open positions", _UNSEEN if count is None else str(count)


def _list_reconciliation(facts: Facts, _: Settings) -> Iterator[tuple[str, ...]]:
    for name in _FLAGS:
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


def _build_holdings(facts: Facts | None) -> ReportTable:
    columns = ("instrument", "account", "held at the broker", "stops and targets there")
    title = "What the broker holds"
    if facts is None or facts.broker_positions is None:
        missing = _NO_SNAPSHOT if facts is None else "the broker's positions were not seen"
        return ReportTable("holdings", title, columns, missing=missing)
    protection = None if facts.broker_orders is None else ProtectiveOrders(facts.broker_orders)
    rows = []
    for position in build_broker_book(facts).positions[:_MOST_ROWS]:
        quantity = position.compute_quantity("broker")
        if quantity == 0:
            continue
        covered = (
            protection.compute_protected(position.instrument, quantity, position.account)
            if protection is not None and quantity is not None
            else None
        )
        held = _UNSEEN if quantity is None else describe_held(quantity)
        rows.append((position.name, position.account or "–", held, _describe_protection(quantity, covered)))
    return ReportTable("holdings", title, columns, tuple(rows) or (("nothing", "–", "flat", "–"),))


def _describe_protection(held: Decimal | None, covered: Decimal | None) -> str:
    if held is None or covered is None:
        return _UNSEEN
    text = f"for {format_quantity(covered)} of {format_quantity(abs(held))}"
    return text if covered >= abs(held) else f"{text}: NOT COVERED"


def _build_orders(facts: Facts | None) -> ReportTable:
    columns = ("order", "side", "quantity", "type", "status")
    title = "Orders that work at the broker"
    if facts is None or facts.broker_orders is None:
        missing = _NO_SNAPSHOT if facts is None else "the broker's orders were not seen"
        return ReportTable("broker_orders", title, columns, missing=missing)
    rows = tuple(
        (
            order.title,
            order.side or "–",
            "–" if order.quantity is None else str(normalize_number(float(order.quantity))),
            order.order_type or "–",
            order.status or "–",
        )
        for order in facts.broker_orders
        if order.is_working
    )
    return ReportTable("broker_orders", title, columns, rows[:_MOST_ROWS] or (("none",) + ("–",) * 4,))


def _build_message_table(marks: Sequence[Mark]) -> ReportTable:
    rows = tuple(
        (format_time(mark.at), "nobody (due then)" if mark.channel == REPLAY else mark.channel, mark.label)
        for mark in marks[-_MOST_ROWS:]
    )
    missing = None if rows else "no receipt of a channel stands in these runs"
    return ReportTable(
        "told", "Messages: sent to whom, or due, and when", ("at", "channel", "what"), rows, missing
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
    missing = None if rows else "the newest run records no channel: it delivered nothing to anybody"
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


def build_kpi_table(series: Sequence[Series], closed_trades: int | None) -> ReportTable:
    """Return the figures that the runbook wants driven down: unknown exits per closed trade, and imports."""
    by_name = {entry.name: [point.value for point in entry.points] for entry in series}
    unknown, imports = (
        [value for value in by_name.get(name, ()) if value is not None]
        for name in ("unknown_exits", "imports")
    )
    share = f" of {closed_trades} closed" if closed_trades is not None else ""
    rows = (
        (
            "exits with unknown P&L",
            f"{unknown[-1]:.0f}{share}" if unknown else _UNSEEN,
            f"{max(unknown):.0f} at most" if unknown else _UNSEEN,
        ),
        (
            "positions imported from the broker",
            f"{imports[-1]:.0f}" if imports else _UNSEEN,
            f"{max(imports):.0f} at most" if imports else _UNSEEN,
        ),
    )
    return ReportTable("kpi", "To be driven down", ("figure", "newest run", "over these runs"), rows)
