"""The dashboard's status payload and the bot's own, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from detector.collectors._payload import extract_time, find_page_time, parse_section
from detector.collectors.collector import (
    Answer,
    ConfiguredSource,
    SourceContext,
    SourceOption,
    format_origin,
    strip_query,
)
from detector.domain.payload_path import MISSING, Extractor
from detector.domain.profile import Profile
from detector.formats.errors import NO_FACTS, ExternalError, InputError
from detector.settings import (
    BOT_STATUS_TOKEN,
    BOT_STATUS_URL,
    PROFILE,
    STATUS_AS_OF,
    STATUS_PASSWORD,
    STATUS_TOKEN,
    STATUS_URL,
    STATUS_USER,
    Settings,
)

if TYPE_CHECKING:
    from detector.clients.http_client import Page

_DESCRIPTION = "the heartbeat, orders, exits, positions, reconciliation and market data, as {} shows them"
OPTIONS = (
    SourceOption(
        "status_v3",
        (STATUS_URL, STATUS_TOKEN, STATUS_USER, STATUS_PASSWORD),
        _DESCRIPTION.format("the dashboard"),
    ),
    SourceOption("bot_status", (BOT_STATUS_URL, BOT_STATUS_TOKEN), _DESCRIPTION.format("the bot itself")),
)
_STALE_RUNNER = 503


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the dashboard, the bot, or both."""
    for name, setting in (("status_v3", STATUS_URL), ("bot_status", BOT_STATUS_URL)):
        if settings[setting]:
            yield ConfiguredSource(
                name, setting, strip_query(settings[setting]), partial(_read_payload, name, settings[setting])
            )


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each contradiction in the credentials; each host has only one."""
    credentials = settings[STATUS_TOKEN] or settings[STATUS_USER]
    if settings[STATUS_TOKEN] and settings[STATUS_USER]:
        yield f"{STATUS_TOKEN.name} and {STATUS_USER.name}: a bearer token and basic auth; leave one out"
    if (
        credentials
        and settings[BOT_STATUS_TOKEN]
        and format_origin(settings[STATUS_URL]) == format_origin(settings[BOT_STATUS_URL])
    ):
        yield f"{BOT_STATUS_TOKEN.name} is not sent: its host is the dashboard's, whose credentials go there"


def _read_payload(name: str, url: str, context: SourceContext) -> Answer:
    """Read one payload; raises ExternalError where it is invalid or has no known fact.

    A stale runner answers 503 with a payload that reports it: that payload is valid.
    """
    profile: Profile = context.settings.files[PROFILE.name]
    page = context.get_page(
        url, lambda page: page.status == _STALE_RUNNER and _has_page_facts(page, name, profile)
    )
    payload = parse_section(page.body, name, page.headers.get("content-type", ""))
    if not _has_facts(payload, profile):
        raise ExternalError(
            f"its JSON holds none of the facts that the profile {profile.name!r} knows", reason=NO_FACTS
        )
    keys: tuple[str, ...] = context.settings[STATUS_AS_OF]
    own_time = extract_time(payload, keys, profile.zone)
    as_of = own_time or find_page_time(page, context.clock())
    return Answer(payload, as_of, f"it answered {page.status}" if page.status == _STALE_RUNNER else None)


def _has_page_facts(page: Page, name: str, profile: Profile) -> bool:
    try:
        return _has_facts(parse_section(page.body, name, page.headers.get("content-type", "")), profile)
    except ExternalError:
        return False


def _has_facts(payload: Any, profile: Profile) -> bool:
    return any(_has_value(extract, payload) for extract in profile.extractors.values())


def _has_value(extract: Extractor, payload: Any) -> bool:
    """Return whether the path leads to something in the payload; one that fails on it does."""
    try:
        return extract(payload) is not MISSING
    except InputError:
        return True
