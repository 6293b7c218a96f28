"""Orders: the broker accepts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from detector.domain.broker_rows import BrokerOrder
from detector.domain.facts import Facts
from detector.domain.instrument import get_instrument_name
from detector.domain.log_incidents import describe_span
from detector.domain.rule import CRITICAL, NEVER, NOW, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.domain.runtime_rows import EXIT, Order
from detector.domain.sides import get_sign
from detector.formats.numbers import format_count
from detector.formats.times import format_utc
from detector.logs.bursts import REPEATED_WITHIN, count_most_within, find_rejections, list_rejections
from detector.logs.events import MAX_NEWS_AGE, ORDER_REJECTED, LogEvent
from detector.reconciliation.working_orders import PURPOSE_FACTS, WorkingOrders, list_orders
from detector.settings import ORDER_REJECT_CRITICAL


@rule(
    OCCURRENCE,
    "critical",
    any_of=["logs", "orders", "broker_orders"],
    severity_inputs=PURPOSE_FACTS,
    limits=[reaches(ORDER_REJECT_CRITICAL)],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Orders were rejected, by the log or the lists of orders: several within an hour, or one exit."""
    yield from _check_exits(facts)
    yield from _check_log(facts, limits[ORDER_REJECT_CRITICAL])
    rows = list(_iter_rejected(facts))
    count = count_most_within(sorted(order.submitted_at or facts.taken_at for order in rows), REPEATED_WITHIN)
    if limits.is_broken(ORDER_REJECT_CRITICAL, count):
        yield Finding(
            CRITICAL,
            f"{format_count(count, 'order is', 'orders are')} listed as rejected"
            f" (critical at {limits[ORDER_REJECT_CRITICAL]}).",
            observed=count,
            limit=ORDER_REJECT_CRITICAL,
            at=max((order.submitted_at for order in rows if order.submitted_at), default=None),
            facts=("orders", "broker_orders"),
        )


def _check_log(facts: Facts, limit: int) -> Iterator[Finding]:
    history = facts.logs
    if history is None:
        return
    times = [event.at for event in list_rejections(history)]
    for burst in find_rejections(history, limit)[-1:]:
        if history.is_news(burst.last, facts.taken_at - MAX_NEWS_AGE):
            most = max(count_most_within(times, REPEATED_WITHIN), limit)
            yield Finding(
                CRITICAL,
                f"The broker rejected {format_count(most, 'order')} within an hour, {describe_span(burst)} "
                f"({burst.note}; critical at {limit}).",
                observed=most,
                limit=ORDER_REJECT_CRITICAL,
                at=burst.last,
                facts=("logs",),
            )


def _check_exits(facts: Facts) -> Iterator[Finding]:
    rejected, events = list(_iter_rejected(facts)), _list_rejections(facts)
    if not (rejected or events):
        return
    orders = WorkingOrders(facts)
    for order in rejected:
        if orders.is_exit(order):
            yield Finding(
                CRITICAL,
                f"The exit order {order.title} {_describe_status(order)}.",
                subject=get_instrument_name(order),
                at=order.submitted_at,
                facts=("orders", "broker_orders"),
                escalates=NEVER if _is_replaced(order, facts) else NOW,
            )
    for event in events:
        row = _find_order(event.key, facts)
        if not (event.note.startswith(EXIT) or (row is not None and orders.is_exit(row))):
            continue
        yield Finding(
            CRITICAL,
            f"The log said at {format_utc(event.at)} that the exit order "
            f"{event.key if row is None else row.title} was rejected.",
            subject=None if row is None else get_instrument_name(row),
            at=event.at,
            facts=("logs",),
            escalates=NEVER if row is not None and _is_replaced(row, facts) else NOW,
        )


def _list_rejections(facts: Facts) -> list[LogEvent]:
    """Return the rejections of the last hour of the log."""
    events = facts.logs.list_events(ORDER_REJECTED) if facts.logs is not None else ()
    return [event for event in events if facts.taken_at - event.at <= MAX_NEWS_AGE]


def _iter_rejected(facts: Facts) -> Iterator[Order]:
    """Yield the orders that a list calls rejected; one that both lists call so is one."""
    rejected = [
        order
        for order in list_orders(facts)
        if (order.is_rejected or _is_refused(order, facts)) and _is_recent(order.submitted_at, facts)
    ]
    own = {order.identity for order in rejected if order.is_named and not isinstance(order, BrokerOrder)}
    for order in rejected:
        if not (isinstance(order, BrokerOrder) and order.identity in own):
            yield order


def _is_refused(order: Order, facts: Facts) -> bool:
    """Whether the broker lists an order as Inactive that waits neither for shares nor for the session."""
    is_inactive = isinstance(order, BrokerOrder) and order.is_inactive and not order.why_held
    return is_inactive and not order.parked and facts.market.is_open is True


def _describe_status(order: Order) -> str:
    return (
        "was rejected"
        if order.is_rejected
        else "is Inactive, and so works no more (TWS calls a refused one so)"
    )


def _find_order(order_id: str, facts: Facts) -> Order | None:
    return next((o for o in list_orders(facts) if order_id in (o.order_id, o.perm_id)), None)


def _is_recent(moment: datetime | None, facts: Facts) -> bool:
    return moment is None or facts.taken_at - moment <= MAX_NEWS_AGE


def _is_replaced(rejected: Order, facts: Facts) -> bool:
    """Whether a later order of the same instrument and side works or filled; never the order itself."""
    name, side = get_instrument_name(rejected), get_sign(rejected.side)
    return any(
        order.identity != rejected.identity
        and get_instrument_name(order) == name
        and get_sign(order.side) == side
        and (order.is_working or order.is_filled)
        and (
            rejected.submitted_at is None
            or (order.submitted_at is not None and order.submitted_at > rejected.submitted_at)
        )
        for order in list_orders(facts)
    )
