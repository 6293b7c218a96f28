"""Any section from a file or a URL, as AEGIS_PT_SECTIONS names it: how what only the box can see travels.

A place holds either the section itself or a whole snapshot, as `collect --to FILE` wrote it on the box.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from detector.collectors._payload import age_of, checked, own_time, parsed
from detector.collectors._source import Answer, Ask, Offer, Source, shown
from detector.domain.snapshot import KEYS, SECTIONS
from detector.formats.edge_error import MISSING, REASONS, TOO_LARGE, UNREADABLE, EdgeError
from detector.formats.times import TimeError, parse_rfc3339
from detector.settings import SECTIONS_FROM, Settings

if TYPE_CHECKING:
    from detector.clients.web import Page

OFFERS = tuple(
    Offer(name, (SECTIONS_FROM,), words)
    for name, (kinds, words) in SECTIONS.items()
    if kinds and name != "sources"
)
_MOST_BYTES = 8 * 1024 * 1024
_OWN_TIME = ("as_of",)


def sources(settings: Settings) -> Iterator[Source]:
    """Yield one source an entry of AEGIS_PT_SECTIONS."""
    for entry in settings[SECTIONS_FROM]:
        name, _, place = (part.strip() for part in entry.partition("="))
        read = _from_url if "://" in place else _from_file
        yield Source(name, SECTIONS_FROM, shown(place), partial(read, name, place))


def _from_file(name: str, place: str, ask: Ask) -> Answer:  # noqa: ARG001 - every source is asked alike
    try:
        # Without waiting: a named pipe that nobody writes into is no file.
        with os.fdopen(os.open(place, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise EdgeError("it is no regular file", reason=UNREADABLE)
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise EdgeError("there is no such file", reason=MISSING) from None
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or type(error).__name__).lower()
        raise EdgeError(f"the file cannot be read: {why}", reason=UNREADABLE) from None
    if len(data) > _MOST_BYTES:
        raise EdgeError(f"the file is over {_MOST_BYTES // (1024 * 1024)} MiB", reason=TOO_LARGE)
    return _answer(name, parsed(data), datetime.fromtimestamp(about.st_mtime, UTC))


def _from_url(name: str, place: str, ask: Ask) -> Answer:
    page = ask.get(place)
    value = parsed(page.body, page.headers.get("content-type", ""))
    return _answer(name, value, _modified(page, ask.clock()))


def _modified(page: Page, now: datetime) -> datetime:
    """Return when a file server says that the file was last written, else since when a cache has it."""
    cached = now - timedelta(seconds=age_of(page))
    try:
        written = parsedate_to_datetime(page.headers.get("last-modified", ""))
    except (ValueError, TypeError, OverflowError):
        return cached
    return cached if written.tzinfo is None else min(cached, written)


def _answer(name: str, value: Any, otherwise: datetime) -> Answer:
    """Return the section, with its own `as_of` or else the file's time; out of a snapshot, where it is one."""
    if _is_snapshot(value):
        return _out_of_snapshot(name, value)
    return Answer(checked(value, name), own_time(value, _OWN_TIME) or otherwise)


def _is_snapshot(value: Any) -> bool:
    return isinstance(value, dict) and {"taken_at", "sources"} <= value.keys() <= set(KEYS)


def _out_of_snapshot(name: str, snapshot: dict[str, Any]) -> Answer:
    """Return one section of what another machine collected; its failure there is a failure here."""
    entries = snapshot["sources"]
    entry = entries.get(name) if isinstance(entries, dict) else None
    about = entry if isinstance(entry, dict) else {}
    if about.get("state") == "failed":
        reason = str(about.get("reason"))
        said = about.get("detail") or "no reason given"
        raise EdgeError(f"where it is read, {said}", reason=reason if reason in REASONS else UNREADABLE)
    if snapshot.get(name) is None:
        raise EdgeError("the snapshot that was collected there does not hold it", reason=MISSING)
    section = checked(snapshot[name], name)
    try:
        taken_at = parse_rfc3339(str(snapshot["taken_at"]))
    except TimeError as error:
        raise EdgeError(f"its taken_at {error}", reason=UNREADABLE) from None
    times = (own_time(section, _OWN_TIME), own_time(about, _OWN_TIME), taken_at)
    return Answer(section, min(time for time in times if time is not None))
