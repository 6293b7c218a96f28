"""What a run remembers of its log lines for the next one: small, bounded, and enough to go on as if never parted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from detector.domain.facts import Facts
from detector.logs.bursts import (
    UNREACHED_WITHIN,
    Starts,
    conflicts,
    gateway_failures,
    repeated,
    severe_bursts,
)
from detector.logs.events import (
    CONNECTED,
    DISCLAIMER,
    FILL,
    LOGGED_IN,
    LOOK_BACK,
    MARGIN,
    OUTCOME,
    SEVERE,
    UNREACHED,
    Logbook,
    LogMemory,
    Mark,
    Spell,
)
from detector.logs.outages import dead_streams, farm_episodes, link_episodes
from detector.settings import SEVERE_LOG_CRITICAL, START_GRACE_SEC, Settings

_LOOSE = (SEVERE, UNREACHED, CONNECTED, LOGGED_IN, DISCLAIMER)
_MOST_SPELLS, _MOST_MARKS, _MOST_STARTS = 60, 200, 40
_STARTS_FOR = timedelta(hours=2)
_QUIET = timedelta(hours=6)  # longer than any quiet window


def starts_of(facts: Facts, grace_sec: float) -> Starts:
    """Return when tasks and the engine started, as seen now and, for tasks, in earlier runs."""
    times = {*_task_starts(facts), *(facts.before.logs.starts if facts.before.logs else ())}
    engine = _engine_start(facts)
    return Starts(sorted({*times, engine} if engine else times), timedelta(seconds=grace_sec))


def _task_starts(facts: Facts) -> Iterable[datetime]:
    for task in (*(facts.tasks or ()), *(facts.stopped_tasks or ())):
        start = task.started_at or task.created_at
        if start is not None:
            yield start


def _engine_start(facts: Facts) -> datetime | None:
    """Return the engine's latest start: of an engine that starts again and again only the last one counts."""
    return facts.engine_started_at or (facts.before.logs.engine_started_at if facts.before.logs else None)


def logs_to_remember(facts: Facts, settings: Settings) -> LogMemory | None:
    """Return what the next run must know; unchanged where no lines were seen."""
    book = facts.logs
    if book is None:
        return facts.before.logs
    starts = starts_of(facts, settings[START_GRACE_SEC])
    latest = min(book.to, book.newest or book.to)
    spells = [
        *link_episodes(book),
        *farm_episodes(book),
        *dead_streams(book),
        *conflicts(book),
        *severe_bursts(book, settings[SEVERE_LOG_CRITICAL], starts),
        *gateway_failures(book, starts),
        *(spell for kind in (MARGIN, OUTCOME, FILL) for spell in repeated(book, kind)),
    ]
    kept_starts = [at for at in sorted(set(starts.times)) if at >= book.to - _STARTS_FOR]
    return LogMemory(
        to=book.to,
        since=book.since,
        newest=book.newest,
        spells=_kept(spells, latest - LOOK_BACK),
        marks=_loose(book, latest - UNREACHED_WITHIN),
        starts=tuple(at for at in kept_starts if at != _engine_start(facts))[-_MOST_STARTS:],
        engine_started_at=_engine_start(facts),
        verdict=book.verdict,
        proven_at=book.proven_at,
        owed_at=book.owed_at,
        tail=book.tail,
        whole=book.whole,
        ending=book.ending,
    )


def _kept(spells: Iterable[Spell], oldest: datetime) -> tuple[Spell, ...]:
    """Return the spells that are open or recent, the newest where there are too many, the open ones first."""
    kept = [one for one in spells if one.is_open or (one.until or one.last) >= oldest - _longer(one)]
    kept.sort(key=lambda one: (one.is_open, one.last), reverse=True)
    return tuple(sorted(kept[:_MOST_SPELLS], key=lambda one: (one.since, one.kind, one.key)))


def _longer(one: Spell) -> timedelta:
    """Return how much longer than others it is kept: a stream that died in a quiet window is told at its end."""
    return _QUIET if one.is_stream else timedelta()


def _loose(book: Logbook, oldest: datetime) -> tuple[Mark, ...]:
    recent = [mark for mark in book.of(*_LOOSE) if mark.at >= oldest]
    return tuple(recent[-_MOST_MARKS:])
