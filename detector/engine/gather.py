"""Gathers the facts of a snapshot: checks each section's age, runs its reader, merges the readings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.facts import Facts
from detector.domain.merge import merge_readings
from detector.domain.profile import ReadContext
from detector.domain.provenance import SourceStatus
from detector.domain.section_reading import Reading
from detector.domain.snapshot import PARTS, SECTIONS, STALE_SEC, STATEMENT, Snapshot, split_parts
from detector.engine.catalog import load_readers
from detector.market.closures import Closures
from detector.market.hours import count_open_seconds, get_market_at
from detector.market.maintenance import is_in_maintenance
from detector.market.planned_restart import is_in_planned_restart, parse_planned_restarts
from detector.readers.source_states import read_sources
from detector.settings import (
    CLOCK_SKEW_SEC,
    IBKR_REGION,
    OPEN_GRACE_MINUTE,
    PROCESSES,
    RESTART_AT,
    SOURCE_STALE_SEC,
)

_NOT_READ = ("sources", "previous")
_OWN_AS_OF = ("broker", STATEMENT, "stores")


class _GatheredSections(Struct):
    readings: list[Reading] = field(default_factory=list)
    stale: dict[str, float] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)


def gather_facts(snapshot: Snapshot, context: ReadContext, closures: Closures) -> Facts:
    """Return every fact of the snapshot; the facts of a stale or failed section are unknown."""
    settings, taken_at = context.settings, snapshot.taken_at
    closures = replace(closures, plan=context.profile.session_plan)
    snapshot = replace(snapshot, sections=split_parts(snapshot.sections))
    sources_reading = Reading("sources", taken_at, settings[CLOCK_SKEW_SEC])
    sources = read_sources(snapshot.sections.get("sources", {}), sources_reading)
    gathered = _GatheredSections()
    for section in (*SECTIONS, *PARTS):
        if section in snapshot.sections and section not in _NOT_READ:
            _read_section(section, snapshot, sources, context, gathered)
    readings = [sources_reading, *gathered.readings]
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
        carriers=_find_carriers(context),
        errors=tuple(gathered.errors),
        ran=frozenset(gathered.ran),
        open_unwatched=_measure_unwatched_sec(context, taken_at, closures),
        quiet=is_in_maintenance(taken_at, settings[IBKR_REGION], closures),
        closures=closures,
        is_restarting=is_in_planned_restart(taken_at, parse_planned_restarts(settings[RESTART_AT])),
        expected_processes=_list_expected_processes(context),
        **values,
    )


def _list_expected_processes(context: ReadContext) -> tuple[str, ...]:
    """Return the processes that must run, by the profile or by their setting; empty is every listed one."""
    named = (entry.partition("=")[0].strip() for entry in context.settings[PROCESSES])
    return tuple(dict.fromkeys((*context.profile.processes, *named)))


def _measure_unwatched_sec(context: ReadContext, taken_at: datetime, closures: Closures) -> float | None:
    """Return the seconds of regular session since a run looked; None where none did."""
    previous = context.previous_run
    since = max(filter(None, (previous.taken_at, previous.looked_at)), default=None)
    return None if since is None else count_open_seconds(since, taken_at, closures)


def _read_section(
    section: str,
    snapshot: Snapshot,
    sources: Mapping[str, SourceStatus],
    context: ReadContext,
    gathered: _GatheredSections,
) -> None:
    raw = snapshot.sections[section]
    reading = Reading(section, snapshot.taken_at, context.settings[CLOCK_SKEW_SEC], context.profile.zone)
    as_of = _find_as_of(section, raw, sources, reading)
    age = 0.0 if as_of is None else (snapshot.taken_at - as_of).total_seconds()
    source = sources.get(section)
    gathered.readings.append(reading)
    if age > STALE_SEC.get(section, context.settings[SOURCE_STALE_SEC]):
        gathered.stale[section] = age
    elif section in load_readers() and (source is None or source.state != "failed"):
        reading.as_of = as_of or snapshot.taken_at
        try:
            load_readers()[section](raw, reading, context)
            gathered.ran.add(f"reader of {section}")
        except Exception as error:  # noqa: BLE001 - the one place where a broken reader becomes data
            gathered.errors.append((f"reader of {section}", type(error).__name__))
            reading.values.clear()


def _find_as_of(
    section: str, raw: Any, sources: Mapping[str, SourceStatus], reading: Reading
) -> datetime | None:
    own_as_of = raw.get("as_of") if section in _OWN_AS_OF else None
    times = [reading.read_value("time", f"{section}.as_of", own_as_of)]
    if section in sources:
        times.append(sources[section].as_of)
    return min((moment for moment in times if moment is not None), default=None)


def _find_carriers(context: ReadContext) -> dict[str, tuple[str, ...]]:
    """Return the sections that can contain the heartbeat and the positions."""
    status_sections, position_sections = ("status_v3", "bot_status"), ("broker", "stores")
    paths = context.profile.extractors
    heartbeat = bool({"heartbeat_at", "heartbeat_age_sec"} & paths.keys())
    positions = bool({"open_positions", "open_position_count"} & paths.keys())
    return {
        "heartbeat_at": status_sections if heartbeat else (),
        "open_positions": (*status_sections, *position_sections) if positions else position_sections,
    }


def list_unread_sections(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the sections of the snapshot that this version does not read."""
    readable = {*load_readers(), *_NOT_READ}
    return tuple(section for section in snapshot.sections if section not in readable)
