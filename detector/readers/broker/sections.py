"""The lists of the `broker` section by every name that they have, normalized into rows.

Some are named after a callback of ibapi, which is called again for each change: the last of each subject
counts, and a list of `orderStatus` or `commissionReport` completes the rows of its orders or executions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from detector.domain.runtime_rows import is_done
from detector.domain.section_reading import Reading
from detector.domain.snapshot import STATEMENT
from detector.formats.grouping import group_pairs
from detector.formats.similar_names import normalize_key
from detector.readers.broker.layouts import (
    ACCOUNT_VALUE,
    ARRAYS,
    COMMISSION,
    EXECUTION,
    ORDER,
    ORDER_STATUS,
    POSITION,
)
from detector.readers.broker.list_shapes import NormalizedList, RowShape, normalize_list
from detector.readers.broker.row_columns import COLUMNS, get_row_shape
from detector.readers.broker.rows import merge_nested

KINDS = {
    "broker_positions": POSITION,
    "broker_orders": ORDER,
    "broker_executions": EXECUTION,
    "account_values": ACCOUNT_VALUE,
}
_HELD = ("position", "positionMulti", "updatePortfolio")
_VALUES = ("updateAccountValue", "accountUpdateMulti")
LISTS: Mapping[str, tuple[str, ...]] = {
    "broker_positions": ("positions", "portfolio", "portfolioItems", *_HELD),
    "broker_orders": (
        "open_orders",
        "openOrders",
        "orders",
        "openTrades",
        "reqAllOpenOrders",
        "trades",
        "openOrder",
    ),
    "broker_executions": ("executions", "fills", "execDetails"),
    "account_values": ("account_values", "accountValues", "accountSummary", "summary", *_VALUES),
}
"""By fact: the names of its list; of several of positions the first that is there counts."""
OF_CLIENT = ("openOrders", "openTrades", "trades", "openOrder")
"""Lists of ib_async and ibapi that hold, or may hold, the orders of one client only."""

PARTS_OF: Mapping[str, tuple[str, str]] = {
    "orderStatus": (ORDER_STATUS, "broker_orders"),
    "commissionReport": (COMMISSION, "broker_executions"),
    "commissionAndFeesReport": (COMMISSION, "broker_executions"),
}
"""By the name of a list whose rows are parts of others: what it is of, and the fact of the others."""

_CALLBACKS = frozenset((*_HELD, *_VALUES, "openOrder"))
_CALLBACK_SIGNS = {
    "position": frozenset(("contract", "account", "avgcost", "averagecost")),
    "openOrder": frozenset(("contract", "order", "orderstate", "orderid", "permid")),
}
"""What tells a callback's list from one whose name lacks a letter: an argument that ibapi gives it."""
_CONTRACT = (
    "conid",
    "symbol",
    "localsymbol",
    "lasttradedateorcontractmonth",
    "strike",
    "right",
    "tradingclass",
)
_SUBJECTS = {
    POSITION: ("model", "modelcode", *_CONTRACT),
    ORDER: ("permid", "clientid", "orderid"),
    ACCOUNT_VALUE: ("tag", "key", "currency", "modelcode"),
}
_STATUS_NAMES = {normalize_key(name) for name in ARRAYS[ORDER_STATUS][0].fields}
_PART_NAMES = {ORDER_STATUS: "orderStatus", COMMISSION: "commissionReport"}
_PART_COLUMNS = frozenset(("orderid", "permid", "status", "execid", "commission", "realizedpnl"))
_FACTS = {name: fact for fact, names in LISTS.items() for name in names}
_JOINED = {"broker_orders": (("perm_id",), ("client_id", "order_id")), "broker_executions": (("exec_id",),)}
_EITHER = "trades"  # ib_async's orders, the executions of the Client Portal, of Flex and of most bots
_EXECUTION_NAMES = frozenset(
    ["execid", "executionid", "ibexecid", "execution", "tradeprice", "tradetime", "tradetimer"]
)
_ORDER_NAMES = frozenset(["order", "orderstatus"])


def normalize_section(raw: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """Return the section with its lists as rows; what is in no known shape is a fault, and not seen."""
    raw = {_find_list_name(key, raw): value for key, value in raw.items()}
    content = dict(raw)
    for name, fact in _FACTS.items():
        if raw.get(name) is not None:
            shape = replace(get_row_shape(KINDS[fact]), has_points=reading.section == STATEMENT)
            normalized = normalize_list(raw[name], shape)
            _check_callback(name, normalized)
            if name == _EITHER and _is_of_executions(normalized.rows):
                _replace_executions(raw, content, reading)
            else:
                content[name] = _record_problems(normalized, name, fact, reading)
    for name in (*_CALLBACKS, *LISTS["broker_orders"]):
        if isinstance(content.get(name), list):
            content[name] = _join_calls(content[name], name)
    _join_lists(content)
    for name in PARTS_OF.keys() & raw.keys():
        del content[name]
        if raw[name] is not None:
            _add_parts(raw, name, content, reading)
    return content


def _join_lists(content: dict[str, Any]) -> None:
    """Put the rows that only another list of a fact has into its first one, else one of all clients.

    What a list has as done and another as working may be either: it keeps both rows.
    """
    for fact, ids in _JOINED.items():
        names = [name for name in LISTS[fact] if isinstance(content.get(name), list)]
        kept = next((name for name in names if name not in OF_CLIENT), next(iter(names), ""))
        others = [row for name in names if name != kept for row in content.pop(name)]
        if others:
            content[kept] = content[kept] + _list_more(content[kept], others, fact, ids)


def _list_more(rows: list[Any], others: list[Any], fact: str, ids: Iterable[tuple[str, ...]]) -> list[Any]:
    """Return which of the other rows are none of the rows, or still work where those have ended."""
    by_key = group_pairs((key, row) for row in rows for key in _list_row_keys(row, fact, ids))
    more = []
    for row in others:
        same = [known for key in _list_row_keys(row, fact, ids) for known in by_key.get(key, ())]
        if not same or (all(map(_has_ended, same)) and not _has_ended(row)):
            more.append(row)
    return more


def _list_row_keys(row: Any, fact: str, ids: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Return what a row is known by: each id that it has in full, else all that it says."""
    flat, columns = merge_nested(row), COLUMNS[KINDS[fact]]
    values = (
        tuple(str(next((flat[name] for name in columns[column] if name in flat), "")) for column in key)
        for key in ids
    )
    return {key for key in values if all(key)} or {(repr(sorted(flat.items())),)}


def _has_ended(row: Any) -> bool:
    """Whether a row of an order says that it can fill no more."""
    return is_done(str(merge_nested(row).get("status")))


def _find_list_name(key: str, raw: Mapping[str, Any]) -> str:
    """Return the name of the list that a key is in another case: `open_orders` for `Open_Orders`.

    A name of two lists is that of ib_async, which may hold less. One that another key has stays as it is.
    """
    same = [name for name in (*_FACTS, *PARTS_OF) if normalize_key(name) == normalize_key(key)]
    is_alone = sum(normalize_key(other) == normalize_key(key) for other in raw) == 1
    exact = [name for name in same if name.lower() == key.lower()]
    return (exact or same)[-1] if same and key not in same and is_alone else key


def _check_callback(name: str, normalized: NormalizedList) -> None:
    """Record that a list under a callback's name has nothing that ibapi gives that callback."""
    signs = _CALLBACK_SIGNS.get(name)
    rows = [row for row in normalized.rows or () if isinstance(row, dict)]
    if signs and rows and not any(signs & {normalize_key(key) for key in row} for row in rows):
        normalized.problems.append(("", f"has none of what ibapi's {name} gives; is it {name}s?"))


def _join_calls(rows: list[Any], name: str) -> list[Any]:
    """Return the rows of a list of calls: the last of each subject, statuses in their orders."""
    if _FACTS[name] == "broker_orders" and any(map(_is_status, rows)):
        orders = [row for row in rows if not _is_status(row)]
        rows = _merge_parts(orders, filter(_is_status, rows), ORDER_STATUS)
    return _keep_last(rows, KINDS[_FACTS[name]]) if name in _CALLBACKS else rows


def _keep_last(rows: Iterable[Any], kind: str) -> list[Any]:
    """Return the last row of each subject: a callback is called again for each change."""
    names = (*COLUMNS[kind]["account"], *_SUBJECTS[kind])
    latest: dict[Any, Any] = {}
    for number, row in enumerate(rows):
        flat = merge_nested(row)
        key = tuple(str(flat[name]) if name in flat else None for name in names)
        latest[key if any(key) else number] = row
    return list(latest.values())


def _add_parts(raw: Mapping[str, Any], name: str, content: dict[str, Any], reading: Reading) -> None:
    """Put the order statuses, or the reports of commissions, of a list of them into their rows."""
    kind, fact = PARTS_OF[name]
    normalized = normalize_list(raw[name], RowShape(kind, _PART_COLUMNS))
    if not any(raw.get(key) is not None for key in LISTS[fact]):
        normalized.problems.append(("", f"has no list of its {kind.split()[0]}s beside it"))
    parts = _record_problems(normalized, name, fact, reading) or []
    key = next((key for key in LISTS[fact] if isinstance(content.get(key), list)), None)
    if key is not None:
        content[key] = _merge_parts(content[key], parts, kind)


def _merge_parts(rows: list[Any], parts: Iterable[Any], kind: str) -> list[Any]:
    """Put each part into the row that it is of; a status that still works and has no row is one itself."""
    by_key = group_pairs((key, row) for row in rows for key in _list_keys(merge_nested(row)))
    rest = []
    for part in parts:
        flat = merge_nested(part)
        rows_of_key = (row for key in _list_keys(flat) for row in by_key.get(key, ()))
        owners = [row for row in rows_of_key if _is_part_of(flat, merge_nested(row))]
        for row in owners:
            row[_PART_NAMES[kind]] = part
        if not owners and kind == ORDER_STATUS and not is_done(str(flat.get("status"))):
            rest.append(part)
    return rows + rest


def _list_keys(flat: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(flat[name])) for name in ("execid", "permid", "orderid") if name in flat]


def _is_part_of(part: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Whether a status or report is that of the row: by execution, permanent or order id."""
    for name in ("execid", "permid"):
        if name in part and name in row:
            return bool(str(part[name]) == str(row[name]))
    clients = {str(item["clientid"]) for item in (part, row) if "clientid" in item}
    return str(part.get("orderid")) == str(row.get("orderid")) and len(clients) <= 1


def _is_status(row: Any) -> bool:
    """Whether a row of orders is a status alone, as `orderStatus` reports it."""
    names = {normalize_key(key) for key in row} if isinstance(row, dict) else set()
    return {"status", "remaining", "orderid"} <= names <= _STATUS_NAMES


def _replace_executions(raw: Mapping[str, Any], content: dict[str, Any], reading: Reading) -> None:
    """Put a list of trades that holds executions in its place, unless there is one already."""
    del content[_EITHER]
    if not any(raw.get(name) is not None for name in LISTS["broker_executions"]):
        normalized = normalize_list(raw[_EITHER], get_row_shape(EXECUTION))
        content["executions"] = _record_problems(normalized, _EITHER, "broker_executions", reading)


def _is_of_executions(rows: list[Any] | None) -> bool:
    names = {normalize_key(key) for row in rows or () if isinstance(row, dict) for key in row}
    return bool(names & _EXECUTION_NAMES) and not names & _ORDER_NAMES


def _record_problems(normalized: NormalizedList, name: str, fact: str, reading: Reading) -> list[Any] | None:
    path = f"{reading.section}.{name}"
    for key, problem in dict.fromkeys(normalized.problems):
        reading.add_fault(f"{path}.{key}" if key else path, problem)
        reading.partial.add(fact)
    return normalized.rows


_TITLES = {"broker_positions": "positions", "broker_orders": "open orders", "broker_executions": "executions"}
_FLEX_LISTS = {"broker_positions": "positions_csv", "broker_executions": "trades_csv"}


def find_inconsistency(broker: Any, now: datetime) -> str | None:
    """Return why the rows of the section, in any shape, are ambiguous; None where they are not."""
    if not isinstance(broker, dict):
        return None
    section = normalize_section(broker, Reading("broker", now, 0))
    rows = [
        row for name in LISTS["broker_positions"] for row in section.get(name) or () if isinstance(row, dict)
    ]
    has_ids = all("conid" in merge_nested(row) for row in rows)
    for fact, title in _TITLES.items():
        names = _list_names(section, fact)
        if len(names) > 1 and not (has_ids and fact == "broker_positions" and "flex" not in names):
            return f"The broker section lists its {title} twice, under several names."
    if len({_has_account(row) for row in rows}) > 1:
        return "Some of the broker's rows name their account and others do not."
    return None


def _list_names(section: Mapping[str, Any], fact: str) -> list[str]:
    statement = section.get("flex")
    text = _FLEX_LISTS.get(fact)
    has_text = isinstance(statement, dict) and text is not None and statement.get(text) is not None
    return [name for name in LISTS[fact] if section.get(name) is not None] + (["flex"] if has_text else [])


def _has_account(row: Mapping[str, Any]) -> bool:
    return any("acc" in key.lower() and value not in (None, "") for key, value in row.items())
