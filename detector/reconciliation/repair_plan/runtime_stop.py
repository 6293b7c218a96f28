"""Why the runtime must be stopped before rows are corrected: it would write them again from its memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detector.domain.facts import Facts
from detector.formats.numbers import format_count, format_list
from detector.formats.times import format_duration
from detector.reconciliation.between_runs import list_reopened
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.repair_plan.items import PlanItem, build_item_index
from detector.reconciliation.repair_plan.trade_claims import RUNTIME_LIST

_RUNNING = "RUNNING"


def explain_stop(facts: Facts, items: Sequence[PlanItem], stale_sec: float) -> tuple[str, ...]:
    """Return why the runtime must not run while rows are corrected; empty where none is to be corrected."""
    if not any(item.changes or item.in_memory for item in items):
        return ()
    return (*_iter_running_signs(facts, stale_sec), *_iter_stale_memory(facts, items))


def _iter_running_signs(facts: Facts, stale_sec: float) -> Iterator[str]:
    if facts.heartbeat_at is not None:
        age = facts.age_of(facts.heartbeat_at)
        is_alive = age <= stale_sec
        yield (
            f"its heartbeat is {format_duration(age)} old, so that it runs"
            if is_alive
            else f"its last heartbeat is {format_duration(age)} old;"
            " whatever starts it again would load the rows as they are"
        )
    running = sum(task.last_status == _RUNNING for task in facts.tasks or ())
    if running:
        yield f"{format_count(running, 'task')} of its service {'is' if running == 1 else 'are'} running"
    if facts.heartbeat_at is None and facts.tasks is None:
        yield "whether it runs was not seen, so that it has to be made sure of"


def _iter_stale_memory(facts: Facts, items: Sequence[PlanItem]) -> Iterator[str]:
    for item in items:
        if item.in_memory:
            yield (
                f"its own list ({RUNTIME_LIST}) still holds {item.short} open,"
                " and it writes its rows from there"
            )
    for row, stores in list_reopened(facts):
        if row.trade_id:
            yield (
                f"trade #{row.trade_id} was seen closed and is open again in {format_list(stores)}:"
                " this has undone a repair before"
            )


def list_exposed(facts: Facts, items: Sequence[PlanItem]) -> tuple[str, ...]:
    """Return the broker's other positions: while the runtime is stopped, only broker orders protect them."""
    flat = build_item_index(item for item in items if not item.position)
    rows = [row for row in facts.broker_positions or () if row.quantity and not flat.find(row, row.account)]
    return tuple(f"{describe_held(row.quantity)} {row.instrument_name}" for row in rows if row.quantity)
