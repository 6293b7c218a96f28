"""`test-notify`: sends a message marked TEST through every configured channel and prints the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import click
from msgspec.structs import replace

from detector.app.context import AppContext, ExitCode, get_clock, print_lines
from detector.app.delivery import load_required_channels, render_previews
from detector.channels.channel import Channel, ChannelOutcome, deliver_all
from detector.commands import env_file_option, now_option
from detector.formats.errors import InputError
from detector.formats.redaction import redact_text
from detector.formats.strict_json import redact_excerpt, to_one_line
from detector.formats.times import format_time
from detector.render.lines import format_in_zones
from detector.render.message import Message
from detector.render.settings import render_rungs
from detector.settings import CHANNEL_TIMEOUT_SEC, DISPLAY_ZONES, RUNTIME, Settings, list_secrets


@click.command(epilog="Example: AEGIS_PT_NTFY_TOPIC=my-topic python -m detector test-notify --dry-run")
@click.option("--channel", "channel_name", metavar="NAME", help="Only this channel, such as slack or email.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, exactly, and send nothing.")
@now_option
@env_file_option
@click.pass_obj
def command(
    app: AppContext, /, channel_name: str | None, dry_run: bool, now: str | None, env_file: str | None
) -> int:
    """Send a message marked TEST through each channel.

    The result of each is printed. Nothing is remembered. Exit 3 when a channel did not take it.
    """
    app = replace(app, clock=get_clock(app, now))
    settings = app.load_settings(env_file)
    channels = _choose_channels(load_required_channels(app, settings), channel_name)
    messages = {channel: _build_message(app, settings, channel) for channel in channels}
    if dry_run:
        previews = {channel.name: channel.render_preview(message) for channel, message in messages.items()}
        return print_lines(app, [*render_previews(channels, previews), *_render_rungs(channels)])
    outcomes = {
        outcome.channel.name: outcome for outcome in deliver_all(messages, settings[CHANNEL_TIMEOUT_SEC])
    }
    ordered = [outcomes[channel.name] for channel in channels]
    results = _render_results(ordered, list_secrets(settings))
    printed = print_lines(app, [*results, *_render_rungs(channels)])
    return ExitCode.UNDELIVERED if any(outcome.failure for outcome in ordered) else printed


def _render_rungs(channels: Sequence[Channel]) -> Iterator[str]:
    yield ""
    yield from render_rungs((channel.name, channel.rung) for channel in channels)


def _choose_channels(channels: Sequence[Channel], channel_name: str | None) -> list[Channel]:
    if channel_name is None:
        return list(channels)
    chosen = [
        channel for channel in channels if channel_name in (channel.name, channel.name.partition(":")[0])
    ]
    if not chosen:
        names = ", ".join(channel.name for channel in channels)
        raise InputError(
            f"no configured channel is named {redact_excerpt(channel_name)!r} (there are: {names})"
        )
    return chosen


def _build_message(app: AppContext, settings: Settings, channel: Channel) -> Message:
    now = app.clock()
    runtime = redact_text(settings[RUNTIME], list_secrets(settings))
    return Message(
        kind="test",
        runtime=runtime,
        items=(),
        delivery_id=sha256(f"test|{runtime}|{channel.name}|{format_time(now)}".encode()).hexdigest()[:16],
        sent_at=now,
        at=format_in_zones(now, settings[DISPLAY_ZONES]) or format_time(now),
        notes=(f"This is a test. Alerts that are at least {channel.rung} arrive here the same way.",),
    )


def _render_results(outcomes: Sequence[ChannelOutcome], secrets: Sequence[str]) -> Iterator[str]:
    for outcome in outcomes:
        failed = outcome.failure
        if failed is None:
            yield f"{outcome.channel.name}: delivered ({outcome.channel.display_name})"
        else:
            text = to_one_line(redact_text(str(failed), secrets))
            yield f"{outcome.channel.name}: NOT DELIVERED: {text} ({failed.reason})"
            yield f"  {outcome.channel.get_advice(failed.reason)}"
