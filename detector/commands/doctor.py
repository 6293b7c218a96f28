"""`doctor`: every configured source tried once; what fails with what mends it, and what is not configured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import click

from detector.app.collect import Looking, look
from detector.app.context import Door
from detector.app.delivery import channels_of
from detector.app.output import show_json, show_lines
from detector.channels._channel import Channel, World
from detector.channels._channel import Offer as Way
from detector.channels._walk import not_configured as silent
from detector.collectors._parallel import Collected
from detector.collectors._source import Offer
from detector.collectors._walk import not_configured
from detector.domain.snapshot import KEYS
from detector.engine.catalog import load_readers
from detector.formats.edge_error import DNS, REASONS, REFUSED, UNREACHABLE
from detector.formats.redaction import redacted
from detector.settings import (
    BOT_STATUS_TOKEN,
    BOT_STATUS_URL,
    SOURCES_OFF,
    STATUS_TOKEN,
    STATUS_URL,
    STATUS_USER,
    Setting,
    Settings,
    list_secrets,
)

_FAILED = 1
_ON_THE_WAY = (DNS, REFUSED, UNREACHABLE)
_AT_HOME = ("localhost", "127.0.0.1", "::1")
_COLUMN = 14
_CREDENTIALS: tuple[tuple[Setting[str], tuple[Setting[str], ...]], ...] = (
    (STATUS_URL, (STATUS_TOKEN, STATUS_USER)),
    (BOT_STATUS_URL, (BOT_STATUS_TOKEN,)),
)


@click.command(epilog="Example: python -m detector doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, as_json: bool, env_file: str | None) -> int:
    """Try every configured source: what works, what does not and how to mend it, and what could be added.

    It reads what `collect` reads and changes nothing. Channels are shown, and nothing is sent through them:
    `test-notify` does that. Exit 1 when a source could not be read.
    """
    settings = door.settings(env_file)
    channels = channels_of(door, settings)
    world = World(door.environ, door.clock)
    found = look(door, settings, Looking(door.clock, quiet=as_json))
    document = redacted(
        {
            "sources": [_tried(one, settings) for one in found.collected],
            "off": [name for name, entry in found.entries.items() if entry["state"] == "off"],
            "not_configured": [_offered(offer) for offer in _would_add(settings)],
            "channels": [_channel(one) for one in channels],
            "channels_not_configured": [_way(offer) for offer in silent(settings, world)],
        },
        list_secrets(settings),
    )
    taken = show_json(door, document) if as_json else show_lines(door, _lines(document))
    return taken or (_FAILED if any(one.answer is None for one in found.collected) else 0)


def _tried(one: Collected, settings: Settings) -> dict[str, Any]:
    leads = one.source.host if one.reason in _ON_THE_WAY and one.source.host else one.source.setting
    advice = REASONS[one.reason].format(leads.name) if one.reason else None
    return {
        "name": one.source.name,
        "setting": one.source.setting.name,
        "place": one.source.place,
        **one.entry,
        **({"advice": advice} if advice else {}),
        **({"warning": _CLEAR} if one.source.setting in _in_clear(settings) else {}),
    }


_CLEAR = "Its credentials travel in clear text: use https://, or a network that encrypts by itself."


def _in_clear(settings: Settings) -> list[Setting[str]]:
    """Return the settings of addresses to which credentials go without TLS, beyond this machine."""
    found = []
    for address, credentials in _CREDENTIALS:
        parts = urlsplit(settings[address])
        carries = any(settings[one] for one in credentials)
        if carries and parts.scheme == "http" and parts.hostname not in _AT_HOME:
            found.append(address)
    return found


def _would_add(settings: Settings) -> list[Offer]:
    """Return what is not configured and would be judged, in the order of the snapshot."""
    offers = [offer for offer in not_configured(settings) if offer.section in load_readers()]
    return sorted(offers, key=lambda offer: KEYS.index(offer.section))


def _offered(offer: Offer) -> dict[str, Any]:
    return {
        "section": offer.section,
        "set": offer.settings[0].name,
        "with": [setting.name for setting in offer.settings[1:]],
        "adds": offer.adds,
    }


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.name,
        "setting": channel.setting.name,
        "place": channel.place,
        "from": channel.least,
    }


def _way(offer: Way) -> dict[str, Any]:
    first, *others = (setting.name for setting in offer.settings)
    return {"set": first, "with": others, "adds": offer.adds}


def _channel_lines(document: dict[str, Any]) -> Iterator[str]:
    if document["channels"]:
        yield "Channels (nothing was sent; `test-notify` sends a test):"
    for one in document["channels"]:
        yield f"  {one['name']:<{_COLUMN + 2}}from {one['from']}; {one['place']}"
    if document["channels_not_configured"]:
        yield "Channels that are not configured:"
    for one in document["channels_not_configured"]:
        yield f"  {one['set']}: {one['adds']}"
        if one["with"]:
            yield f"  together with {', '.join(one['with'])}"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield "Tried:" if document["sources"] else "No source is configured."
    for one in document["sources"]:
        state = one["state"].upper() if one["state"] != "ok" else "ok"
        yield f"  {one['name']:<{_COLUMN}}{state:<8}{one['elapsed_ms'] / 1000:6.2f} s  {one['place']}"
        if "reason" in one:
            yield f"  {'':<{_COLUMN}}{one['reason']}: {one['detail']}"
        elif "detail" in one:
            yield f"  {'':<{_COLUMN}}{one['detail']}"
        yield from (f"  {'':<{_COLUMN}}{one[key]}" for key in ("advice", "warning") if key in one)
    if document["off"]:
        yield f"Switched off for good ({SOURCES_OFF.name}): {', '.join(document['off'])}"
    if document["not_configured"]:
        yield "Not configured; each would add what stands beside it:"
    for offer in document["not_configured"]:
        yield f"  {offer['section']:<{_COLUMN}}{offer['set']}: {offer['adds']}"
        if offer["with"]:
            yield f"  {'':<{_COLUMN}}together with {', '.join(offer['with'])}"
    yield from _channel_lines(document)
