"""The report of one run, which is also the artifact that the next run reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.condition import Condition, Event, Notice
from detector.domain.previous_run import PreviousRun
from detector.domain.provenance import SectionSummary, SourceStatus
from detector.domain.rule import Severity
from detector.formats.times import compute_seconds, format_time


class ChannelError(Struct, frozen=True):
    """Why a channel failed: when, a reason of errors.REASONS, a sentence, since when in a row."""

    at: datetime
    reason: str
    said: str
    since: datetime | None = None

    def join_row(self, earlier: ChannelError | None) -> ChannelError:
        """Return this error as the next one in a row after `earlier`, or as the first where that is None."""
        return replace(self, since=self.at if earlier is None else earlier.since or earlier.at)


class ChannelHealth(Struct, frozen=True):
    """The health of one channel over all runs: `since` is when it accepted its first message.

    `failures` counts the deliveries in a row that did not get through whole. `preopen` is the day, in New
    York, of the latest session before whose open it took the message.
    `cursor` is the last answer of a person that was read from it and whose acknowledgement stands in this
    artifact; `ack_error` is why such answers could not be read, and `ack_failures` how many runs in a row.
    `reported` are the failures, as `list_lasting_failures` names them, that it took a message about.
    """

    since: datetime | None = None
    last_success: datetime | None = None
    last_error: ChannelError | None = None
    failures: int = 0
    preopen: str | None = None
    cursor: int | None = None
    ack_error: ChannelError | None = None
    ack_failures: int = 0
    reported: tuple[str, ...] = ()


_LASTS_FROM = 3  # in a row: half an hour at the usual schedule; shorter failures mostly end by themselves


def list_lasting_failures(channels: Mapping[str, ChannelHealth], receiver: str) -> tuple[str, ...]:
    """Return a name for each failure that a channel has to be sent: the third in a row, or a later one.

    It is that of another channel's deliveries, or of reading the receiver's own acknowledgements.
    """
    own = channels.get(receiver, ChannelHealth())
    errors = {
        name: health.last_error
        for name, health in channels.items()
        if name != receiver and health.failures >= _LASTS_FROM
    }
    errors |= {f"acknowledgements of {receiver}": own.ack_error} if own.ack_failures >= _LASTS_FROM else {}
    return tuple(
        f"{name} {format_time(error.since or error.at)}"
        for name, error in errors.items()
        if error is not None
    )


class SessionDay(Struct, frozen=True):
    """One New York trading day: how many runs it had, what was not seen, what was wrong.

    `day` is its date in New York. `gap_sec` is the longest time between two runs so far; the open counts as
    a run; `gaps` counts those longer than `AEGIS_PT_GAP_SEC`, `gaps_sec` is their sum.
    `unseen` are the golden signals that were not seen, by title, with the number of runs;
    `conditions` the highest severity of each signature that held, `more` the number of further ones. `told`
    are the channels that accepted its summary.
    """

    day: str
    opens: datetime
    closes: datetime
    runs: int = 0
    last_run: datetime | None = None
    gap_sec: float = 0
    gaps: int = 0
    gaps_sec: float = 0
    signals: int = 0
    unseen: dict[str, int] = field(default_factory=dict)
    conditions: dict[str, Severity] = field(default_factory=dict)
    more: int = 0
    told: tuple[str, ...] = ()

    @property
    def longest_gap_sec(self) -> float:
        """The longest time of the whole session without a run."""
        return max(self.gap_sec, compute_seconds(self.last_run or self.opens, self.closes))


SCHEMA_VERSION = 1


class Gap(Struct, frozen=True):
    """The seconds since the previous run, and those of them in the regular session; null on a first run.

    `exceeded`: it was longer than `AEGIS_PT_GAP_SEC`. `windows_missed` counts the scheduled windows without a
    run in it; null where `AEGIS_PT_SCHEDULE` names no schedule.
    """

    seconds: int | float | None = None
    session_seconds: int | float | None = None
    exceeded: bool = False
    windows_missed: int | None = None


class RunInfo(Struct, frozen=True):
    """The run's identity: its lane, id and attempt, where a scheduler gives them."""

    lane: str | None = None
    run_id: str | None = None
    attempt: int | None = None
    source: str | None = None


class Decision(Struct, frozen=True):
    """What to do, and the signatures of the conditions behind it; `note` ends the text of an escalation."""

    action: Literal["observe", "notify", "escalate"]
    because: tuple[str, ...] = ()
    note: str | None = None


class SignalCoverage(Struct, frozen=True):
    """The state of one golden signal in this run."""

    signal: str
    title: str
    state: Literal["ok", "firing", "not seen"]
    why: str = ""


class Report(Struct, frozen=True):
    """The result of one evaluation; `owed` (notices that are due, by channel) is not part of the artifact.

    `foreign` are the broker's positions that were counted as the owner's. `reading` is what was made of each
    section; `checked` counts the rules that were judged on its facts. `overrides` are the owner's
    orders that narrow what is watched today, `warnings` mutes and settings that do nothing.
    """

    generation: int
    taken_at: datetime
    runtime: str
    decision: Decision
    events: tuple[Event, ...]
    new_events: tuple[Event, ...]
    resolved_events: tuple[Event, ...]
    held: tuple[str, ...]
    muted: tuple[str, ...]
    coverage: tuple[SignalCoverage, ...]
    sources: Mapping[str, SourceStatus]
    conditions: Mapping[str, Condition]
    carried: PreviousRun
    channels: Mapping[str, ChannelHealth]
    gap: Gap
    sessions: tuple[SessionDay, ...] = ()
    foreign: tuple[str, ...] = ()
    reading: tuple[SectionSummary, ...] = ()
    checked: int = 0
    overrides: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def unseen_signals(self) -> list[str]:
        """The titles of the golden signals that the run did not see."""
        return [covered.title for covered in self.coverage if covered.state == "not seen"]

    run: RunInfo = RunInfo()
    snapshot: Mapping[str, object] | None = None
    owed: Mapping[str, tuple[Notice, ...]] = field(default_factory=dict)
