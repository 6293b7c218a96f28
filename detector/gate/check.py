"""A check of the gate: what it needs, declared as data, and the function that decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from msgspec import Struct, field

from detector.domain.facts import FACT_NAMES, Facts
from detector.domain.gate_report import AFTER, BEFORE, OPEN, Answer, GateReport, Stage
from detector.domain.judgement import Judgement
from detector.domain.report import Report
from detector.market.hours import Session
from detector.settings import Settings


class GateAnswers(Struct, frozen=True):
    """The facts that no snapshot holds, as a person states them; None or empty means that nobody did.

    `approval` and `quiet_window` are texts, `accepted_entry` is why a pending entry order may stay,
    `explained` maps a change of the exposure to its reason.
    """

    approval: str | None = None
    quiet_window: str | None = None
    accepted_entry: str | None = None
    scan_cycles: int | None = None
    explained: Mapping[str, str] = field(default_factory=dict)


class GateContext(Struct, frozen=True):
    """What the checks read: one run's facts, verdicts and report, the answers, and the report of `before`.

    `now` is the clock of the process. `age_fault` is why the age of the broker's lists is unknown, None where
    it is known. `before` is None where none was given; `before_fault` is why it is
    unusable. `channels` are the configured ones. `session` is the session that is open or comes next.
    """

    facts: Facts
    judgement: Judgement
    report: Report
    settings: Settings
    now: datetime
    age_fault: str | None = None
    answers: GateAnswers = GateAnswers()
    before: GateReport | None = None
    before_fault: str | None = None
    channels: tuple[str, ...] = ()
    session: Session | None = None


class GateDecision(Struct, frozen=True):
    """One answer of a check's function, with its evidence in a sentence."""

    answer: Answer
    evidence: str


Decide = Callable[[GateContext], GateDecision | Iterator[GateDecision]]


class GateCheck(Struct, frozen=True):
    """One check as data.

    It passes only where every fact of `sees`, and one of `any_of`, was seen in full, every rule of `rules`
    was judged and is good, and `decide` returns a yes, or yields nothing else. `adds` are rules that count
    only where their facts were seen. `signal` is the golden signal without which the check is omitted;
    `replaces` one in whose place it stands where that is off. `asks` names the option that answers it.
    """

    name: str
    title: str
    stages: tuple[Stage, ...] = (BEFORE, AFTER, OPEN)
    sees: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    adds: tuple[str, ...] = ()
    decide: Decide | None = None
    signal: str | None = None
    replaces: str | None = None
    asks: str | None = None

    def __post_init__(self) -> None:
        """Refuse a check that could pass without seeing anything, or that names an unknown fact."""
        unknown = {*self.sees, *self.any_of} - FACT_NAMES
        if unknown or not (self.sees or self.any_of or self.decide):
            raise ValueError(f"{self.name} sees nothing, or unknown facts: {', '.join(sorted(unknown))}")


def list_starts(facts: Facts) -> list[datetime]:
    """Return when the engine and each running task started, as far as it was seen."""
    started = [task.started_at for task in facts.tasks or () if task.last_status == "RUNNING"]
    return [at for at in (facts.engine_started_at, *started) if at is not None]
