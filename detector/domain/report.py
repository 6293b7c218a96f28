"""The report of one run, which is the artifact too: what a run writes is what the next one reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from detector.domain.channel_health import ChannelHealth
from detector.domain.condition import Condition, Notice
from detector.domain.event import Event
from detector.domain.previous_run import PreviousRun
from detector.domain.session_day import SessionDay

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """The time since the previous run, in seconds, and how much of it was regular session; null on a first run.

    `exceeded` says that it was longer than `AEGIS_PT_GAP_SEC`: nobody looked. `windows_missed` are the scheduled
    windows that began and were given up in it, null where `AEGIS_PT_SCHEDULE` names no schedule.
    """

    seconds: int | float | None = None
    session_seconds: int | float | None = None
    exceeded: bool = False
    windows_missed: int | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Which run this was: its lane, id and attempt, where a scheduler says so."""

    lane: str | None = None
    run_id: str | None = None
    attempt: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one evaluation found; `owed` is by channel and not part of the artifact."""

    generation: int
    taken_at: datetime
    runtime: str
    decision: Any
    events: tuple[Event, ...]
    new_events: tuple[Event, ...]
    resolved_events: tuple[Event, ...]
    held: tuple[str, ...]
    muted: tuple[str, ...]
    coverage: tuple[Any, ...]
    sources: Mapping[str, Any]
    conditions: Mapping[str, Condition]
    carried: PreviousRun
    channels: Mapping[str, ChannelHealth]
    gap: Gap
    sessions: tuple[SessionDay, ...] = ()
    unread: tuple[str, ...] = ()
    run: RunInfo = RunInfo()
    snapshot: Mapping[str, Any] | None = None
    owed: Mapping[str, tuple[Notice, ...]] = field(default_factory=dict)
