"""The dashboard's status payload and the bot's own, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from detector.collectors._payload import age_of, fresh, own_time, section_of
from detector.collectors._source import Answer, Ask, Offer, Source, origin, shown
from detector.domain.profile import MISSING, Profile
from detector.formats.edge_error import NO_FACTS, EdgeError
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
    from detector.clients.web import Page

_SAYS = "the heartbeat, orders, exits, positions, reconciliation and market data, as {} shows them"
OFFERS = (
    Offer(
        "status_v3", (STATUS_URL, STATUS_TOKEN, STATUS_USER, STATUS_PASSWORD), _SAYS.format("the dashboard")
    ),
    Offer("bot_status", (BOT_STATUS_URL, BOT_STATUS_TOKEN), _SAYS.format("the bot itself")),
)
_STALE_RUNNER = 503


def sources(settings: Settings) -> Iterator[Source]:
    """Yield the dashboard, the bot, or both."""
    for name, setting in (("status_v3", STATUS_URL), ("bot_status", BOT_STATUS_URL)):
        if settings[setting]:
            yield Source(name, setting, shown(settings[setting]), partial(_read, name, settings[setting]))


def faults(settings: Settings) -> Iterator[str]:
    """Yield what contradicts itself in the credentials: each host has one."""
    known = settings[STATUS_TOKEN] or settings[STATUS_USER]
    if settings[STATUS_TOKEN] and settings[STATUS_USER]:
        yield f"{STATUS_TOKEN.name} and {STATUS_USER.name}: a bearer token and basic auth; leave one out"
    if (
        known
        and settings[BOT_STATUS_TOKEN]
        and origin(settings[STATUS_URL]) == origin(settings[BOT_STATUS_URL])
    ):
        yield f"{BOT_STATUS_TOKEN.name}: the bot's host is the dashboard's, whose credentials go there"


def _read(name: str, url: str, ask: Ask) -> Answer:
    """Read one payload; raises EdgeError where it is none, is empty of facts, or is too old.

    A runner that has gone stale answers 503 and says so in its payload: that is data.
    """
    profile: Profile = ask.settings.files[PROFILE.name]
    page = ask.get(url, lambda page: page.status == _STALE_RUNNER and _says_something(page, name, profile))
    payload = section_of(page.body, name, page.headers.get("content-type", ""))
    if not _facts_in(payload, profile):
        raise EdgeError(
            f"its JSON holds none of the facts that the profile {profile.name!r} knows", reason=NO_FACTS
        )
    now = ask.clock()
    cached = fresh(now - timedelta(seconds=age_of(page)), now, ask.settings, "its Age header")
    keys: tuple[str, ...] = ask.settings[STATUS_AS_OF]
    made = own_time(payload, keys, profile.zone)
    if made is not None:
        cached = min(cached, fresh(made, now, ask.settings, "its own time"))
    return Answer(payload, cached, f"it answered {page.status}" if page.status == _STALE_RUNNER else None)


def _says_something(page: Page, name: str, profile: Profile) -> bool:
    try:
        return _facts_in(section_of(page.body, name, page.headers.get("content-type", "")), profile)
    except EdgeError:
        return False


def _facts_in(payload: Any, profile: Profile) -> bool:
    return any(look(payload) is not MISSING for look in profile.extractors.values())
