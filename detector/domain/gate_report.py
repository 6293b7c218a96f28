"""The gate's report: each check with its answer, evidence and age, and the exposure that it pins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct, field

Stage = Literal["before", "after", "open"]
Answer = Literal["yes", "no", "not proven"]
GateVerdict = Literal["pass", "fail", "cannot tell"]
BEFORE: Final[Stage] = "before"
AFTER: Final[Stage] = "after"
OPEN: Final[Stage] = "open"
YES: Final[Answer] = "yes"
NO: Final[Answer] = "no"
UNPROVEN: Final[Answer] = "not proven"
PASSED: Final[GateVerdict] = "pass"
FAILED: Final[GateVerdict] = "fail"
CANNOT_TELL: Final[GateVerdict] = "cannot tell"
GATE_VERSION: Final = 1
NO_APPROVAL: Final = (
    "Neither this nor a green test run is approval: "
    "deploying, stopping and restarting need explicit approval."
)


class TruthHeader(Struct, frozen=True):
    """The account, the time and age of what the broker says, and what is not proven about it.

    `age_fault` is why the age is unknown; `as_of` and `age_sec` are None then.
    """

    account: str | None
    as_of: datetime | None
    age_sec: float | None
    age_fault: str | None
    unproven: tuple[str, ...]


class CheckLine(Struct, frozen=True):
    """One check: its name and title, its answer, the evidence in a sentence, and the evidence's age."""

    check: str
    title: str
    answer: Answer
    evidence: str
    age_sec: float | None = None


class Exposure(Struct, frozen=True):
    """The exposure at one moment, as `gate before` pins it.

    `read` are the facts that were read in full. `positions` maps source and instrument to quantities,
    `orders` source and order to a description. `executions` are ids; `imports` and `unknown_pnl` name
    positions and trades.
    """

    read: tuple[str, ...] = ()
    positions: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    executions: tuple[str, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    unknown_pnl: tuple[str, ...] = ()


class GateReport(Struct, frozen=True):
    """One run of the gate; `omitted` are checks of what this runtime does not have, by its settings.

    `exposure` is pinned by `before` alone. `session_opens` and `session_closes` are those of the session
    that is open or comes next; None where the calendar does not know.
    """

    schema_version: int
    stage: Stage
    runtime: str
    taken_at: datetime
    verdict: GateVerdict
    header: TruthHeader
    session_opens: datetime | None
    session_closes: datetime | None
    lines: tuple[CheckLine, ...]
    omitted: tuple[str, ...]
    exposure: Exposure | None
    note: str = NO_APPROVAL

    def list_lines(self, answer: Answer) -> tuple[CheckLine, ...]:
        """Return the lines with that answer, in their order."""
        return tuple(line for line in self.lines if line.answer == answer)
