"""Parses the response of a source to its section: strict JSON, of the right type, not stale."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from detector.domain.snapshot import get_kinds
from detector.formats.errors import EMPTY, HTML, NOT_JSON, STALE, UNREADABLE, ExternalError
from detector.formats.numbers import normalize_number
from detector.formats.strict_json import MAX_DEPTH, DocumentError, describe_kind, parse_value
from detector.formats.times import TimeError, format_duration, parse_epoch, parse_rfc3339
from detector.settings import SOURCE_STALE_SEC, Settings

if TYPE_CHECKING:
    from detector.clients.http_client import Page

_MAX_AGE_DIGITS = 9  # digits of an Age header


def parse_section(data: bytes, name: str, content_type: str = "") -> Any:
    """Return the JSON value of a body, of a type that the section allows; raises ExternalError."""
    return check_section(parse_body(data, content_type), name)


def parse_body(data: bytes, content_type: str = "") -> Any:
    """Return the JSON value of a body; raises ExternalError for an empty body, HTML, or anything but JSON."""
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise ExternalError("its body is empty", reason=EMPTY)
    if start.startswith(b"<") or content_type.strip().lower().startswith("text/html"):
        raise ExternalError("it answered with a page for people in the place of JSON", reason=HTML)
    try:
        return parse_value(data)
    except DocumentError as error:
        raise ExternalError(f"it answered with what is not JSON: {error}", reason=NOT_JSON) from None


def check_section(value: Any, name: str) -> Any:
    """Return the value; raises ExternalError where its type or depth is not allowed in the section."""
    if not isinstance(value, get_kinds(name)):
        raise ExternalError(f"it is {describe_kind(value)}, which {name} never is", reason=UNREADABLE)
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH - 1):
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, dict | list)
        ]
        if not level:
            return value
    raise ExternalError(f"it is nested over {MAX_DEPTH - 1} deep", reason=NOT_JSON)


def extract_time(value: Any, keys: Iterable[str], zone: tzinfo | None = None) -> datetime | None:
    """Return the payload's own time: that of the first key with a valid time."""
    for key in keys if isinstance(value, dict) else ():
        timestamp = value.get(key)
        try:
            if isinstance(timestamp, str):
                return parse_rfc3339(timestamp.strip(), zone)
            if isinstance(timestamp, int | float) and not isinstance(timestamp, bool):
                return parse_epoch(timestamp)
        except TimeError:
            continue
    return None


def get_cache_age_sec(page: Page) -> float:
    """Return the seconds that the page was in a cache (RFC 9111 5.1, `Age`), 0 without the header."""
    text = page.headers.get("age", "").strip()
    return float(text[:_MAX_AGE_DIGITS]) if text.isascii() and text.isdigit() else 0.0


def check_fresh(as_of: datetime, now: datetime, settings: Settings, why: str) -> datetime:
    """Return `as_of`; raises ExternalError, with the source of the time in `why`, where it is too old."""
    age, limit = now - as_of, settings[SOURCE_STALE_SEC]
    if age > timedelta(seconds=limit):
        raise ExternalError(
            f"what it shows is {format_duration(age.total_seconds())} old by {why}"
            f" (limit {normalize_number(limit)} s)",
            reason=STALE,
        )
    return as_of
