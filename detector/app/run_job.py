"""One scheduled run after its evaluation: deliver first, then print, then store; each failure is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from detector.app.context import AppContext, Clock
from detector.app.delivery import deliver, render_previews
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
from detector.storage.memory_artifact import MOST_STORED, limit_size

UNDELIVERED, BROKEN = 3, 4


@dataclass(frozen=True, slots=True)
class RunOptions:
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


@dataclass(slots=True)
class RunResult:
    """The result of a run: its report with the receipts, and its failures.

    `faults` decide the exit code; `notes` are printed and do not. `advances` is whether this run may become
    the new memory, `stored` whether everything was stored.
    """

    report: Report
    advances: bool = True
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    previews: Mapping[str, str] = field(default_factory=dict)
    stored: bool = False

    @property
    def exit_code(self) -> int:
        """3 where something was not delivered or not stored, 4 where the detector itself failed."""
        if self.faults:
            return UNDELIVERED
        broken = any(event.type == ERRORS_RULE and not event.held for event in self.report.events)
        return BROKEN if broken else 0

    @property
    def notified(self) -> bool:
        """Whether a person was notified of this run: a channel works, and everything was stored."""
        health = self.report.channels.values()
        return self.stored and any(channel.since is not None and not channel.failures for channel in health)


@dataclass(frozen=True, slots=True)
class Job:
    """One run: context, options, settings, clock, channels and state backend."""

    app: AppContext
    options: RunOptions
    settings: Settings
    clock: Clock
    channels: tuple[Channel, ...]
    backend: StateBackend


def deliver_report(job: Job, result: RunResult) -> None:
    """Deliver the due notices; the report gets the receipts. A due notice without a channel is a fault."""
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
    """Print the lines on stderr, then the document; in a dry run with channels exactly what would be sent.

    With `--stdout` and no channel, printing is the delivery and writes the receipts.
    """
    report = result.report
    if not job.options.quiet:
        for line in (*render_resolved(report), format_decision(report, job.settings[DISPLAY_ZONES])):
            job.app.print_stderr(line)
    if job.options.dry_run and job.channels:
        text = "".join(
            f"{escape_commands(line)}\n"
            for line in "\n".join(render_previews(job.channels, result.previews)).splitlines()
        )
    else:
        text = escape_commands_in_json(format_document(build_stdout_document(report)))
    if not job.app.print_stdout(text):
        result.faults.append("standard output could not be written")
    elif job.options.stdout and not job.channels:
        conditions = add_receipts(report.conditions, report.owed[STDOUT], STDOUT, report.taken_at)
        result.report = replace(report, conditions=conditions)


def store_report(job: Job, result: RunResult, unread: str | None) -> None:
    """Write the artifact to its file and to the state backend; one failure does not stop the other.

    `unread` is why the newest memory could not be read. Then nothing is written, so that the notices that
    this memory still owes stay visible; what this run delivered is delivered again.
    """
    if unread:
        result.faults.append(
            f"nothing was stored, so that the memory that was not read is not hidden: {unread}"
        )
        return
    report, path = result.report, job.options.artifact
    document = limit_size(report, _should_store_snapshot(job))
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
    return (
        f"{format_count(count, 'condition')} of least worth left out of the memory,"
        f" which holds at most {limit_mib} MiB"
    )


def _write_or_describe(target: str, write: Callable[[], None]) -> list[str]:
    """Write; return the fault where the target cannot be written."""
    try:
        write()
    except OSError as error:
        return [f"{target} could not be written ({error.strerror or type(error).__name__})"]
    return []


def _should_store_snapshot(job: Job) -> bool:
    """Whether the artifact holds the snapshot: in a public place only where the setting is explicit."""
    if job.settings.origins[ARTIFACT.name] == "default" and job.backend.public:
        return False
    return job.settings[ARTIFACT] == "full"


def _build_link(job: Job) -> str | None:
    """Return the address of this run's page, None outside of a workflow."""
    parts = [job.app.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return None if None in parts or "" in parts else "{}/{}/actions/runs/{}".format(*parts)
