"""A profile: where each fact is found in the payloads of one kind of bot, and in the tables of its stores.

It holds names of keys, tables and columns only, no SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field

from detector.domain.own_rule import OwnRule, build_own_rule
from detector.domain.payload_path import Extractor, KeyPath, build_extractor, is_plain_path, list_key_paths
from detector.domain.previous_run import PreviousRun
from detector.domain.section_reading import WORDS
from detector.domain.trade_rows import StoredPosition, Trade
from detector.formats.errors import InputError
from detector.market.session_plan import US_EQUITY, SessionPlan, build_session_plan
from detector.settings import PROCESSES, Settings

HEARTBEAT_AGE = "heartbeat_age_sec"
ORDER_AGE = "age_sec"
_LONGEST_LINE = 80  # of an expression, in a message


class Profile(Struct, frozen=True, eq=False):
    """Where each fact of a status payload is found: a look-up by fact, and by column for rows.

    `key_paths` are the keys that each fact's path needs, `column_paths` the plain names of mapped columns.
    `time_paths` find the payload's own time ([time]); `foreign` are keys of other people ([foreign]);
    `identity` finds the runtime and the account that a payload names ([identity]); `signals_off` are golden
    signals that this runtime does not have ([signals]), `rules` those of its own ([[rule]]);
    `words` gives by column and own word ours ([words]), `symbols` by the runtime's own symbol the broker's
    ([symbols]).

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
    rules: tuple[OwnRule, ...] = ()
    words: Mapping[tuple[str, str], str] = field(default_factory=dict)
    symbols: Mapping[str, str] = field(default_factory=dict)

    @property
    def position_rows(self) -> str:
        """What the rows of the store of positions are."""
        return next((table.rows for table in self.tables if table.name == POSITION_STATE), POSITIONS)

    def describe_path(self, fact: str) -> str:
        """Return the fact's place in a payload: its path, or its own name where that is an expression."""
        path = self.paths[fact]
        return path if is_plain_path(path) else fact

    def describe_line(self, fact: str, column: str) -> str | None:
        """Return the line that says where a fact is, or a column of its rows; None where no other name is."""
        path = self.column_paths.get(fact, {}).get(column)
        if path is not None:
            return f'[rows.{fact}] {column} = "{path}"'
        path = self.paths[fact]
        text = path if len(path) <= _LONGEST_LINE else f"{path[:_LONGEST_LINE]}…"
        return None if path == fact else f'[status] {fact} = "{text}"'


class ReadContext(Struct, frozen=True):
    """The settings, the profile and the previous run, the same for every reader of one evaluation."""

    settings: Settings
    profile: Profile
    previous_run: PreviousRun

    @property
    def expected_processes(self) -> tuple[str, ...]:
        """The processes that must run, by the profile or by their setting; empty for all that are listed."""
        named = (entry.partition("=")[0].strip() for entry in self.settings[PROCESSES])
        return tuple(dict.fromkeys((*self.profile.processes, *named)))


def parse_profile(document: Mapping[str, Any]) -> Profile:
    """Return the profile of a TOML document of the shape in `app/profile_document`."""
    tables: defaultdict[str, Mapping[str, Any]] = defaultdict(dict, document)
    header, rows = tables["profile"], tables["rows"]
    constants = {fact: entry["value"] for fact, entry in tables["status"].items() if isinstance(entry, dict)}
    paths = {fact: path for fact, path in tables["status"].items() if fact not in constants}
    columns = {
        fact: {column: path for column, path in table.items() if column != "key"}
        for fact, table in rows.items()
    }
    return Profile(
        header.get("name", "unnamed"),
        paths,
        _build_extractors("status", paths),
        {fact: _build_extractors(f"rows.{fact}", table) for fact, table in columns.items()},
        build_zone(header["zone"]) if "zone" in header else None,
        build_store_tables(tables["store_tables"]),
        _build_history_columns(tables["store_tables"], build_store_columns(tables["stores"])),
        tuple(tables["processes"].get("expected", ())),
        build_session_plan(document["market"]) if "market" in document else US_EQUITY,
        constants,
        {fact: table["key"] for fact, table in rows.items() if "key" in table},
        header.get("numbers_as_text", False),
        {fact: list_key_paths(path) for fact, path in paths.items()},
        {
            fact: {column: path for column, path in table.items() if is_plain_path(path)}
            for fact, table in columns.items()
        },
        {path: build_extractor(path, "[time] as_of") for path in list_names(tables["time"].get("as_of", []))},
        frozenset(list_names(tables["foreign"].get("keys", []))),
        _build_extractors("identity", tables["identity"]),
        list_names(tables["signals"].get("off", [])),
        tuple(build_own_rule(table) for table in document.get("rule", ())),
        {
            (column, name.lower()): word
            for word, column in WORDS.items()
            for name in list_names(tables["words"].get(word, []))
        },
        dict(tables["symbols"]),
    )


def _build_extractors(table: str, paths: Mapping[str, str]) -> dict[str, Extractor]:
    return {name: build_extractor(path, f"[{table}] {name}") for name, path in paths.items()}


def build_zone(name: str) -> tzinfo:
    """Return the time zone of that name; raises InputError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, or a name too long for a file
        raise InputError(f"{name!r} is not a known time zone") from None


POSITION_STATE, TRADES = "position_state", "trades"
ROW_TYPES: Mapping[str, type[Any]] = {POSITION_STATE: StoredPosition, TRADES: Trade}
StoreColumns = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By store and by our column: the names that it may have in the store."""


class JoinedTable(Struct, frozen=True):
    """A second table with missing values: its column `on` equals the first table's column `key`."""

    table: str
    on: str
    key: str


class StoreTable(Struct, frozen=True):
    """One list of the `stores` section and the table that it is read from."""

    name: str
    table: str
    joined: JoinedTable | None = None
    rows: str = "positions"


POSITIONS, FILLS, HISTORY = "positions", "fills", "history"
"""What the rows of a table of positions are: one a position, one a fill of it, or one a reading of it."""
_READING_TIMES = ("at", "date", "time", "datetime", "timestamp", "ts", "as_of", "updated_at", "created_at")


DEFAULT_TABLES = (StoreTable(POSITION_STATE, POSITION_STATE), StoreTable(TRADES, TRADES))


def build_store_tables(document: Mapping[str, Any]) -> tuple[StoreTable, ...]:
    """Return the tables of [store_tables]; none stands for the default ones."""
    return tuple(
        StoreTable(
            name,
            entry.get("table", name),
            JoinedTable(**entry["joined"]) if "joined" in entry else None,
            entry.get("rows", POSITIONS),
        )
        for name, entry in document.items()
    )


def build_store_columns(document: Mapping[str, Any]) -> StoreColumns:
    """Return the columns of [stores]; one that is not listed has our own name."""
    return {
        store: {column: list_names(names) for column, names in table.items()}
        for store, table in document.items()
    }


def _build_history_columns(tables: Mapping[str, Any], columns: StoreColumns) -> StoreColumns:
    """Return the columns; of a history the usual names of a time too, where the profile names none."""
    if tables.get(POSITION_STATE, {}).get("rows") != HISTORY:
        return columns
    return {**columns, POSITION_STATE: {"at": _READING_TIMES, **columns.get(POSITION_STATE, {})}}


def list_names(value: str | list[str]) -> tuple[str, ...]:
    """Return a name, or a list of names, as names."""
    return (value,) if isinstance(value, str) else tuple(value)
