"""The exposure that `gate before` pins and `gate after` compares: every change needs its explanation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from detector.domain.broker_rows import BrokerOrder, Execution, keep_latest_versions
from detector.domain.facts import Facts
from detector.domain.gate_report import Exposure
from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import Order
from detector.formats.numbers import format_quantity
from detector.reconciliation.freshness import is_complete

POSITION_FACTS = {"broker_positions": "broker", "store_positions": "store", "open_positions": "runtime"}
_ORDER_FACTS = {"broker_orders": "broker", "orders": "runtime"}
COUNTERS = (
    "open_position_count",
    "pending_exits",
    "stuck_exits",
    "unknown_fills",
    "send_outcome_unknown",
    "max_exit_attempt_count",
)
PINNED = (*POSITION_FACTS, *_ORDER_FACTS, "broker_executions", *COUNTERS, "recent_trades")
_UNKNOWN = "unknown"


class Change(Struct, frozen=True):
    """One difference between two exposures, and what explains it; None where nothing does."""

    subject: str
    text: str
    explanation: str | None = None


def build_exposure(facts: Facts) -> Exposure:
    """Return the exposure that the facts show; what was not read in full is not part of it."""
    read = tuple(name for name in PINNED if is_complete(name, facts))
    return Exposure(
        read,
        _build_positions(facts, read),
        {
            f"{source} order {_get_order_id(order)}": _describe_order(order)
            for name, source in _ORDER_FACTS.items()
            if name in read
            for order in getattr(facts, name)
            if order.is_working
        },
        tuple(sorted(fill.exec_id or _UNKNOWN for fill in _list_fills(facts)))
        if "broker_executions" in read
        else (),
        {name: int(getattr(facts, name)) for name in COUNTERS if name in read},
        _list_imports(facts),
        tuple(sorted(trade.identity for trade in facts.recent_trades or () if trade.pnl_unknown)),
    )


def list_changes(before: Exposure, facts: Facts, since: datetime) -> Iterator[Change]:
    """Yield every change since `before`, which was taken at `since`, with what explains it.

    A position is explained by executions at the broker that make exactly its change; an order that is gone
    by its execution; the runtime's own orders by the runtime. Nothing explains a counter but a person.
    """
    now = build_exposure(facts)
    fills = [fill for fill in _list_fills(facts) if fill.exec_id not in before.executions]
    is_known = {"broker_executions"} <= {*before.read} & {*now.read}
    yield from _compare_positions(before, now, fills if is_known else [])
    yield from _compare_orders(before, now, fills)
    yield from _compare_executions(before, facts, fills if is_known else [])
    for name, count in before.counters.items():
        current = now.counters.get(name, count)
        if current != count:
            yield Change(
                f"counter {name}",
                f"{name} was {count} and is {current}",
                _explain_count(name, facts, since, count),
            )
    for tag in sorted({*now.imports} - {*before.imports}):
        yield Change(f"import {tag}", f"{tag} is a position that the broker's side imported")
    for trade in sorted({*now.unknown_pnl} - {*before.unknown_pnl}):
        yield Change(f"unknown exit {trade}", f"trade {trade} closed with an unknown P&L")


def list_lost(before: Exposure, facts: Facts) -> list[str]:
    """Return the facts that `before` read and that are not read in full now."""
    return [name for name in before.read if not is_complete(name, facts)]


def _build_positions(facts: Facts, read: tuple[str, ...]) -> dict[str, str]:
    """Return the open quantities by source, account and instrument; several rows of one are listed."""
    groups: dict[str, list[str]] = {}
    for name, source in POSITION_FACTS.items():
        for row in getattr(facts, name) if name in read else ():
            quantity = getattr(row, "signed_quantity", None) if name != "broker_positions" else row.quantity
            if quantity == 0:
                continue
            text = _UNKNOWN if quantity is None else format_quantity(quantity)
            groups.setdefault(f"{source} position {_describe_row(row)}", []).append(text)
    return {key: "; ".join(sorted(texts)) for key, texts in sorted(groups.items())}


def _describe_row(row: Any) -> str:
    """Return account and contract of a row, in all parts that tell two contracts apart."""
    named: Instrument = normalize(row)
    account = getattr(row, "account", None)
    parts = (named.instrument_name, named.trading_class, f"conid {named.con_id}" if named.con_id else None)
    text = " ".join(dict.fromkeys(part for part in parts if part))
    return f"{text} in {account}" if account else text


def _get_order_id(order: Order) -> str:
    client = getattr(order, "client_id", None)
    if order.perm_id and order.perm_id != "0":
        return f"perm {order.perm_id}"
    return f"{order.identity} of client {client}" if client else order.identity


def _describe_order(order: Order) -> str:
    quantity = "" if order.quantity is None else f" {format_quantity(Decimal(str(order.quantity)))}"
    return f"{order.side or 'order'}{quantity} {order.instrument_name} {order.order_type or ''}".strip()


def _list_fills(facts: Facts) -> tuple[Execution, ...]:
    return keep_latest_versions(facts.broker_executions or ())


def _list_imports(facts: Facts) -> tuple[str, ...]:
    positions = facts.open_positions or ()
    return tuple(sorted(position.identity for position in positions if position.import_tag is not None))


def _compare_positions(before: Exposure, now: Exposure, fills: Iterable[Execution]) -> Iterator[Change]:
    traded: dict[str, Decimal | None] = {}
    for fill in fills:
        key, quantity = _describe_row(fill), fill.signed_quantity
        total = traded.get(key, Decimal(0))
        traded[key] = None if quantity is None or total is None else total + quantity
    for key in sorted({*before.positions, *now.positions}):
        old, new = before.positions.get(key, "0"), now.positions.get(key, "0")
        if old == new:
            continue
        change, executed = _compute_change(new, old), traded.get(key.partition(" position ")[2])
        explained = change is not None and executed is not None and change == executed
        explanation = (
            f"executions at the broker make {format_quantity(executed)}" if explained and executed else None
        )
        yield Change(key, f"{key} was {old} and is {new}", explanation)


def _compute_change(new: str, old: str) -> Decimal | None:
    if _UNKNOWN in new or _UNKNOWN in old:
        return None
    return sum(map(Decimal, new.split("; ")), Decimal(0)) - sum(map(Decimal, old.split("; ")), Decimal(0))


def _compare_orders(before: Exposure, now: Exposure, fills: Iterable[Execution]) -> Iterator[Change]:
    filled = {f"perm {fill.perm_id}" for fill in fills if fill.perm_id} | {
        str(fill.order_id) for fill in fills if fill.order_id
    }
    own = {key.partition(" order ")[2] for key in now.orders if key.startswith("runtime ")}
    for key in sorted({*before.orders, *now.orders}):
        old, new = before.orders.get(key), now.orders.get(key)
        number = key.partition(" order ")[2]
        if old == new:
            continue
        if new is None:
            explanation = "it was executed" if number in filled else None
            yield Change(key, f"{key} ({old}) no longer works", explanation)
        else:
            is_own = key.startswith("broker ") and number in own
            text = f"{key} ({new}) is new" if old is None else f"{key} was {old} and is {new}"
            yield Change(key, text, "the runtime lists it too" if is_own else None)


def _compare_executions(before: Exposure, facts: Facts, fills: Iterable[Execution]) -> Iterator[Change]:
    known = {key.partition(" order ")[2] for key in before.orders if key.startswith("runtime ")}
    known |= {_get_order_id(order) for order in facts.orders or () if not isinstance(order, BrokerOrder)}
    trades = (*(facts.store_trades or ()), *(facts.recent_trades or ()))
    ids = {text for trade in trades for text in (trade.exec_id, trade.exit_exec_id) if text}
    orders = {text for trade in trades for text in (trade.order_id, trade.exit_order_id) if text}
    for fill in fills:
        named = {f"perm {fill.perm_id}", str(fill.order_id)}
        is_known = bool(named & known) or fill.exec_id in ids or str(fill.order_id) in orders
        yield Change(
            f"execution {fill.exec_id}",
            f"execution {fill.title} is new",
            "the runtime knows its order or trade" if is_known else None,
        )


def _explain_count(name: str, facts: Facts, since: datetime, count: int) -> str | None:
    """Return the explanation by trades that closed since, where they are exactly the positions gone."""
    if name != "open_position_count" or facts.open_position_count is None or facts.recent_trades is None:
        return None
    closed = [
        trade for trade in facts.recent_trades if trade.closed_at is not None and trade.closed_at > since
    ]
    is_all = len(closed) == count - facts.open_position_count
    has_pnl = all(trade.realized_pnl is not None and not trade.pnl_unknown for trade in closed)
    return "trades that closed since have a known P&L" if closed and is_all and has_pnl else None


def find_unused(explained: Mapping[str, str], subjects: Iterable[str]) -> list[str]:
    """Return the explained subjects that are no change."""
    return sorted({*explained} - {*subjects})
