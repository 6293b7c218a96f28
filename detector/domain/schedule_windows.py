"""A schedule and what came of it: lanes, their windows, the runs, and what each window is judged to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

SCHEDULE, DISPATCH = "schedule", "dispatch"
COVERED, LATE, MISSING, PENDING, UNKNOWN = "covered", "late", "missing", "pending", "unknown"
STATES: Final = (COVERED, LATE, MISSING, PENDING, UNKNOWN)
"""What a window is, exactly one of them. Only `covered` says that somebody looked in time."""

TRIGGER_EVENTS: Final = {SCHEDULE: "schedule", DISPATCH: "repository_dispatch"}
"""GitHub's word for what begins the runs of such a lane."""

NO_RUN, IN_GRACE, RUNNING, STUCK, RERUN = "no run", "in grace", "running", "stuck", "re-run"

UNATTENDED_EVENTS: Final = tuple(TRIGGER_EVENTS.values())
"""The events that count: a run that a person started may be one of a branch under test, so it answers no window."""

TITLE_PREFIX: Final = "PT health | "
"""What the shipped workflow's run-name puts before the lane; the Worker knows its own runs by it."""

SUCCESS: Final = "success"
COMPLETED: Final = "completed"


@dataclass(frozen=True, slots=True)
class StandBy:
    """How an external scheduler holds back: it fires only where nothing else did.

    A successful run of another's created within `period` before its tick, or one that is under way and not older
    than `on_its_way`, lets it stand by. Its own runs answer the tick that sent them, never the next. After
    `until`, a time of day in UTC, no tick follows that could make it good: there only a success counts.
    """

    period: timedelta
    max_running_age: timedelta
    until: timedelta


@dataclass(frozen=True, slots=True)
class Lane:
    """One cron expression that is meant to begin runs.

    `name` is what a run's title says after its beginning, `trigger` SCHEDULE or DISPATCH, `cron` the expression as it was written,
    `fires` the same for cronsim (0 is Sunday), `zone` the IANA zone in which it is meant.
    """

    name: str
    trigger: str
    cron: str
    fires: str
    zone: str = "UTC"
    stand_by: StandBy | None = None


class Timetable(Protocol):
    """What the door makes of the schedule that `AEGIS_PT_SCHEDULE` names."""

    def count_missed(self, since: datetime, until: datetime) -> int | None:
        """Return how many windows had neither run, at `since` and `until`, and no time left for another between."""


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One run of the workflow, as GitHub lists it; `conclusion` is None while it is not completed.

    `created_at` stays when it is run again; `started_at` and `conclusion` are then those of the last attempt.
    `updated_at` is when GitHub last wrote about it, for a completed run about its end.
    """

    created_at: datetime
    event: str
    title: str
    status: str
    conclusion: str | None
    attempt: int = 1
    started_at: datetime | None = None
    updated_at: datetime | None = None
    number: int | None = None

    @property
    def is_successful(self) -> bool:
        """Whether its last attempt ended well."""
        return self.status == COMPLETED and self.conclusion == SUCCESS

    @property
    def is_unattended(self) -> bool:
        """Whether a scheduler began it."""
        return self.event in UNATTENDED_EVENTS

    @property
    def attempt_started_at(self) -> datetime | None:
        """When its last attempt began to look; None where a re-run does not say."""
        return self.created_at if self.attempt == 1 else self.started_at


@dataclass(frozen=True, slots=True)
class UnreadSpan:
    """A span [`start`, `end`] of which not every run was listed, and why; `reason` is the edge's, where it was one."""

    start: datetime
    end: datetime
    why: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleWindow:
    """One window of a lane: its time, its state, why, and the run that answered it, if one did.

    `day` is the market's day: `session`, `half day`, `holiday`, `weekend`, or None where the calendar cannot say;
    `in_session` whether the regular session was open at its time.
    """

    at: datetime
    state: str
    why: str
    run: WorkflowRun | None = None
    day_kind: str | None = None
    in_session: bool | None = None


@dataclass(frozen=True, slots=True)
class LaneReport:
    """A lane, or the union of all of them, over a range of time.

    `stood_by` are the ticks at which an external scheduler had nothing to do: they are no windows.
    `longest_gap` is None where nothing was expected, or not all of it could be read.
    """

    name: str
    trigger: str
    cron: str | None
    zone: str
    windows: tuple[ScheduleWindow, ...]
    longest_gap: timedelta | None
    stood_by: tuple[datetime, ...] = ()

    def count(self, state: str) -> int:
        """Return how many windows are in that state."""
        return sum(1 for window in self.windows if window.state == state)


@dataclass(frozen=True, slots=True)
class Scope:
    """By what is judged: `grace` after a window, `now`, what was not read, how titles begin, and two allowances.

    `skew` is how far another clock may be from GitHub's: a run of a lane outside GitHub may be created so much
    before its window, and our own `now` may run so much ahead. GitHub's own lanes get none, because a run just
    before a window of theirs is a late one of the window before. A run that is not completed `stuck_after` its
    creation is stuck.
    """

    grace: timedelta
    now: datetime
    skew: timedelta = timedelta(seconds=60)
    stuck_after: timedelta = timedelta(minutes=30)
    unread: tuple[UnreadSpan, ...] = ()
    title_prefix: str = TITLE_PREFIX

    def get_early_allowance(self, trigger: str) -> timedelta:
        """Return how much before its window a run of such a lane may be created."""
        return timedelta() if trigger == SCHEDULE else self.skew

    def is_grace_over(self, window: datetime) -> bool:
        """Whether the window's grace is over, however far our clock is from GitHub's."""
        return self.now > window + self.grace + self.skew

    def find_unread(self, start: datetime, end: datetime) -> UnreadSpan | None:
        """Return what was not read of [start, end], if anything."""
        return next((span for span in self.unread if span.start <= end and span.end >= start), None)

    def is_stuck(self, run: WorkflowRun) -> bool:
        """Whether a run that has not completed should have."""
        return self.now - run.created_at > self.stuck_after


@dataclass(frozen=True, slots=True)
class GapReport:
    """What became of a schedule in [start, end): each lane, and all of them together.

    `others` counts the runs that no lane began, by their title. They are looks in the union alone, and not even
    there where a person began them.
    """

    start: datetime
    end: datetime
    scope: Scope
    lanes: tuple[LaneReport, ...]
    union: LaneReport
    other_runs: Mapping[str, int]

    @property
    def all_lanes(self) -> tuple[LaneReport, ...]:
        """Return the lanes and the union."""
        return (*self.lanes, self.union)

    @property
    def github_suffices(self) -> bool | None:
        """Whether GitHub's schedule covered every window of its own; None where that cannot be told."""
        windows = [window for lane in self.lanes if lane.trigger == SCHEDULE for window in lane.windows]
        states = {window.state for window in windows}
        if states & {MISSING, LATE}:
            return False
        return None if not windows or states & {UNKNOWN, PENDING} else True
