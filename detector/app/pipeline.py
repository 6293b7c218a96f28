"""The pipeline of every command that judges a snapshot: read → collect → evaluate → deliver → store.

A command describes itself in a `PipelinePlan` and calls the steps that it needs, in this order. `gather` is
read, collect and the facts, without a rule. Only `collect` and `deliver` import collectors and channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from detector.app.input_documents import (
    STDIN,
    build_expected_memory,
    check_document,
    parse_snapshot,
    parse_source,
    read_source,
)
from detector.app.job import InputDocument, Job, RunResult, add_stdout_receipts, get_rungs
from detector.domain.condition import STDOUT
from detector.domain.facts import Facts
from detector.domain.previous_run import PreviousRun
from detector.domain.profile import ReadContext
from detector.domain.run_memory import FIRST_RUN, Memory, check_memory_time, limit_clock_difference
from detector.domain.snapshot import Snapshot, merge_sections, split_parts
from detector.engine.evaluate import evaluate as evaluate_snapshot
from detector.engine.gather import gather_facts
from detector.readers.previous import ExpectedMemory
from detector.render.lines import format_decision, render_resolved
from detector.settings import ARTIFACT, DISPLAY_ZONES, MARKET_CLOSURES, PROFILE, Settings, has_any_source
from detector.storage import artifact_file

if TYPE_CHECKING:
    from detector.app.acknowledgements import LateAcks

LoadMemory = Callable[[ExpectedMemory], Memory]


class GatheredFacts(Struct, frozen=True):
    """The facts as of `facts.taken_at`, which is now or the snapshot's own time, and where they are from.

    `taken_at` is the time that a given snapshot states, None where it states none or was collected. `ids`
    are the identifiers of the query, redacted as the snapshot is.
    """

    facts: Facts
    snapshot: Snapshot
    settings: Settings
    now: datetime
    taken_at: datetime | None
    is_collected: bool
    ids: Mapping[str, str | None]


def read(job: Job) -> InputDocument:
    """Return the document of the plan's source; raises InputError where it cannot be read or parsed."""
    plan = job.plan
    if plan.source is None or plan.collect == "always":
        return InputDocument()
    if plan.source == STDIN and plan.collect == "if_empty" and job.app.stdin.isatty():
        return InputDocument()
    file = read_source(job.app, plan.source, "a snapshot")
    if plan.collect == "if_empty" and not file.data.strip():
        return InputDocument()
    document = parse_source(file.data, plan.source)
    # At a pretended time (--now) the file's own says nothing.
    modified_at = file.modified_at if job.clock is job.app.clock else None
    written = _extract_time(job, document, modified_at) if plan.against_clock else {}
    return InputDocument(document, document.pop("previous", None), is_given=True, written=written)


def _extract_time(job: Job, document: dict[str, Any], modified_at: datetime | None) -> dict[str, datetime]:
    """Take the time out of the document; return its sections with that time, or with its file's."""
    taken_at = check_document(document, job.clock(), job.settings).taken_at
    stated = document.pop("taken_at", None)
    written = modified_at if stated is None else taken_at
    return {} if written is None else dict.fromkeys(split_parts(document), written)


def collect(job: Job, source: InputDocument, previous: Any = None) -> InputDocument:
    """Return the document with the sections that the plan collects; `previous` is the previous artifact.

    Raises InputError for an invalid document before a source is read, and for contradicting settings.
    """
    mode = job.plan.collect
    if mode == "never" or (mode == "if_empty" and source.is_given):
        return source
    if mode == "missing" and not has_any_source(job.settings):
        return source
    snapshot = check_document(source.document, job.clock(), job.settings)
    from detector.app.collection import collect_missing

    result = collect_missing(job, source.document, snapshot.taken_at, previous)
    sections = merge_sections(source.document, result.sections)
    if result.entries:
        sections["sources"] = {**(source.document.get("sources") or {}), **result.entries}
    return replace(source, document=sections, results=tuple(result.collected))


def gather(
    job: Job,
    load_previous: Callable[[Any, ExpectedMemory], PreviousRun] | None = None,
    ids: Mapping[str, str | None] | None = None,
) -> GatheredFacts:
    """Read, collect and return the facts; raises InputError. `load_previous` reads the `previous` section."""
    source = read(job)
    document = collect(job, source)
    now = job.clock()
    parsed = parse_snapshot(document.document, now, job.settings, ids or {})
    snapshot, settings = parsed.snapshot, parsed.settings
    taken_at = snapshot.taken_at if source.document.get("taken_at") is not None else None
    at = taken_at if taken_at is not None and job.plan.at_taken_at else now
    previous = FIRST_RUN.before
    if load_previous is not None:
        previous = load_previous(source.previous, build_expected_memory(snapshot.runtime, at))
    context = ReadContext(settings, settings.files[PROFILE.name], previous)
    facts = gather_facts(replace(snapshot, taken_at=at), context, settings.files[MARKET_CLOSURES.name])
    return GatheredFacts(facts, snapshot, settings, now, taken_at, not source.is_given, parsed.ids)


def evaluate(job: Job, source: InputDocument, load_memory: LoadMemory) -> RunResult:
    """Return the result of all rules on the document and the memory; raises InputError."""
    now = job.clock()
    parsed = parse_snapshot(source.document, now, job.settings)
    snapshot = replace(parsed.snapshot, written=source.written)
    memory = load_memory(build_expected_memory(snapshot.runtime, snapshot.taken_at))
    if job.backend is not None:  # the runners of two runs may have different clocks
        snapshot = replace(snapshot, taken_at=limit_clock_difference(memory, snapshot.taken_at))
    checked = check_memory_time(memory, snapshot.taken_at, now)
    channels = get_rungs(job.channels)
    report = evaluate_snapshot(snapshot, checked.memory, parsed.settings, channels or (STDOUT,))
    notes = [checked.message] if checked.message else []
    return RunResult(report, advances=checked.can_advance, notes=notes)


def deliver(
    job: Job, result: RunResult, format_output: Callable[[RunResult], str], late: LateAcks | None = None
) -> None:
    """Deliver the due notices to the channels, then print; the result gets receipts, previews and faults.

    What the answers of `late` may silence is delivered last, where they do not.
    """
    if result.advances and job.channels:
        result.report = late.keep_back(result.report) if late is not None else result.report
        failed = _deliver_to_channels(job, result)
        if late is not None:
            _deliver_to_channels(job, result, late.apply(result) - failed)
    result.printed = job.app.print_stdout(format_output(result))
    is_recipient = job.plan.stdout_delivers and not job.channels
    if result.printed and is_recipient:
        result.report = add_stdout_receipts(result.report)
    elif not result.printed:
        result.faults.append("standard output could not be written")
    if not result.printed and is_recipient:
        job.app.print_stderr("detector: undelivered alerts will be sent again")
    if not job.plan.quiet:
        report = result.report
        for line in (*render_resolved(report), format_decision(report, job.settings[DISPLAY_ZONES])):
            job.app.print_stderr(line)


def _deliver_to_channels(job: Job, result: RunResult, only: frozenset[str] | None = None) -> frozenset[str]:
    """Deliver to all channels, or to some; return those that were not reached."""
    from detector.app.delivery import RunSource
    from detector.app.delivery import deliver as deliver_report
    from detector.app.github_access import build_run_link

    app = replace(job.app, clock=job.clock)
    source = RunSource(build_run_link(app), result.unavailable, result.preopen, only)
    delivery = deliver_report(app, job.settings, result.report, source, job.plan.dry_run)
    result.report, result.previews = delivery.report, delivery.previews
    for note in delivery.notes:
        app.print_stderr(note)
    result.faults += [f"not delivered to {name}: {error}" for name, error in sorted(delivery.failed.items())]
    return frozenset(delivery.failed)


def store_before_delivery(job: Job, result: RunResult) -> None:
    """Store what is due before anything is delivered: a killed run may have delivered it.

    Whatever it opened at a pager, the next run knows of, and can end. A failure is that of `store`.
    """
    if any(result.report.owed.values()):
        store(job, replace(result, faults=[]))


def store(job: Job, result: RunResult) -> None:
    """Write the artifact to its file and to the state backend; one failure does not stop the other.

    Nothing is written in a dry run, nor by a run that may not advance the memory, nor where the newest memory
    could not be read: the notices that it still owes stay visible, and what was delivered is delivered again.
    """
    path, backend = job.plan.artifact, job.backend
    if job.plan.dry_run or not result.advances or (path is None and backend is None):
        return
    if result.unavailable:
        result.faults.append(
            f"nothing was stored, so that the memory that was not read is not hidden: {result.unavailable}"
        )
        return
    from detector.storage.memory_artifact import format_left_out, limit_size

    report = result.report
    artifact = limit_size(report, should_store_snapshot(job))
    faults = [format_left_out(artifact.left_out)] if artifact.left_out else []
    if path is not None:
        faults += _write_or_describe(
            f"the artifact {path}", lambda: artifact_file.write_atomically(Path(path), artifact.text)
        )
    if backend is not None:
        faults += _write_or_describe(
            "the memory", lambda: backend.store(artifact.text, report.runtime, report.generation)
        )
    result.faults += faults
    result.stored = not faults


def _write_or_describe(target: str, write: Callable[[], None]) -> list[str]:
    """Write; return the fault where the target cannot be written."""
    try:
        write()
    except OSError as error:
        return [f"{target} could not be written ({error.strerror or type(error).__name__})"]
    return []


def should_store_snapshot(job: Job) -> bool:
    """Whether the artifact holds the snapshot: in a public place only where the setting is explicit."""
    is_public = job.backend is not None and job.backend.public
    if is_public and job.settings.origins[ARTIFACT.name] == "default":
        return False
    return job.settings[ARTIFACT] == "full"
