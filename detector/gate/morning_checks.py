"""The decisions of the morning before the bell: session, login, API, data, contracts, stops, channels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from detector.domain.facts import Facts, is_ok, known
from detector.domain.gate_report import NO, UNPROVEN, YES
from detector.formats.numbers import format_count, format_quantity
from detector.formats.times import format_duration, format_utc
from detector.gate.check import GateContext, GateDecision, list_starts
from detector.market.hours import MarketUnknown, Session, get_market_at, load_zone
from detector.market.maintenance import QUIET_FOR, is_in_planned_restart
from detector.market.session_plan import NEW_YORK, US_EQUITY
from detector.reconciliation.expiry import LIVE, get_expiry_state
from detector.reconciliation.lots import build_broker_book
from detector.reconciliation.working_orders import ProtectiveOrders

_SOON = timedelta(hours=12)  # a session that opens later than this is not this morning's
_FULL_DAY = timedelta(hours=6, minutes=30)
_TESTED_WITHIN = timedelta(days=7)
_SUNDAY = 6
_WEEKLY_LOGIN = time(1)  # IBKR ends every login on Sundays at 01:00 New York


def find_session(facts: Facts) -> Session | None:
    """Return the session that is open or comes next; None where the calendar does not know one."""
    market = facts.market
    if market.is_open is False and market.opens_in is not None:
        opens = facts.taken_at + timedelta(seconds=market.opens_in)
        market = get_market_at(opens, facts.closures)
    if market.opens_at is None or market.closes_at is None:
        return None
    return Session(market.opens_at, market.closes_at)


def decide_session(context: GateContext) -> GateDecision:
    """The session of this morning is known, with its close; an early close is said."""
    facts, session = context.facts, context.session
    if session is None:
        return GateDecision(UNPROVEN, facts.market.why_unknown or "no session is known within ten days")
    if session.opens - facts.taken_at > _SOON:
        return GateDecision(NO, f"no session within 12 h: the next opens at {format_utc(session.opens)}")
    is_short = facts.closures.plan is US_EQUITY and session.closes - session.opens < _FULL_DAY
    label = "HALF DAY, it closes" if is_short else "it closes"
    return GateDecision(
        YES, f"it opens at {format_utc(session.opens)}; {label} at {format_utc(session.closes)}"
    )


def decide_login(context: GateContext) -> GateDecision:
    """The link is up, no planned restart and no weekly login falls before the close."""
    facts, session = context.facts, context.session
    if session is None:
        return GateDecision(UNPROVEN, "the close of the session is not known")
    if not facts.is_linked:
        return GateDecision(UNPROVEN, "nothing that was seen says that the gateway is logged in now")
    try:
        weekly = _find_weekly_login(facts.taken_at)
    except MarketUnknown as error:
        return GateDecision(UNPROVEN, error.reason)
    restart = _find_restart(context, session.closes)
    if restart is not None:
        return GateDecision(NO, f"the gateway restarts by plan at {format_utc(restart)}, before the close")
    if weekly <= session.closes:
        return GateDecision(NO, f"IBKR ends the login at {format_utc(weekly)}, before the close")
    return GateDecision(YES, f"the link is up; IBKR ends logins at {format_utc(weekly)}, after the close")


def _find_weekly_login(moment: datetime) -> datetime:
    """Return the next Sunday, 01:00 New York; raises MarketUnknown without a zone database."""
    zone = load_zone(NEW_YORK)
    local = moment.astimezone(zone)
    day = local.date() + timedelta(days=(_SUNDAY - local.weekday()) % 7)
    at = datetime.combine(day, _WEEKLY_LOGIN, zone)
    return at if at > local else datetime.combine(day + timedelta(days=7), _WEEKLY_LOGIN, zone)


def _find_restart(context: GateContext, closes: datetime) -> datetime | None:
    restarts, at = context.facts.restarts, context.facts.taken_at
    while restarts and at <= closes:
        if is_in_planned_restart(at, restarts):
            return at
        at += QUIET_FOR
    return None


def decide_orders_allowed(context: GateContext) -> GateDecision:
    """The API takes orders: one was placed or executed since the start, or the logs since then say nothing.

    A read-only API answers the first request after a connection with code 321, so that logs which reach back
    to the start show it.
    """
    facts = context.facts
    history = known(facts.logs)
    starts = list_starts(facts)
    if not starts:
        return GateDecision(UNPROVEN, "when the runtime started was not seen")
    start = max(starts)
    placed = [order.submitted_at for order in facts.broker_orders or ()]
    executed = [fill.at for fill in facts.broker_executions or ()]
    if any(at is not None and at >= start for at in (*placed, *executed)):
        return GateDecision(YES, f"an order was taken since the start at {format_utc(start)}")
    if history.since <= start:
        return GateDecision(YES, f"no line since the start at {format_utc(start)} says read-only")
    return GateDecision(
        UNPROVEN, f"the logs begin after the start at {format_utc(start)}, and no order was taken"
    )


def decide_data(context: GateContext) -> GateDecision:
    """The runtime calls its market data ok; whether it flows shows only after the bell."""
    status = known(context.facts.market_data_status)
    recheck = "look again five minutes after the bell"
    return (
        GateDecision(YES, f"ok; {recheck}")
        if is_ok(status)
        else GateDecision(NO, f"market_data_status = {status}")
    )


def decide_account(context: GateContext) -> GateDecision:
    """The account is known and agrees with the mode."""
    facts = context.facts
    return GateDecision(YES, f"{facts.broker_account}, mode {facts.mode or facts.broker_mode}")


def decide_stops(context: GateContext) -> Iterator[GateDecision]:
    """Each position at the broker has stops or targets there for all of it."""
    facts = context.facts
    protection, count = ProtectiveOrders(known(facts.broker_orders)), 0
    for position in build_broker_book(facts).positions:
        quantity = position.compute_quantity("broker")
        if quantity == 0:
            continue
        count += 1
        covered = protection.compute_protected(position.instrument, quantity, position.account)
        if quantity is None or covered is None:
            yield GateDecision(UNPROVEN, f"how much of {position.name} is covered was not seen")
        elif covered < abs(quantity):
            text = f"{position.name}: stops and targets for {format_quantity(covered)}"
            yield GateDecision(NO, f"{text} of {format_quantity(abs(quantity))}")
    yield GateDecision(
        YES, f"all of {format_count(count, 'position')} covered" if count else "nothing is held"
    )


def decide_expiry(context: GateContext) -> Iterator[GateDecision]:
    """No contract that the broker holds expires by the close of the session."""
    facts, session = context.facts, context.session
    if session is None:
        yield GateDecision(UNPROVEN, "the close of the session is not known")
        return
    held = [row for row in known(facts.broker_positions) if row.quantity != 0]
    for row in held:
        if row.is_vague:
            yield GateDecision(UNPROVEN, f"{row.instrument_name} is not named in full")
        elif get_expiry_state(row, session.closes) != LIVE:
            yield GateDecision(NO, f"{row.instrument_name} expires by {format_utc(session.closes)}")
    yield GateDecision(YES, f"none of {format_count(len(held), 'holding')} expires by the close")


def decide_channels(context: GateContext) -> Iterator[GateDecision]:
    """Every configured channel took a message within a week, and its latest delivery did not fail."""
    if not context.channels:
        yield GateDecision(NO, "no channel is configured: nobody is alerted")
    for name in context.channels:
        health = context.report.channels.get(name)
        if health is None or health.last_success is None:
            yield GateDecision(UNPROVEN, f"{name}: no message that it took is remembered")
        elif health.failures:
            yield GateDecision(
                NO, f"{name}: its latest {format_count(health.failures, 'delivery', 'deliveries')} failed"
            )
        else:
            age = context.facts.taken_at - health.last_success
            text = f"{name} took a message {format_duration(max(age.total_seconds(), 0))} ago"
            yield GateDecision(YES if age <= _TESTED_WITHIN else UNPROVEN, text)
