"""A profile: where each fact is found in the payloads of one kind of bot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field

from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.domain.payload_path import (
    Extractor,
    KeyPath,
    ProfileError,
    build_extractor,
    is_plain_path,
    list_key_paths,
)
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

HEARTBEAT_AGE = "heartbeat_age_sec"
ORDER_AGE = "age_sec"
_TABLES = (
    "profile", "status", "rows", "store_tables", "stores", "market", "processes", "time", "foreign",
    "identity", "signals",
)  # fmt: skip
IDENTITIES = ("runtime", "account")


class Profile(Struct, frozen=True, eq=False):
    """Where each fact of a status payload is found: a look-up by fact, and by column for rows.

    `key_paths` are the keys that each fact's path needs, `column_paths` the plain names of mapped columns.
    `time_paths` find the payload's own time ([time]); `foreign` are keys of other people ([foreign]);
    `identity` finds the runtime and the account that a payload names ([identity]); `signals_off` are golden
    signals that this runtime does not have ([signals]).

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
    key_paths: Mapping[str, tuple[KeyPath, ...]] = field(default_factory=dict)
    column_paths: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    time_paths: Mapping[str, Extractor] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()
    identity: Mapping[str, Extractor] = field(default_factory=dict)
    signals_off: tuple[str, ...] = ()

    def describe_path(self, fact: str) -> str:
        """Return the fact's place in a payload: its path, or its own name where that is an expression."""
        path = self.paths[fact]
        return path if is_plain_path(path) else fact


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
            **_parse_reading_tables(tables, paths, rows),
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


def _parse_reading_tables(
    tables: Mapping[str, Any], paths: Mapping[str, str], rows: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return what the profile says of the payload as a whole, and the keys that its paths need."""
    return {
        "key_paths": {fact: list_key_paths(path) for fact, path in paths.items()},
        "column_paths": {
            fact: {column: path for column, path in table.items() if is_plain_path(path)}
            for fact, table in rows.items()
        },
        "time_paths": _parse_time_paths(tables["time"]),
        "foreign": frozenset(_parse_list(tables["foreign"], "foreign", "keys")),
        "identity": _parse_identity(tables["identity"]),
        "signals_off": _parse_list(tables["signals"], "signals", "off"),
    }


def _parse_time_paths(table: Mapping[str, Any]) -> Mapping[str, Extractor]:
    paths = _parse_list(table, "time", "as_of")
    return {path: build_extractor(path, "[time] as_of") for path in paths}


def _parse_list(table: Mapping[str, Any], name: str, entry: str) -> tuple[str, ...]:
    """Return the texts of a table's only entry, which is one text or a list of them."""
    unknown = table.keys() - {entry}
    if unknown:
        raise ProfileError(f"[{name}] {min(unknown)}: no such entry (there is: {entry})")
    value = table.get(entry, [])
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and text for text in names):
        raise ProfileError(f"[{name}] {entry}: must be a text, or a list of texts")
    return tuple(names)


def _parse_identity(table: Mapping[str, Any]) -> Mapping[str, Extractor]:
    unknown = table.keys() - set(IDENTITIES)
    if unknown:
        raise ProfileError(f"[identity] {min(unknown)}: no such entry (there are: {', '.join(IDENTITIES)})")
    return {name: build_extractor(path, f"[identity] {name}") for name, path in table.items()}


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
