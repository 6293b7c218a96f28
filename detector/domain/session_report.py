"""The report of a session: the final line, tables, and the timeline with its series, bars and marks."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

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
    ESCALATE: "Deploy, restart, scale and close nothing by yourself, and wake whoever may approve it.",
}


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
    """One part of the report as a table; `missing` is why it has no rows, and then it is NOT PROVEN.

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
    """A condition over time, or a stretch in which nobody looked (severity `blind`)."""

    label: str
    severity: Literal["warning", "critical", "blind"]
    start: datetime
    end: datetime
    is_open: bool = False


class Mark(Struct, frozen=True):
    """A message that a channel took."""

    at: datetime
    channel: str
    label: str


class ConditionCard(Struct, frozen=True):
    """A condition that holds now: its sentence, its start, whether it is seen, and what to do about it.

    `acknowledged` is who has it until when, by its newest acknowledgement.
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


class SessionReport(Struct, frozen=True):
    """The report of one runtime's session; `market` is its state at the newest run.

    `begins` and `ends` bound the timeline; the session's own hours are None where there is none.
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

    @property
    def is_replayed(self) -> bool:
        """Whether messages of it were due and not sent, because snapshots were evaluated for it."""
        return any(mark.channel == REPLAY for mark in self.marks)
