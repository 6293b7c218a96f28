"""Parses the response of a source to its section: strict JSON, of the right type, not stale."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from detector.domain.snapshot import get_kinds
from detector.formats.errors import EMPTY, HTML, NOT_JSON, UNREADABLE, ExternalError, InputError
from detector.formats.strict_json import MAX_DEPTH, describe_kind, is_nested_over, parse_value
from detector.formats.times import parse_epoch, parse_http_date, parse_rfc3339

if TYPE_CHECKING:
    from detector.clients.http_client import Page

_MAX_AGE_DIGITS = 9  # digits of an Age header
_ANSWER_DELAY = timedelta(seconds=60)  # between the answer and its arrival, two clocks apart


def parse_section(data: bytes, name: str, content_type: str = "") -> Any:
    """Return the JSON value of a body, of a type that the section allows; raises ExternalError."""
    return check_section(parse_body(data, content_type), name)


def parse_body(data: bytes, content_type: str = "") -> Any:
    """Return the JSON value of a body; raises ExternalError for an empty body, HTML, or anything but JSON."""
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        raise ExternalError("its body is empty", reason=EMPTY)
    if start.startswith(b"<") or content_type.strip().lower().startswith("text/html"):
        raise ExternalError("it answered with a page for people instead of JSON", reason=HTML)
    try:
        return parse_value(data)
    except InputError as error:
        raise ExternalError(f"it answered with what is not JSON: {error}", reason=NOT_JSON) from None


def check_section(value: Any, name: str) -> Any:
    """Return the value; raises ExternalError where its type or depth is not allowed in the section."""
    if not isinstance(value, get_kinds(name)):
        raise ExternalError(f"it is {describe_kind(value)}, which {name} never is", reason=UNREADABLE)
    if is_nested_over(value, MAX_DEPTH - 1):
        raise ExternalError(f"it is nested over {MAX_DEPTH - 1} deep", reason=NOT_JSON)
    return value


def extract_time(value: Any, keys: Iterable[str], zone: tzinfo | None = None) -> datetime | None:
    """Return the payload's own time: that of the first key with a valid time."""
    for key in keys if isinstance(value, dict) else ():
        timestamp = value.get(key)
        try:
            if isinstance(timestamp, str):
                return parse_rfc3339(timestamp.strip(), zone)
            if isinstance(timestamp, int | float) and not isinstance(timestamp, bool):
                return parse_epoch(timestamp)
        except InputError:
            continue
    return None


def find_page_time(page: Page, now: datetime) -> datetime | None:
    """Return when the content of a page was true by its headers; None where they name no time.

    The older of `Date` less `Age` (the seconds in a cache, RFC 9111 5.1) and `Last-Modified`. A `Date` of
    just now, without the others, is the time of the answer and says nothing of its content. Where one of the
    two lies in the future, that one counts: such a page is never fresh.
    """
    modified = parse_http_date(page.headers.get("last-modified", ""))
    text = page.headers.get("age", "").strip()
    cached_sec = float(text[:_MAX_AGE_DIGITS]) if text.isascii() and text.isdigit() else 0.0
    sent = (parse_http_date(page.headers.get("date", "")) or now) - timedelta(seconds=cached_sec)
    if modified is None and abs(now - sent) <= _ANSWER_DELAY:
        return None
    times = (sent, sent if modified is None else modified)
    return max(times) if max(times) > now else min(times)
