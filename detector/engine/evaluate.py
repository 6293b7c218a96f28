"""The engine's public function: from a snapshot, the memory and the settings to the report. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from detector import ledger
from detector.domain.acknowledgement import Mute
from detector.domain.condition import STDOUT, Condition, Event, build_event, build_notice_event, get_rank_key
from detector.domain.facts import Facts
from detector.domain.judgement import Judgement
from detector.domain.lane_memory import update_contents, update_lanes
from detector.domain.log_incidents import build_log_memory
from detector.domain.own_rule import build_engine_rule
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.profile import Profile, ReadContext, parse_profile
from detector.domain.report import Decision, Gap, Report
from detector.domain.rule import Rule
from detector.domain.run_memory import Memory
from detector.domain.snapshot import Snapshot
from detector.engine import run_rules as engine
from detector.engine.catalog import load_rules
from detector.engine.coverage import compute_coverage, count_checked, get_signal_name
from detector.engine.gather import SharedReadings, gather_facts
from detector.engine.lost_facts import add_lost_facts, list_lane_sections
from detector.engine.overrides_and_warnings import add_overrides, list_overrides, list_warnings
from detector.formats.times import compute_seconds
from detector.market.session_plan import NO_CLOSURES, Closures
from detector.reconciliation.between_runs import build_closed_memory, build_price_memory
from detector.reconciliation.position_comparison import list_foreign
from detector.settings import (
    FOREIGN_POSITIONS,
    GAP_SEC,
    MARKET_CLOSURES,
    MUTES,
    PROFILE,
    SCHEDULE,
    SIGNALS_OFF,
    Rung,
    Settings,
)

if TYPE_CHECKING:
    from detector.domain.run_windows import Timetable

APPROVAL = "Stopping or scaling the runtime needs explicit approval."
_RESOLVED_REASONS = ("resolved", "retired", "no longer watched")


class LoadedFiles(Struct, frozen=True):
    """The parsed contents of the files that settings name."""

    profile: Profile
    closures: Closures = NO_CLOSURES
    mutes: tuple[Mute, ...] = ()


@lru_cache(maxsize=16)
def _get_files(settings: Settings) -> LoadedFiles:
    return LoadedFiles(
        settings.files.get(PROFILE.name) or parse_profile({}),
        settings.files.get(MARKET_CLOSURES.name, NO_CLOSURES),
        settings.files.get(MUTES.name, ()),
    )


def evaluate(
    snapshot: Snapshot,
    previous: Memory,
    settings: Settings,
    channels: Collection[str] | Mapping[str, Rung] = (STDOUT,),
    rules: Sequence[Rule] | None = None,
) -> Report:
    """Return what is wrong, what is newly wrong and what to do, for one snapshot.

    `previous` is FIRST_RUN or the result of `read_previous`; `settings.files` holds profile, closures and
    mutes. `channels` are the channels to notify; a mapping gives each its rung. Printing
    is stdout's receipt. `rules` replaces the catalog's. The only clock is `taken_at`.
    """
    return build_report(
        snapshot, previous, settings, judge(snapshot, settings, previous.before, rules), channels
    )


def build_report(
    snapshot: Snapshot,
    previous: Memory,
    settings: Settings,
    judgement: Judgement,
    channels: Collection[str] | Mapping[str, Rung] = (STDOUT,),
) -> Report:
    """Return the report of `evaluate` on a snapshot that `judge` judged with the same memory."""
    facts = judgement.facts
    step = advance_memory(snapshot, previous, settings, judgement, channels)
    active = sorted((entry for entry in step.conditions.values() if entry.is_active), key=get_rank_key)
    coverage = compute_coverage(judgement, active, list_signals_off(settings))
    overrides = list_overrides(facts)
    coverage = add_overrides(coverage, judgement, overrides)
    unknown = tuple(entry.title for entry in coverage if entry.state == "not seen")
    observation = ledger.ObservedRun(
        facts.taken_at, previous.taken_at, len(coverage), unknown, tuple(active), settings[GAP_SEC]
    )
    return Report(
        generation=step.generation,
        taken_at=snapshot.taken_at,
        runtime=snapshot.runtime,
        decision=decide(active),
        sessions=ledger.count_run(previous.sessions, observation, facts.closures),
        events=tuple(build_event(condition) for condition in active),
        new_events=step.list_events(resolved=False),
        resolved_events=step.list_events(resolved=True),
        held=tuple(condition.signature for condition in active if condition.phase == "held"),
        muted=tuple(sorted(step.ledger.muted)),
        coverage=coverage,
        sources=facts.sources,
        conditions=step.conditions,
        carried=step.carried,
        channels=previous.channels,
        gap=step.gap,
        foreign=list_foreign(facts, settings[FOREIGN_POSITIONS]),
        reading=facts.section_summaries,
        checked=count_checked(judgement),
        overrides=overrides,
        warnings=list_warnings(facts, settings, _get_files(settings).mutes),
        snapshot=_build_snapshot_copy(snapshot),
        owed=step.ledger.due_notices,
    )


class RunStep(Struct, frozen=True):
    """What a run makes of the memory: all that the next run, and a replay, need of it."""

    taken_at: datetime
    generation: int
    ledger: ledger.LedgerState
    carried: PreviousRun
    gap: Gap

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """Every condition after this run."""
        return self.ledger.conditions

    def list_events(self, *, resolved: bool) -> tuple[Event, ...]:
        """Return the events that are due to any channel, worst first: those that are over, or the others."""
        by_signature: dict[str, Event] = {}
        for notices in self.ledger.due_notices.values():
            for notice in notices:
                if (notice.reason in _RESOLVED_REASONS) is resolved:
                    by_signature.setdefault(notice.condition.signature, build_notice_event(notice))
        return tuple(sorted(by_signature.values(), key=get_rank_key))


def advance_memory(
    snapshot: Snapshot,
    previous: Memory,
    settings: Settings,
    judgement: Judgement,
    channels: Collection[str] | Mapping[str, Rung] = (STDOUT,),
) -> RunStep:
    """Return the conditions, notices and memory after a snapshot that was judged with `previous`."""
    facts, generation = judgement.facts, previous.generation + 1
    run_context = ledger.RunContext(
        snapshot.taken_at,
        settings,
        generation=generation,
        is_new_snapshot=previous.taken_at is None or snapshot.taken_at > previous.taken_at,
        has_memory=previous.kept,
        rungs=channels if isinstance(channels, Mapping) else {},
        sections=list_lane_sections(facts),
    )
    mutes = _get_files(settings).mutes
    state = ledger.advance(previous.conditions, judgement, run_context, tuple(channels), mutes)
    carried, gap = _build_previous_run(facts, settings), _measure_gap(previous, facts, settings)
    return RunStep(snapshot.taken_at, generation, state, carried, gap)


@lru_cache(maxsize=16)
def list_rules(settings: Settings) -> tuple[Rule, ...]:
    """Return the rules of the program and those of the profile."""
    rules, own = load_rules(), _get_files(settings).profile.rules
    return (*rules, *(build_engine_rule(rule, len(rules) + index) for index, rule in enumerate(own)))


def list_signals_off(settings: Settings) -> frozenset[str]:
    """Return the golden signals that this runtime does not have, by its settings and its profile."""
    names = (*settings[SIGNALS_OFF], *_get_files(settings).profile.signals_off)
    return frozenset(map(get_signal_name, names))


def gather(
    snapshot: Snapshot,
    settings: Settings,
    previous_run: PreviousRun = NO_PREVIOUS_RUN,
    shared: SharedReadings | None = None,
) -> Facts:
    """Return the facts of a snapshot as `evaluate` judges them."""
    files = _get_files(settings)
    facts = gather_facts(snapshot, ReadContext(settings, files.profile, previous_run), files.closures, shared)
    return add_lost_facts(facts, settings, list_signals_off(settings))


def judge(
    snapshot: Snapshot,
    settings: Settings,
    previous_run: PreviousRun = NO_PREVIOUS_RUN,
    rules: Sequence[Rule] | None = None,
    shared: SharedReadings | None = None,
) -> Judgement:
    """Return the outcome of every rule on a snapshot; `rules` replaces the catalog's."""
    facts = gather(snapshot, settings, previous_run, shared)
    return engine.run_rules(list_rules(settings) if rules is None else rules, facts, settings)


def decide(conditions: Iterable[Condition]) -> Decision:
    """Return the decision over all conditions that hold now, held ones included.

    Escalate where one lasted as long as its rule declares; notify for anything else; never stop for less.
    """
    active = [condition for condition in conditions if condition.is_active]
    escalated = tuple(sorted(condition.signature for condition in active if condition.escalated))
    if escalated:
        return Decision("escalate", escalated, APPROVAL)
    if active:
        return Decision("notify", tuple(sorted(condition.signature for condition in active)))
    return Decision("observe")


def _build_snapshot_copy(snapshot: Snapshot) -> dict[str, object]:
    """Return the snapshot as the artifact stores it, without the previous artifact."""
    sections = {name: section for name, section in snapshot.sections.items() if name != "previous"}
    return {"taken_at": snapshot.taken_at, "runtime": snapshot.runtime, **sections}


def _measure_gap(previous: Memory, facts: Facts, settings: Settings) -> Gap:
    if previous.taken_at is None:
        return Gap()
    seconds = compute_seconds(previous.taken_at, facts.taken_at)
    timetable: Timetable | None = settings.files.get(SCHEDULE.name)
    missed = timetable.count_missed(previous.taken_at, facts.taken_at) if timetable is not None else None
    return Gap(seconds, facts.open_unwatched, seconds > settings[GAP_SEC], missed)


def _build_previous_run(facts: Facts, settings: Settings) -> PreviousRun:
    """Return this run's values for the rules of the next run."""
    previous = facts.before
    open_now = facts.exposure
    prices, prices_at = build_price_memory(facts)
    return PreviousRun(
        open_positions=previous.open_positions if open_now is None else open_now,
        positions_at=previous.positions_at if open_now is None else facts.taken_at,
        noticed_gap=facts.measure_gap(settings[GAP_SEC]) or previous.noticed_gap,
        prices=prices,
        prices_at=prices_at,
        closed=build_closed_memory(facts),
        logs=build_log_memory(facts, settings),
        lanes=update_lanes(previous.lanes, facts.lane, facts.seen, facts.taken_at),
        contents=update_contents(previous.contents, facts.contents, facts.taken_at),
        sections=tuple(sorted({*facts.sections, *facts.sources})),
        lineage=previous.lineage,
    )
