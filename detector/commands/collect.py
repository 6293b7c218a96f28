"""`collect`: the configured sources, read in parallel, as a snapshot on standard output or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from detector.app.collection import build_snapshot_document
from detector.app.context import AppContext, ExitCode, get_clock, print_text
from detector.app.input_documents import build_expected_memory, gather_document_facts, load_previous
from detector.app.job import Job, PipelinePlan
from detector.app.pipeline import collect, read
from detector.collectors.run_sources import SourceResult
from detector.commands import env_file_option, now_option
from detector.formats.serialize import format_canonical, format_document
from detector.formats.strict_json import MAX_BYTES
from detector.render.reading import render_section_summaries
from detector.settings import RUNTIME, has_any_source
from detector.storage import artifact_file


@click.command(epilog="Example: python -m detector collect | python -m detector --offline")
@click.option("--to", metavar="FILE", help="Write the snapshot here, atomically, instead of stdout.")
@click.option("--previous", metavar="FILE", help="The previous artifact: log lines are read since then.")
@click.option("--quiet", is_flag=True, help="Say nothing on stderr about the sources.")
@now_option
@env_file_option
@click.pass_obj
def command(
    app: AppContext,
    /,
    to: str | None,
    previous: str | None,
    quiet: bool,
    now: str | None,
    env_file: str | None,
) -> int:
    """Read the configured sources and print one snapshot.

    They are read side by side. A source that fails takes no other with it: its section is left out,
    `sources` says why, and the exit code stays 0.
    """
    settings = app.load_settings(env_file)
    plan = PipelinePlan(source=None, collect="always", quiet=quiet)
    job = Job(app, settings, get_clock(app, now), plan)
    before = load_previous(previous)
    unused = before.explain_unused(build_expected_memory(settings[RUNTIME], job.clock()))
    if unused is not None:
        app.print_stderr(f"collect: {unused}: log lines are read as in a first run")
    collected = collect(job, read(job), before.document)
    document = build_snapshot_document(settings, collected.document, job.clock())
    text = _format_snapshot(document)
    if not quiet:
        app.print_stderr(_summarize(collected.results) if has_any_source(settings) else _NO_SOURCES)
        for name, line in render_section_summaries(gather_document_facts(document, job.clock(), settings)):
            app.print_stderr(f"collect: {name}: {line}")
    if to is None:
        return print_text(app, text)
    try:
        artifact_file.write_atomically(Path(to), text)
    except OSError as error:
        app.print_stderr(f"detector: the snapshot {to} could not be written ({error.strerror or error})")
        return ExitCode.UNDELIVERED
    return ExitCode.OK


_NO_SOURCES = "collect: no source is configured; `python -m detector doctor` lists what there is"


def _format_snapshot(document: dict[str, object]) -> str:
    """Return the snapshot indented, or compact where it would be too large for `detect`."""
    text = format_document(document)
    return text if len(text.encode()) <= MAX_BYTES else format_canonical(document) + "\n"


def _summarize(results: Sequence[SourceResult]) -> str:
    failed = [f"{result.source.name}: {result.reason}" for result in results if result.answer is None]
    failures = f" ({', '.join(failed)})" if failed else ""
    count = len(results)
    return f"collect: {count - len(failed)} of {count} sources answered{failures}"
