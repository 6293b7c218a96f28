"""A profile proposed for a payload: every leaf with its value, those that are probably facts mapped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from detector.domain.coercion import ValueReader
from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.domain.payload_path import is_plain_path
from detector.domain.profile import HEARTBEAT_AGE
from detector.formats.nearest_name import find_nearest_name
from detector.formats.strict_json import redact_excerpt

_KINDS = {HEARTBEAT_AGE: "age", **{name: spec["kind"] for name, spec in STATUS_FACTS.items()}}
# Names that other bots give to a column and to a fact; `timestamp` and `updated_at` often mean another time.
_ALSO_COLUMNS = {
    "qty": "quantity",
    "size": "quantity",
    "avg_cost": "avg_price",
    "entry_price": "avg_price",
}
_ALSO_NAMED = {
    "last_heartbeat": "heartbeat_at",
    "last_seen": "heartbeat_at",
    "last_update_seconds_ago": HEARTBEAT_AGE,
    "connected": "broker_connected",
    "api_connected": "broker_connected",
    "positions": "open_positions",
    "positions_count": "open_position_count",
    "open_orders": "orders",
    "working_orders": "orders",
    "trades": "recent_trades",
    "started_at": "engine_started_at",
    "halted": "trading_halted",
}


class Leaf(Struct, frozen=True):
    """A value of the payload that is no object, and its path; a list is one leaf."""

    path: str
    value: Any

    @property
    def name(self) -> str:
        """The last key of its path."""
        return self.path.rpartition(".")[2].strip('"')


def render_proposal(payload: Mapping[str, Any], source: str, now: datetime) -> Iterator[str]:
    """Yield the lines of a profile in TOML: each fact with the leaf that it may be, then all other leaves."""
    leaves = list(_iter_leaves(payload, ""))
    chosen = _choose_facts(leaves, now)
    yield f"# Proposed for {redact_excerpt(source)}."
    yield "# Confirm each line: a path to something else reads a wrong fact."
    yield from ("[profile]", 'name = "mybot"', "", "[status]")
    for fact, leaf in chosen.items():
        yield f"{fact} = {json.dumps(leaf.path)}  # {_format_value(leaf.value)}"
    for fact, leaf in chosen.items():
        if _KINDS[fact] == ROWS:
            yield from _render_rows(fact, leaf.value)
    rest = [leaf for leaf in leaves if leaf not in chosen.values()]
    yield from ("", f"# Not mapped: {len(rest)}.")
    yield from (f"# {leaf.path} = {_format_value(leaf.value)}" for leaf in rest)


def _iter_leaves(value: Mapping[str, Any], prefix: str) -> Iterator[Leaf]:
    for key, part in value.items():
        path = prefix + (key if is_plain_path(key) and "." not in key else json.dumps(key))
        if isinstance(part, dict) and part:
            yield from _iter_leaves(part, f"{path}.")
        else:
            yield Leaf(path, part)


def _choose_facts(leaves: list[Leaf], now: datetime) -> dict[str, Leaf]:
    """Return by fact the first leaf that is named nearly so and has a value that the fact can have."""
    chosen: dict[str, Leaf] = {}
    for get_fact in (_KINDS.keys() & {leaf.name for leaf in leaves}).__contains__, None:
        for leaf in leaves:
            fact = leaf.name if get_fact else _find_fact(leaf.name)
            if (
                fact in _KINDS
                and fact not in chosen
                and leaf not in chosen.values()
                and _can_hold(fact, leaf, now)
            ):
                chosen[fact] = leaf
    return {fact: chosen[fact] for fact in _KINDS if fact in chosen}


def _find_fact(name: str) -> str | None:
    lower = name.lower()
    return _ALSO_NAMED.get(lower) or find_nearest_name(name, _KINDS)


def _can_hold(fact: str, leaf: Leaf, now: datetime) -> bool:
    if _KINDS[fact] == ROWS:
        return isinstance(leaf.value, list) and all(isinstance(row, dict) for row in leaf.value)
    reader = ValueReader(now, 0)
    return leaf.value is not None and reader.read_value(_KINDS[fact], leaf.path, leaf.value) is not None


def _render_rows(fact: str, rows: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the columns whose names are nearly ours; one with our own name needs no line."""
    columns = get_columns(STATUS_FACTS[fact]["row"])
    keys = {key: value for row in rows for key, value in row.items()}
    missing = [column for column in columns if column not in keys]
    near: dict[str, str] = {}
    for key in keys:
        column = _ALSO_COLUMNS.get(key.lower()) or find_nearest_name(key, missing)
        if key not in columns and column in missing and is_plain_path(key):
            near.setdefault(column, key)
    lines = [f"{column} = {json.dumps(key)}" for column, key in near.items()]
    yield from ("", f"[rows.{fact}]", *lines)
    rest = [key for key in keys if key not in columns and key not in near.values()]
    yield from (f"# {json.dumps(key)} = {_format_value(keys[key])}" for key in rest)


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return redact_excerpt(json.dumps(value, ensure_ascii=False))
