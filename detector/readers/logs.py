"""The `logs` section: plain lines, CloudWatch events, or an object with events and the window that was read.

Shape: CloudWatch Logs API reference, FilterLogEvents (`timestamp` in milliseconds, `message`,
`logStreamName`). Each line of a message counts by itself. Lines without a time keep their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import LIST, TIME_KEYS, Key, Need, Shape, build_keys
from detector.domain.vendor_keys import FILTER_LOG_EVENTS_ANSWER, LOG_EVENT_KEYS
from detector.formats.numbers import format_count
from detector.formats.similar_names import is_nearly
from detector.formats.strict_json import describe_kind
from detector.market.maintenance import is_in_maintenance
from detector.market.session_plan import NO_CLOSURES
from detector.settings import IBKR_REGION, MARKET_CLOSURES, Settings

if TYPE_CHECKING:
    from detector.logs.parse.line_times import LogLines

SECTIONS = ("logs",)
_FACT = "logs"
_MILLISECONDS_FROM = 100_000_000_000
_NEXT_PAGE = ("nextToken", "NextToken")  # of the API, and of the AWS CLI with --max-items


@cache
def _is_misspelt(name: str) -> bool:
    """Whether a key is nearly one of an event of CloudWatch."""
    return not name.startswith("@") and any(is_nearly(name, key, strict=False) for key in LOG_EVENT_KEYS)


def _is_record(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is no event of CloudWatch but a record of its own, with its text and its time."""
    others = entry.keys() - LOG_EVENT_KEYS
    if not others or all(_is_misspelt(name) for name in others):
        return False
    # Imported here because only a run with such records needs their parser.
    from detector.logs.parse import record_fields, records  # noqa: PLC0415 - only where records are

    if record_fields.list_rows(entry):
        return True
    message, at = entry.get("message"), entry.get("timestamp")
    if isinstance(message, str) and isinstance(at, str) and record_fields.TIME_TEXT.fullmatch(at):
        return True  # as most are, without the cost of reading them twice
    record = records.build_record(entry)
    if isinstance(message, str) and type(at) is int:
        return record.level is not None  # else nothing but an event of CloudWatch with one key more
    if record_fields.has_message(entry) and (message is None or record.time is not None):
        return True  # without a time it keeps its place, as a plain line does
    return record.time is not None and record.level is not None


def _has_other_keys(entry: Mapping[str, Any]) -> bool:
    """Whether an entry's text or time stands under another key than in an event of CloudWatch."""
    return not ("message" in entry and "timestamp" in entry) and _is_record(entry)


_EVENT_SHAPE = Shape(
    build_keys({"message": "any", "timestamp": "time", "logStreamName": "any"}),
    LOG_EVENT_KEYS,
    vendor=True,
    named_by=("message",),
    needs=(Need(("timestamp",), "time", beside=("message",)),),
    is_other=_has_other_keys,
)
_SHAPE = Shape(
    {
        **TIME_KEYS,
        **build_keys({"from": "time", "to": "time", "truncated": "flag"}),
        **dict.fromkeys(_NEXT_PAGE, Key("any")),
        "events": Key(LIST, inner=_EVENT_SHAPE, fact=_FACT),
    },
    FILTER_LOG_EVENTS_ANSWER,
    envelope=True,
    needs=(Need(("from",), "time"), Need(("events",), LIST)),
)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section, which is an object or a list of events."""
    return _SHAPE if isinstance(raw, dict) else _EVENT_SHAPE


def read(raw: Any, reading: Reading, context: ReadContext) -> None:
    """Read the history of the log lines; an empty list means that nothing was logged."""
    # Imported here because only a run with log lines needs the parsers.
    from detector.logs.parse.history import LogWindow, build_history  # noqa: PLC0415 - only where lines are
    from detector.logs.parse.line_times import LogLines  # noqa: PLC0415 - only where lines are

    document: Mapping[str, Any] = raw if isinstance(raw, dict) else {"events": raw}
    if "events" not in document and (rows := _list_answer_rows(document)):
        document = reading.content = {key: raw[key] for key in raw if key in _SHAPE.reads} | {"events": rows}
    entries = document.get("events")
    if not isinstance(entries, list):
        if entries is not None:
            reading.add_fault("logs.events", f"is {describe_kind(entries)}, not a list")
        return
    reading.read_paths.add("logs.events")
    lines = LogLines()
    now = int(reading.taken_at.timestamp() * 1000)
    for entry in entries:
        _add_entry(_write_records(entry), lines, reading, now)
    is_truncated = reading.read_value("flag", "logs.truncated", document.get("truncated"))
    has_more = any(document.get(key) for key in _NEXT_PAGE)
    if is_truncated or has_more or (is_truncated is None and document.get("truncated") is not None):
        reading.partial.add(_FACT)
    to = reading.read_value("time", "logs.to", document.get("to")) or reading.as_of
    since = reading.read_value("time", "logs.from", document.get("from"))
    window = LogWindow(
        since=since,
        to=min(to, reading.taken_at),
        cut=_FACT in reading.partial,
        zone=context.profile.zone,
        is_maintenance=partial(_is_in_maintenance, context.settings),
    )
    history = build_history(lines, window, context.previous_run.logs)
    if entries and not history.counts.with_text:
        reading.add_fault(
            "logs.events", f"has {format_count(len(entries), 'entry', 'entries')} without a text"
        )
    reading.values[_FACT] = history


def _list_answer_rows(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of another vendor's whole answer, or of another operation of CloudWatch."""
    from detector.logs.parse.record_fields import list_rows  # noqa: PLC0415 - only where records are

    return list_rows(document)


def _is_in_maintenance(settings: Settings, at: datetime) -> bool | None:
    return is_in_maintenance(at, settings[IBKR_REGION], settings.files.get(MARKET_CLOSURES.name, NO_CLOSURES))


def _write_records(entry: object) -> object:
    """Return a list of records as the line that holds them, any other entry as it is."""
    if not isinstance(entry, list):
        return entry
    from detector.logs.parse.record_fields import list_records  # noqa: PLC0415 - only where records are

    return json.dumps(entry) if list_records(entry) else entry


def _add_entry(entry: Any, lines: LogLines, reading: Reading, now: int) -> None:
    if isinstance(entry, str):
        lines.add(entry, None)
        return
    if not isinstance(entry, dict):
        reading.add_fault("logs.events", f"has an entry that is {describe_kind(entry)}")
        reading.partial.add(_FACT)
        return
    rows = _list_answer_rows(entry) if entry.get("message") is None else None
    for row in rows or (entry,):
        _add_row(row, lines, reading, now)


def _add_row(entry: Mapping[str, Any], lines: LogLines, reading: Reading, now: int) -> None:
    message = entry.get("message")
    if (message is None and entry) or _is_record(entry):
        parts = message.splitlines() if isinstance(message, str) else ()
        records = [{**entry, "message": part} for part in parts] if len(parts) > 1 else [entry]
        for record in records:
            lines.add(json.dumps(record), None, str(entry.get("logStreamName") or ""))
        return
    if not isinstance(message, str):
        if message is not None:
            reading.add_fault("logs.message", f"is {describe_kind(message)}, not text")
        reading.partial.add(_FACT)
        return
    reading.read_paths.add("logs.message")
    timestamp = _read_timestamp(entry.get("timestamp"), reading, now)
    lines.add(message, timestamp, str(entry.get("logStreamName") or ""))


def _read_timestamp(raw: object, reading: Reading, now: int) -> int | None:
    """Return epoch milliseconds; None where the event has no time or an invalid one."""
    reading.read_paths.add("logs.timestamp")
    if type(raw) is int and _MILLISECONDS_FROM <= raw <= now:
        return raw
    moment: datetime | None = reading.read_value("time", "logs.timestamp", raw)
    return None if moment is None else round(moment.timestamp() * 1000)
