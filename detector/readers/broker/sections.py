"""The lists of the `broker` section by every name that they have, normalized into rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.section_reading import Reading
from detector.readers.broker.cells import normalize_name
from detector.readers.broker.layouts import ACCOUNT_VALUE, EXECUTION, ORDER, POSITION
from detector.readers.broker.list_shapes import NormalizedList, normalize_list
from detector.readers.broker.row_columns import get_row_shape

KINDS = {
    "broker_positions": POSITION,
    "broker_orders": ORDER,
    "broker_executions": EXECUTION,
    "account_values": ACCOUNT_VALUE,
}
LISTS: Mapping[str, tuple[str, ...]] = {
    "broker_positions": ("positions", "portfolio", "portfolioItems"),
    "broker_orders": ("open_orders", "openOrders", "orders", "openTrades", "reqAllOpenOrders", "trades"),
    "broker_executions": ("executions", "fills"),
    "account_values": ("account_values", "accountValues", "accountSummary", "summary"),
}
"""By fact: the names of its list; of several the first that is there counts."""

_FACTS = {name: fact for fact, names in LISTS.items() for name in names}
_EITHER = "trades"  # ib_async's orders, the executions of the Client Portal, of Flex and of most bots
_EXECUTION_NAMES = frozenset(
    ["execid", "executionid", "ibexecid", "execution", "tradeprice", "tradetime", "tradetimer"]
)
_ORDER_NAMES = frozenset(["order", "orderstatus"])


def normalize_section(raw: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """Return the section with its lists as rows; what is in no known shape is a fault, and not seen."""
    content = dict(raw)
    for name, fact in _FACTS.items():
        if raw.get(name) is not None:
            normalized = normalize_list(raw[name], get_row_shape(KINDS[fact]))
            if name == _EITHER and _is_of_executions(normalized.rows):
                _replace_executions(raw, content, reading)
            else:
                content[name] = _record_problems(normalized, name, fact, reading)
    return content


def _replace_executions(raw: Mapping[str, Any], content: dict[str, Any], reading: Reading) -> None:
    """Put a list of trades that holds executions in its place, unless there is one already."""
    del content[_EITHER]
    if not any(raw.get(name) is not None for name in LISTS["broker_executions"]):
        normalized = normalize_list(raw[_EITHER], get_row_shape(EXECUTION))
        content["executions"] = _record_problems(normalized, _EITHER, "broker_executions", reading)


def _is_of_executions(rows: list[Any] | None) -> bool:
    names = {normalize_name(key) for row in rows or () if isinstance(row, dict) for key in row}
    return bool(names & _EXECUTION_NAMES) and not names & _ORDER_NAMES


def _record_problems(normalized: NormalizedList, name: str, fact: str, reading: Reading) -> list[Any] | None:
    path = f"{reading.section}.{name}"
    for key, problem in dict.fromkeys(normalized.problems):
        reading.add_fault(f"{path}.{key}" if key else path, problem)
        reading.partial.add(fact)
    return normalized.rows
