"""From sections to facts: every reader on its section, freshness first, the worse of two payloads last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from detector.domain.facts import Facts, Fault, SourceStatus
from detector.domain.merge import merge_readings
from detector.domain.read_context import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.snapshot import SECTIONS, Snapshot
from detector.engine.catalog import all_readers
from detector.market.closures import Closures
from detector.market.hours import get_market_at, count_open_seconds
from detector.market.maintenance import is_in_maintenance
from detector.readers.sources import read_sources
from detector.settings import CLOCK_SKEW_SEC, IBKR_REGION, OPEN_GRACE_MINUTE, SOURCE_STALE_SEC

_NOT_READ = ("sources", "previous")
_OWN_AS_OF = ("broker", "stores")
PARTLY_READ = {"gateway": "its port"}  # whoever gives the rest is told that nothing judges it


@dataclass(slots=True)
class _Gathered:
    readings: list[Reading] = field(default_factory=list)
    stale: dict[str, float] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)


def facts_of(snapshot: Snapshot, context: ReadContext, closures: Closures) -> Facts:
    """Return every fact of the snapshot; what a stale or failed section says is not seen."""
    settings, taken_at = context.settings, snapshot.taken_at
    about = Reading("sources", taken_at, settings[CLOCK_SKEW_SEC])
    sources = read_sources(snapshot.sections.get("sources", {}), about)
    gathered = _Gathered()
    for section in SECTIONS:
        if section in snapshot.sections and section not in _NOT_READ:
            _read_section(section, snapshot, sources, context, gathered)
    readings = [about, *gathered.readings]
    values, provenance = merge_readings(readings)
    return Facts(
        taken_at=taken_at,
        runtime=snapshot.runtime,
        market=get_market_at(taken_at, closures, settings[OPEN_GRACE_MINUTE]),
        before=context.previous_run,
        provenance=provenance,
        invalid=tuple(dict.fromkeys(fault for reading in readings for fault in reading.invalid)),
        skewed=tuple(skew for reading in readings for skew in reading.skewed),
        stale=gathered.stale,
        sources=sources,
        sections=frozenset(snapshot.sections),
        carriers=_carriers(context),
        errors=tuple(gathered.errors),
        ran=frozenset(gathered.ran),
        open_unwatched=_open_unwatched(context, taken_at, closures),
        quiet=is_in_maintenance(taken_at, settings[IBKR_REGION], closures),
        closures=closures,
        **values,
    )


def _open_unwatched(context: ReadContext, taken_at: datetime, closures: Closures) -> float | None:
    """Return the seconds of regular session since the previous run; None without one."""
    since = context.previous_run.taken_at
    return None if since is None else count_open_seconds(since, taken_at, closures)


def _read_section(
    section: str, snapshot: Snapshot, sources: Mapping[str, SourceStatus], context: ReadContext, gathered: _Gathered
) -> None:
    raw = snapshot.sections[section]
    reading = Reading(section, snapshot.taken_at, context.settings[CLOCK_SKEW_SEC], context.profile.zone)
    as_of = _as_of(section, raw, sources, reading)
    age = 0.0 if as_of is None else (snapshot.taken_at - as_of).total_seconds()
    source = sources.get(section)
    gathered.readings.append(reading)
    if age > context.settings[SOURCE_STALE_SEC]:
        gathered.stale[section] = age
    elif section in all_readers() and (source is None or source.state != "failed"):
        reading.as_of = as_of or snapshot.taken_at
        try:
            all_readers()[section](raw, reading, context)
            gathered.ran.add(f"reader of {section}")
        except Exception as error:  # noqa: BLE001 - the one place where a broken reader becomes data
            gathered.errors.append((f"reader of {section}", type(error).__name__))
            reading.values.clear()


def _as_of(section: str, raw: Any, sources: Mapping[str, SourceStatus], reading: Reading) -> datetime | None:
    own = raw.get("as_of") if section in _OWN_AS_OF else None
    times = [reading.read_value("time", f"{section}.as_of", own)]
    if section in sources:
        times.append(sources[section].as_of)
    return min((moment for moment in times if moment is not None), default=None)


def _carriers(context: ReadContext) -> dict[str, tuple[str, ...]]:
    """Return which sections can carry the heartbeat and the positions."""
    status, truth = ("status_v3", "bot_status"), ("broker", "stores")
    looks = context.profile.extractors
    heartbeat = bool({"heartbeat_at", "heartbeat_age_sec"} & looks.keys())
    positions = bool({"open_positions", "open_position_count"} & looks.keys())
    return {
        "heartbeat_at": status if heartbeat else (),
        "open_positions": (*status, *truth) if positions else truth,
    }


def unread(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the sections that are there and that this version has no reader for."""
    known = {*all_readers(), *_NOT_READ} - {*PARTLY_READ}
    return tuple(section for section in snapshot.sections if section not in known)


__all__ = ["Fault", "facts_of", "unread"]
