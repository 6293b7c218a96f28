"""One scheduled run at work: what it owes told first, then printed, then stored; and what of it failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from detector.app.context import AppContext, Clock
from detector.app.delivery import deliver
from detector.app.state_backend import StateBackend
from detector.channels.channel import Channel
from detector.domain.condition import STDOUT
from detector.domain.report import Report
from detector.engine.run_rules import ERRORS_RULE
from detector.formats.numbers import format_count
from detector.formats.serialize import format_document
from detector.ledger import add_receipts
from detector.render.document import build_stdout_document
from detector.render.github_output import escape_commands, escape_commands_in_json
from detector.render.lines import format_decision, render_resolved
from detector.settings import ARTIFACT, DISPLAY_ZONES, Settings
from detector.storage import artifact_file
from detector.storage.size_limit import MOST_STORED, limit_size

UNDELIVERED, BROKEN = 3, 4


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line of `run` says."""

    state: str | None
    artifact: str | None
    snapshot: str | None
    summary: str | None
    stdout: bool
    dry_run: bool
    quiet: bool
    now: str | None
    env_file: str | None


@dataclass(slots=True)
class RunResult:
    """How a run ended: its report with the receipts, and what of its work could not be done.

    `faults` make the exit code; `remarks` are no fault of this run, and must be said all the same. `kept` says that
    everything was stored.
    """

    report: Report
    advances: bool = True
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    previews: Mapping[str, str] = field(default_factory=dict)
    stored: bool = False

    @property
    def exit_code(self) -> int:
        """The exit code: 3 where something owed was not told or stored, 4 where the detector itself failed."""
        if self.faults:
            return UNDELIVERED
        broken = any(event.type == ERRORS_RULE and not event.held for event in self.report.events)
        return BROKEN if broken else 0

    @property
    def notified(self) -> bool:
        """Whether somebody heard all that is wrong with this run: a channel is well, and nothing was lost."""
        health = self.report.channels.values()
        return self.stored and any(channel.since is not None and not channel.failures for channel in health)


@dataclass(frozen=True, slots=True)
class Job:
    """One run with all that it needs: the door, its words and settings, its clock, its channels and its memory."""

    app: AppContext
    options: RunOptions
    settings: Settings
    clock: Clock
    channels: tuple[Channel, ...]
    backend: StateBackend


def deliver_report(job: Job, result: RunResult) -> None:
    """Tell the channels what they are owed; the report takes their receipts. With nobody to tell it is a fault."""
    if not job.channels:
        due = len(result.report.owed[STDOUT])
        if due and not (job.options.stdout or job.options.dry_run):
            result.faults.append(f"{format_count(due, 'alert')} owed, and there is no channel to tell it")
        return
    app = replace(job.app, clock=job.clock)
    delivery = deliver(app, job.settings, result.report, _build_link(job), job.options.dry_run)
    result.report, result.previews = delivery.report, delivery.previews
    for note in delivery.notes:
        job.app.print_stderr(note)
    result.faults += [f"{name} was not told: {error}" for name, error in sorted(delivery.failed.items())]


def print_output(job: Job, result: RunResult) -> None:
    """Print the lines for people, then the document; or in a dry run exactly what would be sent.

    Where somebody reads standard output and no channel is configured, printing is the receipt.
    """
    report = result.report
    if not job.options.quiet:
        for line in (*render_resolved(report), format_decision(report, job.settings[DISPLAY_ZONES])):
            job.app.print_stderr(line)
    if job.options.dry_run and job.channels:
        text = "".join(
            f"{escape_commands(line)}\n" for line in "\n".join(_render_previews(job, result)).splitlines()
        )
    else:
        text = escape_commands_in_json(format_document(build_stdout_document(report)))
    if not job.app.print_stdout(text):
        result.faults.append("standard output could not be written")
    elif job.options.stdout and not job.channels:
        conditions = add_receipts(report.conditions, report.owed[STDOUT], STDOUT, report.taken_at)
        result.report = replace(report, conditions=conditions)


def _render_previews(job: Job, result: RunResult) -> Iterator[str]:
    for channel in job.channels:
        yield f"=== {channel.name}: {channel.display_name}"
        yield result.previews.get(channel.name, "nothing is owed")


def store_report(job: Job, result: RunResult, unread: str | None) -> None:
    """Write the artifact wherever it is remembered; a place that does not take it costs the other nothing.

    `unread` is why a newer memory could not be had. Then nothing is written: what this run told is told again,
    and what that memory owes is not hidden.
    """
    if unread:
        result.faults.append(
            f"nothing was stored, so that the memory that was not read is not hidden: {unread}"
        )
        return
    document, report, path = (
        limit_size(result.report, _should_store_snapshot(job)),
        result.report,
        job.options.artifact,
    )
    faults = [_describe_left_out(document.left_out)] if document.left_out else []
    if path is not None:
        faults += _write_or_describe(
            f"the artifact {path}", lambda: artifact_file.write_atomically(Path(path), document.text)
        )
    faults += _write_or_describe(
        "the memory", lambda: job.backend.store(document.text, report.runtime, report.generation)
    )
    result.faults += faults
    result.stored = not faults


def _describe_left_out(count: int) -> str:
    limit_mib = MOST_STORED // (1024 * 1024)
    return f"{format_count(count, 'condition')} of least worth left out of the memory, which holds at most {limit_mib} MiB"


def _write_or_describe(target: str, write: Callable[[], None]) -> list[str]:
    """Return the fault of one place that does not take it, or nothing."""
    try:
        write()
    except OSError as error:
        return [f"{target} could not be written ({error.strerror or type(error).__name__})"]
    return []


def _should_store_snapshot(job: Job) -> bool:
    """Whether the artifact holds the snapshot: not where anyone could download it, unless a setting says so."""
    if job.settings.origins[ARTIFACT.name] == "default" and job.backend.public:
        return False
    return job.settings[ARTIFACT] == "full"


def _build_link(job: Job) -> str | None:
    """Return where this run can be looked at, where a workflow says so."""
    parts = [job.app.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return None if None in parts or "" in parts else "{}/{}/actions/runs/{}".format(*parts)
