"""The runtime's log lines out of CloudWatch, newest stretch first, bounded in time, lines and bytes.

Shape: CloudWatch Logs API reference, FilterLogEvents. It answers oldest first and cannot be turned around, so
that the window is read in stretches, the newest one first: what is cut is the oldest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from detector.collectors._source import Answer, Ask, Offer, Source, picked
from detector.engine.catalog import load_rules
from detector.formats.edge_error import THROTTLED, TIMEOUT, EdgeError
from detector.formats.times import span, text_of
from detector.settings import AWS_ACCOUNT, AWS_AMBIENT, AWS_PROFILE, AWS_REGION, LOG_GROUP, Setting, Settings

if TYPE_CHECKING:
    from detector.clients.aws import Aws

OFFERS = (
    Offer(
        "logs",
        (LOG_GROUP, AWS_REGION, AWS_PROFILE, AWS_AMBIENT, AWS_ACCOUNT),
        "lost connectivity, session conflicts, severe bursts, and the proof that positions reconcile",
    ),
)
_MOST = timedelta(hours=6)
_STRETCH = timedelta(minutes=15)  # the newest; each older one is as long as all before it together
_LATE = timedelta(seconds=120)  # lines reach CloudWatch this late
_MILLISECOND = timedelta(milliseconds=1)
_MOST_EVENTS, _MOST_BYTES = 20_000, 6 * 1024 * 1024
_PAGE = 10_000  # FilterLogEvents gives no more at once
_KEPT = ("timestamp", "message", "logStreamName")


def sources(settings: Settings) -> Iterator[Source]:
    """Yield the log group, where it is named."""
    if settings[LOG_GROUP]:
        yield Source("logs", LOG_GROUP, f"log group {settings[LOG_GROUP]}", _read, AWS_REGION)


def look_back(settings: Settings) -> timedelta:
    """Return the longest time that a rule looks back in the logs."""
    declared = (one.declaration.reads_back for one in load_rules())
    return timedelta(seconds=max(settings[back] if isinstance(back, Setting) else back for back in declared))


def begins(ask: Ask, now: datetime) -> datetime:
    """Return from when lines are wanted: since they were last seen, or what the rules look back, at most 6 h."""
    wanted = look_back(ask.settings)
    if ask.logs_missed:
        wanted = _MOST
    elif ask.logs_since is not None:
        wanted = max(wanted, now - ask.logs_since + _LATE)
    return now - min(wanted, _MOST)


def must_reach(ask: Ask, wanted: datetime) -> datetime:
    """Return back to when lines must have been read for none to be lost between two runs."""
    if ask.logs_since is None or ask.logs_missed:
        return wanted
    return max(wanted, ask.logs_since - _LATE)


class _Lines:
    """The lines of one or more stretches, and whether there is room for more."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether a bound is reached."""
        return len(self.events) >= _MOST_EVENTS or self._bytes >= _MOST_BYTES

    def add(self, event: dict[str, Any]) -> None:
        """Keep one line."""
        self._bytes += len(event.get("message", "")) + len(event.get("logStreamName", ""))
        self.events.append(picked(event, _KEPT))


def _read(ask: Ask) -> Answer:
    """Read the newest stretch, then older ones for as long as there is room and time.

    `truncated` says that lines are missing which no other run has seen or will see.
    """
    aws, now = ask.aws(), ask.clock()
    aws.check_account()
    wanted = begins(ask, now)
    lines = _Lines()
    since = max(wanted, now - _STRETCH)
    to = _stretch(aws, ask, (since, now), lines) or now
    events = list(lines.events)
    while since > wanted and to == now:
        start, before = max(wanted, now - 2 * (now - since)), len(lines.events)
        if not _fits(aws, ask, (start, since - _MILLISECOND), lines):
            break
        since, events = start, lines.events[before:] + events
    truncated = to < now or since > must_reach(ask, wanted)
    section = {"events": events, "from": text_of(since), "to": text_of(to), "truncated": truncated}
    short = to < now or since > wanted
    seen, asked = span((to - since).total_seconds()), span((now - wanted).total_seconds())
    return Answer(
        section, now, f"cut: the lines of {seen}, of {asked} that were asked for" if short else None
    )


def _fits(aws: Aws, ask: Ask, window: tuple[datetime, datetime], lines: _Lines) -> bool:
    """Whether an older stretch could be read whole; a part of it would leave a hole behind it."""
    try:
        return _stretch(aws, ask, window, lines) is None
    except EdgeError as error:
        if error.reason in (TIMEOUT, THROTTLED):
            return False
        raise


def _stretch(aws: Aws, ask: Ask, window: tuple[datetime, datetime], lines: _Lines) -> datetime | None:
    """Read one stretch into `lines`; return None where it was read whole, else the time of its last line read."""
    more: dict[str, str] = {}
    while True:
        answer = aws.call(
            "logs",
            "filter_log_events",
            "events",
            logGroupName=ask.settings[LOG_GROUP],
            startTime=_milliseconds(window[0]),
            endTime=_milliseconds(window[1]),
            limit=_PAGE,
            **more,
        )
        for event in answer["events"]:
            if lines.full:
                return _time_of(lines.events[-1], window[1])
            lines.add(event)
        if not answer.get("nextToken"):
            return None
        if lines.full:
            return _time_of(lines.events[-1], window[1])
        more = {"nextToken": answer["nextToken"]}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _time_of(event: dict[str, Any], other: datetime) -> datetime:
    stamp = event.get("timestamp")
    return datetime.fromtimestamp(stamp / 1000, other.tzinfo) if isinstance(stamp, int) else other
