"""The report of a session: the final line, tables, and the timeline with its series, bars and marks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from detector.domain.condition import Phase
from detector.domain.gate_report import TruthHeader

FinalWord = Literal["continue", "notify", "stop and escalate"]
CONTINUE: Final[FinalWord] = "continue"
NOTIFY: Final[FinalWord] = "notify"
ESCALATE: Final[FinalWord] = "stop and escalate"
NOT_PROVEN: Final = "NOT PROVEN"
REPORT_VERSION: Final = 1
REPLAY: Final = "replay"
"""The channel of snapshots that are evaluated for the report: nobody was alerted by it."""
_MEANINGS: Final = {
    CONTINUE: "Keep observing: nothing has to be done.",
    NOTIFY: "Report it to whoever answers for the runtime; nothing has to be stopped.",
    ESCALATE: "Wake the person who may approve a stop. Do not stop the bot yourself:"
    " deploy, restart, scale and close nothing without that approval.",
}

WORDS: Final[Mapping[str, str]] = {
    "run": "one look at the runtime: it reads what it can, and says what is wrong",
    "golden signals": "the eleven things that a run must see before it may call the runtime healthy",
    "not seen": "in nothing that the run could read; never taken for zero, for none or for well",
    NOT_PROVEN: "not seen, so that it is neither known to be well nor known to be wrong",
    "condition": "one problem over time; its name (type:runtime:subject) stays the same",
    "first seen by a run": "when the first run saw it; it may have begun before, when no run looked",
    "holds": "the newest run saw it",
    "happened": "it is over by itself, and stays listed for a while because somebody has to look into it",
    "held": "wrong when it was last seen, and not seen now; it counts as wrong until it is seen to be good",
    "good since …, not confirmed yet": "seen good again; it is resolved when a second look confirms it",
    "not carried on": "good again before anybody was alerted; or the memory was lost, which a remark says",
    "escalates": "so grave, or wrong for so long, that a person who may approve a stop has to know now",
    "alerted": "the channel accepted the message; due: the time at which one would have been sent",
    "undelivered": "due to a channel that has not accepted it; every run tries again until it does",
    "acknowledged": "somebody has it until the time given; it stays wrong, and reminders wait",
    "channel": "a place that messages go to, such as Slack, e-mail or a phone",
    "blind stretch": "a part of the session in which no run looked, longer than AEGIS_PT_GAP_SEC",
    "lane": "one of the ways by which runs are started: GitHub's schedule, an external trigger, cron",
    "broker truth": "what the broker itself reports, with the time at which it was true",
}
"""What the words of a report mean, for its page and for the documents."""


class FinalLine(Struct, frozen=True):
    """The one final line: what to do, why, and what was not proven."""

    word: FinalWord
    because: str
    unproven: tuple[str, ...] = ()

    @property
    def meaning(self) -> str:
        """What the word asks of its reader, in one sentence."""
        return _MEANINGS[self.word]


class ReportTable(Struct, frozen=True):
    """One part of the report as a table; `missing` is what of it was not seen, and that is NOT PROVEN.

    `is_key` marks the parts that stand on the first screen.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    missing: str | None = None
    is_key: bool = False


class SeriesPoint(Struct, frozen=True):
    """One value of a series; None means that the run did not see it."""

    at: datetime
    value: float | None


class Series(Struct, frozen=True):
    """One fact over the runs, with its limit where it has one."""

    name: str
    title: str
    unit: str
    points: tuple[SeriesPoint, ...]
    limit: float | None = None


class Bar(Struct, frozen=True):
    """A condition over time, or a stretch in which nobody looked (severity `blind`, and no `phase`).

    `state` is what is known of it at the newest run: `good since 2026-06-01T15:40:00Z, not confirmed yet`.
    """

    label: str
    severity: Literal["warning", "critical", "blind"]
    start: datetime
    end: datetime
    is_open: bool = False
    phase: Phase | None = None
    state: str = ""


class Mark(Struct, frozen=True):
    """A message that a channel took."""

    at: datetime
    channel: str
    label: str


class ConditionCard(Struct, frozen=True):
    """A condition that holds now: its sentence, its start, whether it is seen, and what to do about it.

    `acknowledged` is who has it until when, by its newest acknowledgement; `undelivered` which channels have
    not accepted it, since when and why. `last_occurred` is None but for what happens and does not last.
    `gaps` are the session's stretches without a run, where the condition is about them.
    """

    signature: str
    severity: Literal["warning", "critical"]
    summary: str
    since: str
    held: bool
    escalates: bool
    told: str
    step: str
    runbook: str
    acknowledged: str = "by nobody"
    undelivered: str = "nothing"
    first_seen: datetime | None = None
    last_occurred: datetime | None = None
    gaps: str = ""


class SessionReport(Struct, frozen=True):
    """The report of one runtime's session; `market` is its state at the newest run.

    `begins` and `ends` bound the timeline; the session's own hours are None where there is none.
    `open_positions` are what is open by whose word, `working_orders` what works at the broker, `undelivered`
    the messages that no channel has accepted, `recovering` the conditions that are good again and not
    confirmed; each a sentence.
    """

    schema_version: int
    runtime: str
    made_at: datetime
    session: str
    market: str
    session_opens: datetime | None
    session_closes: datetime | None
    begins: datetime
    ends: datetime
    newest_run: datetime | None
    runs: int
    final: FinalLine
    header: TruthHeader
    conditions: tuple[ConditionCard, ...]
    tables: tuple[ReportTable, ...]
    series: tuple[Series, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    remarks: tuple[str, ...]
    open_positions: tuple[str, ...] = ()
    working_orders: tuple[str, ...] = ()
    undelivered: tuple[str, ...] = ()
    recovering: tuple[str, ...] = ()

    @property
    def is_replayed(self) -> bool:
        """Whether messages of it were due and not sent, because snapshots were evaluated for it."""
        return any(mark.channel == REPLAY for mark in self.marks)

    def get_table(self, name: str) -> ReportTable | None:
        """Return the table of that name, or None."""
        return next((table for table in self.tables if table.name == name), None)
