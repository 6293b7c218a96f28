"""`run`: the scheduled job; remember, look, evaluate, tell, and only then store what was told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from detector.app.collect import Looking, completed
from detector.app.context import Door, Refused, clock_of
from detector.app.delivery import channels_of, floors
from detector.app.job import UNDELIVERED, Ended, Job, Options, show, store, tell
from detector.app.memory import keeping
from detector.app.redacted_snapshot import snapshot_of
from detector.app.run_outcome import leave_word, ping, ping_refused, said_of
from detector.domain.condition import STDOUT
from detector.domain.memory import check_memory_time
from detector.domain.report import RunInfo
from detector.engine.catalog import load_rules
from detector.engine.evaluate import evaluate
from detector.formats.edge_error import EdgeError
from detector.formats.strict_json import MAX_BYTES, DocumentError, clipped, parse
from detector.readers.previous import ExpectedMemory
from detector.settings import RUN_LANE, RUN_SOURCE, has_any_source
from detector.storage.newest import Found


@click.command(epilog="Example: python -m detector run --state memory --dry-run")
@click.option(
    "--state", metavar="DIR", help="Remember in this folder; without it, in the workflow's artifacts."
)
@click.option("--artifact", metavar="FILE", help="Write this run's artifact here, atomically.")
@click.option("--snapshot", metavar="FILE", help="A snapshot (- is stdin); what it lacks is collected.")
@click.option(
    "--summary", metavar="FILE", help="Add the run's page, Markdown [default: $GITHUB_STEP_SUMMARY]."
)
@click.option(
    "--stdout",
    is_flag=True,
    help="Somebody reads standard output: where no channel is configured, it is one.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send, store and ping nothing.")
@click.option("--quiet", is_flag=True, help="Say nothing on stderr about the decision and the coverage.")
@click.option("--now", metavar="TIME", help="The clock at the door, RFC 3339 (for tests and replays).")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, **options: Any) -> int:
    """Do the scheduled job: find the memory, collect, evaluate, tell the channels, then store and ping.

    What is owed is told first and stored after. Exit 3 when something owed was not told, or not stored, or when
    there is no channel to tell it; a source that fails is an event, and changes no exit code.
    """
    return run(door, Options(**options))


def run(door: Door, options: Options) -> int:
    """Run the whole job and return its exit code; the dead-man's switch hears of every ending but a kill."""
    try:
        job = _job(door, options)
    except Refused:
        if not options.dry_run:
            ping_refused(door, options.env_file)
        raise
    if options.dry_run:
        return _dry(job)
    try:
        with job.place.held() as fault:
            ended = _run(job)
        ended.faults += [fault] if fault else []
    except EdgeError as error:
        door.say(f"detector: nothing was looked at: {error}")
        ping(job, well=False, said="nothing was looked at")
        return UNDELIVERED
    except Exception:  # whatever it was goes on to the door; the switch hears of it first
        ping(job, well=False, said="the run broke off")
        raise
    leave_word(job, ended)
    return ended.code


def _job(door: Door, options: Options) -> Job:
    """Return the run with all that it needs; raises Refused."""
    settings = door.settings(options.env_file)
    place = keeping(door, settings, options.state, options.artifact)
    return Job(door, options, settings, clock_of(door, options.now), channels_of(door, settings), place)


def _dry(job: Job) -> int:
    """Show what a run would send, and leave nothing."""
    job.door.say("Dry run: nothing is sent, stored or pinged.")
    ended = _run(job)
    for said in (*ended.remarks, *ended.faults):
        job.door.say(said)
    return ended.code


def _run(job: Job) -> Ended:
    """Remember, look, evaluate, tell; then print and store."""
    document = _given(job)
    seen, _ = snapshot_of(document, job.clock(), job.settings)
    kinds = {one.name: one.declaration.kind for one in load_rules()}
    found = job.place.find(ExpectedMemory(seen.runtime, seen.taken_at, kinds))
    snapshot, settings = snapshot_of(_looked(job, document, found), job.clock(), job.settings)
    memory = check_memory_time(found.memory, snapshot.taken_at, job.clock())
    report = evaluate(snapshot, memory.memory, settings, floors(job.channels) or (STDOUT,))
    ended = Ended(replace(report, run=_run_info(job)), advances=memory.can_advance)
    ended.remarks += [said for said in (found.said, memory.message, *said_of(job, report)) if said]
    if ended.advances:
        tell(job, ended)
    show(job, ended)
    if ended.advances and not job.options.dry_run:
        store(job, ended, found.unread)
    return ended


def _given(job: Job) -> dict[str, Any]:
    """Return the snapshot that the command line names, or an empty one; raises Refused."""
    path = job.options.snapshot
    if path is None:
        return {}
    try:
        document = parse(_bytes(job.door, path))
    except DocumentError as error:
        raise Refused(f"{path}: {error}") from None
    if document.get("previous") is not None:
        raise Refused(f"{path}: `run` finds its memory itself; leave the `previous` section out")
    return document


def _bytes(door: Door, path: str) -> bytes:
    try:
        if path == "-":
            return door.stdin.read(MAX_BYTES + 1) or b""
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror or type(error).__name__}") from None


def _looked(job: Job, document: dict[str, Any], found: Found) -> dict[str, Any]:
    """Return the document with what the configured sources say."""
    if not has_any_source(job.settings):
        return document
    looking = Looking(job.clock, found.document, quiet=job.options.quiet)
    return completed(job.door, job.settings, document, looking) or document


def _run_info(job: Job) -> RunInfo:
    environ = job.door.environ
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    return RunInfo(
        lane=clipped(job.settings[RUN_LANE]) or None,
        run_id=environ.get("GITHUB_RUN_ID") or None,
        attempt=int(attempt) if attempt.isascii() and attempt.isdigit() else None,
        source=clipped(job.settings[RUN_SOURCE]) or None,
    )
