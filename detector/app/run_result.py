"""The result of one run: the report with its receipts, the failures, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from detector.app.context import ExitCode
from detector.domain.condition import STDOUT
from detector.domain.report import Report
from detector.engine.run_rules import ERRORS_RULE
from detector.ledger import add_receipts
from detector.render.message_item import PreopenNotice


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
