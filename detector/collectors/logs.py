"""Reads the runtime's log lines from CloudWatch, newest stretch first, bounded in time, lines and bytes.

Shape: CloudWatch Logs API reference, FilterLogEvents. It returns the oldest lines first, in no other order.
Therefore the window is read in stretches, the newest one first, so that a limit cuts the oldest lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption, filter_keys
from detector.engine.catalog import load_rules
from detector.formats.errors import THROTTLED, TIMEOUT, ExternalError
from detector.formats.times import format_duration, format_time
from detector.settings import AWS_ACCOUNT, AWS_AMBIENT, AWS_PROFILE, AWS_REGION, LOG_GROUP, Setting, Settings

if TYPE_CHECKING:
    from detector.clients.aws import Aws

OPTIONS = (
    SourceOption(
        "logs",
        (LOG_GROUP, AWS_REGION, AWS_PROFILE, AWS_AMBIENT, AWS_ACCOUNT),
        "lost connectivity, session conflicts, severe bursts, and the proof that positions reconcile"
        " (from a log file of this machine: AEGIS_PT_SECTIONS=logs=FILE)",
    ),
)
_MAX_LOOKBACK = timedelta(hours=6)
_FIRST_STRETCH = timedelta(minutes=15)  # the newest; each older one is as long as all before it together
_INGESTION_DELAY = timedelta(seconds=120)  # lines reach CloudWatch this late
_MILLISECOND = timedelta(milliseconds=1)
_MAX_EVENTS, _MAX_BYTES = 20_000, 6 * 1024 * 1024
_PAGE_SIZE = 10_000  # FilterLogEvents gives no more at once
_OUT_OF_TIME = (TIMEOUT, THROTTLED)
_KEPT_KEYS = ("timestamp", "message", "logStreamName")


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the log group, where its name is set."""
    if settings[LOG_GROUP]:
        yield ConfiguredSource(
            "logs", LOG_GROUP, f"log group {settings[LOG_GROUP]}", _read_log_group, AWS_REGION
        )


def compute_lookback(settings: Settings) -> timedelta:
    """Return the longest time that any rule reads back in the logs."""
    declared = (rule.declaration.reads_back for rule in load_rules())
    return timedelta(seconds=max(settings[back] if isinstance(back, Setting) else back for back in declared))


def compute_start(context: SourceContext, now: datetime) -> datetime:
    """Return the start of the window: the last evaluation, or as far as the rules read back, at most 6 h."""
    lookback = compute_lookback(context.settings)
    if context.logs_missed:
        lookback = _MAX_LOOKBACK
    elif context.logs_since is not None:
        lookback = max(lookback, now - context.logs_since + _INGESTION_DELAY)
    return now - min(lookback, _MAX_LOOKBACK)


def compute_required_start(context: SourceContext, start: datetime) -> datetime:
    """Return the latest start of the window with which no line is lost between two runs."""
    if context.logs_since is None or context.logs_missed:
        return start
    return max(start, context.logs_since - _INGESTION_DELAY)


class _LineBuffer:
    """The lines of one or more stretches, up to the limits."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether a limit is reached."""
        return len(self.events) >= _MAX_EVENTS or self._bytes >= _MAX_BYTES

    def add(self, event: dict[str, Any]) -> None:
        """Keep one line."""
        self._bytes += len(event.get("message", "")) + len(event.get("logStreamName", ""))
        self.events.append(filter_keys(event, _KEPT_KEYS))


def _read_log_group(context: SourceContext) -> Answer:
    """Read the newest stretch, then older ones until a limit or the deadline.

    `truncated` is true where lines are missing that no other run has read or will read.
    """
    aws, now = context.open_aws(), context.clock()
    aws.check_account()
    wanted_since = compute_start(context, now)
    lines = _LineBuffer()
    since = max(wanted_since, now - _FIRST_STRETCH)
    read_to = _read_stretch(aws, context, (since, now), lines) or now
    events = list(lines.events)
    while since > wanted_since and read_to == now:
        start, count_before = max(wanted_since, now - 2 * (now - since)), len(lines.events)
        if not _read_older_stretch(aws, context, (start, since - _MILLISECOND), lines):
            break
        since, events = start, lines.events[count_before:] + events
    truncated = read_to < now or since > compute_required_start(context, wanted_since)
    section = {
        "events": events,
        "from": format_time(since),
        "to": format_time(read_to),
        "truncated": truncated,
    }
    is_cut = read_to < now or since > wanted_since
    covered, requested = (
        format_duration((read_to - since).total_seconds()),
        format_duration((now - wanted_since).total_seconds()),
    )
    return Answer(
        section, now, f"cut: the lines of {covered}, of {requested} that were asked for" if is_cut else None
    )


def _read_older_stretch(
    aws: Aws, context: SourceContext, stretch: tuple[datetime, datetime], lines: _LineBuffer
) -> bool:
    """Whether an older stretch could be read whole; a part of it would leave a hole behind it."""
    try:
        return _read_stretch(aws, context, stretch, lines) is None
    except ExternalError as error:
        if error.reason in _OUT_OF_TIME:
            return False
        raise


def _read_stretch(
    aws: Aws, context: SourceContext, stretch: tuple[datetime, datetime], lines: _LineBuffer
) -> datetime | None:
    """Read one stretch into `lines`; return None where it was read whole, else the time of its last line.

    What was read stays read when the time runs out. A page that names an earlier one as the next ends the
    reading: AWS would answer it for ever.
    """
    count_before = len(lines.events)
    next_page: dict[str, str] = {}
    tokens: set[str] = set()
    while True:
        try:
            answer = aws.fetch(
                "logs",
                "filter_log_events",
                "events",
                logGroupName=context.settings[LOG_GROUP],
                startTime=_to_milliseconds(stretch[0]),
                endTime=_to_milliseconds(stretch[1]),
                limit=_PAGE_SIZE,
                **next_page,
            )
        except ExternalError as error:
            if error.reason in _OUT_OF_TIME and len(lines.events) > count_before:
                return _get_event_time(lines.events[-1], stretch[1])
            raise
        for event in answer["events"]:
            if lines.is_full:
                return _get_event_time(lines.events[-1], stretch[1])
            lines.add(event)
        token = answer.get("nextToken")
        if not token:
            return None
        if lines.is_full or token in tokens:
            return _get_event_time(lines.events[-1], stretch[1]) if lines.events else stretch[0]
        tokens.add(token)
        next_page = {"nextToken": token}


def _to_milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _get_event_time(event: dict[str, Any], default: datetime) -> datetime:
    stamp = event.get("timestamp")
    return datetime.fromtimestamp(stamp / 1000, default.tzinfo) if isinstance(stamp, int) else default
