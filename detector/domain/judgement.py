"""What a run could decide: the findings that were signed, and a verdict on every other condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from detector.domain.condition import Condition
from detector.domain.facts import Facts
from detector.domain.rule import DECLARED, CannotTell, Finding, Good, Kind, Lasts, Rule

Verdict = Literal["firing", "good", "unseen", "off hours", "retired"]


@dataclass(frozen=True, slots=True)
class Signed:
    """A finding with its signature, the rule that made it and the facts that raised it."""

    signature: str
    rule: Rule
    finding: Finding
    evidence: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """Whether it is a state or an occurrence."""
        return self.finding.kind or self.rule.declaration.kind

    @property
    def money(self) -> bool:
        """Whether it is about money: never delayed, never a symptom, told again on every return."""
        declared = self.rule.declaration.money
        return declared if self.finding.money is None else self.finding.money

    def when(self, name: Literal["escalates", "worsens", "listed"]) -> Lasts | None:
        """Return how long it must last for that, by the finding or else by the rule's declaration."""
        own = getattr(self.finding, name)
        chosen: Lasts | None = getattr(self.rule.declaration, name) if own is DECLARED else own
        return chosen


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule could decide in this run."""

    rule: Rule
    verdict: Verdict
    why: str = ""
    findings: Mapping[str, Signed] = field(default_factory=dict)
    undecided: tuple[CannotTell, ...] = ()
    good: tuple[Good, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcomes of all rules on one set of facts."""

    facts: Facts
    outcomes: Mapping[str, Outcome]

    @property
    def findings(self) -> dict[str, Signed]:
        """Every finding of this run, by signature."""
        return {key: one for outcome in self.outcomes.values() for key, one in outcome.findings.items()}

    def on(self, condition: Condition) -> tuple[Verdict, str]:
        """Return the verdict on a condition that was not found in this run, and why it is not good."""
        outcome = self.outcomes.get(condition.type)
        if outcome is None:
            return "retired", "its rule was removed"
        if self._switched_off(condition):
            return "retired", "its source was switched off"
        if outcome.verdict in ("unseen", "off hours"):
            return outcome.verdict, outcome.why
        for doubt in outcome.undecided:
            if doubt.subjects is None or condition.subject in doubt.subjects:
                return "unseen", doubt.why
        if outcome.rule.declaration.proves:
            proven = any(good.covers(condition.subject) for good in outcome.good)
            return ("good", "") if proven else ("unseen", "it was not looked at")
        gone = [entry for entry in condition.evidence if not self._seen(entry)]
        return ("unseen", f"{_words(gone)} not seen") if gone else ("good", "")

    def _switched_off(self, condition: Condition) -> bool:
        states = [self.facts.sources.get(entry.partition(":")[0]) for entry in condition.evidence]
        return bool(states) and all(source is not None and source.state == "off" for source in states)

    def _seen(self, entry: str) -> bool:
        section, _, name = entry.partition(":")
        provenance = self.facts.provenance
        return section in provenance.seen.get(name, ()) and name not in provenance.partial


def _words(gone: Sequence[str]) -> str:
    split = (entry.partition(":") for entry in gone)
    return ", ".join(sorted({f"{name} of {section}" for section, _, name in split}))
