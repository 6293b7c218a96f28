"""`doctor`: tries every configured source once; lists failures with advice, and what is not configured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import click

from detector.app.acknowledgements import find_ack_errors
from detector.app.collection import build_snapshot_document, collect_sources, get_place
from detector.app.context import AppContext, ExitCode, print_json, print_lines
from detector.app.delivery import load_channels
from detector.app.input_documents import gather_document_facts
from detector.app.job import Job, PipelinePlan
from detector.channels.channel import Channel, ChannelEnvironment, ChannelOption
from detector.channels.channel import list_unused_options as list_unused_channel_options
from detector.collectors.collector import ConfiguredSource, SourceOption, list_unused_source_options
from detector.collectors.run_sources import SourceResult
from detector.commands import env_file_option
from detector.domain.facts import Facts
from detector.formats.errors import DNS, NO_FACTS, REASONS, REFUSED, STALE, UNREACHABLE, ExternalError
from detector.formats.redaction import redact
from detector.render.reading import explain_ignored, render_section_values
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
from detector.settings.setting import LOOPBACK_HOSTS

_NETWORK_REASONS = (DNS, REFUSED, UNREACHABLE)
_COLUMN = 14
_CREDENTIALS: tuple[tuple[Setting[str], tuple[Setting[str], ...]], ...] = (
    (STATUS_URL, (STATUS_TOKEN, STATUS_USER)),
    (BOT_STATUS_URL, (BOT_STATUS_TOKEN,)),
)


@click.command(epilog="Example: python -m detector doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@env_file_option
@click.pass_obj
def command(app: AppContext, /, as_json: bool, env_file: str | None) -> int:
    """Try every source: what works, how to fix the rest, what to add.

    It reads what `collect` reads and changes nothing. Channels are shown, and nothing is sent through them:
    `test-notify` does that. What people answered there is read and left as it is. Exit 1 when a source or
    the answers could not be read, or `detect` would ignore a source.
    """
    settings = app.load_settings(env_file)
    for doubt in settings.doubts:
        app.print_stderr(doubt)
    channels = load_channels(app, settings)
    environment = ChannelEnvironment(app.environ, app.clock)
    result = collect_sources(Job(app, settings, app.clock, PipelinePlan(quiet=as_json)))
    collected = {**result.sections, "sources": result.entries}
    ack_errors = find_ack_errors(app, settings, channels)
    facts = gather_document_facts(
        build_snapshot_document(settings, collected, app.clock()), app.clock(), settings
    )
    unused = list_unused_source_options(settings)
    document = redact(
        {
            "sources": [
                {**_describe_source(outcome, settings), **_describe_reading(outcome.source, facts)}
                for outcome in result.collected
            ],
            "off": [name for name, entry in result.entries.items() if entry["state"] == "off"],
            "not_configured": [
                {"section": option.section, **_describe_option(option)}
                for option in sorted(unused, key=lambda option: get_place(option.section))
            ],
            "channels": [_describe_channel(channel, ack_errors.get(channel.name)) for channel in channels],
            "channels_not_configured": [
                _describe_option(option) for option in list_unused_channel_options(settings, environment)
            ],
        },
        list_secrets(settings),
    )
    output_code = print_json(app, document) if as_json else print_lines(app, _render_lines(document))
    failed = any(source["state"] != "ok" for source in document["sources"]) or ack_errors
    return output_code or (ExitCode.FINDING if failed else 0)


def _describe_reading(source: ConfiguredSource, facts: Facts) -> dict[str, str]:
    """Return what `detect` would make of the section; what it would ignore is not ok."""
    name = source.name
    readings = dict(render_section_values(facts))
    reading = {"reading": readings[name]} if name in readings else {}
    if not explain_ignored(name, facts):
        return reading
    if name in facts.mismatched:
        return {"state": "ignored", **reading}
    reason = STALE if name in facts.stale else NO_FACTS
    return {"state": "ignored", **reading, "advice": REASONS[reason].format(source.setting.name)}


def _describe_source(outcome: SourceResult, settings: Settings) -> dict[str, Any]:
    setting = (
        outcome.source.host
        if outcome.reason in _NETWORK_REASONS and outcome.source.host
        else outcome.source.setting
    )
    advice = REASONS[outcome.reason].format(setting.name) if outcome.reason else None
    return {
        "name": outcome.source.name,
        "setting": outcome.source.setting.name,
        "place": outcome.source.location,
        **outcome.entry,
        **({"advice": advice} if advice else {}),
        **({"warning": _CLEARTEXT} if outcome.source.setting in _list_cleartext_settings(settings) else {}),
    }


_CLEARTEXT = "Its credentials travel in clear text: use https://, or a network that encrypts by itself."


def _list_cleartext_settings(settings: Settings) -> list[Setting[str]]:
    """Return the settings of addresses beyond this machine that get credentials without TLS."""
    addresses = []
    for address, credentials in _CREDENTIALS:
        parts = urlsplit(settings[address])
        carries = any(settings[credential] for credential in credentials)
        if carries and parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            addresses.append(address)
    return addresses


def _describe_option(option: SourceOption | ChannelOption) -> dict[str, Any]:
    first, *rest = (setting.name for setting in option.settings)
    return {"set": first, "with": rest, "adds": option.description}


def _describe_channel(channel: Channel, ack_error: ExternalError | None) -> dict[str, Any]:
    fault = {} if ack_error is None else {"acknowledgements": str(ack_error)}
    return {
        **fault,
        "name": channel.name,
        "setting": channel.setting.name,
        "place": channel.display_name,
        "from": str(channel.rung),
    }


def _render_channel_lines(document: dict[str, Any]) -> Iterator[str]:
    if document["channels"]:
        yield "Channels (nothing was sent; `test-notify` sends a test):"
    for entry in document["channels"]:
        yield f"  {entry['name']:<{_COLUMN + 2}}from {entry['from']}; {entry['place']}"
        if "acknowledgements" in entry:
            yield f"  {'':<{_COLUMN + 2}}its acknowledgements cannot be read: {entry['acknowledgements']}"
    if document["channels_not_configured"]:
        yield "Channels that are not configured:"
    for entry in document["channels_not_configured"]:
        yield f"  {entry['set']}: {entry['adds']}"
        if entry["with"]:
            yield f"  {'':<{_COLUMN}}together with {', '.join(entry['with'])}"


def _render_lines(document: dict[str, Any]) -> Iterator[str]:
    yield "Tried:" if document["sources"] else "No source is configured."
    for source in document["sources"]:
        state = source["state"].upper() if source["state"] != "ok" else "ok"
        seconds = source["elapsed_ms"] / 1000
        yield f"  {source['name'] + ' ':<{_COLUMN}}{state:<8}{seconds:6.2f} s  {source['place']}"
        if "reason" in source:
            yield f"  {'':<{_COLUMN}}{source['reason']}: {source['detail']}"
        elif "detail" in source:
            yield f"  {'':<{_COLUMN}}{source['detail']}"
        yield from (
            f"  {'':<{_COLUMN}}{source[key]}" for key in ("reading", "advice", "warning") if key in source
        )
    if document["off"]:
        yield f"Switched off for good ({SOURCES_OFF.name}): {', '.join(document['off'])}"
    if document["not_configured"]:
        yield "Not configured; each setting adds what follows it:"
    for option in document["not_configured"]:
        yield f"  {option['section'] + ' ':<{_COLUMN}}{option['set']}: {option['adds']}"
        if option["with"]:
            yield f"  {'':<{_COLUMN}}together with {', '.join(option['with'])}"
    yield from _render_channel_lines(document)
