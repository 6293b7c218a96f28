"""`test-notify`: a message marked TEST through every configured channel, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

import click

from detector.app.context import Door, Refused, clock_of
from detector.app.output import show_lines
from detector.channels._channel import Channel
from detector.channels._parallel import Outcome, tell_all
from detector.commands.notify import UNDELIVERED, required_channels, shown_lines
from detector.formats.redaction import redacted_text
from detector.formats.strict_json import clipped, one_line
from detector.formats.times import text_of
from detector.render.lines import format_in_zones
from detector.render.message import Message
from detector.settings import CHANNEL_TIMEOUT_SEC, DISPLAY_ZONES, RUNTIME, Settings, list_secrets


@click.command(epilog="Example: python -m detector test-notify --dry-run")
@click.option("--channel", "wanted", metavar="NAME", help="Only this channel, such as slack or email.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, exactly, and send nothing.")
@click.option("--now", metavar="TIME", help="The clock at the door, RFC 3339 (for tests and replays).")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, wanted: str | None, dry_run: bool, now: str | None, env_file: str | None) -> int:
    """Send a message marked TEST through each configured channel and print the result of each.

    Nothing is remembered. Exit 3 when a channel did not take it.
    """
    door = replace(door, clock=clock_of(door, now))
    settings = door.settings(env_file)
    channels = _chosen(required_channels(door, settings), wanted)
    messages = {channel: _message(door, settings, channel) for channel in channels}
    if dry_run:
        shown = {channel.name: channel.shows(message) for channel, message in messages.items()}
        return show_lines(door, shown_lines(channels, shown))
    outcomes = {one.channel.name: one for one in tell_all(messages, settings[CHANNEL_TIMEOUT_SEC])}
    ordered = [outcomes[channel.name] for channel in channels]
    printed = show_lines(door, _lines(ordered, list_secrets(settings)))
    return UNDELIVERED if any(one.failed for one in ordered) else printed


def _chosen(channels: Sequence[Channel], wanted: str | None) -> list[Channel]:
    if wanted is None:
        return list(channels)
    chosen = [one for one in channels if wanted in (one.name, one.name.partition(":")[0])]
    if not chosen:
        names = ", ".join(one.name for one in channels)
        raise Refused(f"no configured channel is named {clipped(wanted)!r} (there are: {names})")
    return chosen


def _message(door: Door, settings: Settings, channel: Channel) -> Message:
    now = door.clock()
    runtime = redacted_text(settings[RUNTIME], list_secrets(settings))
    return Message(
        kind="test",
        runtime=runtime,
        items=(),
        delivery_id=sha256(f"test|{runtime}|{channel.name}|{text_of(now)}".encode()).hexdigest()[:16],
        sent_at=now,
        at=format_in_zones(now, settings[DISPLAY_ZONES]) or text_of(now),
        notes=(f"This is a test. Alerts that are at least {channel.least} arrive here the same way.",),
    )


def _lines(outcomes: Sequence[Outcome], secrets: Sequence[str]) -> Iterator[str]:
    for one in outcomes:
        failed = one.failed
        if failed is None:
            yield f"{one.channel.name}: delivered ({one.channel.place})"
        else:
            said = one_line(redacted_text(str(failed), secrets))
            yield f"{one.channel.name}: NOT DELIVERED: {said} ({failed.reason})"
            yield f"  {one.channel.advice(failed.reason)}"
