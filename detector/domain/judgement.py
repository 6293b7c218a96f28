"""The outcomes of all rules in one run: signed findings, and a verdict on every other condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field

from detector.domain.condition import Condition
from detector.domain.facts import Facts
from detector.domain.rule import AS_DECLARED, Finding, Healthy, Kind, Lasts, Rule, Undecided

RuleVerdict = Literal["firing", "good", "unseen", "off hours", "retired"]


class SignedFinding(Struct, frozen=True):
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
        """Whether it is about money: never delayed, never a symptom, reported again on every return."""
        declared = self.rule.declaration.money
        return declared if self.finding.money is None else self.finding.money

    def get_duration(self, name: Literal["escalates", "critical_after", "listed_after"]) -> Lasts | None:
        """Return how long it must last for that, by the finding or else by the rule's declaration."""
        own = getattr(self.finding, name)
        chosen: Lasts | None = getattr(self.rule.declaration, name) if own is AS_DECLARED else own
        return chosen


class RuleOutcome(Struct, frozen=True):
    """What one rule could decide in this run."""

    rule: Rule
    verdict: RuleVerdict
    why: str = ""
    findings: Mapping[str, SignedFinding] = field(default_factory=dict)
    undecided: tuple[Undecided, ...] = ()
    healthy: tuple[Healthy, ...] = ()


class Judgement(Struct, frozen=True):
    """The outcomes of all rules on one set of facts; `known` names those that were seen."""

    facts: Facts
    outcomes: Mapping[str, RuleOutcome]
    known: frozenset[str]

    @property
    def findings(self) -> dict[str, SignedFinding]:
        """Every finding of this run, by signature."""
        findings: dict[str, SignedFinding] = {}
        for outcome in self.outcomes.values():
            if outcome.findings:
                findings |= outcome.findings
        return findings

    def get_verdict(self, condition: Condition) -> tuple[RuleVerdict, str]:
        """Return the verdict on a condition that was not found in this run, and why it is not good."""
        outcome = self.outcomes.get(condition.type)
        if outcome is None:
            return "retired", "its rule was removed"
        if why := self._explain_retired(condition, outcome.rule):
            return "retired", why
        if outcome.verdict in ("unseen", "off hours"):
            return outcome.verdict, outcome.why
        for undecided in outcome.undecided:
            if undecided.subjects is None or condition.subject in undecided.subjects:
                return "unseen", undecided.why
        if outcome.rule.declaration.explicit_good:
            proven = any(healthy.covers(condition.subject) for healthy in outcome.healthy)
            return ("good", "") if proven else ("unseen", "it was not looked at")
        missing = [entry for entry in condition.evidence if not self._is_observed(entry)]
        return ("unseen", f"{_format_evidence(missing)} not seen") if missing else ("good", "")

    def _explain_retired(self, condition: Condition, rule: Rule) -> str:
        """Return why nobody looks for it any more, or an empty text.

        What is wrong with a section retires where neither this run nor the one before had it, and no other
        lane may read it.
        """
        sections = {entry.partition(":")[0] for entry in condition.evidence}
        sources, before = self.facts.sources, self.facts.before
        if not sections:
            return ""
        if all(name in sources and sources[name].state == "off" for name in sections):
            return "its source was switched off"
        if not rule.declaration.of_section or before.lanes.keys() - {self.facts.lane}:
            return ""
        known = {*(sections if before.sections is None else before.sections), *self.facts.sections, *sources}
        return "" if known & sections else "its section is neither given nor configured any more"

    def _is_observed(self, entry: str) -> bool:
        section, _, name = entry.partition(":")
        provenance = self.facts.provenance
        return section in provenance.seen.get(name, ()) and name not in provenance.partial


def _format_evidence(entries: Sequence[str]) -> str:
    parts = (entry.partition(":") for entry in entries)
    return ", ".join(sorted({f"{name} of {section}" for section, _, name in parts}))
