"""`detect`: a snapshot on standard input, the events on standard output."""

from __future__ import annotations

from typing import Any

import click
from msgspec import Struct

from detector.app.context import AppContext, ExitCode, get_clock
from detector.app.input_documents import PreviousArtifact, load_previous
from detector.app.job import Job, PipelinePlan, RunResult, add_stdout_receipts
from detector.app.pipeline import collect, deliver, evaluate, read, store
from detector.commands import env_file_option, now_option
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.domain.run_memory import Memory
from detector.formats.serialize import format_document
from detector.readers.previous import ExpectedMemory
from detector.render.document import build_artifact_document, build_stdout_document
from detector.settings import ARTIFACT, Settings
from detector.storage import artifact_file


class DetectOptions(Struct, frozen=True):
    """The options of `detect`."""

    previous: str | None
    artifact: str | None
    report: bool
    nagios: bool
    fail_on: str | None
    quiet: bool
    now: str | None
    offline: bool
    env_file: str | None


@click.command(epilog='Example: echo \'{"status_v3": {"stuck_exits": 1}}\' | python -m detector')
@click.option(
    "--previous", metavar="FILE", help="The previous artifact, or the saved stdout of an earlier run."
)
@click.option("--artifact", metavar="FILE", help="Write this run's artifact here, atomically.")
@click.option("--report", is_flag=True, help="Print the whole report instead of the two-key document.")
@click.option("--nagios", is_flag=True, help="Print one plugin line with perfdata; exit 0, 1, 2 or 3.")
@click.option(
    "--fail-on", type=click.Choice(["warning", "critical"]), help="Exit 1 when an event is this severe."
)
@click.option("--quiet", is_flag=True, help="Say nothing on stderr about the decision and the coverage.")
@now_option
@click.option("--offline", is_flag=True, help="Collect nothing; only what stands on standard input counts.")
@env_file_option
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Read a snapshot on standard input and print what is wrong."""
    return run_detect(app, DetectOptions(**options))


def run_detect(app: AppContext, options: DetectOptions) -> int:
    """Run the whole of `detect` and return its exit code."""
    settings = app.load_settings(options.env_file)
    plan = PipelinePlan(
        collect="never" if options.offline else "missing",
        stdout_delivers=not options.nagios,  # the plugin's line names the worst three only
        artifact=options.artifact,
        quiet=options.quiet,
        against_clock=options.nagios,
    )
    job = Job(app, settings, get_clock(app, options.now), plan)
    source = read(job)
    previous = load_previous(options.previous, source.previous)
    document = collect(job, source, previous.document)
    result = evaluate(job, document, lambda expected: _load_memory(app, previous, expected))
    for note in result.notes:
        app.print_stderr(note)
    deliver(job, result, lambda result: _format_output(result.report, options, settings))
    delivery_faults = len(result.faults)  # printed where they occurred
    store(job, result)
    for fault in result.faults[delivery_faults:]:
        app.print_stderr(f"detector: {fault}")
    return _compute_exit_code(result, options)


def _load_memory(app: AppContext, previous: PreviousArtifact, expected: ExpectedMemory) -> Memory:
    if previous.is_absent:
        app.print_stderr(f"No previous artifact at {previous.path}: this is a first run.")
    memory = previous.read(expected)
    if memory.before.lost and previous.path is not None:
        artifact_file.keep_bad(previous.path)
    return memory


def _format_output(report: Report, options: DetectOptions, settings: Settings) -> str:
    if options.nagios:
        from detector.render.lines import format_plugin_line

        return format_plugin_line(report) + "\n"
    if options.report:
        with_receipts = add_stdout_receipts(report)
        return format_document(build_artifact_document(with_receipts, settings[ARTIFACT] == "full"))
    return format_document(build_stdout_document(report))


def _compute_exit_code(result: RunResult, options: DetectOptions) -> int:
    if options.nagios:
        from detector.render.lines import get_exit_code

        return get_exit_code(result.report)
    events = result.report.events
    if result.exit_code == ExitCode.OK and options.fail_on:
        severe = any(RANK[event.severity] >= RANK[options.fail_on] for event in events)
        return ExitCode.FINDING if severe else ExitCode.OK
    return result.exit_code
