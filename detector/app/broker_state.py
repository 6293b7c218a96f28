"""What `can-close` and `plan` look at: a snapshot on standard input, or the few sources that they need, as facts of now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from detector.app.context import AppContext, InputError
from detector.app.input_documents import redact_document
from detector.domain.facts import Facts
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.profile import Profile, ReadContext
from detector.domain.snapshot import SECTIONS, Snapshot, build_snapshot
from detector.engine.gather import gather_facts
from detector.formats.strict_json import MAX_BYTES, DocumentError, parse_document, redact_excerpt
from detector.formats.times import TimeError, parse_run_time
from detector.reconciliation.freshness import DataAge, compute_data_age, find_inconsistency
from detector.settings import CLOCK_SKEW_SEC, MARKET_CLOSURES, PROFILE, RUNTIME, Settings

STATUS = ("status_v3", "bot_status")
_IDS_KEY = "\0words"  # no section can have that name


@dataclass(frozen=True, slots=True)
class BrokerQuery:
    """How it is looked: at which sections where none was piped, at what time, and with which words to be redacted alike.

    `at_its_own_time` judges a piped snapshot as of when it was taken, and not as of now.
    """

    sections: tuple[str, ...]
    now: str | None = None
    collect: bool = False
    ids: Mapping[str, str | None] = field(default_factory=dict)
    at_own_time: bool = False


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What was seen: facts as of `at`, how old the broker's word is now, and the given words as they are redacted."""

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
    """Return what is known now; raises Refused for a document that cannot be read.

    A piped snapshot is judged as it is, and nothing is collected for it. A terminal, or nothing, on standard
    input, or `collect`, means that the sources are asked. `before` reads the `previous` section.
    """
    document = None if query.collect else _read_piped(app)
    collected = document is None
    if document is None:
        document = _collect_sections(app, settings, query)
    now = _get_now(app, query.now)
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
    """Whether the runtime's own orders should be seen: something is there, or was asked, that could say them."""
    order_facts = {"orders", "pending_exits"} & profile.extractors.keys()
    present = {name for name in STATUS if name in facts.sections}
    queried = {name for name in STATUS if name in facts.sources and facts.sources[name].state != "off"}
    return bool(order_facts and (present or queried))


def _read_piped(app: AppContext) -> dict[str, Any] | None:
    try:
        data = b"" if app.stdin.isatty() else app.stdin.read(MAX_BYTES + 1) or b""
        return parse_document(data) if data.strip() else None
    except DocumentError as error:
        raise InputError(str(error)) from None
    except OSError as error:
        raise InputError(
            f"standard input could not be read ({error.strerror or type(error).__name__})"
        ) from None


def _collect_sections(app: AppContext, settings: Settings, query: BrokerQuery) -> dict[str, Any]:
    from detector.app.collection import CollectOptions, collect_sources

    skip = frozenset(SECTIONS) - set(query.sections)
    result = collect_sources(
        app, settings, CollectOptions(lambda: _get_now(app, query.now), skip=skip, quiet=True)
    )
    return {**result.sections, "sources": result.entries}


def _get_now(app: AppContext, text: str | None) -> datetime:
    if text is None:
        return app.clock()
    try:
        return parse_run_time(text)
    except TimeError as error:
        raise InputError(f"--now: {redact_excerpt(text)!r} {error}") from None
