"""Runs every rule on the facts, signs its findings, and returns the outcome of each rule.

The engine decides by a rule's declaration whether its facts suffice. A broken rule never hides the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.condition import build_signature
from detector.domain.facts import Facts
from detector.domain.judgement import Judgement, RuleOutcome, SignedFinding
from detector.domain.rule import RANK, Finding, Healthy, Limits, Rule, Undecided
from detector.settings import Settings

ERRORS_RULE = "detector_error"
_DECIDED = ("firing", "good")


def run_rules(rules: Sequence[Rule], facts: Facts, settings: Settings) -> Judgement:
    """Run all rules on the facts and return their outcomes.

    Rules that declare others' findings run in a second pass. `detector_error` runs last, on every rule and
    reader that raised.
    """
    outcomes: dict[str, RuleOutcome] = {}
    errors = list(facts.errors)
    for planned in _build_plan(tuple(rules), settings, facts.list_known()):
        rule = planned.rule
        if rule.name == ERRORS_RULE:
            completed = [name for name, outcome in outcomes.items() if outcome.verdict in _DECIDED]
            final_facts = replace(facts, errors=tuple(errors), ran=facts.ran.union(completed))
            outcomes[rule.name] = _run_rule(planned, final_facts, outcomes)
            continue
        try:
            outcomes[rule.name] = planned.unseen or _run_rule(planned, facts, outcomes)
        except Exception as error:  # noqa: BLE001 - the one place where a broken rule becomes data
            errors.append((rule.name, type(error).__name__))
            outcomes[rule.name] = RuleOutcome(
                rule, "unseen", f"the rule itself failed ({type(error).__name__})"
            )
    return Judgement(facts, outcomes)


class _PlannedRule(Struct, frozen=True, eq=False):
    """A rule with its limits and outcomes that need no run; `unseen` is None where its facts were seen."""

    rule: Rule
    limits: Limits
    unseen: RuleOutcome | None
    good: RuleOutcome


@lru_cache(maxsize=16)  # a replay asks at every snapshot, nearly always for the same facts
def _build_plan(
    rules: tuple[Rule, ...], settings: Settings, known: frozenset[str]
) -> tuple[_PlannedRule, ...]:
    """Return the rules in the order of their run, where facts of these names were seen."""
    ordered = sorted(rules, key=lambda rule: (rule.name == ERRORS_RULE, bool(rule.declaration.given)))
    return tuple(_build_planned_rule(rule, settings, known) for rule in ordered)


def _build_planned_rule(rule: Rule, settings: Settings, known: frozenset[str]) -> _PlannedRule:
    missing = ", ".join(list_missing_facts(rule, known))
    unseen = RuleOutcome(rule, "unseen", f"{missing} not seen") if missing else None
    return _PlannedRule(rule, Limits(rule.declaration.limits, settings), unseen, RuleOutcome(rule, "good"))


def _run_rule(planned: _PlannedRule, facts: Facts, outcomes: Mapping[str, RuleOutcome]) -> RuleOutcome:
    rule = planned.rule
    declaration = rule.declaration
    applies = declaration.during.applies(facts)
    if applies is None:
        return RuleOutcome(rule, "unseen", facts.market.why_unknown or "the market's hours are not known")
    if not applies:
        return RuleOutcome(rule, "off hours", f"it is outside the {declaration.during.name}")
    if declaration.given:
        given = {name: _get_findings(outcomes, name) for name in declaration.given}
        verdicts = [*rule.check(facts, planned.limits, given)]
    else:
        verdicts = [*rule.check(facts, planned.limits)]
    return _build_outcome(rule, verdicts, facts) if verdicts else planned.good


def _build_outcome(
    rule: Rule, verdicts: Iterable[Finding | Undecided | Healthy], facts: Facts
) -> RuleOutcome:
    findings: dict[str, SignedFinding] = {}
    undecided: list[Undecided] = []
    good: list[Healthy] = []
    for verdict in verdicts:
        if isinstance(verdict, Finding):
            _keep_worse(findings, _build_signed_finding(rule, verdict, facts))
        elif isinstance(verdict, Undecided):
            undecided.append(verdict)
        else:
            good.append(verdict)
    return RuleOutcome(rule, "firing" if findings else "good", "", findings, tuple(undecided), tuple(good))


def list_missing_facts(rule: Rule, known: Collection[str]) -> list[str]:
    """Return the facts without which the rule cannot decide, of those that are not among the known ones."""
    declaration = rule.declaration
    missing_facts = [name for name in declaration.sees if name not in known]
    if declaration.any_of and not any(name in known for name in declaration.any_of):
        missing_facts += declaration.any_of
    return missing_facts


def _get_findings(outcomes: Mapping[str, RuleOutcome], name: str) -> list[Finding]:
    outcome = outcomes.get(name)
    return [signed.finding for signed in outcome.findings.values()] if outcome else []


def _keep_worse(findings: dict[str, SignedFinding], signed: SignedFinding) -> None:
    existing = findings.get(signed.signature)
    if existing is None or RANK[signed.finding.severity] > RANK[existing.finding.severity]:
        findings[signed.signature] = signed


def _build_signed_finding(rule: Rule, finding: Finding, facts: Facts) -> SignedFinding:
    signature = build_signature(rule.name, facts.runtime, finding.subject)
    return SignedFinding(signature, rule, finding, tuple(_iter_evidence(rule, finding, facts)))


def _iter_evidence(rule: Rule, finding: Finding, facts: Facts) -> Iterable[str]:
    if finding.source is not None:
        yield f"{finding.source}:"
    names = (*rule.declaration.sees, *rule.declaration.any_of) if finding.facts is None else finding.facts
    for name in names:
        for section in facts.provenance.raised.get(name, ()):
            yield f"{section}:{name}"
