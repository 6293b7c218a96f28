"""The values that log lines become: a LogEvent a line, a LogIncident an occurrence, a LogHistory a run.

The same line read again in the next run gives an equal LogEvent. A LogIncident groups the events of one
occurrence; a lost link or a broken farm stays open until its recovery is logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from msgspec import Struct, field

# The kinds of LogEvent.
LINK_LOST, LINK_RESTORED, LINK_SEEN = "link lost", "link back", "link seen"
FARM_DOWN, FARM_UP, ALL_FARMS_UP, STREAM_DEAD = "farm down", "farm up", "all farms up", "stream dead"
SESSION_CONFLICT, DISCLAIMER = "session conflict", "disclaimer"
SEVERE, GATEWAY_FAILED, CONNECT_FAILED, CONNECTED, LOGGED_IN = (
    "severe", "gateway failed", "not reached", "connected", "logged in"
)  # fmt: skip
MARGIN, OUTCOME_UNKNOWN, UNKNOWN_FILL = "margin", "outcome unknown", "unknown fill"
FILLED_FIRST = "filled first"  # the cancel of an order was answered with its fill
TRADING_BLOCKED, TRADING_ALLOWED, ORDER_REJECTED, ORDER_WORKING = (
    "trading blocked", "trading allowed", "order rejected", "order working"
)  # fmt: skip
NOT_ENTITLED, THROTTLED, HOST_EXHAUSTED, UNSUPPORTED = (
    "data not entitled", "throttled", "host exhausted", "unsupported"
)  # fmt: skip
GATEWAY_STARTED = "gateway started"
LOGIN_DUE, SECOND_FACTOR_ASKED = "login due", "second factor asked"
REFUSED, TIMED_OUT = "connection refused", "timeout on connecting"
RESTART_TIME = "restart time"  # the launcher's planned restart each day: its local time, "" for none
RECONCILED, MISMATCH, PROOF_DUE = "proven", "differs", "owes a proof"

# The kinds of LogIncident that are no kind of LogEvent.
LINK, FARM, GATEWAY = "link", "farm", "gateway"

_ENDED_BY_RECOVERY: Final = (LINK, FARM, GATEWAY, TRADING_BLOCKED, LOGIN_DUE)

MAX_NEWS_AGE: Final = timedelta(seconds=3600)
"""The greatest age at which a run without a memory still reports an occurrence as new."""

DATA_LOST: Final = "data lost"
RECONNECT: Final = "reconnect"
BY_RUNTIME: Final = "runtime"  # an outage of the link that the runtime's own flag ended, and no line
CLIENT_ID_NOTE: Final = "client id in use"
ID_PROBE: Final = "asking"  # a client that only checks whether its id is in use
UNSUPPORTED_NOW: Final = "now"  # the key of a version that is unsupported already
UNNAMED: Final = "unnamed"  # the subject where a line names no order and no farm


class LogEvent(Struct, frozen=True):
    """One event that a line reports: its time and kind, the farm, order or form (`key`), a text (`note`).

    `line` distinguishes two lines of the same moment; `farms` are those listed as not connected.
    """

    at: datetime
    kind: str
    key: str = ""
    note: str = ""
    line: str = ""
    farms: tuple[str, ...] = ()


class LogIncident(Struct, frozen=True):
    """One occurrence: the times of its first line, of the line that completed it (`at`), of its latest line.

    `until` is the time of the recovery that ended it, None while it is open or where its kind has no
    recovery. `alone` marks a restored link whose loss was not logged.
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
        """Whether only a recovery can end it and none was logged."""
        return self.kind in _ENDED_BY_RECOVERY and self.until is None

    @property
    def is_seen_linked(self) -> bool:
        """Whether the runtime was seen linked again, and no line of the log ended it."""
        return self.kind == LINK and self.key == BY_RUNTIME

    @property
    def is_stream(self) -> bool:
        """Whether it is the death of live streams, which no recovery ends."""
        return self.kind == STREAM_DEAD


class LogMemory(Struct, frozen=True):
    """The facts about this run's lines that the next run needs; small and bounded.

    Lines were read without a hole from `since` to `to`; `newest` is the time of the newest line. `tail`
    holds the digests of the last lines, by which the next run recognises lines without a time; `whole` is
    True where these were all the lines. `ending` is the state after the last line. `verdict` is the newest
    event on reconciliation. `linked_at` is the first run that saw the link up after a loss that is open.
    """

    to: datetime
    since: datetime
    newest: datetime | None = None
    linked_at: datetime | None = None
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


class LineCounts(Struct, frozen=True):
    """The lines of one reading: how many there are, have a text, and have a time; the dialects.

    A dialect names a line's outermost wrapper: `plain`, `prefixed`, `json`, `logfmt`, `other`.
    """

    read: int = 0
    with_text: int = 0
    with_time: int = 0
    dialects: Mapping[str, int] = field(default_factory=dict)


class LogHistory(Struct, frozen=True, dict=True):
    """The log events of a run, together with those that earlier runs carried over.

    `events` are those of this run and the ungrouped ones of earlier runs, by time. `newest` is the time of
    the newest line of any run, `previous_newest` that of the newest line before this run: a later line is
    new whatever its age.
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
    counts: LineCounts = LineCounts()

    def has_any(self, *kinds: str) -> bool:
        """Return whether there is an event of these kinds, or an incident that earlier runs carried over."""
        return not self._kinds.isdisjoint(kinds)

    def list_carried(self, *kinds: str) -> list[LogIncident]:
        """Return the incidents of these kinds that earlier runs carried over."""
        return [incident for incident in self.memory.spells if incident.kind in kinds] if self.memory else []

    def list_events(self, *kinds: str) -> list[LogEvent]:
        """Return the events of these kinds in their order."""
        if len(kinds) == 1:
            return list(self._events_by_kind.get(kinds[0], ()))
        return [event for event in self.events if event.kind in kinds] if self.has_any(*kinds) else []

    @cached_property
    def _events_by_kind(self) -> dict[str, list[LogEvent]]:
        by_kind: dict[str, list[LogEvent]] = {}
        for event in self.events:
            by_kind.setdefault(event.kind, []).append(event)
        return by_kind

    @cached_property
    def _kinds(self) -> frozenset[str]:
        carried = self.memory.spells if self.memory else ()
        return frozenset([*self._events_by_kind, *(incident.kind for incident in carried)])

    def is_news(self, at: datetime, oldest: datetime) -> bool:
        """Whether an occurrence of that time is new: not before `oldest`, or later than all earlier lines."""
        return at >= oldest or (self.previous_newest is not None and at > self.previous_newest)
