"""`collect`: the configured sources side by side, as a snapshot on standard output or in a file."""

from __future__ import annotations

from pathlib import Path

import click

from detector.app.collect import Found, Looking, look, previous_of, snapshot_document
from detector.app.context import Door, clock_of
from detector.app.output import show
from detector.formats.strict_json import MAX_BYTES, canonical, pretty
from detector.settings import has_any_source
from detector.storage import file as local

_UNDELIVERED = 3


@click.command(epilog="Example: python -m detector collect | python -m detector --offline")
@click.option("--to", metavar="FILE", help="Write the snapshot here, atomically, in the place of stdout.")
@click.option("--previous", metavar="FILE", help="The previous artifact: log lines are read since then.")
@click.option("--quiet", is_flag=True, help="Say nothing on stderr about the sources.")
@click.option("--now", metavar="TIME", help="The clock at the door, RFC 3339 (for tests).")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(
    door: Door, /, to: str | None, previous: str | None, quiet: bool, now: str | None, env_file: str | None
) -> int:
    """Read the configured sources side by side and print what they say as one snapshot.

    A source that fails costs nothing but itself: its section is left out, `sources` says why, and the exit
    code stays 0.
    """
    settings = door.settings(env_file)
    clock = clock_of(door, now)
    found = look(door, settings, Looking(clock, previous_of(previous, None), quiet=quiet))
    text = _text(snapshot_document(settings, found, clock()))
    if not quiet:
        door.say(_summary(found) if has_any_source(settings) else _NOTHING)
    if to is None:
        return show(door, text)
    try:
        local.write(Path(to), text)
    except OSError as error:
        door.say(f"detector: the snapshot {to} could not be written ({error.strerror or error})")
        return _UNDELIVERED
    return 0


_NOTHING = "collect: no source is configured; `python -m detector doctor` lists what there is"


def _text(document: dict[str, object]) -> str:
    """Return the snapshot for people, or without any space where `detect` could not read it otherwise."""
    text = pretty(document)
    return text if len(text.encode()) <= MAX_BYTES else canonical(document) + "\n"


def _summary(found: Found) -> str:
    failed = [f"{one.source.name}: {one.reason}" for one in found.collected if one.answer is None]
    said = f" ({', '.join(failed)})" if failed else ""
    return f"collect: {len(found.collected) - len(failed)} of {len(found.collected)} sources answered{said}"
