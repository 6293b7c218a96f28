"""The `broker` section: what the broker itself holds, what works there, and what was executed.

Shape: `{"as_of", "connected", "account", "mode", "port", "positions": [...], "open_orders": [...],
"executions": [...]}`, each row under the names of DESIGN, of TWS and ib_async (`conId`, `totalQuantity`, a nested
`contract`, …) or of Flex. A Flex statement comes as text: `"flex": {"positions_csv": "...", "trades_csv": "..."}`;
what it says of positions counts only beside an `as_of`, because the file does not say when it was true.

A query that failed is not flat: where `connected` is false or `error` says something, positions and orders are
not seen, and neither are they where `as_of` cannot be read. Executions are history and stay true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from detector.domain.broker_rows import BrokerOrder, Execution, BrokerPosition
from detector.domain.read_context import ReadContext
from detector.domain.section_reading import Reading
from detector.formats.strict_json import clipped
from detector.readers.broker.flex import open_positions, trades
from detector.readers.broker.levels import executed, held_now
from detector.readers.broker.rows import execution, holding, no_earlier_version, order

SECTIONS = ("broker",)
_LISTS: Mapping[str, tuple[str, ...]] = {
    "broker_positions": ("positions", "portfolio"),
    "broker_orders": ("open_orders", "openOrders", "orders"),
    "broker_executions": ("executions", "fills"),
}
_NAMES = {
    "connected": "broker_link",
    "account": "broker_account",
    "mode": "broker_mode",
    "port": "broker_port",
}
_KINDS = {"connected": "flag", "account": "id", "mode": "text", "port": "count"}
Rows = list[Mapping[str, Any]]


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read what the section says of the link and the account, and its three lists as far as they are believed."""
    values = reading.values
    dated = reading.has_valid_as_of(raw)
    if dated:
        values["broker_as_of"] = reading.as_of
    for key, fact in _NAMES.items():
        found = reading.read_value(_KINDS[key], f"broker.{key}", raw.get(key))
        if found is not None:
            values[fact] = found
    reading.is_export = True
    if _answered(raw, reading) and dated:
        listed = _rows(raw, reading, "broker_positions", _flex_positions)
        held = None if listed is None else held_now(listed, reading, "broker.positions")
        _keep(reading, "broker_positions", held, holding)
        _keep(reading, "broker_orders", _rows(raw, reading, "broker_orders", _no_flex), order)
    listed = _rows(raw, reading, "broker_executions", _flex_trades)
    _keep(reading, "broker_executions", None if listed is None else executed(listed), execution)
    if "broker_executions" in values:
        values["broker_executions"] = no_earlier_version(values["broker_executions"])


def _answered(raw: Mapping[str, Any], reading: Reading) -> bool:
    """Whether the broker answered this query: connected, and without an error of its own."""
    error = raw.get("error")
    if error:
        said = clipped(error) if isinstance(error, str) else "an error"
        reading.add_fault("broker.error", f"says that the query failed ({said})")
    return not error and reading.values.get("broker_link") is not False


def _rows(
    raw: Mapping[str, Any],
    reading: Reading,
    fact: str,
    flex: Callable[[Mapping[str, Any], Reading, bool], Rows | None],
) -> Rows | None:
    key = next((name for name in _LISTS[fact] if raw.get(name) is not None), None)
    if key is not None:
        return reading.read_objects(f"broker.{key}", raw[key], fact)
    statement = raw.get("flex")
    if statement is None:
        return None
    if not isinstance(statement, dict):
        reading.add_fault("broker.flex", "is not an object of texts")
        return None
    return flex(statement, reading, raw.get("as_of") is not None)


def _flex_positions(statement: Mapping[str, Any], reading: Reading, dated: bool) -> Rows | None:
    text = reading.read_value("csv", "broker.flex.positions_csv", statement.get("positions_csv"))
    if text is not None and not dated:
        reading.add_fault(
            "broker.as_of", "is missing, and a Flex statement does not say when its positions were true"
        )
        return None
    return None if text is None else open_positions(text, reading)


def _flex_trades(statement: Mapping[str, Any], reading: Reading, dated: bool) -> Rows | None:
    text = reading.read_value("csv", "broker.flex.trades_csv", statement.get("trades_csv"))
    return None if text is None else trades(text, reading)


def _no_flex(statement: Mapping[str, Any], reading: Reading, dated: bool) -> Rows | None:
    return None


def _keep(
    reading: Reading,
    fact: str,
    rows: Rows | None,
    made: Callable[[Mapping[str, Any], Reading], BrokerPosition | BrokerOrder | Execution],
) -> None:
    if rows is None:
        return
    reading.values[fact] = found = tuple(made(item, reading) for item in rows)
    if any(not one.is_named and one.quantity != 0 for one in found):
        reading.partial.add(fact)
