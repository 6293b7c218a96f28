"""Gathers the facts of a snapshot: checks each section's age, runs its reader, merges the readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.facts import Facts, has_trouble
from detector.domain.lane_memory import SectionContent
from detector.domain.log_incidents import find_announced_restart
from detector.domain.profile import ReadContext
from detector.domain.provenance import Fault, SectionSummary, SourceStatus
from detector.domain.section_reading import KnownValue, Reading, keep_equal_parts
from detector.domain.shape import Shape
from detector.domain.snapshot import (
    PARTS,
    SECTIONS,
    STALE_SEC,
    STATEMENT,
    STATUS_SECTIONS,
    Snapshot,
    split_parts,
)
from detector.engine.catalog import find_reader
from detector.engine.key_comparison import KeyComparison
from detector.engine.merge_readings import merge_readings
from detector.engine.reading_summary import build_summary, find_hidden_money, find_missing_facts
from detector.engine.section_origin import (
    OuterTimes,
    find_section_time,
    get_content_key,
    get_lane_key,
    read_sources,
    update_content,
)
from detector.engine.section_scope import (
    Mismatch,
    describe_mismatch,
    find_mismatch,
    find_row_account,
    is_owner_unproven,
)
from detector.logs.events import LogHistory
from detector.market.hours import count_open_seconds, get_market_at
from detector.market.maintenance import PlannedRestart, is_in_maintenance, parse_planned_restarts
from detector.market.session_plan import Closures
from detector.settings import (
    CLOCK_SKEW_SEC,
    GATEWAY_ZONE,
    HEARTBEAT_STALE_SEC,
    IBKR_REGION,
    OPEN_GRACE_MINUTE,
    RESTART_AT,
    SOURCE_STALE_SEC,
)

_NOT_READ = ("sources", "previous")


class _GatheredSections(Struct):
    readings: list[Reading] = field(default_factory=list)
    stale: dict[str, float] = field(default_factory=dict)
    contents: dict[str, SectionContent] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    mismatched: dict[str, str] = field(default_factory=dict)
    unproven: set[str] = field(default_factory=set)
    summaries: list[Callable[[], SectionSummary]] = field(default_factory=list)
    comparisons: dict[str, KeyComparison] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    ran: set[str] = field(default_factory=set)


class SharedReadings(Struct):
    """What a snapshot, taken at `taken_at`, shares with the next one, where both are read in the same way.

    By section these are its content, the values that were read, and the content that was compared.
    """

    taken_at: datetime | None = None
    contents: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Mapping[str, KnownValue]] = field(default_factory=dict)
    compared: dict[str, tuple[Any, Shape, KeyComparison]] = field(default_factory=dict)

    def open(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot split into its parts, with those that it shares; an older one shares none."""
        if self.taken_at is not None and snapshot.taken_at < self.taken_at:
            self.contents, self.values, self.compared = {}, {}, {}
        self.taken_at = snapshot.taken_at
        sections = {
            name: keep_equal_parts(content, self.contents.get(name))
            for name, content in split_parts(snapshot.sections).items()
        }
        self.contents = sections
        return replace(snapshot, sections=sections)


class _Input(Struct, frozen=True):
    """What every section is read with."""

    snapshot: Snapshot
    sources: Mapping[str, SourceStatus]
    sources_reading: Reading
    context: ReadContext
    closures: Closures
    shared: SharedReadings


def gather_facts(
    snapshot: Snapshot, context: ReadContext, closures: Closures, shared: SharedReadings | None = None
) -> Facts:
    """Return every fact of the snapshot, and the account of the reading of each section.

    Those of a section that is stale, of the future, failed, or of another runtime are unknown.
    """
    settings, taken_at = context.settings, snapshot.taken_at
    closures = replace(closures, plan=context.profile.session_plan)
    snapshot = (shared := shared or SharedReadings()).open(snapshot)
    reading = Reading("sources", taken_at, settings[CLOCK_SKEW_SEC])
    sources = read_sources(snapshot.sections.get("sources", {}), reading)
    gathered = _read_sections(_Input(snapshot, sources, reading, context, closures, shared))
    values, provenance = merge_readings(gathered.readings)
    faults = _list_faults(gathered, values, context)
    return Facts(
        taken_at=taken_at,
        runtime=snapshot.runtime,
        market=get_market_at(taken_at, closures, settings[OPEN_GRACE_MINUTE]),
        before=context.previous_run,
        lane=get_lane_key(context.settings),
        provenance=replace(provenance, shapes=gathered.shapes),
        invalid=tuple(dict.fromkeys(faults)),
        hidden_money=find_hidden_money(faults, values, gathered.shapes),
        skewed=tuple(skew for reading in gathered.readings for skew in reading.skewed),
        stale=gathered.stale,
        unchanged=frozenset(gathered.unchanged),
        contents=gathered.contents,
        mismatched=gathered.mismatched,
        unproven=frozenset(gathered.unproven),
        summaries=tuple(gathered.summaries),
        objects=dict(item for part in gathered.comparisons.values() for item in part.seen.objects.items()),
        sources=sources,
        sections=frozenset(snapshot.sections),
        carriers=_find_carriers(context),
        errors=tuple(gathered.errors),
        ran=frozenset(gathered.ran),
        open_unwatched=_measure_unwatched_sec(context, taken_at, closures),
        quiet=is_in_maintenance(taken_at, settings[IBKR_REGION], closures),
        closures=closures,
        restarts=_list_restarts(context, values.get("logs")),
        expected_processes=context.expected_processes,
        own={rule.name: values.pop(rule.name, None) for rule in context.profile.rules},
        **values,
    )


def _list_faults(gathered: _GatheredSections, values: Mapping[str, Any], context: ReadContext) -> list[Fault]:
    """Return what was not understood: values, keys, and keys that may be a fact that no payload shows."""
    faults = [fault for reading in gathered.readings for fault in reading.invalid]
    faults += [fault for part in gathered.comparisons.values() for fault in part.faults.values()]
    return faults + find_missing_facts(gathered.comparisons, gathered.shapes, values, context)


def _read_sections(given: _Input) -> _GatheredSections:
    gathered = _GatheredSections([given.sources_reading])
    for section in (*SECTIONS, *PARTS):
        if section in given.snapshot.sections and section not in _NOT_READ:
            _read_section(section, given, gathered)
    return gathered


def _list_restarts(context: ReadContext, history: LogHistory | None) -> tuple[PlannedRestart, ...]:
    """Return the planned restarts: those of the setting, and the one that the launcher's log announced."""
    settings = context.settings
    announced = find_announced_restart(history, context.previous_run.logs, _find_zone("broker", context))
    return (*parse_planned_restarts(settings[RESTART_AT]), *announced)


def _find_zone(section: str, context: ReadContext) -> tzinfo | None:
    """Return the zone of times that name none: the gateway's for what it gave out, else the profile's."""
    gateway_zone = context.settings[GATEWAY_ZONE] if section == "broker" else ""
    return ZoneInfo(gateway_zone) if gateway_zone else context.profile.zone


def _measure_unwatched_sec(context: ReadContext, taken_at: datetime, closures: Closures) -> float | None:
    """Return the seconds of regular session since a run looked; None where none did."""
    previous = context.previous_run
    since = max(filter(None, (previous.taken_at, previous.looked_at)), default=None)
    return None if since is None else count_open_seconds(since, taken_at, closures)


def _read_section(section: str, given: _Input, gathered: _GatheredSections) -> None:
    """Read one section: whether it counts at all, then its facts, then the account of its keys."""
    raw, context, taken_at = given.snapshot.sections[section], given.context, given.snapshot.taken_at
    reading = Reading(section, taken_at, context.settings[CLOCK_SKEW_SEC], _find_zone(section, context))
    source = given.sources.get(section)
    as_of = find_section_time(raw, _get_outer_times(section, given), reading, context)
    age = None if as_of is None else (taken_at - as_of).total_seconds()
    gathered.readings.append(reading)
    mismatch = find_mismatch(section, raw, context)
    if is_owner_unproven(section, raw, context):
        gathered.unproven.add(section)
    if mismatch is not None:
        gathered.mismatched[section] = describe_mismatch(mismatch)
    elif age is not None and age > STALE_SEC.get(section, context.settings[SOURCE_STALE_SEC]):
        gathered.stale[section] = age
    elif reading.skewed:
        pass  # a section from the future is never fresh
    elif source is None or source.state != "failed":
        reading.as_of = as_of or taken_at
        _run_reader(raw, reading, given, gathered)
        if section in ("broker", STATEMENT) and "broker_account" not in reading.values:
            _apply_row_account(reading, context, gathered)
        # A payload from its URL; what AWS or Docker answers may be the same for days.
        if as_of is None and section in STATUS_SECTIONS and source is not None and source.state == "ok":
            _check_change(reading, given, gathered)
    comparison = gathered.comparisons.get(section)
    compared = None if comparison is None else (comparison, gathered.shapes[section])
    gathered.summaries.append(partial(build_summary, reading, age, context, compared))


def _apply_row_account(reading: Reading, context: ReadContext, gathered: _GatheredSections) -> None:
    """Give the section the account that its rows are about; what is all of another account is not seen."""
    account = find_row_account(reading.values, context.settings)
    if isinstance(account, Mismatch):
        gathered.mismatched[reading.section] = describe_mismatch(account)
        reading.values.clear()
    elif account is not None:
        gathered.unproven.discard(reading.section)
        if reading.section != STATEMENT:
            reading.values["broker_account"] = account


def _get_outer_times(section: str, given: _Input) -> OuterTimes:
    source = given.sources.get(section)
    return OuterTimes(
        None if source is None else source.as_of,
        dict(given.sources_reading.skewed).get(f"sources.{section}.as_of"),
        given.snapshot.written.get(section),
    )


def _check_change(reading: Reading, given: _Input, gathered: _GatheredSections) -> None:
    """Take the facts from a payload without a time that has been the same for too long of the session.

    One that shows trouble keeps it: days of one fault are what an outage looks like, and where the heartbeat
    stands still the runtime is dead, which is worse than an old answer.
    """
    section, taken_at = reading.section, given.snapshot.taken_at
    content = update_content(section, given.snapshot.sections[section], given.context, taken_at)
    gathered.contents[get_content_key(section, given.context.settings)] = content
    seconds = count_open_seconds(content.since, taken_at, given.closures)
    is_too_long = seconds is not None and seconds > given.context.settings[SOURCE_STALE_SEC]
    if seconds is not None and is_too_long and reading.values and not _has_visible_trouble(reading, given):
        gathered.unchanged.add(section)
        gathered.stale[section] = seconds
        reading.values.clear()


def _has_visible_trouble(reading: Reading, given: _Input) -> bool:
    heartbeat = reading.values.get("heartbeat_at")
    age = None if heartbeat is None else (given.snapshot.taken_at - heartbeat).total_seconds()
    is_dead = age is not None and age > given.context.settings[HEARTBEAT_STALE_SEC]
    return is_dead or has_trouble(reading.values)


def _run_reader(raw: Any, reading: Reading, given: _Input, gathered: _GatheredSections) -> None:
    section, context, shared = reading.section, given.context, given.shared
    module = find_reader(section)
    if module is None:
        return
    try:
        reading.known = shared.values.get(section, {})
        module.read(raw, reading, context)
        shared.values[section] = reading.kept
        shape = module.build_shape(section, context, raw)
        _compare_keys(raw if reading.content is None else reading.content, shape, reading, given, gathered)
        gathered.ran.add(f"reader of {section}")
    except Exception as error:  # noqa: BLE001 - the one place where a broken reader becomes data
        gathered.errors.append((f"reader of {section}", type(error).__name__))
        reading.values.clear()


def _compare_keys(
    content: Any, shape: Shape, reading: Reading, given: _Input, gathered: _GatheredSections
) -> None:
    section, compared = reading.section, given.shared.compared
    before, old_shape, comparison = compared.get(section, (None, None, None))
    if comparison is None or shape is not old_shape or not comparison.is_alike(content, before, shape):
        foreign = given.context.profile.foreign
        comparison = KeyComparison(section, partial(_can_read, reading), foreign, words=reading.words)
        comparison.compare(content, shape)
    compared[section] = (content, shape, comparison)
    reading.partial |= comparison.partial
    # Of two faults with one path that of the keys says more: what stands there instead.
    reading.invalid = [fault for fault in reading.invalid if fault.path not in comparison.faults]
    gathered.comparisons[section] = comparison
    gathered.shapes[section] = shape


def _can_read(reading: Reading, kind: str, value: object) -> bool:
    """Return whether a fact of that kind could take the value."""
    trial = reading.build_trial()
    trial.read_value(kind, reading.section, value)
    return not trial.invalid


def _find_carriers(context: ReadContext) -> dict[str, tuple[str, ...]]:
    """Return the sections that can contain the heartbeat and the positions."""
    position_sections = ("broker", "stores")
    paths = context.profile.extractors
    heartbeat = bool({"heartbeat_at", "heartbeat_age_sec"} & paths.keys())
    positions = bool({"open_positions", "open_position_count"} & paths.keys())
    return {
        "heartbeat_at": STATUS_SECTIONS if heartbeat else (),
        "open_positions": (*STATUS_SECTIONS, *position_sections) if positions else position_sections,
    }
