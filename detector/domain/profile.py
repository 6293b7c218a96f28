"""A profile: where each fact is found in the payloads of one kind of bot.

Paths are JMESPath. Plain dotted paths are compiled to plain look-ups, so that the library is loaded only
where a profile needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field

from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.domain.previous_run import PreviousRun
from detector.domain.store_layout import (
    StoreColumns,
    StoreLayoutError,
    StoreTable,
    parse_store_columns,
    parse_store_tables,
)
from detector.market.session_plan import US_EQUITY, SessionPlan, parse_session_plan
from detector.settings import Settings

Extractor = Callable[[Any], Any]
_PLAIN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
HEARTBEAT_AGE = "heartbeat_age_sec"
ORDER_AGE = "age_sec"
_TABLES = ("profile", "status", "rows", "store_tables", "stores", "market", "processes")


class ProfileError(ValueError):
    """A profile that cannot be used; the message names the entry and what is wrong."""


class _Missing:
    """Marks a path that does not exist in the payload, which differs from null."""


MISSING = _Missing()


class Profile(Struct, frozen=True):
    """Where each fact of a status payload is found: a look-up by fact, and by column for rows.

    `tables` are the tables of the runtime's own store ([store_tables]; none means the default ones), `stores`
    the names of their columns ([stores]). `processes` must run, `session_plan` are the hours ([market]).
    `constants` are facts that are the same in every payload of this runtime; `row_keys` names the column of a
    list's rows that is the key where the payload keeps them in an object.
    """

    name: str
    paths: Mapping[str, str]
    extractors: Mapping[str, Extractor]
    column_extractors: Mapping[str, Mapping[str, Extractor]] = field(default_factory=dict)
    zone: tzinfo | None = None
    tables: tuple[StoreTable, ...] = ()
    stores: StoreColumns = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    session_plan: SessionPlan = US_EQUITY
    constants: Mapping[str, Any] = field(default_factory=dict)
    row_keys: Mapping[str, str] = field(default_factory=dict)
    numbers_as_text: bool = False


class ReadContext(Struct, frozen=True):
    """The settings, the profile and the previous run, the same for every reader of one evaluation."""

    settings: Settings
    profile: Profile
    previous_run: PreviousRun


def parse_profile(document: Mapping[str, Any]) -> Profile:
    """Read a profile from its TOML document; raises ProfileError."""
    unknown = document.keys() - set(_TABLES)
    if unknown:
        raise ProfileError(f"unknown table [{min(unknown)}]")
    tables = {name: _check_table(document.get(name, {}), name) for name in _TABLES}
    header, rows = tables["profile"], _parse_row_tables(tables["rows"])
    paths, constants = _split_status(tables["status"])
    row_keys = {
        fact: _check_text(table.pop("key"), f"[rows.{fact}] key")
        for fact, table in rows.items()
        if "key" in table
    }
    try:
        return Profile(
            str(header.get("name", "unnamed")),
            paths,
            {fact: build_extractor(path, f"[status] {fact}") for fact, path in paths.items()},
            {fact: _parse_column_paths(fact, table) for fact, table in rows.items()},
            _parse_zone(header.get("zone")),
            parse_store_tables(tables["store_tables"]),
            parse_store_columns(tables["stores"]),
            _parse_names(tables["processes"]),
            _parse_market(tables["market"]),
            constants,
            row_keys,
            bool(header.get("numbers_as_text", False)),
        )
    except StoreLayoutError as error:
        raise ProfileError(str(error)) from None


def _parse_row_tables(table: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: dict(_check_table(entry, f"rows.{name}")) for name, entry in table.items()}


def _split_status(table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the paths by fact, and the constants: `{ value = … }` in place of a path."""
    paths: dict[str, Any] = {}
    constants: dict[str, Any] = {}
    for fact, entry in table.items():
        if fact not in STATUS_FACTS and fact != HEARTBEAT_AGE:
            raise ProfileError(f"[status] {fact}: no such fact")
        if not isinstance(entry, dict):
            paths[fact] = entry
        elif entry.keys() != {"value"} or fact == HEARTBEAT_AGE or STATUS_FACTS[fact]["kind"] == ROWS:
            raise ProfileError(f"[status] {fact}: is neither a path nor {{ value = … }}")
        else:
            constants[fact] = entry["value"]
    return paths, constants


def _parse_market(table: Mapping[str, Any]) -> SessionPlan:
    try:
        return parse_session_plan(table) if table else US_EQUITY
    except ValueError as error:
        raise ProfileError(f"[market] {error}") from None


def _parse_names(table: Mapping[str, Any]) -> tuple[str, ...]:
    names = table.get("expected", [])
    if table.keys() - {"expected"} or not isinstance(names, list):
        raise ProfileError("[processes]: holds `expected`, a list of names, and nothing else")
    return tuple(_check_text(name, "[processes] expected") for name in names)


def _check_text(value: object, location: str) -> str:
    if not isinstance(value, str) or not value:
        raise ProfileError(f"{location}: must be a text")
    return value


def _check_table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ProfileError(f"[{name}]: must be a table")
    return value


def _parse_column_paths(fact: str, table: Mapping[str, Any]) -> Mapping[str, Extractor]:
    spec = STATUS_FACTS.get(fact)
    if spec is None or spec["kind"] != ROWS:
        raise ProfileError(f"[rows.{fact}]: no such list of rows")
    allowed = {*get_columns(spec["row"]), *((ORDER_AGE,) if fact == "orders" else ())}
    for column in table:
        if column not in allowed:
            raise ProfileError(f"[rows.{fact}] {column}: no such column")
    return {column: build_extractor(path, f"[rows.{fact}] {column}") for column, path in table.items()}


def _parse_zone(name: object) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, or a name too long for a file
        raise ProfileError(f"[profile] zone: {name!r} is not a known time zone") from None


def build_extractor(path: object, location: str) -> Extractor:
    """Return the extractor of one path; it returns MISSING where the path does not exist.

    JMESPath cannot distinguish null from a missing value, so both are MISSING.
    """
    if not isinstance(path, str) or not path:
        raise ProfileError(f"{location}: a path is text")
    if _PLAIN.fullmatch(path):
        return _build_key_extractor(path) if "." not in path else _build_dotted_extractor(path.split("."))
    import jmespath  # noqa: PLC0415 - only a profile with such a path pays for it
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415

    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        raise ProfileError(f"{location}: {str(error).splitlines()[0]}") from None

    def extract(payload: Any) -> Any:
        try:
            value = expression.search(payload)
        except JMESPathError:
            return MISSING
        return MISSING if value is None else value

    return extract


def _build_key_extractor(key: str) -> Extractor:
    return lambda payload: payload.get(key, MISSING)


def _build_dotted_extractor(keys: list[str]) -> Extractor:
    def extract(payload: Any) -> Any:
        for key in keys:
            if not isinstance(payload, dict) or key not in payload:
                return MISSING
            payload = payload[key]
        return payload

    return extract
