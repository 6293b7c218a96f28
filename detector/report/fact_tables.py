"""The tables of what a run saw: service and tasks, orders, reconciliation, market data, what is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from detector.domain.facts import RECONCILE_FLAGS, Facts
from detector.domain.instrument import get_instrument_name
from detector.domain.session_report import NOT_PROVEN, ReportTable
from detector.formats.numbers import format_count, format_quantity, normalize_number
from detector.formats.times import format_duration, format_utc
from detector.reconciliation.freshness import is_complete
from detector.reconciliation.lots import iter_broker_lots, iter_internal_lots, iter_listed_lots
from detector.reconciliation.position_pairs import Lot, describe_held, merge_by_instrument
from detector.reconciliation.working_orders import ProtectiveOrders
from detector.settings import TRADER_CONTAINER, Settings

MOST_ROWS = 200
_COUNTS = (
    "pending_orders",
    "pending_exits",
    "stuck_exits",
    "unknown_fills",
    "send_outcome_unknown",
    "broker_confirmation_required",
    "max_exit_attempt_count",
)
_NO_SNAPSHOT = "the newest run's snapshot is not in its artifact (AEGIS_PT_ARTIFACT=ledger leaves it out)"


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


def build_fact_tables(seen: Sequence[Facts | None], settings: Settings) -> Iterator[ReportTable]:
    """Yield a table for each subject; `seen` are the facts of the runs, the newest first."""
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
        NOT_PROVEN
        if service is None
        else f"{service.status or 'status not seen'}, desired {service.desired}, running {service.running},"
        f" pending {service.pending}",
    )
    if facts.tasks is None:
        yield "tasks", NOT_PROVEN
    for task in facts.tasks or ():
        kind = "runtime task" if task.find_container(settings[TRADER_CONTAINER]) else "task"
        started = "" if task.started_at is None else f", started {format_utc(task.started_at)}"
        states = [
            f"{part.name} {part.last_status} {part.health or ''}".strip() for part in task.containers or ()
        ]
        yield f"{kind} {task.short_id}", f"{task.last_status}{started}: {', '.join(states)}"
    standby = facts.containers
    yield (
        "standby containers",
        NOT_PROVEN
        if standby is None
        else ", ".join(f"{container.name} {container.state}" for container in standby) or "none",
    )


def _list_counts(facts: Facts, _: Settings) -> Iterator[tuple[str, ...]]:
    age = facts.heartbeat_age
    yield "heartbeat age", _format_fact(None if age is None else format_duration(age))
    for name in _COUNTS:
        yield name, _format_fact(getattr(facts, name))
    yield "open positions", _format_fact(facts.exposure)


def _format_fact(value: object) -> str:
    if value is None:
        return NOT_PROVEN
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list_reconciliation(facts: Facts, _: Settings) -> Iterator[tuple[str, ...]]:
    for name in RECONCILE_FLAGS:
        yield name, _format_fact(getattr(facts, name))
    history = facts.logs
    proven = None if history is None else history.proven_at
    yield "newest proof in the logs", _format_fact(None if proven is None else format_utc(proven))
    if history is not None:
        yield "logs were seen", f"from {format_utc(history.since)} to {format_utc(history.to)}"


def _list_market_data(facts: Facts, _: Settings) -> Iterator[tuple[str, ...]]:
    yield "market_data_status", facts.market_data_status or NOT_PROVEN
    yield "market_data_10197_recent", _format_fact(facts.market_data_10197_recent)
    yield "broker_connected", _format_fact(facts.broker_connected)


def _build_holdings(facts: Facts | None, earlier: Sequence[Facts]) -> ReportTable:
    """Return what is held by whose word and as of when; what is not seen now, as it was last seen."""
    columns = ("instrument", "account", "held", "by whose word", "as of", "stops and targets at the broker")
    title = "Open positions, by whose word"
    if facts is None:
        return ReportTable("holdings", title, columns, missing=_NO_SNAPSHOT)
    rows = [row for origin in _ORIGINS for row in _list_held(origin, facts, earlier)]
    missing = "the broker's positions are not seen now" if facts.broker_positions is None else None
    return ReportTable("holdings", title, columns, tuple(rows[:MOST_ROWS]), missing)


def _list_held(origin: _Origin, facts: Facts, earlier: Sequence[Facts]) -> Iterator[tuple[str, ...]]:
    seen = _find_seen(origin.fact, facts, earlier)
    if seen is None:
        if origin.fact != "store_positions":
            yield "not seen", "–", NOT_PROVEN, origin.title, "–", "–"
        return
    as_of = _describe_as_of(seen, facts, origin.fact)
    count = seen.open_position_count
    if getattr(seen, origin.fact) is None:
        yield format_count(count or 0, "position"), "–", "counted, not named", origin.title, as_of, "–"
        return
    rows = getattr(seen, origin.fact)
    held = [lot for lot in merge_by_instrument(origin.iter_lots(seen)) if lot.quantity != 0]
    for lot in held:
        quantity = NOT_PROVEN if lot.quantity is None else describe_held(lot.quantity)
        name = f"{get_instrument_name(lot.instrument)} {lot.trade_title}".strip()
        stops = _describe_protection(seen, lot) if origin.fact == "broker_positions" else "–"
        yield name, lot.account or "–", quantity, origin.title, as_of, stops
    unnamed = sum(not row.is_named for row in rows)
    if unnamed:
        name = f"{format_count(unnamed, 'row')} without an instrument"
        yield name, "–", NOT_PROVEN, origin.title, as_of, "–"
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


def _describe_as_of(seen: Facts, newest: Facts, fact: str) -> str:
    at = seen.broker_as_of if fact.startswith("broker_") else None
    text = format_utc(at or seen.taken_at)
    partial = "" if is_complete(fact, seen) or getattr(seen, fact) is None else ", in part"
    return f"{text}{partial}" if seen is newest else f"last seen {text}{partial}, not seen now"


def _describe_protection(seen: Facts, lot: Lot) -> str:
    if seen.broker_orders is None or lot.quantity is None:
        return NOT_PROVEN
    covered = ProtectiveOrders(seen.broker_orders).compute_protected(
        lot.instrument, lot.quantity, lot.account
    )
    if covered is None:
        return NOT_PROVEN
    text = f"for {format_quantity(covered)} of {format_quantity(abs(lot.quantity))}"
    return text if covered >= abs(lot.quantity) else f"{text}: NOT COVERED"


def _build_orders(facts: Facts | None, earlier: Sequence[Facts]) -> ReportTable:
    columns = ("order", "side", "quantity", "type", "status", "as of")
    title = "Orders that work at the broker"
    seen = None if facts is None else _find_seen("broker_orders", facts, earlier)
    if facts is None or seen is None:
        missing = _NO_SNAPSHOT if facts is None else "the broker's orders were not seen"
        return ReportTable("broker_orders", title, columns, missing=missing)
    as_of = _describe_as_of(seen, facts, "broker_orders")
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
    return ReportTable("broker_orders", title, columns, rows[:MOST_ROWS] or none, unseen)
