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
from detector.domain.vendor_keys import ALSO_COLUMNS, ALSO_NAMED
from detector.formats.patterns import build_pattern
from detector.formats.similar_names import find_nearest_name, normalize_key
from detector.formats.strict_json import redact_excerpt

_KINDS = {HEARTBEAT_AGE: "age", **{name: spec["kind"] for name, spec in STATUS_FACTS.items()}}
_KEYED_BY = {"open_positions": "symbol", "orders": "order_id"}
_FORM_OF_TIME = build_pattern(r"(?:at|ts|time|timestamp|epoch|unix|utc|iso|ms|millis|secs?|seconds)$")
_FIRST_YEAR = 2000  # a smaller number than that is an age, and no epoch


class Leaf(Struct, frozen=True):
    """A value of the payload that is no object, and its path; a list or an object of rows is one leaf."""

    path: str
    value: Any
    parent: str = ""

    @property
    def name(self) -> str:
        """The last key of its path."""
        return self.path.rpartition(".")[2].strip('"')


_HOW_TO_MAP = ' Each that is a fact: FACT = "PATH" under [status]; docs/snapshot.md lists the facts.'


def render_proposal(payload: Mapping[str, Any], source: str, now: datetime) -> Iterator[str]:
    """Yield the lines of a profile in TOML: each fact with the leaf that it may be, then all other leaves."""
    leaves = list(_iter_leaves(payload, "", ""))
    chosen = _choose_facts(leaves, now)
    tables = [(fact, leaf.value) for fact, leaf in chosen.items() if _KINDS[fact] == ROWS]
    yield f"# Proposed for {redact_excerpt(source)}."
    yield "# Confirm each line: a path to something else reads a wrong fact."
    yield "# Settings: AEGIS_PT_PROFILE names this file, AEGIS_PT_RUNTIME the bot (its memory and alerts)."
    yield from ("[profile]", 'name = "mybot"')
    if _has_text_numbers(chosen, now):
        yield "numbers_as_text = true  # this payload writes numbers as text"
    yield from ("", "[status]")
    for fact, leaf in chosen.items():
        yield f"{fact} = {json.dumps(leaf.path)}  # {_format_value(leaf.value)}"
    for fact, rows in tables:
        yield from _render_rows(fact, rows)
    rest = [leaf for leaf in leaves if leaf not in chosen.values()]
    yield from ("", f"# Not mapped: {len(rest)}.{_HOW_TO_MAP if rest else ''}")
    yield from (
        f"# {leaf.path} = {_format_value(leaf.value)}{_render_hint(leaf, chosen, now)}" for leaf in rest
    )


def _render_hint(leaf: Leaf, chosen: Mapping[str, Leaf], now: datetime) -> str:
    """Return the fact that the leaf is by its name, and why its value cannot be read as that; or nothing."""
    named = [fact for fact in _list_facts(leaf) if fact in _KINDS and fact not in chosen]
    if not named or leaf.value is None:
        return ""
    fact, reader = named[0], ValueReader(now, 0)
    if _KINDS[fact] == ROWS:
        return f"  # perhaps {fact}: is not rows"
    if isinstance(leaf.value, list) and "count" in _KINDS[fact]:
        return f"  # perhaps {fact} = {json.dumps(f'length({leaf.path})')}"
    reader.read_value(_KINDS[fact], leaf.path, leaf.value)
    return f"  # perhaps {fact}: {reader.invalid[0].problem}" if reader.invalid else ""


def _iter_leaves(value: Mapping[str, Any], prefix: str, parent: str) -> Iterator[Leaf]:
    for key, part in value.items():
        path = prefix + (key if is_plain_path(key) and "." not in key else json.dumps(key))
        if isinstance(part, dict) and part and not _is_object_of_rows(key, part):
            yield from _iter_leaves(part, f"{path}.", key)
        else:
            yield Leaf(path, part, parent)


def _is_object_of_rows(key: str, value: Mapping[str, Any]) -> bool:
    """Whether it holds rows by their key: every value an object, under the name of a fact that is rows."""
    return any(fact in _KEYED_BY for fact in _list_meant(key)) and all(
        isinstance(row, dict) for row in value.values()
    )


def _choose_facts(leaves: list[Leaf], now: datetime) -> dict[str, Leaf]:
    """Return by fact the first leaf that is named nearly so and has a value that the fact can have."""
    chosen: dict[str, Leaf] = {}
    for is_own_name in (True, False):
        for leaf in leaves:
            if leaf in chosen.values():
                continue
            for fact in [leaf.name] if is_own_name else _list_facts(leaf):
                if fact in _KINDS and fact not in chosen and _can_hold(fact, leaf, now):
                    chosen[fact] = leaf
                    break
    return {fact: chosen[fact] for fact in _KINDS if fact in chosen}


def _list_facts(leaf: Leaf) -> list[str]:
    """Return the facts that the leaf may be by its name, else by its name with that of its object."""
    together = [f"{leaf.name}_{leaf.parent}", f"{leaf.parent}_{leaf.name}"] if leaf.parent else []
    return [fact for name in (leaf.name, *together) for fact in _list_meant(name)]


def _list_meant(name: str) -> tuple[str, ...]:
    if name in _KINDS:
        return (name,)
    key = normalize_key(name)
    while key not in ALSO_NAMED and (form := _FORM_OF_TIME.search(key)):
        key = key[: form.start()]
    nearest = find_nearest_name(name, _KINDS)
    return ALSO_NAMED.get(key) or ((nearest,) if nearest else ())


def _can_hold(fact: str, leaf: Leaf, now: datetime) -> bool:
    if _KINDS[fact] == ROWS:
        return all(isinstance(row, dict) for row in _list_rows(leaf.value)) and isinstance(
            leaf.value, list | dict
        )
    return any(_can_read(_KINDS[fact], leaf.value, now, is_text) for is_text in (False, True))


def _can_read(kind: str, value: Any, now: datetime, is_text: bool) -> bool:
    reader = ValueReader(now, 0)
    reader.has_text_numbers = is_text
    read = reader.read_value(kind, "", value)
    return read is not None and not (isinstance(read, datetime) and read.year < _FIRST_YEAR)


def _list_rows(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _has_text_numbers(chosen: Mapping[str, Leaf], now: datetime) -> bool:
    """Whether a value that is proposed for a number is text: of a fact, or of a column of its rows."""
    values: list[tuple[str, Any]] = []
    for fact, leaf in chosen.items():
        if _KINDS[fact] != ROWS:
            values.append((_KINDS[fact], leaf.value))
            continue
        rows, columns = _list_rows(leaf.value), get_columns(STATUS_FACTS[fact]["row"])
        for column, key in _match_columns(fact, rows).items():
            values += [(columns[column]["kind"], row.get(key)) for row in rows]
    return any(
        isinstance(value, str)
        and _can_read(kind, value, now, True)
        and not _can_read(kind, value, now, False)
        for kind, value in values
    )


def _match_columns(fact: str, rows: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return by column the key that it is read under: our own name, or one that is nearly it."""
    columns = get_columns(STATUS_FACTS[fact]["row"])
    keys = list(dict.fromkeys(key for row in rows for key in row))
    matched = {column: column for column in columns if column in keys}
    missing = [column for column in columns if column not in keys]
    for key in keys:
        column = ALSO_COLUMNS.get(normalize_key(key)) or find_nearest_name(key, missing)
        if key not in columns and column in missing and is_plain_path(key):
            matched.setdefault(column, key)
    return matched


def _render_rows(fact: str, value: Any) -> Iterator[str]:
    """Yield the columns whose names are nearly ours; one with our own name needs no line."""
    rows = _list_rows(value)
    matched = _match_columns(fact, rows)
    keys = {key: part for row in rows for key, part in row.items()}
    yield from ("", f"[rows.{fact}]")
    if isinstance(value, dict) and value:
        yield f"key = {json.dumps(_KEYED_BY[fact])}  # each row stands under it"
    yield from (f"{column} = {json.dumps(key)}" for column, key in matched.items() if column != key)
    rest = [key for key in keys if key not in matched.values()]
    if rest:
        yield "# No column by its name; docs/snapshot.md names the columns, and a line is: column = key."
    yield from (f"# {json.dumps(key)} = {_format_value(keys[key])}" for key in rest)


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict) and value:
        return f"{len(value)} by their key"
    return redact_excerpt(json.dumps(value, ensure_ascii=False))
