"""The broker's state for `can-close` and `plan`: facts of a piped snapshot or of a few sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from detector.app.context import AppContext, InputError, get_clock
from detector.app.input_documents import parse_input, read_stdin, redact_document
from detector.domain.facts import Facts
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.profile import Profile, ReadContext
from detector.domain.snapshot import SECTIONS, Snapshot, build_snapshot
from detector.engine.gather import gather_facts
from detector.formats.strict_json import DocumentError
from detector.reconciliation.freshness import DataAge, compute_data_age, find_inconsistency
from detector.settings import CLOCK_SKEW_SEC, MARKET_CLOSURES, PROFILE, RUNTIME, Settings

STATUS = ("status_v3", "bot_status")
_IDS_KEY = "\0ids"  # no section can have that name


@dataclass(frozen=True, slots=True)
class BrokerQuery:
    """The sections to collect where no snapshot is piped, the time, and ids to redact as the snapshot is.

    `at_own_time` evaluates a piped snapshot at its `taken_at` in place of now.
    """

    sections: tuple[str, ...]
    now: str | None = None
    collect: bool = False
    ids: Mapping[str, str | None] = field(default_factory=dict)
    at_own_time: bool = False


@dataclass(frozen=True, slots=True)
class BrokerState:
    """Facts as of `at`, the age of the broker's data now, and the redacted ids of the query."""

    facts: Facts
    age: DataAge
    settings: Settings
    at: datetime
    collected: bool
    ids: Mapping[str, str | None]
    expects_runtime_orders: bool
    inconsistency: str | None


def load_broker_state(
    app: AppContext,
    settings: Settings,
    query: BrokerQuery,
    load_previous: Callable[[Any], PreviousRun] | None = None,
) -> BrokerState:
    """Return the broker's state; raises InputError for a document that cannot be read.

    A piped snapshot is evaluated as it is, and nothing is collected for it. The sources are read where
    standard input is a terminal or empty, or with `collect`. `load_previous` parses the `previous` section.
    """
    document = None if query.collect else _read_piped(app)
    collected = document is None
    if document is None:
        document = _collect_sections(app, settings, query)
    now = get_clock(app, query.now)()
    redacted, settings = redact_document(
        {**{k: v for k, v in document.items() if k != "previous"}, _IDS_KEY: dict(query.ids)}, settings
    )
    ids = redacted.pop(_IDS_KEY)
    try:
        snapshot = build_snapshot(redacted, now=now, runtime=settings[RUNTIME])
    except DocumentError as error:
        raise InputError(str(error)) from None
    taken_at = snapshot.taken_at if document.get("taken_at") is not None and not collected else None
    at = taken_at if taken_at is not None and query.at_own_time else now
    profile: Profile = settings.files[PROFILE.name]
    read_context = ReadContext(
        settings, profile, load_previous(document.get("previous")) if load_previous else NO_PREVIOUS_RUN
    )
    facts = gather_facts(
        Snapshot(at, snapshot.runtime, snapshot.sections), read_context, settings.files[MARKET_CLOSURES.name]
    )
    return BrokerState(
        facts,
        compute_data_age(snapshot.sections, taken_at, now, settings[CLOCK_SKEW_SEC]),
        settings,
        at,
        collected,
        ids,
        _should_have_runtime_orders(facts, profile),
        find_inconsistency(snapshot.sections.get("broker")),
    )


def _should_have_runtime_orders(facts: Facts, profile: Profile) -> bool:
    """Whether the runtime's own orders are expected: a source that lists them is present or was read."""
    order_facts = {"orders", "pending_exits"} & profile.extractors.keys()
    present = {name for name in STATUS if name in facts.sections}
    queried = {name for name in STATUS if name in facts.sources and facts.sources[name].state != "off"}
    return bool(order_facts and (present or queried))


def _read_piped(app: AppContext) -> dict[str, Any] | None:
    data = b"" if app.stdin.isatty() else read_stdin(app)
    return parse_input(data) if data.strip() else None


def _collect_sections(app: AppContext, settings: Settings, query: BrokerQuery) -> dict[str, Any]:
    from detector.app.collection import CollectOptions, collect_sources

    skip = frozenset(SECTIONS) - set(query.sections)
    result = collect_sources(app, settings, CollectOptions(get_clock(app, query.now), skip=skip, quiet=True))
    return {**result.sections, "sources": result.entries}
