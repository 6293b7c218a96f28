"""A schedule and its runs: lanes, their windows, the workflow's runs, and each window's state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from msgspec import Struct

SCHEDULE, DISPATCH = "schedule", "dispatch"
COVERED, LATE, MISSING, PENDING, UNKNOWN = "covered", "late", "missing", "pending", "unknown"
STATES: Final = (COVERED, LATE, MISSING, PENDING, UNKNOWN)
"""A window's state, exactly one of these. Only `covered` means that a run came in time."""

TRIGGER_EVENTS: Final = {SCHEDULE: "schedule", DISPATCH: "repository_dispatch"}
"""GitHub's event name for the runs of such a lane."""

NO_RUN, IN_GRACE, RUNNING, STUCK, RERUN = "no run", "in grace", "running", "stuck", "re-run"

UNATTENDED_EVENTS: Final = tuple(TRIGGER_EVENTS.values())
"""The events that count: a person's run may be of a branch under test, so it covers no window."""

WORKFLOW: Final = ".github/workflows/notify-aws-ibkr-pt-health.yml"
"""The shipped workflow."""

TITLE_PREFIX: Final = "PT health | "
"""What the shipped workflow's run-name puts before the lane; the Worker knows its own runs by it."""

SUCCESS: Final = "success"
COMPLETED: Final = "completed"


class StandBy(Struct, frozen=True):
    """How an external scheduler holds back: it fires only where nothing else did.

    It stands by where another lane's run succeeded within `period` before its tick, or is running and not
    older than `max_running_age`. Its own runs cover the tick that sent them, never the next. After `until`, a
    time of day in UTC, no later tick could retry: from then on only a success counts.
    """

    period: timedelta
    max_running_age: timedelta
    until: timedelta


class Lane(Struct, frozen=True):
    """One cron expression that is meant to begin runs.

    `name` is the run's title after its prefix, `trigger` SCHEDULE or DISPATCH, `cron` the expression as
    written, `fires` the same for cronsim (0 is Sunday), `zone` its IANA zone.
    """

    name: str
    trigger: str
    cron: str
    fires: str
    zone: str = "UTC"
    stand_by: StandBy | None = None


class Timetable(Protocol):
    """The timetable of the schedule that `AEGIS_PT_SCHEDULE` names."""

    def count_missed(self, since: datetime, until: datetime) -> int | None:
        """Return the number of windows that neither the run at `since` nor the run at `until` can cover."""


class WorkflowRun(Struct, frozen=True):
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
        """Whether its last attempt succeeded."""
        return self.status == COMPLETED and self.conclusion == SUCCESS

    @property
    def is_unattended(self) -> bool:
        """Whether a scheduler began it."""
        return self.event in UNATTENDED_EVENTS

    @property
    def attempt_started_at(self) -> datetime | None:
        """The start of its last attempt; None where a re-run does not give it."""
        return self.created_at if self.attempt == 1 else self.started_at


class UnreadSpan(Struct, frozen=True):
    """A span [`start`, `end`] whose runs were not all listed: why, and a reason of errors.REASONS or ''."""

    start: datetime
    end: datetime
    why: str
    reason: str = ""


class ScheduleWindow(Struct, frozen=True):
    """One window of a lane: its time, its state, why, and the run that covered it, if any.

    `day_kind` is `session`, `half day`, `holiday`, `weekend`, or None where the calendar does not know;
    `in_session`: whether the regular session was open at its time.
    """

    at: datetime
    state: str
    why: str
    run: WorkflowRun | None = None
    day_kind: str | None = None
    in_session: bool | None = None


class LaneReport(Struct, frozen=True):
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


class Scope(Struct, frozen=True):
    """The parameters of an audit: `grace` after a window, `now`, unread spans, the title prefix, allowances.

    `skew` is how far another clock may be from GitHub's: a run of a lane outside GitHub may be created so
    much before its window, and our own `now` may be so much ahead. GitHub's own lanes have no such allowance,
    because a run just before their window is a late run of the window before. A run that is not completed
    `stuck_after` its creation is stuck.
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


class GapReport(Struct, frozen=True):
    """The audit of a schedule in [start, end): each lane, and all of them together.

    `other_runs` counts the runs of no lane, by their title. They count in the union only, and only if no
    person started them.
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
        """Whether GitHub's schedule covered every window of its own; None where that is unknown."""
        windows = [window for lane in self.lanes if lane.trigger == SCHEDULE for window in lane.windows]
        states = {window.state for window in windows}
        if states & {MISSING, LATE}:
            return False
        return None if not windows or states & {UNKNOWN, PENDING} else True
