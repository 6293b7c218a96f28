"""`detect`: a snapshot on standard input, the events on standard output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from detector.app.context import AppContext, InputError, get_clock
from detector.app.input_documents import build_expected_memory, parse_input, parse_snapshot, read_stdin
from detector.domain.condition import STDOUT
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.domain.run_memory import CheckedMemory, Memory, build_lost_memory, check_memory_time
from detector.domain.snapshot import Snapshot
from detector.engine.evaluate import evaluate
from detector.engine.run_rules import ERRORS_RULE
from detector.formats.serialize import format_document
from detector.formats.strict_json import DocumentError
from detector.ledger import add_receipts
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.document import build_artifact_document, build_stdout_document
from detector.render.lines import format_decision, render_resolved
from detector.settings import ARTIFACT, DISPLAY_ZONES, Settings, has_any_source
from detector.storage import artifact_file


@dataclass(frozen=True, slots=True)
class DetectOptions:
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


@click.command(
    epilog="Example: python -m detector <<<'{}'"
    "  ·  python -m detector --previous last.json --artifact last.json < s.json"
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
def command(app: AppContext, /, **options: Any) -> int:
    """Read a snapshot on standard input and print what is wrong, and what is newly wrong."""
    return run_detect(app, DetectOptions(**options))


def run_detect(app: AppContext, options: DetectOptions) -> int:
    """Run the whole of `detect` and return its exit code."""
    settings = app.load_settings(options.env_file)
    clock = get_clock(app, options.now)
    now = clock()
    document = _read_document(app)
    if options.previous is not None and document.get("previous") is not None:
        raise InputError("--previous and a `previous` section are given together; leave one out")
    if not options.offline and has_any_source(settings):
        document = _add_missing_sections(app, options, settings, document)
        now = clock()
    snapshot, settings = parse_snapshot(document, now, settings)
    checked = _load_memory(app, options, document.get("previous"), snapshot, now)
    if checked.message:
        app.print_stderr(checked.message)
    report = evaluate(snapshot, checked.memory, settings)
    printed = _print_document(app, report, options, settings)
    if not options.quiet:
        for line in (*render_resolved(report), format_decision(report, settings[DISPLAY_ZONES])):
            app.print_stderr(line)
    stored = (
        not options.artifact
        or not checked.can_advance
        or _store_artifact(app, report, options.artifact, printed and not options.nagios, settings)
    )
    return _compute_exit_code(report, options, printed and stored)


def _read_document(app: AppContext) -> dict[str, Any]:
    if app.stdin.isatty():
        app.print_stderr("Reading a snapshot from standard input; end it with Ctrl-D ({} is one).")
    return parse_input(read_stdin(app))


def _add_missing_sections(
    app: AppContext, options: DetectOptions, settings: Settings, document: dict[str, Any]
) -> dict[str, Any]:
    """Return the document with the missing sections that sources can fill."""
    from detector.app.collection import CollectOptions, add_missing_sections, load_previous

    collect_options = CollectOptions(
        clock=get_clock(app, options.now),
        previous=load_previous(options.previous, document.get("previous")),
        quiet=options.quiet,
    )
    return add_missing_sections(app, settings, document, collect_options) or document


def _load_memory(
    app: AppContext, options: DetectOptions, section: Any, snapshot: Snapshot, now: datetime
) -> CheckedMemory:
    """Return the memory, and whether this run may become the new memory."""
    expected = build_expected_memory(snapshot.runtime, snapshot.taken_at)
    if options.previous is None:
        memory = read_previous(section, expected)
    else:
        memory = _read_artifact(app, Path(options.previous), expected)
    return check_memory_time(memory, snapshot.taken_at, now)


def _read_artifact(app: AppContext, path: Path, expected: ExpectedMemory) -> Memory:
    raw = artifact_file.read_document(path)
    if raw is artifact_file.ABSENT:
        app.print_stderr(f"No previous artifact at {path}: this is a first run.")
        return read_previous(None, expected)
    memory = (
        build_lost_memory(f"the previous artifact: {raw}")
        if isinstance(raw, DocumentError)
        else read_previous(raw, expected)
    )
    if memory.before.lost:
        artifact_file.keep_bad(path)
    return memory


def _print_document(app: AppContext, report: Report, options: DetectOptions, settings: Settings) -> bool:
    """Print the document; return whether stdout took it, which is the receipt of this channel."""
    if options.nagios:
        from detector.render.lines import format_plugin_line

        text = format_plugin_line(report) + "\n"
    elif options.report:
        text = format_document(build_artifact_document(_add_receipts(report), settings[ARTIFACT] == "full"))
    else:
        text = format_document(build_stdout_document(report))
    printed = app.print_stdout(text)
    if not printed:
        app.print_stderr("detector: what is owed stays owed")
    return printed


def _add_receipts(report: Report) -> Report:
    conditions = add_receipts(report.conditions, report.owed[STDOUT], STDOUT, report.taken_at)
    return replace(report, conditions=conditions)


def _store_artifact(app: AppContext, report: Report, path: str, delivered: bool, settings: Settings) -> bool:
    """Write the artifact, with receipts only where all was printed: --nagios prints the worst three only."""
    kept = _add_receipts(report) if delivered else report
    try:
        artifact_file.write_atomically(
            Path(path), format_document(build_artifact_document(kept, settings[ARTIFACT] == "full"))
        )
    except OSError as error:
        app.print_stderr(f"detector: the artifact {path} could not be written ({error.strerror or error})")
        return False
    return True


def _compute_exit_code(report: Report, options: DetectOptions, delivered: bool) -> int:
    if options.nagios:
        from detector.render.lines import get_exit_code

        return get_exit_code(report)
    if not delivered:
        return 3
    if any(event.type == ERRORS_RULE and not event.held for event in report.events):
        return 4
    if options.fail_on and any(RANK[event.severity] >= RANK[options.fail_on] for event in report.events):
        return 1
    return 0
