"""A job for the pipeline: the plan of one command, the document it works on, and the result of its run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from detector.app.context import AppContext, Clock
from detector.app.input_documents import STDIN
from detector.domain.snapshot import PARTS, SECTIONS
from detector.settings import Rung, Settings

if TYPE_CHECKING:
    from detector.app.state_backend import StateBackend
    from detector.channels.channel import Channel
    from detector.collectors.run_sources import SourceResult


from msgspec.structs import replace

from detector.app.context import ExitCode
from detector.domain.condition import STDOUT
from detector.domain.report import Report
from detector.engine.run_rules import ERRORS_RULE
from detector.ledger import add_receipts
from detector.render.message_item import PreopenNotice

CollectMode = Literal["never", "missing", "if_empty", "always"]


class PipelinePlan(Struct, frozen=True):
    """The switches of one command.

    `source` is the snapshot to read: STDIN, a path, or None for an empty one. `collect` is when sources are
    read: never, for the `missing` sections, `if_empty` where nothing is piped in, or always and without
    reading the source; `sections` are those that they may fill. `at_taken_at` gathers the facts as of the
    snapshot's own time instead of now; `against_clock` judges a given snapshot now, its time is that of its
    sections that name none. `stdout_delivers`: printing the document is its delivery.
    `artifact` is the file to write. With `dry_run` nothing is sent or stored; `quiet` prints no progress.
    """

    source: str | None = STDIN
    collect: CollectMode = "missing"
    sections: frozenset[str] = frozenset((*SECTIONS, *PARTS))
    at_taken_at: bool = True
    against_clock: bool = False
    stdout_delivers: bool = False
    artifact: str | None = None
    dry_run: bool = False
    quiet: bool = False


class Job(Struct, frozen=True):
    """One execution of the pipeline: context, settings, clock and plan; `run` adds channels and backend."""

    app: AppContext
    settings: Settings
    clock: Clock
    plan: PipelinePlan
    channels: tuple[Channel, ...] = ()
    backend: StateBackend | None = None


class InputDocument(Struct, frozen=True):
    """A snapshot's document and its `previous` section; `is_given` is False where nothing was read.

    `results` are the answers of the sources that were read for it. `written` are the given sections with the
    time of the document, where it is held against the clock.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    previous: Any = None
    is_given: bool = False
    results: tuple[SourceResult, ...] = ()
    written: Mapping[str, datetime] = field(default_factory=dict)


class RunResult(Struct):
    """The result of a run: its report with the receipts, and its failures.

    `faults` decide the exit code; `notes` are printed and do not. `advances` is whether this run may become
    the new memory, `unavailable` why the newest memory could not be read this time, `printed` and `stored`
    whether standard output took the document and everything was stored. `preopen` is the message before the
    open, where it is time for it.
    """

    report: Report
    advances: bool = True
    unavailable: str | None = None
    preopen: PreopenNotice | None = None
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    previews: Mapping[str, str] = field(default_factory=dict)
    printed: bool = False
    stored: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """UNDELIVERED where something was not delivered or stored, BROKEN where the detector failed."""
        if self.faults:
            return ExitCode.UNDELIVERED
        broken = any(event.type == ERRORS_RULE and not event.held for event in self.report.events)
        return ExitCode.BROKEN if broken else ExitCode.OK

    @property
    def notified(self) -> bool:
        """Whether a person was notified of this run: a channel works, and everything was stored."""
        health = self.report.channels.values()
        return self.stored and any(channel.since is not None and not channel.failures for channel in health)


def add_stdout_receipts(report: Report) -> Report:
    """Return the report with a receipt of standard output for each notice that is due there."""
    due = report.owed.get(STDOUT, ())
    return replace(report, conditions=add_receipts(report.conditions, due, STDOUT, report.taken_at))


def get_rungs(channels: tuple[Channel, ...]) -> dict[str, Rung]:
    """Return the rung of each channel."""
    return {channel.name: channel.rung for channel in channels}
