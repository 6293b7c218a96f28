"""`detect`: a snapshot on standard input, the events on standard output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from detector.app.context import Door, Refused, clock_of
from detector.app.redacted_snapshot import snapshot_of
from detector.domain.condition import STDOUT
from detector.domain.memory import Memory, CheckedMemory, build_lost_memory, check_memory_time
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.domain.snapshot import Snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import evaluate
from detector.engine.run_rules import ERRORS_RULE
from detector.formats.strict_json import MAX_BYTES, DocumentError, parse, pretty
from detector.ledger import add_receipts
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.document import build_artifact_document, build_stdout_document
from detector.render.lines import format_decision, render_resolved
from detector.settings import ARTIFACT, DISPLAY_ZONES, Settings, has_any_source
from detector.storage import file as local


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line of `detect` says."""

    previous: str | None
    artifact: str | None
    report: bool
    nagios: bool
    fail_on: str | None
    quiet: bool
    now: str | None
    offline: bool
    env_file: str | None


@click.command(
    epilog="Example: python -m detector <<<'{}'  ·  python -m detector --previous last.json --artifact last.json < s.json"
)
@click.option("--previous", metavar="FILE", help="The previous artifact, or any earlier stdout.")
@click.option("--artifact", metavar="FILE", help="Write this run's artifact here, atomically.")
@click.option("--report", is_flag=True, help="Print the whole report instead of the two-key document.")
@click.option("--nagios", is_flag=True, help="Print one plugin line with perfdata; exit 0, 1, 2 or 3.")
@click.option(
    "--fail-on", type=click.Choice(["warning", "critical"]), help="Exit 1 when an event is this severe."
)
@click.option("--quiet", is_flag=True, help="Say nothing on stderr about the decision and the coverage.")
@click.option("--now", metavar="TIME", help="The clock at the door, RFC 3339 (for tests and replays).")
@click.option("--offline", is_flag=True, help="Collect nothing; only what stands on standard input counts.")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, **options: Any) -> int:
    """Read a snapshot on standard input and print what is wrong, and what is newly wrong."""
    return detect(door, Options(**options))


def detect(door: Door, options: Options) -> int:
    """Run the whole of `detect` and return its exit code."""
    settings = door.settings(options.env_file)
    clock = clock_of(door, options.now)
    now = clock()
    document = _document(door)
    if options.previous is not None and document.get("previous") is not None:
        raise Refused("--previous and a `previous` section are given together; leave one out")
    if not options.offline and has_any_source(settings):
        document = _completed(door, options, settings, document)
        now = clock()
    snapshot, settings = snapshot_of(document, now, settings)
    held = _memory(door, options, document.get("previous"), snapshot, now)
    if held.message:
        door.say(held.message)
    report = evaluate(snapshot, held.memory, settings)
    printed = _print(door, report, options, settings)
    if not options.quiet:
        for line in (*render_resolved(report), format_decision(report, settings[DISPLAY_ZONES])):
            door.say(line)
    stored = (
        not options.artifact
        or not held.can_advance
        or _store(door, report, options.artifact, printed and not options.nagios, settings)
    )
    return _exit_code(report, options, printed and stored)


def _document(door: Door) -> dict[str, Any]:
    try:
        if door.stdin.isatty():
            door.say("Reading a snapshot from standard input; end it with Ctrl-D ({} is one).")
        return parse(door.stdin.read(MAX_BYTES + 1) or b"")
    except DocumentError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(
            f"standard input could not be read ({error.strerror or type(error).__name__})"
        ) from None


def _completed(door: Door, options: Options, settings: Settings, document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with what it lacks and the configured sources have."""
    from detector.app.collect import Looking, completed, previous_of

    looking = Looking(
        clock=clock_of(door, options.now),
        previous=previous_of(options.previous, document.get("previous")),
        quiet=options.quiet,
    )
    return completed(door, settings, document, looking) or document


def _memory(door: Door, options: Options, section: Any, snapshot: Snapshot, now: datetime) -> CheckedMemory:
    """Return what is remembered, and whether this run may become the new memory."""
    kinds = {one.name: one.declaration.kind for one in load_rules()}
    expected = ExpectedMemory(snapshot.runtime, snapshot.taken_at, kinds)
    if options.previous is None:
        memory = read_previous(section, expected)
    else:
        memory = _from_file(door, Path(options.previous), expected)
    return check_memory_time(memory, snapshot.taken_at, now)


def _from_file(door: Door, path: Path, expected: ExpectedMemory) -> Memory:
    raw = local.read(path)
    if raw is local.ABSENT:
        door.say(f"No previous artifact at {path}: this is a first run.")
        return read_previous(None, expected)
    memory = (
        build_lost_memory(f"the previous artifact: {raw}")
        if isinstance(raw, DocumentError)
        else read_previous(raw, expected)
    )
    if memory.before.lost:
        local.keep_bad(path)
    return memory


def _print(door: Door, report: Report, options: Options, settings: Settings) -> bool:
    """Print the document; return whether stdout took it, which is the receipt of this channel."""
    if options.nagios:
        from detector.render.nagios import format_plugin_line

        text = format_plugin_line(report) + "\n"
    elif options.report:
        text = pretty(build_artifact_document(_acknowledged(report), settings[ARTIFACT] == "full"))
    else:
        text = pretty(build_stdout_document(report))
    printed = door.show(text)
    if not printed:
        door.say("detector: what is owed stays owed")
    return printed


def _acknowledged(report: Report) -> Report:
    told = add_receipts(report.conditions, report.owed[STDOUT], STDOUT, report.taken_at)
    return replace(report, conditions=told)


def _store(door: Door, report: Report, path: str, told: bool, settings: Settings) -> bool:
    """Write the artifact, with a receipt only where all was told: a plugin's one line shows the worst three."""
    kept = _acknowledged(report) if told else report
    try:
        local.write(Path(path), pretty(build_artifact_document(kept, settings[ARTIFACT] == "full")))
    except OSError as error:
        door.say(f"detector: the artifact {path} could not be written ({error.strerror or error})")
        return False
    return True


def _exit_code(report: Report, options: Options, delivered: bool) -> int:
    if options.nagios:
        from detector.render.nagios import get_exit_code

        return get_exit_code(report)
    if not delivered:
        return 3
    if any(event.type == ERRORS_RULE and not event.held for event in report.events):
        return 4
    if options.fail_on and any(RANK[event.severity] >= RANK[options.fail_on] for event in report.events):
        return 1
    return 0
