"""What log lines say, as values: one mark a line, one spell an occurrence, one log book a run.

A mark is stable: the same line read again in the next run is the same mark. A spell is lines that are one
occurrence; those that end by a counterpart (a lost link, a broken farm) stay open until it is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# What a line can say.
LINK_LOST, LINK_RESTORED = "link lost", "link back"
FARM_DOWN, FARM_UP, ALL_FARMS_UP, STREAM_DEAD = "farm down", "farm up", "all farms up", "stream dead"
SESSION_CONFLICT, DISCLAIMER = "session conflict", "disclaimer"
SEVERE, GATEWAY_FAILED, CONNECT_FAILED, CONNECTED, LOGGED_IN = (
    "severe", "gateway failed", "not reached", "connected", "logged in"
)  # fmt: skip
MARGIN, OUTCOME_UNKNOWN, UNKNOWN_FILL = "margin", "outcome unknown", "unknown fill"
RECONCILED, MISMATCH, PROOF_DUE = "proven", "differs", "owes a proof"

# What a spell is about, where that is no kind of mark.
LINK, FARM, GATEWAY = "link", "farm", "gateway"

MAX_NEWS_AGE: Final = timedelta(seconds=3600)
"""How old what happened may be to be told by a run that sees it for the first time without a memory."""

DATA_LOST: Final = "data lost"
RECONNECT: Final = "reconnect"
ID_PROBE: Final = "asking"  # a client that only asks whether its id is in use
UNNAMED: Final = "unnamed"  # the subject where a line names no order and no farm


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One thing that one line says, and when: of which farm, order or form (`key`), in which words (`note`).

    `line` tells two lines of the same moment apart; `farms` are those listed as not connected.
    """

    at: datetime
    kind: str
    key: str = ""
    note: str = ""
    line: str = ""
    farms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogIncident:
    """One occurrence: its first line, the line that made it one (`at`), its latest line, and its end.

    `until` is the counterpart that ended it; None where it is still open or has none. `alone` is a
    restored link of which no loss was seen.
    """

    kind: str
    since: datetime
    at: datetime
    last: datetime
    until: datetime | None = None
    key: str = ""
    note: str = ""
    farms: tuple[str, ...] = ()
    data_lost: bool = False
    alone: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it ends by a counterpart only, and none was seen."""
        return self.kind in (LINK, FARM) and self.until is None

    @property
    def is_stream(self) -> bool:
        """Whether it is the death of live streams, which no counterpart ends."""
        return self.kind == STREAM_DEAD


@dataclass(frozen=True, slots=True)
class LogMemory:
    """What the next run must know of the lines that this one saw; small and bounded.

    `to` is up to when lines were seen, `since` from when on without a hole, `newest` the time of the newest
    line. `tail` are digests of the last lines, so that lines without a time are known again, and `whole`
    that they were all there were; `ending` is what the last line leaves open for the next. `verdict` is the
    newest line on reconciliation.
    """

    to: datetime
    since: datetime
    newest: datetime | None = None
    spells: tuple[LogIncident, ...] = ()
    marks: tuple[LogEvent, ...] = ()
    starts: tuple[datetime, ...] = ()
    engine_started_at: datetime | None = None
    verdict: LogEvent | None = None
    proven_at: datetime | None = None
    owed_at: datetime | None = None
    tail: tuple[str, ...] = ()
    whole: bool = False
    ending: str = ""


@dataclass(frozen=True, slots=True)
class LogHistory:
    """The log lines of a run, together with what earlier runs carried over.

    `marks` are those of this run and the loose ones of earlier runs, in their order. `newest` is the time of
    the newest line, now or before. `seen_to` is that of the previous run: what is later is news however old.
    """

    to: datetime
    since: datetime
    newest: datetime | None = None
    previous_newest: datetime | None = None
    events: tuple[LogEvent, ...] = ()
    memory: LogMemory | None = None
    verdict: LogEvent | None = None
    proven_at: datetime | None = None
    proof_due_since: datetime | None = None
    tail: tuple[str, ...] = ()
    whole: bool = False
    ending: str = ""

    def list_carried(self, *kinds: str) -> list[LogIncident]:
        """Return the spells of these kinds that earlier runs carried over."""
        return [incident for incident in self.memory.spells if incident.kind in kinds] if self.memory else []

    def list_events(self, *kinds: str) -> list[LogEvent]:
        """Return the marks of these kinds in their order."""
        return [event for event in self.events if event.kind in kinds]

    def is_news(self, at: datetime, oldest: datetime) -> bool:
        """Whether something of that time is told: it is recent, or no run saw that far before."""
        return at >= oldest or (self.previous_newest is not None and at > self.previous_newest)
