"""Reads the runtime's own stores from its SQLite file: all tables in one transaction, read-only.

The profile's [store_tables] and [stores] name the tables and their columns; only columns that rules need are
read. Of a long table the newest rows are read, and every row that may be open, however old: none of those is
left out without a note.
"""

from __future__ import annotations

from collections.abc import Iterator

from detector.collectors._store_tables import Store
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption
from detector.domain.profile import DEFAULT_TABLES, Profile
from detector.formats.times import format_time
from detector.settings import COLLECT_TIMEOUT_SEC, PROFILE, SOURCE_TIMEOUT_SEC, STORES_DB, Settings

OPTIONS = (
    SourceOption(
        "stores",
        (STORES_DB,),
        "what the runtime's own trades and positions say, to be compared with the broker",
    ),
)


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the store, where its file is set."""
    if settings[STORES_DB]:
        yield ConfiguredSource("stores", STORES_DB, settings[STORES_DB], _read_stores)


def _read_stores(context: SourceContext) -> Answer:
    from detector.clients.sqlite import open_store

    profile: Profile = context.settings.files[PROFILE.name]
    seconds = min(context.settings[SOURCE_TIMEOUT_SEC], context.settings[COLLECT_TIMEOUT_SEC])
    as_of = context.clock()  # before the transaction: what is read is never younger than that
    with open_store(context.settings[STORES_DB], seconds) as connection:
        store = Store(connection, profile.stores, profile.words)
        section = {table.name: store.read_rows(table) for table in profile.tables or DEFAULT_TABLES}
    return Answer({"as_of": format_time(as_of), **section}, as_of, store.note)
