"""`notify`: what an artifact owes is delivered, and the receipts are written into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from detector import ledger
from detector.app.context import Door, Refused, clock_of
from detector.app.delivery import Delivery, channels_of, deliver, floors
from detector.app.output import show_lines
from detector.app.stored_report import recalled, with_receipts
from detector.channels._channel import Channel
from detector.formats.strict_json import pretty
from detector.settings import MUTES, Settings
from detector.storage import file as local

UNDELIVERED = 3


@click.command(epilog="Example: python -m detector notify --artifact last.json --dry-run")
@click.option(
    "--artifact", metavar="FILE", required=True, help="The artifact; the receipts are written into it."
)
@click.option("--link", metavar="URL", help="The address of the run, for the messages.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, exactly, and change nothing.")
@click.option("--now", metavar="TIME", help="The clock at the door, RFC 3339 (for tests and replays).")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(
    door: Door, /, artifact: str, link: str | None, dry_run: bool, now: str | None, env_file: str | None
) -> int:
    """Deliver what an artifact owes to the configured channels, and write their receipts into it.

    What is owed is asked of the ledger anew: mutes and causes are respected, what was told is not told again.
    Exit 3 when something owed was not delivered, or the receipts could not be written.
    """
    door = replace(door, clock=clock_of(door, now))
    settings = door.settings(env_file)
    channels = required_channels(door, settings)
    path = Path(artifact)
    raw, report = recalled(path, door.clock())
    least = floors(channels)
    run = ledger.RunContext(max(door.clock(), report.taken_at), settings, generation=report.generation, min_severities=least)
    owed = ledger.list_due_notices(report.conditions, run, tuple(least), settings.files.get(MUTES.name, ()))
    delivery = deliver(door, settings, replace(report, owed=owed), link, dry_run)
    if dry_run:
        return show_lines(door, shown_lines(channels, delivery.shown))
    stored = _stored(door, path, pretty(with_receipts(raw, delivery.report)))
    printed = show_lines(door, result_lines(channels, delivery))
    return UNDELIVERED if delivery.undelivered or not stored else printed


def required_channels(door: Door, settings: Settings) -> tuple[Channel, ...]:
    """Return the configured channels; raises Refused where there is none."""
    from detector.channels._channel import World
    from detector.channels._walk import not_configured

    channels = channels_of(door, settings)
    if not channels:
        offers = not_configured(settings, World(door.environ, door.clock))
        ways = " or ".join(", ".join(one.name for one in offer.settings) for offer in offers)
        raise Refused(f"no channel is configured: set {ways}")
    return channels


def shown_lines(channels: Sequence[Channel], shown: Mapping[str, str]) -> Iterator[str]:
    """Yield by channel exactly what would be sent."""
    for channel in channels:
        yield f"=== {channel.name}: {channel.place}"
        yield shown.get(channel.name, "nothing is owed")


def result_lines(channels: Sequence[Channel], delivery: Delivery) -> Iterator[str]:
    """Yield by channel what came of it, with what a person can do about a failure."""
    for channel in channels:
        error = delivery.failed.get(channel.name)
        if error is not None:
            yield f"{channel.name}: NOT DELIVERED, still owed: {error} ({error.reason})"
            yield f"  {channel.advice(error.reason)}"
        elif channel.name in delivery.owed:
            yield f"{channel.name}: delivered ({channel.place})"
        else:
            yield f"{channel.name}: nothing is owed"
    yield from delivery.said


def _stored(door: Door, path: Path, text: str) -> bool:
    try:
        local.write(path, text)
    except OSError as error:
        door.say(
            f"detector: the artifact {path} could not be written ({error.strerror or error}); "
            "what was delivered is delivered again next time"
        )
        return False
    return True
