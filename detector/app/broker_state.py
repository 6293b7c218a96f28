"""What `can-close` and `plan` look at: a snapshot on standard input, or the few sources that they need, as facts of now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from detector.app.context import Door, Refused
from detector.app.redacted_snapshot import redacted_with
from detector.domain.facts import Facts
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.profile import Profile
from detector.domain.read_context import ReadContext
from detector.domain.snapshot import SECTIONS, Snapshot, build_snapshot
from detector.engine.gather import gather_facts
from detector.formats.strict_json import MAX_BYTES, DocumentError, clipped, parse
from detector.formats.times import TimeError, parse_run_time
from detector.reconciliation.freshness import DataAge, compute_data_age, find_inconsistency
from detector.settings import CLOCK_SKEW_SEC, MARKET_CLOSURES, PROFILE, RUNTIME, Settings

STATUS = ("status_v3", "bot_status")
_WORDS = "\0words"  # no section can have that name


@dataclass(frozen=True, slots=True)
class Look:
    """How it is looked: at which sections where none was piped, at what time, and with which words to be redacted alike.

    `at_its_own_time` judges a piped snapshot as of when it was taken, and not as of now.
    """

    sections: tuple[str, ...]
    now: str | None = None
    collect: bool = False
    words: Mapping[str, str | None] = field(default_factory=dict)
    at_its_own_time: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen: facts as of `at`, how old the broker's word is now, and the given words as they are redacted."""

    facts: Facts
    age: DataAge
    settings: Settings
    at: datetime
    collected: bool
    words: Mapping[str, str | None]
    asks_runtime: bool
    oddity: str | None


def seen(door: Door, settings: Settings, look: Look, before: Callable[[Any], PreviousRun] | None = None) -> Seen:
    """Return what is known now; raises Refused for a document that cannot be read.

    A piped snapshot is judged as it is, and nothing is collected for it. A terminal, or nothing, on standard
    input, or `collect`, means that the sources are asked. `before` reads the `previous` section.
    """
    document = None if look.collect else _piped(door)
    collected = document is None
    if document is None:
        document = _collected(door, settings, look)
    now = _now(door, look.now)
    shown, settings = redacted_with(
        {**{k: v for k, v in document.items() if k != "previous"}, _WORDS: dict(look.words)}, settings
    )
    words = shown.pop(_WORDS)
    try:
        snapshot = build_snapshot(shown, now=now, runtime=settings[RUNTIME])
    except DocumentError as error:
        raise Refused(str(error)) from None
    given = snapshot.taken_at if document.get("taken_at") is not None and not collected else None
    at = given if given is not None and look.at_its_own_time else now
    profile: Profile = settings.files[PROFILE.name]
    context = ReadContext(settings, profile, before(document.get("previous")) if before else NO_PREVIOUS_RUN)
    facts = gather_facts(
        Snapshot(at, snapshot.runtime, snapshot.sections), context, settings.files[MARKET_CLOSURES.name]
    )
    return Seen(
        facts,
        compute_data_age(snapshot.sections, given, now, settings[CLOCK_SKEW_SEC]),
        settings,
        at,
        collected,
        words,
        _asks_runtime(facts, profile),
        find_inconsistency(snapshot.sections.get("broker")),
    )


def _asks_runtime(facts: Facts, profile: Profile) -> bool:
    """Whether the runtime's own orders should be seen: something is there, or was asked, that could say them."""
    says = {"orders", "pending_exits"} & profile.extractors.keys()
    there = {name for name in STATUS if name in facts.sections}
    asked = {name for name in STATUS if name in facts.sources and facts.sources[name].state != "off"}
    return bool(says and (there or asked))


def _piped(door: Door) -> dict[str, Any] | None:
    try:
        data = b"" if door.stdin.isatty() else door.stdin.read(MAX_BYTES + 1) or b""
        return parse(data) if data.strip() else None
    except DocumentError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(
            f"standard input could not be read ({error.strerror or type(error).__name__})"
        ) from None


def _collected(door: Door, settings: Settings, look: Look) -> dict[str, Any]:
    from detector.app.collect import Looking
    from detector.app.collect import look as look_at

    given = frozenset(SECTIONS) - set(look.sections)
    found = look_at(door, settings, Looking(lambda: _now(door, look.now), given=given, quiet=True))
    return {**found.sections, "sources": found.entries}


def _now(door: Door, text: str | None) -> datetime:
    if text is None:
        return door.clock()
    try:
        return parse_run_time(text)
    except TimeError as error:
        raise Refused(f"--now: {clipped(text)!r} {error}") from None
