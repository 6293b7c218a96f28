"""`run`: the scheduled job; load the memory, collect, evaluate, deliver, and only then store."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from detector.app.acknowledgements import LateAcks, apply_arrived, send_onward, start_ack_query
from detector.app.context import AppContext, ExitCode, get_clock
from detector.app.delivery import load_channels, render_previews
from detector.app.gate_run import build_preopen
from detector.app.input_documents import build_expected_memory, parse_snapshot
from detector.app.job import InputDocument, Job, PipelinePlan, RunResult
from detector.app.pipeline import collect, deliver, evaluate, read, store, store_before_delivery
from detector.app.run_publication import (
    list_blind_spots,
    list_missing_recipients,
    publish_outcome,
    send_ping,
    send_refusal_ping,
)
from detector.app.state_backend import StateBackend, open_backend
from detector.commands import env_file_option, now_option
from detector.domain.report import RunInfo
from detector.formats.errors import ExternalError, InputError
from detector.formats.serialize import format_document
from detector.formats.strict_json import redact_excerpt
from detector.readers.previous import ExpectedMemory
from detector.render.document import build_stdout_document
from detector.render.github_output import escape_commands, escape_commands_in_json
from detector.settings import RUN_LANE, RUN_SOURCE
from detector.storage.memory_artifact import LoadedMemory
from detector.storage.state_dir import remove_acks


class RunOptions(Struct, frozen=True):
    """The options of `run`."""

    state: str | None
    artifact: str | None
    snapshot: str | None
    summary: str | None
    stdout: bool
    dry_run: bool
    quiet: bool
    now: str | None
    env_file: str | None


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
    help="Without a channel: count standard output as one, because a person reads it.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send, store and ping nothing.")
@click.option("--quiet", is_flag=True, help="Say nothing on stderr about the decision and the coverage.")
@now_option
@env_file_option
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Do the scheduled job: collect, evaluate, alert, store.

    It finds the memory, reads the sources, alerts the channels, and only then stores and pings. Exit 3 when
    something was not delivered or not stored, when
    no rule could be judged on what was read, or when there is no channel; a source that fails is an event,
    and changes no exit code.
    """
    with suppress(ValueError):  # outside the main thread nothing is interrupted
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    return run(app, RunOptions(**options))


def run(app: AppContext, options: RunOptions) -> int:
    """Run the whole job and return its exit code; the dead-man's switch gets every outcome but a kill."""
    try:
        job, backend = build_job(app, options)
    except InputError:
        if not options.dry_run:
            send_refusal_ping(app, options.env_file)
        raise
    if options.dry_run:
        return _run_dry(job)
    return run_job(job, backend, lambda result: _format_output(job, result), options.summary)


def run_job(
    job: Job, backend: StateBackend, format_output: Callable[[RunResult], str], summary: str | None
) -> int:
    """Run the steps under the memory's lock and publish the outcome; return the exit code."""
    try:
        source, expected = _read_source(job)
        with backend.lock(expected.runtime) as fault:
            result = _run_steps(job, source, expected, format_output)
        result.faults += [fault] if fault else []
    except ExternalError as error:
        job.app.print_stderr(f"detector: nothing was looked at: {error}")
        send_ping(job.app, job.settings, success=False, text="nothing was looked at")
        return ExitCode.UNDELIVERED
    except KeyboardInterrupt:
        send_ping(job.app, job.settings, success=False, text="the run was interrupted")
        raise
    except Exception:  # the command line handles it; the switch gets its ping first
        send_ping(job.app, job.settings, success=False, text="the run broke off")
        raise
    publish_outcome(job, result, summary)
    return result.exit_code


def build_job(
    app: AppContext, options: RunOptions, stored: dict[str, str] | None = None
) -> tuple[Job, StateBackend]:
    """Return the job of these options and the place of its memory; raises InputError.

    `stored` has the runtimes whose memory this process stored already (see `open_backend`).
    """
    settings = app.load_settings(options.env_file)
    backend = open_backend(app, settings, options.state, options.artifact, {} if stored is None else stored)
    plan = PipelinePlan(
        source=options.snapshot,
        stdout_delivers=options.stdout,
        artifact=options.artifact,
        dry_run=options.dry_run,
        quiet=options.quiet,
        against_clock=True,
    )
    channels = load_channels(app, settings)
    return Job(app, settings, get_clock(app, options.now), plan, channels, backend), backend


def _run_dry(job: Job) -> int:
    """Print what a run would send, and store nothing."""
    job.app.print_stderr("Dry run: nothing is sent, stored or pinged.")
    result = _run_steps(job, *_read_source(job), lambda result: _format_output(job, result))
    for note in (*result.notes, *result.faults):
        job.app.print_stderr(note)
    return result.exit_code


def _read_source(job: Job) -> tuple[InputDocument, ExpectedMemory]:
    """Return the given snapshot, and what the memory has to match; raises InputError."""
    source = read(job)
    if source.previous is not None:
        raise InputError(
            f"{job.plan.source}: `run` finds its memory itself; leave the `previous` section out"
        )
    snapshot = parse_snapshot(source.document, job.clock(), job.settings).snapshot
    return source, build_expected_memory(snapshot.runtime, snapshot.taken_at)


def _run_steps(
    job: Job, source: InputDocument, expected: ExpectedMemory, format_output: Callable[[RunResult], str]
) -> RunResult:
    """Load the memory, since which the logs are read; collect, evaluate, deliver; and only then store."""
    loaded = job.backend.find(expected) if job.backend is not None else LoadedMemory()
    # The channels answer while the sources are read; who answers later delays what it may silence.
    query = start_ack_query(job, loaded.memory)
    document = collect(job, source, loaded.document)
    memory, acks = apply_arrived(job, loaded.memory, expected.runtime, query)
    result = evaluate(job, document, lambda _: memory)
    result.preopen = build_preopen(job, document, memory)
    result.report = replace(result.report, run=_build_run_info(job))
    result.unavailable = loaded.unavailable
    result.notes = [*([loaded.note] if loaded.note else []), *acks.notes, *result.notes]
    result.faults += list_blind_spots(job, result.report)
    # Who tries a run out has no channel yet; one that sees nothing is as blind as any other.
    (result.notes if job.plan.dry_run else result.faults).extend(list_missing_recipients(job, result))
    store_before_delivery(job, result)
    late = LateAcks(job, memory, query) if query is not None and query.waiting else None
    deliver(job, result, format_output, late)
    send_onward(job, result)
    store(job, result)
    if result.stored:
        remove_acks(acks.files)
    return result


def _format_output(job: Job, result: RunResult) -> str:
    """Return the document; in a dry run with channels exactly what would be sent."""
    if job.plan.dry_run and job.channels:
        previews = "\n".join(render_previews(job.channels, result.previews))
        return "".join(f"{escape_commands(line)}\n" for line in previews.splitlines())
    return escape_commands_in_json(format_document(build_stdout_document(result.report)))


def _build_run_info(job: Job) -> RunInfo:
    environ = job.app.environ
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    return RunInfo(
        lane=redact_excerpt(job.settings[RUN_LANE]) or None,
        run_id=environ.get("GITHUB_RUN_ID") or None,
        attempt=int(attempt) if attempt.isascii() and attempt.isdigit() else None,
        source=redact_excerpt(job.settings[RUN_SOURCE]) or None,
    )
