"""Reads any section from its place in AEGIS_PT_SECTIONS, a file or a URL, for what another machine collects.

The location holds either the section itself or a whole snapshot that `collect --to FILE` wrote there. A file
of `logs` may be the log itself, of which the newest lines are read, those in its rotated files among them.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from detector.clients.local_file import LogFile
from detector.collectors._payload import check_section, extract_time, find_page_time, parse_body
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption, strip_query
from detector.domain.snapshot import KEYS, SECTIONS, STATEMENT, find_section
from detector.formats.errors import (
    MISSING,
    REASONS,
    TOO_LARGE,
    UNREADABLE,
    ExternalError,
    InputError,
    retry,
)
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import parse_value, redact_excerpt
from detector.formats.times import compute_seconds, parse_file_time, parse_rfc3339
from detector.settings import PROFILE, RUNTIME, SECTIONS_FROM, Settings

OPTIONS = tuple(
    SourceOption(name, (SECTIONS_FROM,), meaning)
    for name, (kinds, meaning) in SECTIONS.items()
    if kinds and name != "sources"
)
_MAX_BYTES = 8 * 1024 * 1024
_TIME_KEYS = ("as_of",)
_BLANK = b"\xef\xbb\xbf \t\r\n"
_HEAD_BYTES, _LOG_BYTES, _LOG_LINES = 64 * 1024, 6 * 1024 * 1024, 20_000  # as many as of CloudWatch
_LONGEST_WINDOW_SEC = 6 * 3600  # as of CloudWatch
_NEW_SEC = 5  # who writes a file that is not replaced at once is done by then
_END_LINES = 100  # among them is one with a time
_LONGEST_QUIET_SEC = 4 * 86_400  # over a long weekend a log may be quiet; after it its bot writes elsewhere
_JSON_START = build_pattern(rb"\{|\[\s*[\[{\"\]]")


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield one source an entry of AEGIS_PT_SECTIONS."""
    for entry in settings[SECTIONS_FROM]:
        name, _, location = (part.strip() for part in entry.partition("="))
        read = _read_url if "://" in location else _read_file
        yield ConfiguredSource(name, SECTIONS_FROM, strip_query(location), partial(read, name, location))


def _read_file(name: str, location: str, context: SourceContext) -> Answer:
    """Read a file; one that was written just now and is no document is read again until it is whole."""
    try:
        return _read_file_once(name, location, context)
    except ExternalError as error:
        if error.permanent:
            raise
    return retry(partial(_read_file_once, name, location, context), context.network.deadline, time.sleep)


def _read_file_once(name: str, location: str, context: SourceContext) -> Answer:
    try:
        # Without waiting: a named pipe that nobody writes into is no file.
        with os.fdopen(os.open(location, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            file_stat = os.fstat(file.fileno())
            if not stat.S_ISREG(file_stat.st_mode):
                raise ExternalError("it is no regular file", reason=UNREADABLE)
            log = LogFile(Path(location), file_stat, file.read(_HEAD_BYTES), file)
            if name == "logs" and _is_log_text(log, context):
                return _build_log_answer(log, context)
            file.seek(0)
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise ExternalError("there is no such file", reason=MISSING) from None
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or type(error).__name__).lower()
        raise ExternalError(f"the file cannot be read: {why}", reason=UNREADABLE) from None
    if len(data) > _MAX_BYTES:
        raise ExternalError(f"the file is over {_MAX_BYTES // (1024 * 1024)} MiB", reason=TOO_LARGE)
    written = parse_file_time(file_stat.st_mtime)
    try:
        value = _parse(name, data)
    except ExternalError as error:
        is_new = compute_seconds(written, context.clock()) <= _NEW_SEC
        raise ExternalError(str(error), reason=error.reason, permanent=not is_new) from None
    # A list of lines in which nothing is written reaches to the moment of its reading.
    is_quiet_log = name == "logs" and isinstance(value, list)
    return _build_answer(name, value, None if is_quiet_log else written, context)


def _build_log_answer(log: LogFile, context: SourceContext) -> Answer:
    """Return the newest lines; `truncated` where the oldest of them is newer than the run before."""
    data, is_cut = log.read_newest(_LOG_BYTES, _get_oldest(context))
    lines = _split_lines(data, is_cut=is_cut)
    written = parse_file_time(log.status.st_mtime)
    is_quiet = compute_seconds(written, context.clock()) <= _LONGEST_QUIET_SEC
    as_of = None if is_quiet else written
    if not _has_gap(lines, context):
        return Answer(lines, as_of)
    return Answer({"events": lines, "truncated": True}, as_of, "lines since the run before may be missing")


def _get_oldest(context: SourceContext) -> float:
    return context.clock().timestamp() - _LONGEST_WINDOW_SEC


def _has_gap(lines: Sequence[str], context: SourceContext) -> bool:
    """Whether the oldest line is newer than the run before: lines between the two may be missing."""
    if context.logs_since is None:
        return False
    from detector.logs.parse.line_times import LineTimes, LogLines

    ends = LogLines()
    for line in (*lines[:_END_LINES], *lines[-_END_LINES:]):
        ends.add(line, None)
    first_at = LineTimes(ends, context.clock(), context.settings.files[PROFILE.name].zone).find_first()
    return first_at is not None and first_at > context.logs_since


def _is_log_text(log: LogFile, context: SourceContext) -> bool:
    """Whether a file begins as lines of a log, plain or each of them JSON, and not as one JSON document.

    One that is empty is a log where it was just rotated.
    """
    text = log.head.lstrip(_BLANK)
    if not text:
        return bool(log.list_rotated(_get_oldest(context)))
    if text.startswith(b"<") or b"\0" in text:
        return False
    if not _JSON_START.match(text):
        return True
    first, _, others = text.partition(b"\n")
    try:
        return bool(others.strip()) and isinstance(parse_value(first), dict)
    except InputError:
        return False


def _split_lines(data: bytes, *, is_cut: bool) -> list[str]:
    """Return the newest lines; the first of a file that was cut is no whole one."""
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()[is_cut:]
    return [line for line in lines[-_LOG_LINES:] if line.strip()]


def _read_url(name: str, location: str, context: SourceContext) -> Answer:
    page = context.get_page(location)
    value = _parse(name, page.body, page.headers.get("content-type", ""))
    return _build_answer(name, value, find_page_time(page, context.clock()), context)


def _parse(name: str, data: bytes, content_type: str = "") -> Any:
    """Return the value of a body: JSON or, of a statement, also the XML or CSV that IBKR gives out."""
    if name != STATEMENT or data.lstrip(_BLANK)[:1] in (b"", b"{"):
        return parse_body(data, content_type)
    from detector.domain.flex_statement import parse_statement

    rows, generated_at = parse_statement(data)
    return {"executions": rows, **({"as_of": generated_at.isoformat()} if generated_at else {})}


def _build_answer(name: str, value: Any, as_of: datetime | None, context: SourceContext) -> Answer:
    """Return the section, or that of a snapshot, with the time of its file or page."""
    if _is_snapshot(value):
        _check_runtime(value.get("runtime"), context.settings)
        return _extract_section(name, value)
    return Answer(check_section(value, name), extract_time(value, _TIME_KEYS) or as_of)


def _is_snapshot(value: Any) -> bool:
    return isinstance(value, dict) and {"taken_at", "sources"} <= value.keys() <= set(KEYS)


def _check_runtime(name: object, settings: Settings) -> None:
    """Raise ExternalError where a snapshot is of another runtime than the one that is set.

    The default is never compared: `collect` writes it where nobody named the runtime.
    """
    is_set = settings.origins[RUNTIME.name] != "default"
    if is_set and name not in (None, RUNTIME.default, settings[RUNTIME]):
        shown = redact_excerpt(str(name))
        raise ExternalError(f"the snapshot there is of the runtime {shown!r}", reason=MISSING)


def _extract_section(name: str, snapshot: dict[str, Any]) -> Answer:
    """Return one section of another machine's snapshot; raises ExternalError where it failed there."""
    entries = snapshot["sources"]
    entry = entries.get(name) if isinstance(entries, dict) else None
    source_entry = entry if isinstance(entry, dict) else {}
    if source_entry.get("state") == "failed":
        reason = str(source_entry.get("reason"))
        detail = source_entry.get("detail") or "no reason given"
        raise ExternalError(f"where it is read, {detail}", reason=reason if reason in REASONS else UNREADABLE)
    value = find_section(snapshot, name)
    if value is None:
        raise ExternalError("the snapshot that was collected there does not hold it", reason=MISSING)
    section = check_section(value, name)
    try:
        taken_at = parse_rfc3339(str(snapshot["taken_at"]))
    except InputError as error:
        raise ExternalError(f"its taken_at {error}", reason=UNREADABLE) from None
    times = (extract_time(section, _TIME_KEYS), extract_time(source_entry, _TIME_KEYS), taken_at)
    return Answer(section, min(time for time in times if time is not None))
