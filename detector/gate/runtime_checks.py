"""The decisions about the runtime before and after a deployment: its task, heartbeat, orders, exits, logs."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import known
from detector.domain.gate_report import NO, UNPROVEN, YES
from detector.domain.runtime_rows import ENTRY
from detector.formats.numbers import format_count
from detector.formats.times import format_duration, format_limit, format_time
from detector.gate.check import GateCheck, GateContext, GateDecision
from detector.reconciliation.working_orders import WorkingOrders
from detector.settings import EXPECTED_TASKS, HEARTBEAT_STALE_SEC, PENDING_ORDER_STALE_SEC, TRADER_CONTAINER

_MOST_EVENTS = 3


def build_zero_check(fact: str, title: str, name: str = "", rules: tuple[str, ...] = ()) -> GateCheck:
    """Return the check that a count is 0, or a flag false; its name is the fact's where none is given."""

    def decide(context: GateContext) -> Iterator[GateDecision]:
        value = known(getattr(context.facts, fact))
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield GateDecision(NO if value else YES, f"{fact} = {text}")

    return GateCheck(name or fact, title, sees=(fact,), rules=rules, decide=decide)


def decide_flags(context: GateContext) -> Iterator[GateDecision]:
    """Every reconciliation flag is false."""
    names = ("broker_reconcile_pending", "position_reconcile_pending", "entry_blocking_reconcile_pending")
    raised = [name for name in names if known(getattr(context.facts, name))]
    yield (
        GateDecision(NO, f"{', '.join(raised)} = true")
        if raised
        else GateDecision(YES, "all three are false")
    )


def decide_task(context: GateContext) -> Iterator[GateDecision]:
    """The service wants one task and has it, and one task of the cluster bears the trader's container."""
    facts, expected = context.facts, context.settings[EXPECTED_TASKS]
    service = known(facts.service)
    counts = (service.desired, service.running, service.pending)
    running = [task for task in known(facts.tasks) if task.last_status == "RUNNING"]
    runtime = [task for task in running if task.find_container(context.settings[TRADER_CONTAINER])]
    text = "desired {}, running {}, pending {}".format(*counts)
    text += f"; {format_count(len(runtime), 'runtime task')} in the cluster"
    if None in counts:
        yield GateDecision(UNPROVEN, text)
    else:
        is_right = counts == (expected, expected, 0) and len(runtime) == expected
        yield GateDecision(YES if is_right else NO, text)


def decide_processes(context: GateContext) -> Iterator[GateDecision]:
    """Every expected process of the machine runs, each once."""
    names = [process.name for process in known(context.facts.processes) if process.running and process.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in context.facts.expected_processes if name not in names]
    if twice or missing or not names:
        yield GateDecision(NO, f"running: {', '.join(names) or 'none'}; {', '.join([*twice, *missing])}")
    else:
        yield GateDecision(YES, f"{', '.join(names)} running")


def decide_heartbeat(context: GateContext) -> Iterator[GateDecision]:
    """The heartbeat is fresh at any hour: nothing is deployed onto a runtime that is silent already."""
    age, limit = (
        context.facts.age_of(known(context.facts.heartbeat_at)),
        context.settings[HEARTBEAT_STALE_SEC],
    )
    text = f"{format_duration(max(age, 0))} old ({format_limit(age, limit)})"
    yield GateDecision(NO if age > limit else YES, text)


def decide_pending(context: GateContext) -> Iterator[GateDecision]:
    """No order is pending; one entry order of normal age is a question, anything else a no."""
    facts = context.facts
    count = known(facts.pending_orders)
    listed = [*(facts.orders or ()), *(facts.broker_orders or ())]
    at_work = {order.identity: order for order in listed if order.is_working and not order.is_resting}
    if not count and not at_work:
        yield GateDecision(YES, "pending_orders = 0, and no list shows one at work")
        return
    if max(count, len(at_work)) > 1:
        yield GateDecision(NO, f"{max(count, len(at_work))} orders are pending (one entry order at most)")
        return
    yield from _decide_single(context, next(iter(at_work.values()), None))


def _decide_single(context: GateContext, order: object) -> Iterator[GateDecision]:
    """Decide about the only order at work; its rows in both lists are asked for its age and purpose."""
    facts = context.facts
    rows = [row for row in facts.orders or () if row.is_working and not row.is_resting]
    if order is None or not rows:
        yield GateDecision(UNPROVEN, "one order is pending, and no list of the runtime says which")
        return
    row = rows[0]
    limit = context.settings[PENDING_ORDER_STALE_SEC]
    if row.purpose != ENTRY:
        what = "its purpose was not seen" if row.purpose is None else "it is an exit at work"
        yield GateDecision(UNPROVEN if row.purpose is None else NO, f"order {row.title} is pending; {what}")
    elif row.submitted_at is None:
        yield GateDecision(UNPROVEN, f"entry order {row.title} is pending; its age was not seen")
    elif facts.age_of(row.submitted_at) > limit:
        age = format_duration(facts.age_of(row.submitted_at))
        yield GateDecision(NO, f"entry order {row.title} is {age} old (over {limit} s)")
    elif context.answers.accepted_entry:
        yield GateDecision(YES, f"entry order {row.title} may stay: {context.answers.accepted_entry}")
    else:
        yield GateDecision(UNPROVEN, f"entry order {row.title} is pending: wait until it clears")


def decide_exits_at_work(context: GateContext) -> Iterator[GateDecision]:
    """No exit order works; a stop or target that rests at the broker is none."""
    orders = WorkingOrders(context.facts)
    exits = [order.title for order in orders.iter_exits() if not order.is_resting]
    unclear = [order.title for order in orders.iter_unclassified() if not order.is_resting]
    if exits:
        yield GateDecision(NO, f"exit order {exits[0]} is at work")
    elif unclear:
        yield GateDecision(UNPROVEN, f"what order {unclear[0]} is for was not seen")
    else:
        yield GateDecision(YES, "none in the lists that were read")


def decide_proof(context: GateContext) -> Iterator[GateDecision]:
    """The newest proof of reconciliation follows the newest start of a task or the engine, and each close."""
    facts = context.facts
    history = known(facts.logs)
    started = [task.started_at for task in facts.tasks or () if task.last_status == "RUNNING"]
    closed = [trade.closed_at for trade in facts.recent_trades or ()]
    newest = max((at for at in (facts.engine_started_at, *started, *closed) if at is not None), default=None)
    if history.proven_at is None:
        yield GateDecision(UNPROVEN, "no proof of reconciliation was seen in the logs")
    elif newest is not None and history.proven_at < newest:
        yield GateDecision(UNPROVEN, f"no proof followed the start or close at {format_time(newest)} yet")
    elif history.proof_due_since is not None:
        yield GateDecision(UNPROVEN, f"a proof is due since {format_time(history.proof_due_since)}")
    else:
        yield GateDecision(YES, f"reconciliation was proven at {format_time(history.proven_at)}")


def decide_logs_quiet(context: GateContext) -> Iterator[GateDecision]:
    """The log lines that were seen name no conflict; the evidence says from when to when they were seen."""
    history = known(context.facts.logs)
    yield GateDecision(
        YES, f"none in the logs from {format_time(history.since)} to {format_time(history.to)}"
    )


def decide_link(context: GateContext) -> Iterator[GateDecision]:
    """Something that was seen says that the link to the broker is up, and nothing that it is down."""
    facts = context.facts
    is_up = facts.broker_connected or facts.broker_link or facts.gateway_handshake == "ok"
    if is_up:
        yield GateDecision(YES, "the link to the broker is up")
    else:
        yield GateDecision(UNPROVEN, "nothing that was seen says that the link is up")


def decide_events(context: GateContext) -> Iterator[GateDecision]:
    """The detector lists no critical event, and judged something."""
    events = context.report.events
    critical = [event for event in events if event.severity == "critical"]
    warnings = sorted({event.type for event in events if event.severity != "critical"})
    if critical:
        names = ", ".join(dict.fromkeys(event.type for event in critical[:_MOST_EVENTS]))
        more = len(critical) - _MOST_EVENTS
        yield GateDecision(NO, f"{names}{f' and {more} more' if more > 0 else ''}: {critical[0].summary}")
    elif not context.report.checked:
        yield GateDecision(UNPROVEN, "nothing was checked")
    else:
        yield GateDecision(YES, f"warnings: {', '.join(warnings)}" if warnings else "no event at all")
