"""A repair plan as text and as JSON: the differences, the corrections in their order, the open questions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from detector.domain.gate_report import TruthHeader
from detector.formats.numbers import format_count
from detector.formats.times import format_duration, format_time, format_utc
from detector.reconciliation.freshness import DataAge
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.repair_plan.items import PlanItem, RowChange
from detector.render.can_close import to_json_number
from detector.render.lines import build_header_document, render_header

_LAST_STEP = (
    "Look again before anything is started: broker and stores have to agree, "
    "by a plan that finds nothing and a broker section that was read after the last change."
)


class Plan(Struct, frozen=True):
    """The differences and corrections of one comparison, with the reasons for caution.

    `doubt`: why the broker's data is unreliable. `stores_doubt`: why the stores' data is incomplete.
    `stale`: why the broker must be read again first. `stop_first`: why the runtime must stop first.
    `exposed`: the positions that only working orders at the broker protect while the runtime is stopped.
    `column_names`: by store, a map from our column names to the store's own.
    """

    runtime: str
    at: datetime
    age: DataAge
    header: TruthHeader
    items: tuple[PlanItem, ...]
    stop_first: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    doubt: str | None = None
    stores_doubt: str | None = None
    stale: str | None = None
    column_names: dict[str, dict[str, str]] | None = None

    def get_column_name(self, change: RowChange, name: str) -> str:
        """Return the name of a column in that store, or the given name where the profile has none."""
        return (self.column_names or {}).get(change.store, {}).get(name, name)


def build_plan_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as one object; `steps` are in order."""
    return {
        "runtime": plan.runtime,
        "at": format_time(plan.at),
        "broker_as_of": None if plan.age.as_of is None else format_time(plan.age.as_of),
        "header": build_header_document(plan.header),
        "doubt": plan.doubt,
        "stores_doubt": plan.stores_doubt,
        "stale": plan.stale,
        "differences": [
            {
                "name": item.name,
                "instrument": item.instrument,
                "account": item.account,
                "said": list(item.claims),
                "broker": {
                    "position": to_json_number(item.position),
                    "realized_pnl": item.evidence.realized_pnl,
                    "fills": list(item.evidence.fills),
                },
                "undecided": list(item.open_questions),
            }
            for item in plan.items
        ],
        "steps": list(_list_steps(plan)),
    }


def render_plan(plan: Plan) -> Iterator[str]:
    """Yield the plan as lines."""
    broker_age = _describe_broker_age(plan)
    yield f"{plan.runtime} at {format_utc(plan.at)}; {broker_age}. Nothing is changed by this."
    yield from render_header(plan.header)
    if plan.doubt is not None:
        yield (f"The broker's side is not used: {plan.doubt} A store alone decides nothing.")
    if plan.stale is not None:
        yield f"Read the broker again before anything is changed: {plan.stale}"
    if plan.stores_doubt is not None:
        yield f"What the stores hold is not all known: {plan.stores_doubt}"
    if not plan.items:
        yield _describe_no_difference(plan)
    for item in plan.items:
        yield ""
        yield from _render_item(item)
    steps = list(_list_steps(plan))
    if steps:
        yield ""
        yield "In this order, by hand, by whoever may:"
        yield from (f"  {n}. {line}" for n, step in enumerate(steps, 1) for line in [step["words"]])
    questions = [f"  - {item.short}: {question}." for item in plan.items for question in item.open_questions]
    if questions:
        yield ""
        yield "Cannot be decided from here:"
        yield from questions


def _describe_no_difference(plan: Plan) -> str:
    if plan.doubt is not None:
        return "Nothing could be compared."
    return (
        "Nothing differs in what was read."
        if plan.stores_doubt is None
        else "Whether anything differs is not known."
    )


def _describe_broker_age(plan: Plan) -> str:
    if plan.age.as_of is None or plan.age.seconds is None:
        return "when the broker was read is not known"
    return f"the broker's reading is {format_duration(plan.age.seconds)} old"


def _render_item(item: PlanItem) -> Iterator[str]:
    yield item.name if item.name == item.title else f"{item.name} in {item.title}"
    yield from (f"  {line}" for line in item.claims)
    yield f"  broker: {_describe_position(item.position)}{_describe_realized_pnl(item)}"
    yield from (f"  fill at the broker: {line}" for line in item.evidence.fills)


def _describe_position(position: Decimal | None) -> str:
    if position is None:
        return "not seen"
    return f"open, {describe_held(position)}" if position else "flat"


def _describe_realized_pnl(item: PlanItem) -> str:
    realized = item.evidence.realized_pnl
    return "" if realized is None else f", realized {realized:,.2f}"


def _list_steps(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield every step in order: stop the runtime, correct each row, compare again."""
    if plan.stop_first:
        yield {
            "do": "stop",
            "what": "runtime",
            "because": list(plan.stop_first),
            "words": _describe_stop(plan),
        }
    changes = [change for item in plan.items for change in item.changes]
    for change in sorted(changes, key=lambda change: change.store != "position_state"):
        columns = [(plan.get_column_name(change, name), old, new) for name, old, new in change.columns]
        text = ", ".join(f"{name} from {old} to {new}" for name, old, new in columns)
        yield {
            "do": "correct",
            "what": f"{change.store}, {change.row}",
            "columns": [{"column": name, "from": old, "to": new} for name, old, new in columns],
            "because": [change.because],
            "words": f"{change.store}, the row of {change.row}: {text}; {change.because}.",
        }
    if plan.stop_first or changes:
        yield {"do": "look", "what": "broker and stores", "because": [], "words": _LAST_STEP}


def _describe_stop(plan: Plan) -> str:
    reasons = "; ".join(plan.stop_first)
    text = f"The runtime stands still first, and whatever starts it again: {reasons}."
    if plan.exposed:
        positions = format_count(len(plan.exposed), "position")
        text += (
            f" Until then the broker holds {positions} ({', '.join(plan.exposed)}): "
            "only orders that work there protect them."
        )
    return f"{text} Stopping the runtime needs explicit approval."
