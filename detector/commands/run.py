"""`run`: the scheduled job; load the memory, collect, evaluate, deliver, and only then store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from detector.app.collection import CollectOptions, add_missing_sections
from detector.app.context import AppContext, InputError, get_clock
from detector.app.delivery import get_min_severities, load_channels
from detector.app.input_documents import build_expected_memory, parse_snapshot
from detector.app.run_job import (
    UNDELIVERED,
    Job,
    RunOptions,
    RunResult,
    deliver_report,
    print_output,
    store_report,
)
from detector.app.run_outcome import (
    list_configuration_warnings,
    publish_outcome,
    send_ping,
    send_refusal_ping,
)
from detector.app.state_backend import open_backend
from detector.domain.condition import STDOUT
from detector.domain.report import RunInfo
from detector.domain.run_memory import check_memory_time
from detector.engine.evaluate import evaluate
from detector.formats.errors import ExternalError
from detector.formats.strict_json import MAX_BYTES, DocumentError, parse_document, redact_excerpt
from detector.settings import RUN_LANE, RUN_SOURCE, has_any_source
from detector.storage.memory_artifact import LoadedMemory


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
def command(app: AppContext, /, **options: Any) -> int:
    """Do the scheduled job: find the memory, collect, evaluate, tell the channels, then store and ping.

    What is owed is told first and stored after. Exit 3 when something owed was not told, or not stored, or
    when there is no channel to tell it; a source that fails is an event, and changes no exit code.
    """
    return run(app, RunOptions(**options))


def run(app: AppContext, options: RunOptions) -> int:
    """Run the whole job and return its exit code; the dead-man's switch gets every outcome but a kill."""
    try:
        job = _build_job(app, options)
    except InputError:
        if not options.dry_run:
            send_refusal_ping(app, options.env_file)
        raise
    if options.dry_run:
        return _run_dry(job)
    try:
        with job.backend.lock() as fault:
            result = _run_job(job)
        result.faults += [fault] if fault else []
    except ExternalError as error:
        app.print_stderr(f"detector: nothing was looked at: {error}")
        send_ping(job, success=False, text="nothing was looked at")
        return UNDELIVERED
    except Exception:  # the command line handles it; the switch gets its ping first
        send_ping(job, success=False, text="the run broke off")
        raise
    publish_outcome(job, result)
    return result.exit_code


def _build_job(app: AppContext, options: RunOptions) -> Job:
    """Return the job of these options; raises InputError."""
    settings = app.load_settings(options.env_file)
    backend = open_backend(app, settings, options.state, options.artifact)
    return Job(app, options, settings, get_clock(app, options.now), load_channels(app, settings), backend)


def _run_dry(job: Job) -> int:
    """Print what a run would send, and store nothing."""
    job.app.print_stderr("Dry run: nothing is sent, stored or pinged.")
    result = _run_job(job)
    for note in (*result.notes, *result.faults):
        job.app.print_stderr(note)
    return result.exit_code


def _run_job(job: Job) -> RunResult:
    """Load the memory, collect, evaluate, deliver; then print and store."""
    document = _read_snapshot(job)
    input_snapshot, _ = parse_snapshot(document, job.clock(), job.settings)
    loaded = job.backend.find(build_expected_memory(input_snapshot.runtime, input_snapshot.taken_at))
    snapshot, settings = parse_snapshot(_collect_missing(job, document, loaded), job.clock(), job.settings)
    memory = check_memory_time(loaded.memory, snapshot.taken_at, job.clock())
    report = evaluate(snapshot, memory.memory, settings, get_min_severities(job.channels) or (STDOUT,))
    result = RunResult(replace(report, run=_build_run_info(job)), advances=memory.can_advance)
    result.notes += [
        note for note in (loaded.note, memory.message, *list_configuration_warnings(job, report)) if note
    ]
    if result.advances:
        deliver_report(job, result)
    print_output(job, result)
    if result.advances and not job.options.dry_run:
        store_report(job, result, loaded.unavailable)
    return result


def _read_snapshot(job: Job) -> dict[str, Any]:
    """Return the snapshot of `--snapshot`, or an empty one; raises InputError."""
    path = job.options.snapshot
    if path is None:
        return {}
    try:
        document = parse_document(_read_bytes(job.app, path))
    except DocumentError as error:
        raise InputError(f"{path}: {error}") from None
    if document.get("previous") is not None:
        raise InputError(f"{path}: `run` finds its memory itself; leave the `previous` section out")
    return document


def _read_bytes(app: AppContext, path: str) -> bytes:
    try:
        if path == "-":
            return app.stdin.read(MAX_BYTES + 1) or b""
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or type(error).__name__}") from None


def _collect_missing(job: Job, document: dict[str, Any], loaded: LoadedMemory) -> dict[str, Any]:
    """Return the document with the missing sections that sources can fill."""
    if not has_any_source(job.settings):
        return document
    options = CollectOptions(job.clock, loaded.document, quiet=job.options.quiet)
    return add_missing_sections(job.app, job.settings, document, options) or document


def _build_run_info(job: Job) -> RunInfo:
    environ = job.app.environ
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    return RunInfo(
        lane=redact_excerpt(job.settings[RUN_LANE]) or None,
        run_id=environ.get("GITHUB_RUN_ID") or None,
        attempt=int(attempt) if attempt.isascii() and attempt.isdigit() else None,
        source=redact_excerpt(job.settings[RUN_SOURCE]) or None,
    )
