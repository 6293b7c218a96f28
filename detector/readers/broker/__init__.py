"""The `broker` section: the broker's own positions, working orders and executions.

Shape: `{"as_of", "connected", "account", "mode", "port", "positions": [...], "open_orders": [...],
"executions": [...]}`. The columns have the names of DESIGN, of TWS and ib_async (`conId`, `totalQuantity`, a
nested `contract`, …) or of Flex. A Flex statement comes as text: `"flex": {"positions_csv": "...",
"trades_csv": "..."}`; its positions count only beside an `as_of`, because the file does not date them.

A failed query is no flat account: where `connected` is false, `error` is set or `as_of` cannot be read,
positions and orders are unknown. Executions are history and remain valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from detector.domain.broker_rows import BrokerOrder, BrokerPosition, Execution, keep_latest_versions
from detector.domain.columns import MODE, SCOPE
from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import LIST, OBJECT, TIME_KEYS, Key, Need, Shape
from detector.domain.snapshot import STATEMENT
from detector.domain.statement_tables import POSITIONS, TRADES
from detector.domain.vendor_keys import BROKER_ENVELOPE_KEYS
from detector.formats.grouping import group_pairs
from detector.readers.broker.row_columns import build_row_shape
from detector.readers.broker.rows import read_account_value, read_execution, read_order, read_position
from detector.readers.broker.sections import KINDS, LISTS, OF_CLIENT, normalize_section
from detector.readers.broker.statement import filter_executions, filter_held_now, read_statement, read_table

SECTIONS = ("broker", STATEMENT)
_VALUES = {
    "connected": ("broker_link", "flag"),
    "account": ("broker_account", "id"),
    "mode": ("broker_mode", MODE),
    "port": ("broker_port", "count"),
}
# What a list may be of: one client's rows of those of all, or a cache of unknown age.
_SCOPES = {
    "positions_scope": "broker_positions",
    "open_orders_scope": "broker_orders",
    "executions_scope": "broker_executions",
}
_FLEX_TEXTS = {"broker_positions": ("positions_csv", POSITIONS), "broker_executions": ("trades_csv", TRADES)}
_FLEX_KEYS = tuple(key for key, _ in _FLEX_TEXTS.values())
Rows = list[Mapping[str, Any]]
_ROW_SHAPES = {fact: build_row_shape(kind) for fact, kind in KINDS.items()}
_SHAPE = Shape(
    {
        **{key: Key(kind) for key, (_, kind) in _VALUES.items()},
        **{
            name: Key(LIST, fact, inner=_ROW_SHAPES[fact], fact=fact)
            for fact, names in LISTS.items()
            for name in names
        },
        **dict.fromkeys(_SCOPES, Key(SCOPE)),
        **TIME_KEYS,
        "statement": Key(OBJECT),
        "error": Key(),
        "flex": Key(OBJECT, inner=Shape(dict.fromkeys(_FLEX_KEYS, Key("csv")), envelope=True)),
    },
    BROKER_ENVELOPE_KEYS,
    envelope=True,
    needs=(Need(("connected",), "flag"), Need(("mode",), MODE)),
)

_STATEMENT_SHAPE = Shape(
    {
        **TIME_KEYS,
        "executions": Key(
            LIST, "broker_executions", inner=_ROW_SHAPES["broker_executions"], fact="broker_executions"
        ),
        "trades_csv": Key("csv", fact="broker_executions"),
        "error": Key(),
    },
    BROKER_ENVELOPE_KEYS,
    envelope=True,
)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section, or of its statement, and of the broker's rows in it."""
    return _STATEMENT_SHAPE if section == STATEMENT else _SHAPE


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the link, the account and the three lists; positions and orders only where the query succeeded."""
    reading.is_export = True
    raw = reading.content = normalize_section(raw, reading)
    if reading.section == STATEMENT:
        read_statement(raw, reading)
        return
    values = reading.values
    dated = reading.has_valid_as_of(raw)
    if dated:
        values["broker_as_of"] = reading.as_of
    for key, (fact, kind) in _VALUES.items():
        value = reading.read_value(kind, f"broker.{key}", raw.get(key))
        if value is not None:
            values[fact] = value
    if _has_answer(raw, reading) and dated:
        listed = _find_rows(raw, reading, "broker_positions")
        held = None if listed is None else filter_held_now(listed, reading, "broker.positions")
        _store_rows(reading, "broker_positions", held, read_position)
        _check_other_lists(raw, reading)
        _store_rows(reading, "broker_orders", _find_rows(raw, reading, "broker_orders"), read_order)
        if _is_of_client(raw, reading):
            reading.partial.add("broker_orders")
        _store_account_values(raw, reading)
    listed = _find_rows(raw, reading, "broker_executions")
    _store_rows(
        reading, "broker_executions", None if listed is None else filter_executions(listed), read_execution
    )
    reading.partial |= set(_iter_narrow_facts(raw, reading))
    if "broker_executions" in values:
        values["broker_executions"] = keep_latest_versions(values["broker_executions"])


def _check_other_lists(raw: Mapping[str, Any], reading: Reading) -> None:
    """Note a second list of positions that has another quantity of a contract: neither is then proven."""
    names = [name for name in LISTS["broker_positions"] if isinstance(raw.get(name), list)]
    first = reading.values.get("broker_positions") or ()
    held, accounts = _list_quantities(first), {None, *(row.account for row in first)}
    is_named_by_id = all(row.con_id for row in first)
    for name in names[1:]:
        apart = Reading(reading.section, reading.as_of, 0)
        apart.is_export = True
        rows = [read_position(item, apart) for item in raw[name] if isinstance(item, dict)]
        for (account, con_id), quantities in _list_quantities(rows).items():
            known = [held[owner, con_id] for owner in (account, None) if (owner, con_id) in held]
            if not known and is_named_by_id and (account in accounts or not first):
                known = [{0}]
            if known and not any(quantities & other for other in known):
                problem = f"has another quantity of contract {con_id} than {names[0]}"
                reading.add_fault(f"broker.{name}", problem)
                reading.partial.add("broker_positions")
                break


def _list_quantities(rows: Iterable[BrokerPosition]) -> dict[tuple[str | None, str], set[object]]:
    """Return what the rows of each account and contract id may mean: all of them, or the last one."""
    known = (row for row in rows if row.quantity is not None)
    parts = group_pairs(((row.account, row.con_id), row.quantity or 0) for row in known if row.con_id)
    return {key: {sum(quantities), quantities[-1]} for key, quantities in parts.items()}


def _has_answer(raw: Mapping[str, Any], reading: Reading) -> bool:
    """Whether the broker answered this query: connected, and without an error."""
    return not reading.has_error(raw, "broker") and reading.values.get("broker_link") is not False


def _is_of_client(raw: Mapping[str, Any], reading: Reading) -> bool:
    """Whether the list of orders holds those of one API client only."""
    scope = reading.read_value(SCOPE, "broker.open_orders_scope", raw.get("open_orders_scope"))
    if scope in ("all", "client"):
        return bool(scope == "client")
    key = next((name for name in LISTS["broker_orders"] if raw.get(name) is not None), None)
    return scope is not None or key in OF_CLIENT


def _iter_narrow_facts(raw: Mapping[str, Any], reading: Reading) -> Iterator[str]:
    """Yield the facts whose list is not known to hold the rows of all clients as of now."""
    for key, fact in _SCOPES.items():
        if reading.read_value(SCOPE, f"broker.{key}", raw.get(key)) not in (None, "all"):
            yield fact


def _find_rows(raw: Mapping[str, Any], reading: Reading, fact: str) -> Rows | None:
    key = next((name for name in LISTS[fact] if raw.get(name) is not None), None)
    if key is not None:
        return reading.read_objects(f"broker.{key}", raw[key], fact)
    statement = raw.get("flex")
    if statement is None or fact not in _FLEX_TEXTS:
        return None
    if not isinstance(statement, dict):
        reading.add_fault("broker.flex", "is not an object of texts")
        return None
    return _read_flex(statement, raw.get("as_of") is not None, fact, reading)


def _read_flex(statement: Mapping[str, Any], is_dated: bool, fact: str, reading: Reading) -> Rows | None:
    key, kind = _FLEX_TEXTS[fact]
    text = reading.read_value("csv", f"broker.flex.{key}", statement.get(key))
    if text is not None and kind == POSITIONS and not is_dated:
        reading.add_fault(
            "broker.as_of", "is missing, and a Flex statement does not say when its positions were true"
        )
        return None
    return None if text is None else read_table(text, f"broker.flex.{key}", kind, fact, reading)


def _store_account_values(raw: Mapping[str, Any], reading: Reading) -> None:
    rows = _find_rows(raw, reading, "account_values")
    if rows is not None:
        values = [read_account_value(row, reading) for row in rows]
        reading.values["account_values"] = tuple(value for value in values if value is not None)
        if not all(value is None or value.is_named for value in values):
            reading.partial.add("account_values")


def _store_rows(
    reading: Reading,
    fact: str,
    rows: Rows | None,
    read_row: Callable[[Mapping[str, Any], Reading], BrokerPosition | BrokerOrder | Execution],
) -> None:
    if rows is None:
        return
    reading.values[fact] = parsed = tuple(read_row(item, reading) for item in rows)
    if any(not row.is_named and row.quantity != 0 for row in parsed):
        reading.partial.add(fact)
