"""The decisions about a deployment: what a person states, what was pinned, the runtime before and after."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import RECONCILE_FLAGS, known
from detector.domain.gate_report import NO, PASSED, UNPROVEN, YES
from detector.domain.runtime_rows import ENTRY
from detector.formats.numbers import format_count, format_first
from detector.formats.times import (
    compute_seconds,
    format_above,
    format_duration,
    format_limit,
    format_over,
    format_utc,
)
from detector.gate.check import GateCheck, GateContext, GateDecision, list_starts
from detector.gate.exposure import Change, find_unused, list_changes, list_lost
from detector.market.hours import count_open_seconds
from detector.reconciliation.working_orders import WorkingOrders
from detector.settings import (
    EXPECTED_TASKS,
    HEARTBEAT_STALE_SEC,
    PENDING_ORDER_STALE_SEC,
    SOURCE_STALE_SEC,
    TRADER_CONTAINER,
)

_SCAN_CYCLES = 2
_MOST_CHANGES = 4
_MOST_EVENTS = 3


def decide_approval(context: GateContext) -> GateDecision:
    """A person with the right to it approved this deployment, as the option states."""
    text = context.answers.approval
    return (
        GateDecision(YES, f"stated: {text}")
        if text
        else GateDecision(UNPROVEN, "nobody stated who approved it")
    )


def decide_quiet_window(context: GateContext) -> GateDecision:
    """The market is closed; where it is open, a person states the quiet window."""
    market, text = context.facts.market, context.answers.quiet_window
    if market.is_open is False:
        opens = "" if market.opens_in is None else f" for {format_duration(market.opens_in)} more"
        return GateDecision(YES, f"the market is closed{opens}")
    if market.is_open is None:
        return GateDecision(UNPROVEN, market.why_unknown or "the market's hours are not known")
    if text:
        return GateDecision(YES, f"the market is open; stated: {text}")
    return GateDecision(UNPROVEN, "the market is open, and nobody stated a quiet window")


def decide_snapshot(context: GateContext) -> GateDecision:
    """The snapshot is of now: an old one says nothing about a deployment that begins now."""
    age = compute_seconds(context.facts.taken_at, context.now)
    limit = context.settings[SOURCE_STALE_SEC]
    where = "ago" if age >= 0 else "ahead of the clock"
    text = f"taken {format_above(abs(age), limit)} {where} ({format_limit(abs(age), limit)})"
    return GateDecision(YES if abs(age) <= limit else UNPROVEN, text)


def decide_pinned(context: GateContext) -> GateDecision:
    """Something says what is held: without it nothing can be compared afterwards."""
    exposure = context.facts.exposure
    text = "not counted" if exposure is None else f"{exposure} open"
    return GateDecision(UNPROVEN if exposure is None else YES, text)


def decide_before(context: GateContext) -> GateDecision:
    """The artifact of `gate before` is given, of this runtime, older than this snapshot, and passed."""
    before = context.before
    if before is None or before.exposure is None:
        return GateDecision(UNPROVEN, context.before_fault or "no artifact of `gate before` was given")
    at = format_utc(before.taken_at)
    if before.taken_at >= context.facts.taken_at:
        return GateDecision(UNPROVEN, f"`gate before` at {at} is not older than this snapshot")
    if before.verdict != PASSED:
        return GateDecision(NO, f"`gate before` at {at} did not pass ({before.verdict})")
    return GateDecision(YES, f"`gate before` passed at {at}")


def decide_unchanged(context: GateContext) -> Iterator[GateDecision]:
    """No position, order, execution or counter changed since `before` without an explanation."""
    before = context.before
    if before is None or before.exposure is None:
        yield GateDecision(UNPROVEN, "nothing was pinned to compare with")
        return
    changes = list(list_changes(before.exposure, context.facts, before.taken_at))
    explained = context.answers.explained
    open_changes = [
        change for change in changes if change.explanation is None and change.subject not in explained
    ]
    if open_changes:
        texts = [change.text for change in open_changes]
        yield GateDecision(NO, f"unexplained: {format_first(texts, _MOST_CHANGES, '; ', '; and {} more')}")
    lost = list_lost(before.exposure, context.facts)
    if lost:
        yield GateDecision(UNPROVEN, f"read before and not in full now: {', '.join(lost)}")
    unused = find_unused(explained, (change.subject for change in changes))
    if unused:
        yield GateDecision(UNPROVEN, f"an explanation names no change: {', '.join(unused)}")
    if changes and not open_changes:
        yield GateDecision(YES, f"{len(changes)} explained: {_describe_explained(changes[0], explained)}")
    elif not changes:
        yield GateDecision(YES, "nothing changed")


def _describe_explained(change: Change, explained: object) -> str:
    reason = explained.get(change.subject) if isinstance(explained, dict) else None
    return f"{change.text} ({reason or change.explanation})"


def decide_scan_cycles(context: GateContext) -> GateDecision:
    """Two scan cycles were watched where the market was open since `before`."""
    before, cycles = context.before, context.answers.scan_cycles
    facts = context.facts
    if before is None:
        return GateDecision(UNPROVEN, "since when is not known without the artifact of `gate before`")
    open_sec = count_open_seconds(before.taken_at, facts.taken_at, facts.closures)
    if open_sec is None:
        return GateDecision(UNPROVEN, "the market's hours since `gate before` are not known")
    if open_sec == 0 and facts.market.is_open is False:
        return GateDecision(YES, "the market was closed throughout: none is due")
    if cycles is None:
        return GateDecision(UNPROVEN, f"the market was open, and nobody stated {_SCAN_CYCLES} scan cycles")
    return GateDecision(YES if cycles >= _SCAN_CYCLES else NO, f"stated: {cycles} (at least {_SCAN_CYCLES})")


def build_zero_check(fact: str, title: str, name: str = "", rules: tuple[str, ...] = ()) -> GateCheck:
    """Return the check that a count is 0, or a flag false; its name is the fact's where none is given."""

    def decide(context: GateContext) -> GateDecision:
        value = known(getattr(context.facts, fact))
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return GateDecision(NO if value else YES, f"{fact} = {text}")

    return GateCheck(name or fact, title, sees=(fact,), rules=rules, decide=decide)


def decide_flags(context: GateContext) -> GateDecision:
    """Every reconciliation flag is false."""
    raised = [name for name in RECONCILE_FLAGS if known(getattr(context.facts, name))]
    return (
        GateDecision(NO, f"{', '.join(raised)} = true")
        if raised
        else GateDecision(YES, "all three are false")
    )


def decide_task(context: GateContext) -> GateDecision:
    """The service wants one task and has it, and one task of the cluster bears the trader's container."""
    facts, expected = context.facts, context.settings[EXPECTED_TASKS]
    service = known(facts.service)
    counts = (service.desired, service.running, service.pending)
    running = [task for task in known(facts.tasks) if task.last_status == "RUNNING"]
    runtime = [task for task in running if task.find_container(context.settings[TRADER_CONTAINER])]
    text = "desired {}, running {}, pending {}".format(*counts)
    text += f"; {format_count(len(runtime), 'runtime task')} in the cluster"
    if None in counts:
        return GateDecision(UNPROVEN, text)
    is_right = counts == (expected, expected, 0) and len(runtime) == expected
    return GateDecision(YES if is_right else NO, text)


def decide_processes(context: GateContext) -> GateDecision:
    """Every expected process of the machine runs, each once."""
    names = [process.name for process in known(context.facts.processes) if process.running and process.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in context.facts.expected_processes if name not in names]
    if twice or missing or not names:
        return GateDecision(NO, f"running: {', '.join(names) or 'none'}; {', '.join([*twice, *missing])}")
    return GateDecision(YES, f"{', '.join(names)} running")


def decide_heartbeat(context: GateContext) -> GateDecision:
    """The heartbeat is fresh at any hour: nothing is deployed onto a runtime that is silent already."""
    age, limit = (
        context.facts.age_of(known(context.facts.heartbeat_at)),
        context.settings[HEARTBEAT_STALE_SEC],
    )
    text = f"{format_above(max(age, 0), limit)} old ({format_limit(age, limit)})"
    return GateDecision(NO if age > limit else YES, text)


def decide_pending(context: GateContext) -> GateDecision:
    """No order is pending; one entry order of normal age is a question, anything else a no."""
    facts = context.facts
    count = known(facts.pending_orders)
    listed = [*(facts.orders or ()), *(facts.broker_orders or ())]
    at_work = {order.identity: order for order in listed if order.is_working and not order.is_resting}
    if not count and not at_work:
        return GateDecision(YES, "pending_orders = 0, and no list shows one at work")
    if max(count, len(at_work)) > 1:
        return GateDecision(NO, f"{max(count, len(at_work))} orders are pending (one entry order at most)")
    return _decide_single(context, next(iter(at_work.values()), None))


def _decide_single(context: GateContext, order: object) -> GateDecision:
    """Decide about the only order at work; its rows in both lists are asked for its age and purpose."""
    facts = context.facts
    rows = [row for row in facts.orders or () if row.is_working and not row.is_resting]
    if order is None or not rows:
        return GateDecision(UNPROVEN, "one order is pending, and no list of the runtime says which")
    row = rows[0]
    limit = context.settings[PENDING_ORDER_STALE_SEC]
    if row.purpose != ENTRY:
        what = "its purpose was not seen" if row.purpose is None else "it is an exit at work"
        return GateDecision(UNPROVEN if row.purpose is None else NO, f"order {row.title} is pending; {what}")
    if row.submitted_at is None:
        return GateDecision(UNPROVEN, f"entry order {row.title} is pending; its age was not seen")
    if facts.age_of(row.submitted_at) > limit:
        age = format_above(facts.age_of(row.submitted_at), limit)
        return GateDecision(NO, f"entry order {row.title} is {age} old ({format_over(limit)})")
    if context.answers.accepted_entry:
        return GateDecision(YES, f"entry order {row.title} may stay: {context.answers.accepted_entry}")
    return GateDecision(UNPROVEN, f"entry order {row.title} is pending: wait until it clears")


def decide_exits_at_work(context: GateContext) -> GateDecision:
    """No exit order works; a stop or target that rests at the broker is none."""
    orders = WorkingOrders(context.facts)
    exits = [order.title for order in orders.iter_exits() if not order.is_resting]
    unclear = [order.title for order in orders.iter_unclassified() if not order.is_resting]
    if exits:
        return GateDecision(NO, f"exit order {exits[0]} is at work")
    if unclear:
        return GateDecision(UNPROVEN, f"what order {unclear[0]} is for was not seen")
    return GateDecision(YES, "none in the lists that were read")


def decide_proof(context: GateContext) -> GateDecision:
    """The newest proof of reconciliation follows the newest start of a task or the engine, and each close."""
    facts = context.facts
    history = known(facts.logs)
    closed = [trade.closed_at for trade in facts.recent_trades or () if trade.closed_at is not None]
    newest = max([*list_starts(facts), *closed], default=None)
    if history.proven_at is None:
        return GateDecision(UNPROVEN, "no proof of reconciliation was seen in the logs")
    if newest is not None and history.proven_at < newest:
        return GateDecision(UNPROVEN, f"no proof followed the start or close at {format_utc(newest)} yet")
    if history.proof_due_since is not None:
        return GateDecision(UNPROVEN, f"a proof is due since {format_utc(history.proof_due_since)}")
    return GateDecision(YES, f"reconciliation was proven at {format_utc(history.proven_at)}")


def decide_logs_quiet(context: GateContext) -> GateDecision:
    """The log lines that were seen name no conflict; the evidence says from when to when they were seen."""
    history = known(context.facts.logs)
    return GateDecision(YES, f"none in the logs from {format_utc(history.since)} to {format_utc(history.to)}")


def decide_link(context: GateContext) -> GateDecision:
    """Something that was seen says that the link to the broker is up, and nothing that it is down."""
    if context.facts.is_linked:
        return GateDecision(YES, "the link to the broker is up")
    return GateDecision(UNPROVEN, "nothing that was seen says that the link is up")


def decide_events(context: GateContext) -> GateDecision:
    """The detector lists no critical event, and judged something."""
    events = context.report.events
    critical = [event for event in events if event.severity == "critical"]
    warnings = sorted({event.type for event in events if event.severity != "critical"})
    if critical:
        names = ", ".join(dict.fromkeys(event.type for event in critical[:_MOST_EVENTS]))
        more = len(critical) - _MOST_EVENTS
        return GateDecision(NO, f"{names}{f' and {more} more' if more > 0 else ''}: {critical[0].summary}")
    if not context.report.checked:
        return GateDecision(UNPROVEN, "nothing was checked")
    return GateDecision(YES, f"warnings: {', '.join(warnings)}" if warnings else "no event at all")
